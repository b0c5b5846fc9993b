"""What a decision may say. A Step is data: the reconciler performs it and decides again until nothing is left."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime


@dataclass(frozen=True, slots=True)
class Reason:
    """Why something is done: a CamelCase word and a sentence for a person."""

    word: str
    message: str


@dataclass(frozen=True, slots=True)
class Issue:
    """Start an issuance."""

    reason: Reason


@dataclass(frozen=True, slots=True)
class Advance:
    """Go on with the order in the journal."""

    reason: Reason


@dataclass(frozen=True, slots=True)
class Abandon:
    """Clean up after what the journal tells of, an order or a next key, and forget it: it is not wanted any more."""

    reason: Reason


@dataclass(frozen=True, slots=True)
class Repair:
    """Write the Secret's labels, annotations, encoding or keystores anew, without a new certificate."""

    reason: Reason


@dataclass(frozen=True, slots=True)
class Inspect:
    """See whether the keystores of the Secret are still what they should be; changes nothing."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing can be done now; `ready` and `issuing` are what the conditions say meanwhile.

    Args:
        until: The moment to look again; None waits for a change.
        ready: Why the Certificate is not Ready; None when it is.
        issuing: Why an issuance is wanted and does not go on; None when none is wanted.
        quiet: It is not worth a word yet.
    """

    until: datetime | None
    ready: Reason | None
    issuing: Reason | None = None
    quiet: bool = False


Step = Issue | Advance | Abandon | Repair | Inspect | Wait

"""What a decision is made from: one Certificate and all that bears on it, observed at one moment. Holds no key."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from certwright.pki.secret import SecretFacts
    from certwright.resources.certificate import Certificate
    from certwright.resources.names import ObjectKey


@dataclass(frozen=True, slots=True)
class SecretView:
    """A Secret without what makes it secret.

    Args:
        name: Its name; the namespace is the Certificate's.
        uid: Its uid.
        resource_version: As of this view.
        type: E.g. `kubernetes.io/tls`.
        labels: Its labels.
        annotations: Its annotations.
        facts: What its data says.
        owned: `labels/KEY`, `annotations/KEY` and, of keystores and further formats, `data/KEY` that our field
            manager owns, so that one that is no longer wanted can be told from one that somebody else has set.
        owner_uids: uids of its owners.
    """

    name: str
    uid: str
    resource_version: str
    type: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    facts: SecretFacts
    owned: frozenset[str] = frozenset()
    owner_uids: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class IssuerState:
    """Whether an issuer can be asked; `type` is acme, ca, selfSigned, or empty when it is not there or not readable."""

    key: ObjectKey
    type: str = ""
    ready: bool = False
    reason: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True)
class KeystoreView:
    """What was found when the keystores of a Secret were looked at, as it is now.

    Args:
        worn: The first entry that is not as wanted; empty when all are.
        until: When they are to be looked at again: a password may change without a word.
    """

    worn: str
    until: datetime


@dataclass(frozen=True, slots=True)
class Observation:
    """All that one decision looks at.

    Args:
        certificate: The Certificate.
        secret: The Secret it names; None when there is none.
        issuer: The issuer it names.
        rival: Name of another Certificate that owns the Secret; empty when there is none.
        owner_wanted: Whether the Secret is to go with the Certificate.
        passwords: resourceVersions of the Secrets with keystores' passwords; empty for one that is not watched.
        keystores: What is in the keystores; None when they were not looked at since something changed.
    """

    certificate: Certificate
    secret: SecretView | None
    issuer: IssuerState
    rival: str = ""
    owner_wanted: bool = False
    passwords: tuple[str, ...] = ()
    keystores: KeystoreView | None = None

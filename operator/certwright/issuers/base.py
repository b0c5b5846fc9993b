"""The one interface of all issuers. No call waits: what is not finished yet comes back with when to call again."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from certwright.errors import Retryable

if TYPE_CHECKING:
    from datetime import datetime

    from certwright.pki.keys import PrivateKey
    from certwright.resources.certificate import Certificate
    from certwright.resources.issuer import Issuer
    from certwright.resources.order import OrderJournal


@dataclass(frozen=True, slots=True)
class Request:
    """One Certificate that wants a chain.

    Args:
        certificate: Whose status holds the journal, if one was written.
        digest: What is asked for, as the journal records it.
        now: The moment, UTC.
    """

    certificate: Certificate
    digest: str
    now: datetime


@dataclass(frozen=True, slots=True)
class Planned:
    """An order was made; its journal must be written before the next call."""

    order: OrderJournal


@dataclass(frozen=True, slots=True)
class Pending:
    """Nothing can be done for so many seconds; `order` and `message` say where it stands."""

    order: OrderJournal
    seconds: float
    message: str
    lasting: bool = False


@dataclass(frozen=True, slots=True)
class Issued:
    """The certificate. PEM; `ca` is empty where the issuer has none to give, `key` None where somebody else has it."""

    chain: bytes
    ca: bytes
    key: PrivateKey | None = field(repr=False)


class OrderLost(Retryable):
    """The order cannot come to an end: forget it and order anew."""

    default_reason = "OrderLost"


Outcome = Planned | Pending | Issued


@dataclass(frozen=True, slots=True)
class Report:
    """What an issuer's check found: the Ready condition's reason and message, and `status.acme` where there is one."""

    reason: str
    message: str
    account: dict[str, str] | None = None


class Backend(Protocol):
    """One type of issuer. Every call raises CertwrightError only."""

    def check(self, issuer: Issuer, now: datetime) -> Report:
        """Make the issuer ready, for instance by registering an account; a fault says why it is not."""

    def advance(self, issuer: Issuer, request: Request) -> Outcome:
        """Go on with an issuance as far as it goes without waiting."""

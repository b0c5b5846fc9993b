"""Where a Certificate stands, read from its status, its issuer and its Events: what `status` prints in any form.

It draws no conclusion that the operator would not draw: the next action comes from the status and from the core's own
rules. Objects are read leniently, for a broken one is what people look at most.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from certwright.core.backoff import after_refusal
from certwright.resources.certificate import parse_status
from certwright.resources.conditions import ISSUING, READY, Condition
from certwright.resources.meta import Meta
from certwright.resources.names import CERTIFICATE, ISSUER, ObjectKey
from certwright.resources.order import ChallengeState
from certwright.resources.values import parse_time

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from certwright.resources.certificate import CertificateStatus

UNSEEN = "the operator has not looked at it yet; see whether it runs and serves this namespace"
OUTDATED = "the operator has not looked at the last change of the spec yet; see whether it runs"
EVENTS_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Next:
    """What happens next, or what a person has to do; `at` is None where no moment is known."""

    action: str
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Situation:
    """One Certificate.

    Args:
        namespace: Its namespace.
        name: Its name.
        ready: "True", "False" or "Unknown", as of the spec as it is now.
        reason: Of the Ready condition.
        message: Of the Ready condition.
        issuer: `Kind/name`.
        secret_name: Of its TLS Secret.
        names: All that it asks for.
        not_before: Of the certificate in use; None when there is none.
        not_after: Likewise.
        renewal_time: Likewise.
        revision: How many certificates it has had.
        next: The one next action.
    """

    namespace: str
    name: str
    ready: str
    reason: str
    message: str
    issuer: str
    secret_name: str
    names: tuple[str, ...]
    not_before: datetime | None
    not_after: datetime | None
    renewal_time: datetime | None
    revision: int
    next: Next

    @classmethod
    def of(cls, body: Mapping[str, Any], now: datetime) -> Situation:
        """Read it from a Certificate's body."""
        meta, status = Meta.of(body), parse_status(body)
        spec = _mapping(body.get("spec"))
        reference = _mapping(spec.get("issuerRef"))
        ready = current(status.condition(READY), meta)
        common = spec.get("commonName")
        lists = (spec.get(field) for field in ("dnsNames", "ipAddresses", "uris", "emailAddresses"))
        names = [name for names in lists if isinstance(names, list) for name in names]
        return cls(
            namespace=meta.namespace,
            name=meta.name,
            ready=ready.status,
            reason=ready.reason,
            message=ready.message,
            issuer=f"{reference.get('kind') or ISSUER}/{reference.get('name', '')}",
            secret_name=str(spec.get("secretName", "")),
            names=tuple(dict.fromkeys(str(name) for name in ([common] if common else []) + names)),
            not_before=parse_time(status.raw.get("notBefore")),
            not_after=parse_time(status.raw.get("notAfter")),
            renewal_time=parse_time(status.raw.get("renewalTime")),
            revision=status.revision,
            next=next_action(meta, status, now),
        )

    @property
    def is_ready(self) -> bool:
        """Whether there is nothing to complain about."""
        return self.ready == "True"


@dataclass(frozen=True, slots=True)
class Event:
    """A Kubernetes Event, shortened."""

    type: str
    reason: str
    message: str
    count: int
    last: datetime | None

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> Event:
        """Read it from its body."""
        count = body.get("count")
        last = body.get("lastTimestamp") or body.get("eventTime") or body.get("firstTimestamp")
        return cls(
            type=str(body.get("type", "")),
            reason=str(body.get("reason", "")),
            message=str(body.get("message", "")),
            count=count if isinstance(count, int) else 1,
            last=parse_time(last),
        )


@dataclass(frozen=True, slots=True)
class IssuerSummary:
    """Whether the issuer can be asked; `ready` is "Missing" where there is none of that name."""

    reference: str
    ready: str
    message: str

    @classmethod
    def of(cls, key: ObjectKey, body: Mapping[str, Any] | None) -> IssuerSummary:
        """Read it from its body."""
        reference = f"{key.kind}/{key.name}"
        if body is None:
            return cls(reference, "Missing", "it does not exist; create it, or mend spec.issuerRef")
        conditions = _mapping(body.get("status")).get("conditions") or ()
        found = (Condition.of(item) for item in conditions if isinstance(item, dict))
        ready = current(next((item for item in found if item.type == READY), None), Meta.of(body))
        return cls(reference, ready.status, ready.message)


@dataclass(frozen=True, slots=True)
class Story:
    """All there is to say of one Certificate; `status` is as the operator wrote it."""

    situation: Situation
    status: Mapping[str, Any]
    issuer: IssuerSummary
    events: tuple[Event, ...]


def certificate_key(namespace: str, name: str) -> ObjectKey:
    """The key of a Certificate."""
    return ObjectKey(CERTIFICATE, namespace, name)


def latest(bodies: Iterable[Mapping[str, Any]]) -> tuple[Event, ...]:
    """The last few Events, the newest last."""
    events = sorted((Event.of(body) for body in bodies), key=lambda event: event.last.timestamp() if event.last else 0)
    return tuple(events[-EVENTS_SHOWN:])


def current(condition: Condition | None, meta: Meta) -> Condition:
    """A condition as of the spec as it is now: Unknown when there is none, or when it tells of an older spec."""
    if condition is None:
        return Condition(READY, "Unknown", "NotObserved", UNSEEN)
    if 0 < condition.observed_generation < meta.generation:
        return Condition(READY, "Unknown", "Outdated", OUTDATED)
    return condition


def next_action(meta: Meta, status: CertificateStatus, now: datetime) -> Next:
    """What the status says will happen, or has to be done, next.

    Args:
        meta: The Certificate's metadata.
        status: Its status.
        now: The moment, UTC.
    """
    ready, issuing = current(status.condition(READY), meta), status.condition(ISSUING)
    if ready.status == "Unknown":
        return Next(ready.message)
    if status.order:
        return _order_action(status, issuing, now)
    if issuing and issuing.status == "True":
        return Next(f"the operator goes on by itself: {issuing.message}")
    if status.failed_attempts and status.last_failure_time:
        again = after_refusal(status.last_failure_time, status.failed_attempts, meta.uid)
        return Next("it is tried again; at once by `certwright renew` when the cause is mended", max(again, now))
    if issuing or ready.status != "True":
        return Next((issuing or ready).message)
    moment = parse_time(status.raw.get("renewalTime"))
    return Next("it is renewed", moment) if moment else Next("nothing")


def _order_action(status: CertificateStatus, issuing: Condition | None, now: datetime) -> Next:
    order = status.order
    if order and order.waiting_until and order.waiting_until > now:
        return Next("it waits before it goes on with the order", order.waiting_until)
    for identifier in order.identifiers if order else ():
        verdict = identifier.verdict
        if verdict and verdict.action and identifier.state is not ChallengeState.VALID:
            return Next(f"{identifier.name}: {verdict.action}")
    return Next(f"the operator goes on by itself: {issuing.message if issuing else 'the order is under way'}")


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}

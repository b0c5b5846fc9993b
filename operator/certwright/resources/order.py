"""The journal of an issuance under way, as it stands in `status.order`.

It is written before the effects it describes, so that whoever comes after a crash can finish or clean up from it alone.
It holds nothing secret: a TXT value and the name of an object are public by nature, a token or a key is never here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from certwright.resources.values import clip, format_time, parse_time

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

EVIDENCE_LIMIT = 10
"""Identifiers whose verdict is kept in status; the others are only counted."""
MISSING_LIMIT = 8
"""Servers named in one verdict."""
VALUES_LIMIT = 3
"""Values kept of one server's answer."""
VALUE_LENGTH = 50
"""Characters of one of them; a challenge's has 43."""


class ChallengeState(StrEnum):
    """How far one identifier is."""

    PLANNED = "planned"
    PRESENTED = "presented"
    CHECKING = "checking"
    ACCEPTED = "accepted"
    VALID = "valid"
    INVALID = "invalid"


@dataclass(frozen=True, slots=True)
class Record:
    """The TXT record of a DNS-01 challenge; `name` and `zone` end with a dot."""

    name: str
    zone: str
    provider: str
    value: str

    @classmethod
    def of(cls, body: object) -> Record | None:
        """Read it from status; None when there is none."""
        if not isinstance(body, dict):
            return None
        return cls(*(str(body.get(name, "")) for name in ("name", "zone", "provider", "value")))

    def body(self) -> dict[str, str]:
        """As it is written."""
        return {"name": self.name, "zone": self.zone, "provider": self.provider, "value": self.value}


@dataclass(frozen=True, slots=True)
class SolverObject:
    """An object of the cluster that a solver makes for an order, in the Certificate's namespace.

    Args:
        kind: `Pod`, `Service`, `Ingress` or `HTTPRoute`.
        name: Its name.
        shared: True for an Ingress of somebody else's, to which rules are added and taken out again.
    """

    kind: str
    name: str
    shared: bool = False

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> SolverObject:
        """Read it from status."""
        return cls(str(body.get("kind", "")), str(body.get("name", "")), shared=body.get("shared") is True)

    def body(self) -> dict[str, Any]:
        """As it is written."""
        return {"kind": self.kind, "name": self.name, **({"shared": True} if self.shared else {})}


@dataclass(frozen=True, slots=True)
class ServerAnswer:
    """What one server answered instead of what was expected.

    Args:
        server: Its name.
        address: Its address that was asked.
        answer: What it answered, for a person.
        transport: How: UDP, TCP, TLS or HTTPS. It makes no other answer of the same one.
        rcode: The answer's response code (RFC 1035 section 4.1.1); empty where none came, and for what is no DNS.
        values: What it has there in place of what was expected; the first few.
    """

    server: str
    address: str
    answer: str
    transport: str = field(default="", compare=False)
    rcode: str = ""
    values: tuple[str, ...] = ()

    @classmethod
    def of(cls, body: dict[str, Any]) -> ServerAnswer:
        """Read it from status."""
        values = body.get("values")
        return cls(
            server=str(body.get("server", "")),
            address=str(body.get("address", "")),
            answer=str(body.get("answer", "")),
            transport=str(body.get("transport", "")),
            rcode=str(body.get("rcode", "")),
            values=tuple(map(str, values)) if isinstance(values, list) else (),
        )

    def body(self) -> dict[str, Any]:
        """As it is written; bounded."""
        body: dict[str, Any] = {"server": self.server, "address": self.address, "answer": clip(self.answer)}
        if self.transport:
            body["transport"] = self.transport
        if self.rcode:
            body["rcode"] = self.rcode
        if self.values:
            body["values"] = [clip(value, VALUE_LENGTH) for value in self.values[:VALUES_LIMIT]]
        return body


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a solver's check found; when not `ok`, `action` is the one thing to do.

    `tolerable` says that the way from here may be all that is wrong, so that the CA may be told after a while. It is
    for whoever looked, and not kept in status. `asked_again` says in words when the next look is: an interval, since a
    time would be another one after each look.
    """

    ok: bool
    summary: str
    missing: tuple[ServerAnswer, ...] = ()
    action: str = ""
    tolerable: bool = False
    asked_again: str = ""

    @classmethod
    def of(cls, body: object) -> Verdict | None:
        """Read it from status; None when there is none."""
        if not isinstance(body, dict):
            return None
        missing = body.get("missing")
        return cls(
            ok=False,
            summary=str(body.get("summary", "")),
            missing=tuple(
                ServerAnswer.of(item)
                for item in (missing if isinstance(missing, list) else ())
                if isinstance(item, dict)
            ),
            action=str(body.get("action", "")),
            asked_again=str(body.get("askedAgain", "")),
        )

    def body(self) -> dict[str, Any]:
        """As it is written; bounded."""
        body: dict[str, Any] = {"summary": clip(self.summary)}
        if self.missing:
            body["missing"] = [answer.body() for answer in self.missing[:MISSING_LIMIT]]
        if self.action:
            body["action"] = clip(self.action)
        if self.asked_again:
            body["askedAgain"] = self.asked_again
        return body


@dataclass(frozen=True, slots=True)
class IdentifierJournal:
    """One name of the order and how it is being proven; a wildcard keeps its `*.`."""

    name: str
    challenge: str
    state: ChallengeState
    record: Record | None = None
    verdict: Verdict | None = None

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> IdentifierJournal:
        """Read it from status; an unknown state counts as planned, which only costs repeating idempotent work."""
        state = str(body.get("state", ""))
        return cls(
            name=str(body.get("name", "")),
            challenge=str(body.get("challenge", "")),
            state=ChallengeState(state) if state in set(ChallengeState) else ChallengeState.PLANNED,
            record=Record.of(body.get("record")),
            verdict=Verdict.of(body.get("verdict")),
        )


@dataclass(frozen=True, slots=True)
class OrderJournal:
    """`status.order`.

    Args:
        issuer: `Kind/name` of the issuer it was made at.
        url: The order's URL at the CA.
        state: The CA's word for it (RFC 8555 section 7.1.6).
        request: Digest of what was asked for; another digest in the spec means the order is for something else.
        identifiers: One entry a name.
        waiting_until: Only for waits of minutes and more.
        objects: What solvers make in the cluster for it.
    """

    issuer: str
    url: str
    state: str
    request: str
    identifiers: tuple[IdentifierJournal, ...] = ()
    waiting_until: datetime | None = None
    objects: tuple[SolverObject, ...] = ()

    @classmethod
    def of(cls, body: object) -> OrderJournal | None:
        """Read it from status; None when there is none."""
        if not isinstance(body, dict) or not body:
            return None
        identifiers, objects = body.get("identifiers"), body.get("objects")
        return cls(
            issuer=str(body.get("issuer", "")),
            url=str(body.get("url", "")),
            state=str(body.get("state", "")),
            request=str(body.get("request", "")),
            identifiers=tuple(
                IdentifierJournal.of(item)
                for item in (identifiers if isinstance(identifiers, list) else ())
                if isinstance(item, dict)
            ),
            waiting_until=parse_time(body.get("waitingUntil")),
            objects=tuple(
                SolverObject.of(item)
                for item in (objects if isinstance(objects, list) else ())
                if isinstance(item, dict)
            ),
        )

    def body(self) -> dict[str, Any]:
        """As it is written: every record and object for clean-up, evidence for the first few names only."""
        evidence = 0
        identifiers = []
        for identifier in self.identifiers:
            item: dict[str, Any] = {
                "name": identifier.name,
                "challenge": identifier.challenge,
                "state": str(identifier.state),
            }
            if identifier.record:
                item["record"] = identifier.record.body()
            if identifier.verdict and not identifier.verdict.ok and evidence < EVIDENCE_LIMIT:
                evidence += 1
                item["verdict"] = identifier.verdict.body()
            identifiers.append(item)
        body: dict[str, Any] = {"issuer": self.issuer, "url": self.url, "state": self.state, "request": self.request}
        body["identifiers"] = identifiers
        if self.objects:
            body["objects"] = [item.body() for item in self.objects]
        if self.waiting_until:
            body["waitingUntil"] = format_time(self.waiting_until)
        return body

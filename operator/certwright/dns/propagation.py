"""Says whether a TXT record can be seen yet, and if not, by whom not and what to do: the evidence that status shows.

Every address of every server concerned is asked, all at the same time. The verdict is a value: the same situation gives
the same words, so that status is not written anew on every look. When to look again is the caller's.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

import dns.name
import dns.rcode
from dns.rdatatype import CNAME, TXT

from certwright.dns.answers import is_lame
from certwright.dns.resolvers import UNAVAILABLE
from certwright.dns.transport import Conversation, converse
from certwright.dns.wire import Endpoint, Fault, Query, Reply, Via
from certwright.errors import CertwrightError, InvalidSpec, Retryable
from certwright.resources.order import VALUE_LENGTH, VALUES_LIMIT, Record, ServerAnswer, Verdict
from certwright.resources.values import clip, format_duration, parse_duration

if TYPE_CHECKING:
    from collections.abc import Sequence

    from certwright.dns.zone import Zone, Zones
    from certwright.resources.reading import Fields

HELD = "holds the record"
NOT_ASKED = frozenset({Fault.NO_ROUTE})


class Mode(StrEnum):
    """Who has to see the record."""

    AUTHORITATIVE = "Authoritative"
    RECURSIVE = "Recursive"
    BOTH = "Both"
    NONE = "None"


@dataclass(frozen=True, slots=True)
class Propagation:
    """`dns01.propagation` with its defaults.

    Args:
        mode: Who has to see the record.
        wait: How long after the record was made the first look is due; with mode None, how long to wait in all.
        timeout: How long after the record was made the attempt is given up.
        interval: Time between two looks.
        quorum: Percentage of the addresses asked that have to hold the record.
    """

    mode: Mode = Mode.AUTHORITATIVE
    wait: timedelta = timedelta(0)
    timeout: timedelta = timedelta(hours=1)
    interval: timedelta = timedelta(seconds=5)
    quorum: int = 100

    @property
    def rhythm(self) -> str:
        """When a record that is not seen is looked for again, in words."""
        return f"within {format_duration(self.interval)}, and given up {format_duration(self.timeout)} after its making"

    @classmethod
    def of(cls, config: Fields) -> Propagation:
        """Read it from the solver's fields.

        Raises:
            InvalidSpec: Naming the field that is wrong.
        """
        mode = config.text("mode", Mode.AUTHORITATIVE)
        if mode not in set(Mode):
            raise InvalidSpec(f"{config.at('mode')}: {mode[:40]!r} must be one of {', '.join(Mode)}")
        times = {}
        for name, default in (("wait", cls().wait), ("timeout", cls().timeout), ("interval", cls().interval)):
            times[name] = parse_duration(text, config.at(name)) if (text := config.text(name)) else default
            if times[name] < timedelta(0) or (name != "wait" and not times[name]):
                raise InvalidSpec(f"{config.at(name)}: must be longer than no time at all")
        quorum = config.number("quorum")
        if quorum is not None and not 1 <= quorum <= 100:  # noqa: PLR2004 - percent
            raise InvalidSpec(f"{config.at('quorum')}: must be a percentage from 1 to 100, not {quorum}")
        return cls(mode=Mode(mode), quorum=quorum or 100, **times)


@dataclass(frozen=True, slots=True)
class _Look:
    """What one address said; `held` is None where it does not count."""

    server: str
    reply: Reply
    held: bool | None
    answer: str
    values: tuple[str, ...] = ()

    @property
    def evidence(self) -> ServerAnswer:
        """As status shows it."""
        reply, message = self.reply, self.reply.message
        both = message is None and reply.query.via is Via.EITHER and reply.transport == "TCP"
        return ServerAnswer(
            self.server,
            reply.query.endpoint.address,
            self.answer,
            Via.EITHER if both else reply.transport,
            dns.rcode.to_text(message.rcode()) if message is not None else "",
            self.values,
        )


def check(records: Sequence[Record], zones: Zones, propagation: Propagation) -> list[Verdict]:
    """Look for all records side by side, and wait for the answers.

    Args:
        records: What to look for; each names its zone.
        zones: How zones, their servers and the resolvers are found.
        propagation: Who has to see the record, and how many of them.

    Returns one verdict a record, in order. A fault of the DNS is a verdict, too, and never raised.
    """
    outcomes = converse([checking(record, zones, propagation) for record in records], limits=zones.resolvers.limits)
    verdicts = [
        Verdict(ok=False, summary=outcome.message, action="look at the DNS resolvers and the zone's delegation")
        if isinstance(outcome, CertwrightError)
        else outcome
        for outcome in outcomes
    ]
    return [verdict if verdict.ok else replace(verdict, asked_again=propagation.rhythm) for verdict in verdicts]


def checking(record: Record, zones: Zones, propagation: Propagation) -> Conversation[Verdict]:
    """Look for one record, as a conversation."""
    if propagation.mode is Mode.NONE:
        return Verdict(ok=True, summary="not checked: propagation.mode is None")
    name = dns.name.from_text(record.name)
    zone = None
    asked: list[tuple[str, Endpoint, bool]] = []
    if propagation.mode in {Mode.AUTHORITATIVE, Mode.BOTH}:
        zone = yield from zones.serving(dns.name.from_text(record.zone))
        asked += [
            (server.name, zones.endpoint(address), False) for server in zone.nameservers for address in server.addresses
        ]
    if propagation.mode in {Mode.RECURSIVE, Mode.BOTH}:
        asked += [
            (f"resolver {server}", endpoint, True)
            for server in zones.resolvers.servers
            for endpoint in server.endpoints(zones.resolvers.refuse)
        ]
    if not asked:
        raise Retryable("no DNS resolver is usable: none has an address", reason=UNAVAILABLE)
    replies = yield [Query(endpoint, name, TXT, recurse) for _, endpoint, recurse in asked]
    looks = [
        _look(server, reply, record.value, None if recurse else zone)
        for (server, _, recurse), reply in zip(asked, replies, strict=True)
    ]
    return _verdict(_tolerant(looks), record, propagation.quorum)


def _look(server: str, reply: Reply, value: str, zone: Zone | None) -> _Look:
    """Read one reply; zone is None for a resolver, which need not be authoritative."""
    if reply.fault in NOT_ASKED:
        return _Look(server, reply, None, str(reply.fault))
    message = reply.answer
    if message is None:
        return _Look(server, reply, held=False, answer=str(reply))
    values = sorted(
        b"".join(rdata.strings).decode("utf-8", "replace")
        for rrset in message.answer
        if rrset.rdtype == TXT
        for rdata in rrset
    )
    if value in values:
        return _Look(server, reply, held=True, answer=HELD)
    if message.rcode() == dns.rcode.NXDOMAIN:
        answer = "NXDOMAIN"
    elif values:
        shown = ", ".join(clip(text, VALUE_LENGTH) for text in values[:VALUES_LIMIT])
        more = f" and {len(values) - VALUES_LIMIT} more" if len(values) > VALUES_LIMIT else ""
        answer = f"other TXT values: {shown}{more}"
    elif any(rrset.rdtype == CNAME for rrset in message.answer):
        target = next(rrset[0].target for rrset in message.answer if rrset.rdtype == CNAME)
        answer = f"a CNAME to {target.to_text()} without this TXT"
    elif zone is not None and is_lame(message, zone):
        answer = "not authoritative for the zone"
    else:
        answer = "no TXT record"
    return _Look(server, reply, held=False, answer=answer, values=tuple(values[:VALUES_LIMIT]))


def _tolerant(looks: Sequence[_Look]) -> list[_Look]:
    """An IPv6 address without an answer does not count where the same server's IPv4 address holds the record.

    Clusters without a working IPv6 path are common, and it is the same server's data that was just seen. Where no IPv6
    address answers at all, that path is dead, and servers with no other address cannot be asked from here.
    """
    six = [look for look in looks if ":" in look.reply.query.endpoint.address]
    seen = {look.server for look in looks if look.held and look not in six}
    dead = bool(seen) and all(look.reply.fault for look in six)
    return [
        replace(look, held=None) if look.reply.fault and look in six and (dead or look.server in seen) else look
        for look in looks
    ]


def _verdict(looks: Sequence[_Look], record: Record, quorum: int) -> Verdict:
    counted = [look for look in looks if look.held is not None]
    missing = [look for look in counted if not look.held]
    held = len(counted) - len(missing)
    aside = sorted(f"{look.reply.query.endpoint.address} ({look.answer})" for look in looks if look.held is None)
    summary = f"{held} of {len(counted)} addresses of the servers asked hold the record"
    if aside:
        summary += f"; not counted: {', '.join(aside)}"
    if counted and held * 100 >= quorum * len(counted):
        return Verdict(ok=True, summary=summary)
    shown = missing or looks
    servers = [look for look in shown if not look.reply.query.recurse]
    return Verdict(
        ok=False,
        summary=summary,
        missing=tuple(sorted((look.evidence for look in shown), key=lambda answer: (answer.server, answer.address))),
        action=_action(servers, record, some=bool(held)) if servers else _of_resolvers(shown),
    )


def _action(missing: Sequence[_Look], record: Record, *, some: bool) -> str:
    """The one thing to do where name servers lack the record, by what is worst among the answers."""
    silent = sorted({look.server for look in missing if look.reply.message is None})
    if len(silent) == len({look.server for look in missing}) and not some:
        return (
            f"let the operator reach {_several(silent)} on port 53 by UDP and TCP, or set propagation.mode to Recursive"
        )
    failing = sorted({look.server for look in missing if look.reply.message is not None and not _plain(look)})
    if failing:
        return f"make {_several(failing)} serve {record.zone}, or take it out of the zone's NS records"
    if silent:
        who = _several(silent)
        return f"repair {who} or the way to it, take it out of the zone's NS records, or lower propagation.quorum"
    behind = sorted({look.server for look in missing})
    if some:
        return f"wait; if this lasts, look at the zone transfer to {_several(behind)}"
    provider = record.provider or "the provider"
    return f"wait; if this lasts, see that {provider} writes into the zone {record.zone} of {_several(behind)}"


def _of_resolvers(missing: Sequence[_Look]) -> str:
    """What to do where resolvers alone lack the record."""
    bad = sorted({look.server for look in missing if look.reply.answer is None})
    if bad:
        return f"repair {_several(bad)} or the way to it, or name other resolvers (dns01.nameservers)"
    behind = sorted({look.server for look in missing})
    return (
        f"wait: {_several(behind)} may keep for a while that there was no such record, or an old one; "
        "propagation.mode Authoritative does not ask it"
    )


def _plain(look: _Look) -> bool:
    """Whether the server did answer for the zone, only without the record."""
    return look.reply.answer is not None and not look.answer.startswith("not authoritative")


def _several(servers: Sequence[str]) -> str:
    return ", ".join(servers[:3]) + (f" and {len(servers) - 3} more" if len(servers) > 3 else "")  # noqa: PLR2004 - enough to start with

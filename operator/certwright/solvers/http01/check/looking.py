"""Says whether a CA would find the answers of HTTP-01 challenges, before it is told: evidence that cannot deadlock.

A name is looked at as a CA does it. Where that fails, the answer is looked for further inside, at the Ingress and at
the pod, so that a place that cannot reach its own public address does not wait for ever. When to look again, and for
how long, is the caller's.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from certwright.dns.addresses import Addresses
from certwright.dns.names import canonical
from certwright.errors import CertwrightError, InvalidSpec
from certwright.providers.guard import everywhere
from certwright.resources.order import Verdict
from certwright.solvers.http01.check import verdict
from certwright.solvers.http01.check.look import Bounds, Hosts, Looker, Way
from certwright.solvers.http01.check.met import Kind, Met
from certwright.solvers.http01.check.redirect import Ports, bracketed, is_literal
from certwright.solvers.http01.check.sight import Looked, Places, Sight

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from concurrent.futures import Executor

    from certwright.dns.resolvers import Resolvers
    from certwright.providers.guard import Guard
    from certwright.solvers.http01.answer import Answer

__all__ = ["Places", "Policy", "check"]

PER_FAMILY: Final = 4
"""Addresses of a name that are looked at, of IPv4 and of IPv6."""
ENTRIES: Final = 3
"""Addresses of the Ingress that are tried, one after the other."""


class Policy(StrEnum):
    """What follows when the answer cannot be fetched from here."""

    REQUIRE = "Require"
    WARN = "Warn"
    SKIP = "Skip"


def check(
    answers: Sequence[Answer],
    places: Places,
    *,
    policy: Policy,
    resolvers: Resolvers,
    executor: Executor,
    proxy_header: str = "Host",
    guard: Guard | None = None,
    ports: Ports = Ports(),  # noqa: B008 - frozen
    bounds: Bounds = Bounds(),  # noqa: B008 - likewise
) -> list[Verdict]:
    """Look for all answers side by side, and wait for what comes.

    Args:
        answers: What has to be found.
        places: Where else than by the name.
        policy: With Skip nobody is asked and all is well; with Warn a verdict can be tolerable.
        resolvers: Who finds the names.
        executor: Runs the looks; not the one this call runs in, whose threads could all be waiting here.
        proxy_header: The header by which a proxy tells the pod the host: Host, X-Forwarded-Host or Forwarded.
        guard: Where connections may go; the operator's own rule by default.
        ports: Others than 80 and 443 are for tests.
        bounds: How long it may take.

    Returns one verdict an answer, in order. No fault of DNS, network or web servers is raised.
    """
    if policy is Policy.SKIP:
        return [Verdict(ok=True, summary="not checked: http01.check.policy is Skip") for _ in answers]
    if places.trouble and not places.pod:
        return [verdict.waiting(_looked(answer), places) for answer in answers]
    hosts = Hosts(resolvers)
    looker = Looker(hosts=hosts, guard=guard or everywhere(), ports=ports, bounds=bounds)
    run = _Run(answers, places, hosts=hosts, looker=looker, executor=executor, proxy_header=proxy_header)
    tolerant = policy is Policy.WARN
    return [
        verdict.judge(looked, places, tolerant=tolerant) if _host(looked.name) else _NO_HOST for looked in run.looked()
    ]


_NO_HOST: Final = Verdict(
    ok=False,
    summary="HTTP-01 proves host names and IP addresses, and this is neither",
    action="use a dns01 solver for it",
)


@dataclass(frozen=True, slots=True)
class _Task:
    """One look that is to be made for the answer of this number."""

    number: int
    way: Way


class _Run:
    """One check, from the outside inwards."""

    def __init__(
        self,
        answers: Sequence[Answer],
        places: Places,
        *,
        hosts: Hosts,
        looker: Looker,
        executor: Executor,
        proxy_header: str,
    ) -> None:
        self._answers = answers
        self._places = places
        self._hosts = hosts
        self._looker = looker
        self._executor = executor
        self._proxy_header = proxy_header
        self._looked = [_looked(answer) for answer in answers]
        self._host = [_host(answer.identifier) for answer in answers]

    def looked(self) -> list[Looked]:
        """Look on all ways that are needed."""
        entries = sorted({host for host in map(_host, self._places.entry) if host})
        names = [host for host in (*self._host, *entries) if host and not is_literal(host)]
        self._hosts.resolve(names)
        self._by_name()
        self._by_entry(entries)
        self._by_pod()
        return self._looked

    def _by_name(self) -> None:
        tasks = []
        for number, host in enumerate(self._host):
            found = self._find(host)
            if isinstance(found, Addresses):
                alias = found.end.rstrip(".") if found.end.rstrip(".") != host and not found.found else ""
                self._looked[number] = replace(self._looked[number], lack=found.lack, alias=alias)
                tasks += [
                    _Task(number, Way(address, self._looker.ports.http, frozenset({host})))
                    for address in _some(found.found)
                ]
            else:
                self._looked[number] = replace(self._looked[number], lack=found.message, unanswered=True)
        for number, sight in self._look(tasks):
            looked = self._looked[number]
            self._looked[number] = replace(looked, named=(*looked.named, sight))

    def _by_entry(self, entries: Sequence[str]) -> None:
        """By one address after the other, and only for those who are not right yet."""
        addresses: dict[str, Met | None] = {}
        for host in entries:
            found = self._find(host)
            if isinstance(found, Addresses) and found.found:
                addresses.update(dict.fromkeys(_some(found.found)))
            else:
                addresses[host] = Met(Kind.UNRESOLVED, found.lack if isinstance(found, Addresses) else found.message)
        hosts = frozenset(host for host in self._host if host)
        for address, fault in list(addresses.items())[:ENTRIES]:
            tasks = []
            for number in self._left():
                looked = self._looked[number]
                known = fault or self._seen(looked, address)
                if known:
                    self._looked[number] = replace(looked, entry=(*looked.entry, Sight(address, known)))
                else:
                    way = Way(address, self._looker.ports.http, hosts, self._headers(self._host[number]))
                    tasks.append(_Task(number, way))
            for number, sight in self._look(tasks):
                looked = self._looked[number]
                self._looked[number] = replace(looked, entry=(*looked.entry, sight))

    def _by_pod(self) -> None:
        if not self._places.pod:
            return
        address, _, port = self._places.pod.rpartition(":")
        address = address.strip("[]")
        tasks = [
            _Task(number, Way(address, int(port), headers=self._headers(self._host[number]), redirects=False))
            for number in self._left()
        ]
        for number, sight in self._look(tasks):
            self._looked[number] = replace(self._looked[number], pod=Sight(self._places.pod, sight.met))

    def _left(self) -> list[int]:
        """The answers that were found nowhere yet; a name that is none is not looked for."""
        return [
            number
            for number, looked in enumerate(self._looked)
            if self._host[number] and not any(sight.right for sight in looked.named + looked.entry)
        ]

    def _seen(self, looked: Looked, address: str) -> Met | None:
        """What the name met there already, where the same question would be asked again."""
        if self._proxy_header != "Host":
            return None
        return next((s.met for s in looked.named if s.address == address and not s.met.redirect), None)

    def _look(self, tasks: Sequence[_Task]) -> list[tuple[int, Sight]]:
        """Make the looks side by side: one at each address first, so that one that is dead costs its time-out once."""
        first = {(task.way.address, task.way.port): task for task in reversed(tasks)}
        scouts = [task for task in tasks if first[task.way.address, task.way.port] is task]
        others = [task for task in tasks if first[task.way.address, task.way.port] is not task]
        met: dict[int, Met] = {}
        for batch in (scouts, others):
            spread = map if len(batch) == 1 else self._executor.map
            met.update(zip(map(id, batch), spread(self._one, batch), strict=True))
        return [(task.number, Sight(task.way.address, met[id(task)])) for task in tasks]

    def _one(self, task: _Task) -> Met:
        return self._looker.look(self._answers[task.number], self._host[task.number], task.way)

    def _find(self, host: str) -> Addresses | CertwrightError:
        if not host:
            return InvalidSpec("not a host name")
        if is_literal(host):
            return Addresses((host,), host)
        try:
            return self._hosts.addresses(host)
        except CertwrightError as fault:
            return fault

    def _headers(self, host: str) -> Mapping[str, str]:
        """What a proxy would add."""
        if self._proxy_header == "Forwarded":  # RFC 7239 section 4: an IPv6 address has to be quoted
            return {"Forwarded": f'host="{bracketed(host)}"' if ":" in host else f"host={host}"}
        return {} if self._proxy_header == "Host" else {self._proxy_header: bracketed(host)}


def _looked(answer: Answer) -> Looked:
    """Nothing yet."""
    return Looked(answer.identifier, f"http://{bracketed(answer.identifier)}")


def _host(text: str) -> str:
    """An identifier, or what an Ingress reports, as a URL's host; empty where it is none."""
    if is_literal(text):
        return str(ipaddress.ip_address(text))
    try:
        return canonical(text).to_text(omit_final_dot=True)
    except InvalidSpec:
        return ""


def _some(addresses: Sequence[str]) -> list[str]:
    """A few of each family."""
    return [
        address
        for family in (False, True)
        for address in [address for address in addresses if (":" in address) is family][:PER_FAMILY]
    ]

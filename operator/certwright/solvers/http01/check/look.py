"""Looks for one name's answer at one address, along redirects, and says in words what was met.

Every address passes the guard before it is connected to. A redirect inside private networks is followed to the
challenge's own path only, so that nobody can have the operator ask there for anything else.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from certwright.dns.addresses import Addresses, looking_up
from certwright.dns.names import canonical
from certwright.dns.transport import converse
from certwright.errors import CertwrightError
from certwright.providers.guard import is_public
from certwright.solvers.http01.check.fetch import Failure, Fault, Page, Request, fetch
from certwright.solvers.http01.check.met import Kind, Met, judge
from certwright.solvers.http01.check.redirect import FOLLOWED, MAX_REDIRECTS, Hop, Ports, RedirectError, is_literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from certwright.dns.resolvers import Resolvers
    from certwright.providers.guard import Guard
    from certwright.solvers.http01.answer import Answer

ADDRESSES_TRIED: Final = 4
"""Of a redirect's host; the next one only where no connection came about."""
SILENT: Final = 2
"""Names that an address, which never said a word, may keep waiting."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """Seconds that may pass.

    Args:
        connect: For one TCP connection.
        look: For one look with all its redirects.
        check: For all looks of one check; what is open then is not asked.
    """

    connect: float = 5.0
    look: float = 10.0
    check: float = 25.0


@dataclass(frozen=True, slots=True)
class Way:
    """How to get at a name's answer.

    Args:
        address: Where to connect.
        port: The port.
        pinned: Hosts that are looked for at this address as well when redirects name them.
        headers: Sent as long as the host is the name itself.
        redirects: Whether redirects are followed.
    """

    address: str
    port: int
    pinned: frozenset[str] = frozenset()
    headers: Mapping[str, str] = field(default_factory=dict)
    redirects: bool = True


class Hosts:
    """The addresses of hosts by one list of resolvers, each looked up once; safe for threads."""

    def __init__(self, resolvers: Resolvers) -> None:
        self._resolvers = resolvers
        self._known: dict[str, Addresses | CertwrightError] = {}

    def resolve(self, hosts: Iterable[str], *, seconds: float | None = None) -> None:
        """Look up DNS names side by side, within so many seconds, and never more than the resolvers are given."""
        new = [host for host in dict.fromkeys(hosts) if host not in self._known]
        limits = self._resolvers.limits
        if seconds is not None:
            limits = replace(limits, total=max(min(limits.total, seconds), 0.01))
        outcomes = converse([looking_up(self._resolvers, canonical(host)) for host in new], limits=limits)
        self._known.update(zip(new, outcomes, strict=True))

    def addresses(self, host: str, *, seconds: float | None = None) -> Addresses:
        """The addresses of a DNS name; raises Retryable when no resolver answers."""
        if host not in self._known:
            self.resolve([host], seconds=seconds)
        found = self._known[host]
        if isinstance(found, CertwrightError):
            raise found
        return found


class Looker:
    """Makes the looks of one check; safe for threads.

    Args:
        hosts: Finds the hosts of redirects.
        guard: Where connections may go.
        ports: Where a CA goes, and where redirects may lead.
        bounds: How long it may take.
    """

    def __init__(self, *, hosts: Hosts, guard: Guard, ports: Ports, bounds: Bounds) -> None:
        self._hosts = hosts
        self._guard = guard
        self.ports = ports
        self._bounds = bounds
        self._ends = time.monotonic() + bounds.check
        self._lock = threading.Lock()
        self._given_up: dict[tuple[str, int], Failure] = {}
        self._heard: set[tuple[str, int]] = set()
        self._waits: Counter[tuple[str, int]] = Counter()

    def look(self, answer: Answer, host: str, way: Way) -> Met:
        """Look for an answer.

        Args:
            answer: What to look for.
            host: Its identifier as a Hop has it.
            way: Where.
        """
        now = time.monotonic()
        if now >= self._ends:
            return Met(Kind.UNASKED, "not asked: other names of the order took all the time there is")
        ends = min(now + self._bounds.look, self._ends)
        trail = [Hop(host, way.port, answer.path)]
        addresses: tuple[str, ...] = (way.address,)
        while True:
            hop = trail[-1]
            headers = way.headers if hop.host == host else {}
            outcome = self._reach(hop, addresses, headers, ends, free=len(trail) == 1 or hop.target == answer.path)
            onward = outcome if isinstance(outcome, Met) else self._onward(answer, trail, outcome, way, ends)
            if isinstance(onward, Met):
                return _after(trail, onward)
            addresses = onward

    def _onward(self, answer: Answer, trail: list[Hop], page: Page, way: Way, ends: float) -> tuple[str, ...] | Met:
        """What a page means, or the addresses that it redirects to; the trail gets that hop."""
        if page.status not in FOLLOWED or not way.redirects:
            return judge(answer, page)
        try:
            trail.append(_next(trail, page.location, self.ports))
        except RedirectError as error:
            return Met(Kind.REDIRECT, str(error), redirect=trail[-1].origin)
        return self._find(trail[-1].host, way, ends)

    def _find(self, host: str, way: Way, ends: float) -> tuple[str, ...] | Met:
        """The addresses of a redirect's host."""
        if host in way.pinned:
            return (way.address,)
        if is_literal(host):
            return (host,)
        try:
            found = self._hosts.addresses(host, seconds=ends - time.monotonic())
        except CertwrightError:
            return Met(Kind.UNRESOLVED, "no DNS resolver answers for its name")
        return found.found[:ADDRESSES_TRIED] or Met(Kind.UNRESOLVED, found.lack)

    def _reach(
        self, hop: Hop, addresses: tuple[str, ...], headers: Mapping[str, str], ends: float, *, free: bool
    ) -> Page | Met:
        """Get the page at the first address that there is a connection to; `free` lets it be a private one."""
        failure: Met | None = None
        for address in addresses:
            fault = self._guard.fault(address)
            if fault is None and not free and not is_public(address):
                fault = "a private address, where only the challenge's own path is asked for"
            if fault:
                failure = failure or Met(Kind.FORBIDDEN, f"not connected to: {fault}")
                continue
            outcome = self._fetch(Request(address, hop.port, hop.authority, hop.target, hop.tls, headers), ends)
            if isinstance(outcome, Page):
                return outcome
            failure = Met(Kind.NETWORK, str(outcome.fault), fault=outcome.fault)
            if outcome.connected:
                break
        assert failure is not None  # noqa: S101 - for the type checker: there is an address
        return failure

    def _fetch(self, request: Request, ends: float) -> Page | Failure:
        """Fetch, unless the address was given up: nobody can connect to it, or it never says a word."""
        place = (request.address, request.port)
        given_up = self._given_up.get(place)
        if given_up:
            return given_up
        outcome = fetch(request, connect=self._bounds.connect, total=ends - time.monotonic())
        with self._lock:
            if isinstance(outcome, Page):
                self._heard.add(place)
                return outcome
            self._waits[place] += outcome.fault is Fault.TIMEOUT
            if not outcome.connected or (self._waits[place] >= SILENT and place not in self._heard):
                self._given_up[place] = outcome
        return outcome


def _next(trail: list[Hop], location: str, ports: Ports) -> Hop:
    """The next hop; raises RedirectError where a CA would stop."""
    following = trail[-1].to(location, ports)
    if following in trail:
        raise RedirectError(f"redirected back to {following.shown(trail[0].target)}, in a circle")
    if len(trail) > MAX_REDIRECTS:
        raise RedirectError(f"redirected more than {MAX_REDIRECTS} times")
    return following


def _after(trail: list[Hop], met: Met) -> Met:
    """What was met at the end of redirects."""
    if len(trail) == 1 or met.kind is Kind.RIGHT:
        return met
    # Without end, each path may be another one every time.
    last = trail[-1].origin if len(trail) > MAX_REDIRECTS else trail[-1].shown(trail[0].target)
    often = f" {len(trail) - 1} times, at last" if len(trail) > 2 else ""  # noqa: PLR2004 - the first is no redirect
    return replace(met, text=f"redirected{often} to {last}: {met.text}", redirect=last)

"""Says of a name, before anything is issued, what stands between it and a DNS-01 challenge, and what to do about it.

It joins the single looks: the delegation, the CNAMEs, the name servers, what resolvers keep, CAA, and whether the
answers can be believed at all. Nothing is written, and no resolver is asked to find the challenge's own name.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import dns.name

from certwright.dns import dnssec, interception, negative, servers
from certwright.dns.belief import compare
from certwright.dns.caa import CaaVerdict, Ruling, Wish
from certwright.dns.caa_lookup import ruling
from certwright.dns.cname import Chain, following
from certwright.dns.delegation import Descent, descending
from certwright.dns.finding import Finding, Severity, advice, ok, problem, several
from certwright.dns.names import canonical, challenge_name
from certwright.dns.transport import converse
from certwright.dns.zone import ZONE_NOT_FOUND
from certwright.errors import CertwrightError, Retryable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from certwright.dns.negative import Kept
    from certwright.dns.servers import ServerState
    from certwright.dns.transport import Conversation
    from certwright.dns.zone import Zone, Zones

RECORD_TTL = 300


@dataclass(frozen=True, slots=True)
class Subject:
    """What is to be looked at.

    Args:
        name: A host name, or a wildcard with its `*.`.
        wish: What CAA has to allow; whether it is a wildcard is filled in.
        expected_cname: Where `_acme-challenge.NAME` should lead; empty when nothing is expected.
    """

    name: str
    wish: Wish = field(default_factory=Wish)
    expected_cname: str = ""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What was found of one name.

    Args:
        name: As it was given.
        record: Where the TXT record belongs.
        chain: The names from the challenge's own to there.
        path: The zones from the top to the record's.
        zone: The record's zone; empty when it was not found.
        servers: Every address of its name servers.
        kept: Negative answers that resolvers keep.
        findings: What is to be said, problems first.
    """

    name: str
    record: str
    chain: tuple[str, ...]
    path: tuple[str, ...]
    zone: str
    servers: tuple[ServerState, ...]
    kept: tuple[Kept, ...]
    findings: tuple[Finding, ...]

    @property
    def problems(self) -> tuple[Finding, ...]:
        """What has to be mended."""
        return tuple(finding for finding in self.findings if finding.severity is Severity.PROBLEM)

    def having(self, *more: Finding) -> Diagnosis:
        """The same with more findings."""
        return replace(self, findings=_ranked((*self.findings, *more)))


def diagnose(zones: Zones, subjects: Sequence[Subject], *, nobody: str = "") -> list[Diagnosis]:
    """Look at names side by side, and wait for the answers: for twice the total of the resolvers' limits at most.

    Args:
        zones: How zones, their servers and the resolvers are found.
        subjects: The names.
        nobody: The address that betrays an interceptor; empty for the one that is nobody's, another is for tests.

    Raises:
        InvalidSpec: Naming what is no host name.
    """
    cases = [_Case(zones, subject, nobody or interception.NOBODY) for subject in subjects]
    limits = zones.resolvers.limits
    firsts = [look for case in cases for look in (case.descend(), case.follow(), case.ask_caa(), case.probe())]
    for outcome in (
        *converse(firsts, limits=limits),
        *converse([case.look_at_the_record() for case in cases], limits=limits),
    ):
        if outcome is not None:
            raise outcome
    return [case.diagnosis() for case in cases]


class _Case:
    """One name under way: what was found so far."""

    def __init__(self, zones: Zones, subject: Subject, nobody: str) -> None:
        self._zones = zones
        self._subject = subject
        self._nobody = nobody
        self._own = challenge_name(subject.name)
        self._expected = canonical(subject.expected_cname).to_text() if subject.expected_cname else ""
        self._descent = self._last = Descent()
        self._chain: Chain | CertwrightError
        self._caa: CaaVerdict
        self._answered = False
        self._inner = ""
        self._doubters: tuple[str, ...] = ()
        self._servers: tuple[ServerState, ...] = ()
        self._kept: tuple[Kept, ...] = ()

    # -- what is asked

    def descend(self) -> Conversation[None]:
        """Walk down to the challenge's own name."""
        self._descent = self._last = yield from descending(self._zones, self._own)

    def follow(self) -> Conversation[None]:
        """Follow its CNAMEs."""
        try:
            self._chain = yield from following(self._zones, self._own)
        except CertwrightError as fault:
            self._chain = fault

    def ask_caa(self) -> Conversation[None]:
        """Look up CAA for the name itself."""
        wish = replace(self._subject.wish, wildcard=self._subject.name.startswith("*."))
        self._caa = yield from ruling(self._zones, self._own.parent(), wish)

    def probe(self) -> Conversation[None]:
        """Look for an interceptor."""
        self._answered = yield from interception.probing(self._zones, self._own.parent(), nobody=self._nobody)

    def look_at_the_record(self) -> Conversation[None]:
        """Where the record belongs: another delegation where a CNAME leads to it, the servers, what is kept."""
        target = self._target
        if target != self._own:
            self._last = yield from descending(self._zones, target)
        zone = self._zone
        if zone is not None:
            self._servers = yield from servers.inspecting(self._zones, zone, target)
            apex = dns.name.from_text(zone.name)
            self._doubters = yield from dnssec.doubting(self._zones, apex)
            if target != apex:
                self._inner = (yield from self._zones.undelegated(target.parent(), apex)).to_text()
        self._kept = yield from negative.remembering(self._zones, list(dict.fromkeys((self._own, target))))

    @property
    def _names(self) -> tuple[str, ...]:
        return (self._own.to_text(),) if isinstance(self._chain, CertwrightError) else self._chain.names

    @property
    def _target(self) -> dns.name.Name:
        return dns.name.from_text(self._names[-1])

    @property
    def _zone(self) -> Zone | None:
        """The record's zone: by authority, else as the resolvers have it."""
        if self._last.zone is not None or isinstance(self._chain, CertwrightError):
            return self._last.zone
        return self._chain.zone

    # -- what it means

    def diagnosis(self) -> Diagnosis:
        """All of it."""
        zone = self._zone
        return Diagnosis(
            self._subject.name,
            self._names[-1],
            self._names,
            self._last.path,
            zone.name if zone else "",
            self._servers,
            self._kept,
            _ranked(self._findings()),
        )

    def _findings(self) -> list[Finding]:
        """An interceptor makes worthless what name servers are said to say."""
        found = [*interception.judge(self._servers, answered=self._answered, nobody=self._nobody)]
        zone = self._zone
        if not self._answered:
            found += dict.fromkeys((*self._descent.findings, *self._last.findings))
            if not found or self._last.zone is not None:
                found += self._delegation()
            if zone is not None:
                found += servers.findings(zone, self._servers, self._target)
                found += dnssec.findings(zone.name, self._doubters)
        found += [*self._way(), *self._expectation(), *negative.long_kept(self._servers)]
        for name in dict.fromkeys(map(dns.name.from_text, (self._names[0], self._names[-1]))):
            found += negative.findings(self._kept, name, held=self._held(name))
        return [*found, _caa(self._caa)]

    def _held(self, name: dns.name.Name) -> str:
        """What the zone has at a name on the way."""
        if name != self._target:
            return f"CNAME {self._names[1]}"
        return next((s.holds for s in self._servers if s.holds.startswith(("TXT", "CNAME"))), "")

    def _delegation(self) -> list[Finding]:
        """What the resolvers believe, against what the authoritative servers say."""
        descent = self._last
        if descent.zone is None:
            return []
        differing = compare(self._target.to_text(), self._chain, descent.zone, self._inner)
        if differing:
            return differing
        if descent.findings or isinstance(self._chain, CertwrightError):
            return []
        there = several(server.name for server in descent.zone.nameservers)
        if descent.named:
            return [ok("Delegation", f"{descent.path[-2]} delegates {descent.zone.name} to {there}, as the zone says")]
        return [ok("Delegation", f"{descent.zone.name} is at {there}; the servers of the zone above hold it, too")]

    def _way(self) -> list[Finding]:
        """The CNAMEs."""
        if isinstance(self._chain, Retryable):
            return [advice("NoAnswer", self._chain.message, "mend what is said above, or try again")]
        if isinstance(self._chain, CertwrightError):
            if self._chain.reason == ZONE_NOT_FOUND:
                return []  # said of the delegation already
            return [problem(self._chain.reason, self._chain.message, "mend the CNAME records that are named there")]
        if len(self._names) > 1:
            return [ok("CNAME", f"the record belongs at {self._names[-1]}: {' -> '.join(self._names)}")]
        return []

    def _expectation(self) -> list[Finding]:
        """The CNAME that somebody wants to be there."""
        own, wanted = self._names[0], self._expected
        if not wanted:
            return []
        if wanted in self._names[1:]:
            return [ok("ExpectedCNAME", f"{own} leads to {wanted}, as expected")]
        home = self._descent.zone
        where = f" in the zone {home.name} (name servers {several(s.name for s in home.nameservers)})" if home else ""
        record = f"{own} {RECORD_TTL} IN CNAME {wanted}"
        if len(self._names) > 1:
            text, action = (
                f"{own} leads to {self._names[1]} and not to {wanted}",
                f"change the record{where} to: {record}",
            )
        else:
            text, action = f"{own} has no CNAME, and {wanted} is wanted", f"create the record{where}: {record}"
            if self._held(self._target):
                action += "; first remove the other records there, a CNAME stands alone"
        return [problem("CNAMEMissing", text, action)]


def _caa(verdict: CaaVerdict) -> Finding:
    if verdict.ruling is Ruling.ALLOWS:
        return ok("CAA", verdict.text)
    if verdict.ruling is Ruling.REFUSES:
        return problem("CAARefuses", verdict.text, verdict.action)
    return advice("CAAUnknown", verdict.text, verdict.action)


def _ranked(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """Problems first, then advice; else in order."""
    order = list(Severity)
    return tuple(sorted(findings, key=lambda finding: -order.index(finding.severity)))

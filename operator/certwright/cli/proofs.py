"""How each name of a Certificate would be proven: solver, zone, name servers and record. It changes no zone.

It asks the same code as the operator does; only where credentials cannot be seen, a stand-in takes the provider's
place, for finding a zone needs none.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from certwright.cli.world import OPERATORS_IDENTITY, Unseen
from certwright.core.solver_choice import choose_for_target, choose_solver
from certwright.dns.names import canonical, challenge_name
from certwright.dns.resolvers import Resolvers
from certwright.dns.transport import converse
from certwright.dns.zone import NameServer, Zones
from certwright.errors import CertwrightError, InvalidSpec
from certwright.issuers.solver_set import SUPPORTED
from certwright.providers import registry
from certwright.providers.guard import everywhere, standing
from certwright.solvers.dns01 import Dns01Solver
from certwright.solvers.http01.config import Http01Config

if TYPE_CHECKING:
    from collections.abc import Sequence

    from certwright.cli.world import World
    from certwright.providers.base import Provider
    from certwright.resources.issuer import AcmeSpec, Issuer, SolverSpec
    from certwright.resources.meta import Meta
    from certwright.resources.names import Names

ADDRESS_CHALLENGES = {"http-01", "tls-alpn-01"}
"""What a CA offers for an address (RFC 8738 section 7)."""


@dataclass(frozen=True, slots=True)
class Proof:
    """How one name would be proven.

    Args:
        name: As the Certificate asks for it.
        challenge: The ACME challenge type; empty when no solver fits.
        solver: The solver's path in the issuer.
        why: Why that one.
        provider: The DNS provider.
        record: Name of the TXT record that would be written.
        target_of: The challenge's own name, where a CNAME or a setting leads from it to the record; else empty.
        zone: The record's zone.
        name_servers: Of the zone.
        served: How the answer of an HTTP-01 challenge would be served.
        problem: What stands in the way; empty when nothing does.
        note: What could not be looked at; empty when all could.
    """

    name: str
    challenge: str = ""
    solver: str = ""
    why: str = ""
    provider: str = ""
    record: str = ""
    target_of: str = ""
    zone: str = ""
    name_servers: tuple[NameServer, ...] = ()
    served: str = ""
    problem: str = ""
    note: str = ""


class StandIn:
    """A provider that is only ever asked for a zone, and knows none."""

    def find_zone(self, name: str) -> str | None:  # noqa: ARG002 - the interface
        """Leave it to the DNS."""
        return None

    def add_txt(self, zone: str, name: str, value: str) -> None:
        """Never called."""
        raise AssertionError(zone, name, value)

    remove_txt = add_txt


class Prover:
    """Plans proofs for the Certificates of one run; look-ups are kept.

    Args:
        world: Where Secrets are looked up.
        resolvers: For issuers that name none; none means the system's.
        names: Spells annotations.
        authoritative_port: Of name servers; another one than 53 is for tests.
    """

    def __init__(self, world: World, *, resolvers: tuple[str, ...], names: Names, authoritative_port: int = 53) -> None:
        self._world = world
        self._names = names
        self._resolvers = resolvers
        self._port = authoritative_port
        self._zones: dict[tuple[str, ...], Zones] = {}

    def plan(self, issuer: Issuer, acme: AcmeSpec, names: Sequence[str], certificate: Meta) -> list[Proof]:
        """How each name would be proven, in order; asks the DNS for all of a solver side by side."""
        proofs: dict[str, Proof] = {}
        groups: dict[int, list[str]] = {}
        for name in names:
            try:
                choice = choose_solver(acme.solvers, name, certificate.labels)
            except InvalidSpec as fault:
                proofs[name] = Proof(name, problem=fault.message)
                continue
            index = next(i for i, solver in enumerate(acme.solvers) if solver is choice)
            groups.setdefault(index, []).append(name)
            path = f"spec.acme.solvers[{index}]"
            proofs[name] = Proof(name, choice.challenge, path, _why(choice, name))
        for index, members in groups.items():
            spec, group = acme.solvers[index], [proofs[name] for name in members]
            if spec.challenge == "http-01":
                found = self._serve(spec, certificate, group)
            else:
                found = self._locate(issuer, acme, spec, group)
            proofs.update((proof.name, proof) for proof in found)
        proofs |= self._led_elsewhere(issuer, acme, list(proofs.values()), certificate)
        return list(proofs.values())

    def _led_elsewhere(
        self, issuer: Issuer, acme: AcmeSpec, proofs: list[Proof], certificate: Meta
    ) -> dict[str, Proof]:
        """The proofs whose CNAME leads into a zone that another solver names."""
        groups: dict[int, list[Proof]] = {}
        for proof in proofs:
            led = choose_for_target(acme.solvers, proof.record, certificate.labels) if proof.target_of else None
            index = next((i for i, solver in enumerate(acme.solvers) if solver is led), None)
            path = f"spec.acme.solvers[{index}]"
            if index is not None and path != proof.solver:
                why = "its dnsZones name the zone that a CNAME leads into"
                groups.setdefault(index, []).append(replace(proof, solver=path, why=why))
        found: dict[str, Proof] = {}
        for index, group in groups.items():
            for before, after in zip(group, self._locate(issuer, acme, acme.solvers[index], group), strict=True):
                if after.problem or after.record == before.record:
                    found[after.name] = after
        return found

    def _serve(self, spec: SolverSpec, certificate: Meta, proofs: list[Proof]) -> list[Proof]:
        """The same proofs with how the answer would be served."""
        try:
            config = Http01Config.of(spec.config, certificate, self._names)
        except InvalidSpec as refusal:
            return [replace(proof, problem=refusal.message) for proof in proofs]
        return [replace(proof, served=config.summary()) for proof in proofs]

    def _locate(self, issuer: Issuer, acme: AcmeSpec, spec: SolverSpec, proofs: list[Proof]) -> list[Proof]:
        """The same proofs with record, zone and servers."""
        if spec.challenge not in SUPPORTED:
            text = f"this version does not support {spec.challenge}; use dns01 or http01"
            return [replace(proof, problem=text) for proof in proofs]
        try:
            name, provider, problem, note = self._provider(issuer, spec)
            zones = self._zones_for(spec.config.texts("nameservers") or acme.nameservers or self._resolvers)
            solver = Dns01Solver(spec.config, zones=zones, provider=provider, provider_name=name)
        except CertwrightError as refusal:
            return [replace(proof, problem=refusal.message) for proof in proofs]
        records = solver.plan_all([proof.name for proof in proofs])
        apexes = list(dict.fromkeys(item.zone for item in records if not isinstance(item, CertwrightError)))
        outcomes = converse([zones.serving(canonical(apex)) for apex in apexes], limits=zones.resolvers.limits)
        served = dict(zip(apexes, outcomes, strict=True))
        located = []
        for proof, record in zip(proofs, records, strict=True):
            if isinstance(record, CertwrightError):
                located.append(replace(proof, provider=name, problem=record.message, note=note))
                continue
            own, zone = challenge_name(proof.name).to_text(), served[record.zone]
            servers, fault = ((), zone.message) if isinstance(zone, CertwrightError) else (zone.nameservers, "")
            located.append(
                replace(
                    proof,
                    provider=name,
                    record=record.name,
                    target_of=own if own != record.name else "",
                    zone=record.zone,
                    name_servers=servers,
                    problem=problem or fault,
                    note=note,
                )
            )
        return located

    def _provider(self, issuer: Issuer, spec: SolverSpec) -> tuple[str, Provider, str, str]:
        """The provider's name, itself or a stand-in, what is wrong with its config, and what could not be seen."""
        name, _ = registry.choose(spec.config)
        try:
            provider = registry.build(
                spec.config,
                lambda secret, key: self._world.issuer_value(issuer.key, secret, key),
                OPERATORS_IDENTITY,
            )[1]
        except Unseen as fault:
            return name, StandIn(), "", f"credentials of {name}: {fault.message}"
        except CertwrightError as fault:
            return name, StandIn(), fault.message, ""
        return name, provider, "", ""

    def _zones_for(self, resolvers: tuple[str, ...]) -> Zones:
        if resolvers not in self._zones:
            self._zones[resolvers] = Zones(
                Resolvers.of(resolvers)
                if resolvers == self._resolvers
                else Resolvers.of(resolvers, field="nameservers", refuse=standing().fault),
                authoritative_port=self._port,
                refuse=everywhere().fault,
            )
        return self._zones[resolvers]


def _why(solver: SolverSpec, name: str) -> str:
    """The most specific part of the selector that fits, as the choice ranks them."""
    selector, bare = solver.selector, name.lower().removeprefix("*.")
    if selector.dns_names:
        return f"its dnsNames has {name}"
    zones = (zone.lower().strip(".") for zone in selector.dns_zones)
    fitting = [zone for zone in zones if bare == zone or bare.endswith(f".{zone}")]
    if fitting:
        return f"its dnsZones has {max(fitting, key=len)}"
    if selector.match_labels:
        return f"its matchLabels has {', '.join(f'{key}={value}' for key, value in selector.match_labels.items())}"
    return "it has no selector"

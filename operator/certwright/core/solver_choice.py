"""Which solver of an issuer proves which name."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from certwright.errors import InvalidSpec

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from certwright.resources.issuer import SolverSpec


ANY_NAME = frozenset({"dns-01", "http-01", "tls-alpn-01"})
WILDCARD = frozenset({"dns-01"})
ADDRESS = frozenset({"http-01", "tls-alpn-01"})


def provable_by(name: str) -> frozenset[str]:
    """The challenge types that can prove a name: RFC 8555 section 8, for a wildcard 7.1.3, for an address RFC 8738."""
    if name.startswith("*."):
        return WILDCARD
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return ANY_NAME
    return ADDRESS


def choose_solver(solvers: Sequence[SolverSpec], name: str, labels: Mapping[str, str]) -> SolverSpec:
    """The solver for one name: by dnsNames, else by the longest dnsZone, else by most labels, else the first.

    Args:
        solvers: The issuer's, in their order.
        name: The name as the Certificate spells it, with its `*.` if it is a wildcard.
        labels: The Certificate's labels, which selectors match.

    Raises:
        InvalidSpec: When none fits; says why.
    """
    able = provable_by(name)
    best: tuple[tuple[int, int, int], SolverSpec] | None = None
    unfit: list[str] = []
    for index, solver in enumerate(solvers):
        rank = _rank(solver, name.lower(), labels)
        if rank is None:
            continue
        if solver.challenge not in able:
            unfit.append(f"solvers[{index}] is {solver.challenge}, and only {' or '.join(sorted(able))} can")
        elif best is None or rank > best[0]:
            best = (rank, solver)
    if best is not None:
        return best[1]
    if unfit:
        raise InvalidSpec(f"no solver of the issuer can prove {name}: {'; '.join(unfit)}", reason="NoSolver")
    have = "none is configured" if not solvers else "every one has a selector that leaves it out"
    raise InvalidSpec(
        f"no solver of the issuer fits {name}: {have}; add one to spec.acme.solvers, or widen a selector",
        reason="NoSolver",
    )


def choose_for_target(solvers: Sequence[SolverSpec], target: str, labels: Mapping[str, str]) -> SolverSpec | None:
    """The dns-01 solver that names, among its dnsZones, the place a CNAME leads to; None when none does.

    Args:
        solvers: The issuer's, in their order.
        target: Where the record belongs.
        labels: The Certificate's labels.
    """
    best: tuple[tuple[int, int, int], SolverSpec] | None = None
    for solver in solvers:
        if solver.challenge == "dns-01" and solver.selector.dns_zones:
            rank = _rank(solver, target.lower().removesuffix("."), labels)
            if rank is not None and (best is None or rank > best[0]):
                best = (rank, solver)
    return best[1] if best else None


def _rank(solver: SolverSpec, name: str, labels: Mapping[str, str]) -> tuple[int, int, int] | None:
    """How specifically the selector matches; None when it does not."""
    selector = solver.selector
    if any(labels.get(key) != value for key, value in selector.match_labels.items()):
        return None
    by_name = by_zone = 0
    if selector.dns_names:
        if name not in {item.lower() for item in selector.dns_names}:
            return None
        by_name = 1
    if selector.dns_zones:
        bare = name.removeprefix("*.")
        zones = [zone.lower().strip(".") for zone in selector.dns_zones]
        by_zone = max((len(zone) for zone in zones if bare == zone or bare.endswith(f".{zone}")), default=0)
        if not by_zone:
            return None
    return by_name, by_zone, len(selector.match_labels)

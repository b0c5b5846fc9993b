"""The solvers of an ACME issuer, built from its spec with the credentials it names.

Credentials are read when a solver is built, which is once an order; what is shared and kept are zone look-ups only.
"""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING

from certwright.core.solver_choice import choose_solver
from certwright.dns.propagation import Mode, Propagation
from certwright.dns.resolvers import Resolvers
from certwright.dns.zone import Zones
from certwright.errors import InvalidSpec
from certwright.providers import registry
from certwright.solvers.dns01 import Dns01Solver

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from certwright.issuers.places import Places
    from certwright.resources.issuer import AcmeSpec, Issuer, SolverSpec
    from certwright.resources.order import Record

SUPPORTED = {"dns-01"}


class SolverSets:
    """Builds solvers.

    Args:
        places: Where issuers' Secrets are.
        resolvers: The operator's own resolvers, for issuers that name none.
        authoritative_port: The port of authoritative servers; another one than 53 is for tests.
        on_effect: Told of each change at a DNS provider.
    """

    def __init__(
        self,
        places: Places,
        *,
        resolvers: Sequence[str],
        authoritative_port: int = 53,
        on_effect: Callable[[str], None] | None = None,
    ) -> None:
        self._places = places
        self._resolvers = tuple(resolvers)
        self._port = authoritative_port
        self._on_effect = on_effect
        self._lock = threading.Lock()
        self._zones: dict[tuple[str, ...], Zones] = {}

    def of(self, issuer: Issuer, spec: AcmeSpec, labels: Mapping[str, str]) -> SolverSet:
        """The solvers of one issuer for a Certificate with these labels."""
        return SolverSet(self, issuer, spec, labels)

    def build(self, issuer: Issuer, spec: AcmeSpec, solver: SolverSpec) -> tuple[str, Dns01Solver]:
        """The provider's name and the solver, with its credentials.

        Raises:
            InvalidSpec: It is of a kind that is not there, or its provider cannot be built.
        """
        if solver.challenge not in SUPPORTED:
            raise InvalidSpec(
                f"{solver.config.path}: this version does not support {solver.challenge}; use a dns01 solver",
                reason="NotSupported",
            )
        name, provider = registry.build(solver.config, lambda secret, key: self._places.value(issuer, secret, key))
        built = Dns01Solver(
            solver.config,
            zones=self._zones_for(solver.config.texts("nameservers") or spec.nameservers or self._resolvers),
            provider=provider,
            provider_name=name,
            on_effect=self._on_effect,
        )
        if solver.wait is not None:
            built.propagation = Propagation(mode=Mode.NONE, wait=solver.wait)
        return name, built

    def _zones_for(self, resolvers: tuple[str, ...]) -> Zones:
        with self._lock:
            if resolvers not in self._zones:
                self._zones[resolvers] = Zones(Resolvers.of(resolvers), authoritative_port=self._port)
            return self._zones[resolvers]


class SolverSet:
    """The solvers of one issuer, each built at most once."""

    def __init__(self, factory: SolverSets, issuer: Issuer, spec: AcmeSpec, labels: Mapping[str, str]) -> None:
        self._factory = factory
        self._issuer = issuer
        self._spec = spec
        self._labels = labels
        self._built: dict[int, tuple[str, Dns01Solver]] = {}

    def choose(self, name: str) -> tuple[str, Dns01Solver]:
        """The challenge type and the solver for a name, which keeps its `*.`.

        Raises:
            InvalidSpec: None fits, or the one that fits cannot be built.
        """
        chosen = choose_solver(self._spec.solvers, name, self._labels)
        return chosen.challenge, self._solver(chosen)[1]

    def for_record(self, name: str, record: Record) -> Dns01Solver:
        """The solver that can remove a record presented earlier: the chosen one, else any of the same provider.

        Raises:
            InvalidSpec: The issuer has none of that provider any more.
        """
        candidates = list(self._spec.solvers)
        with contextlib.suppress(InvalidSpec):
            candidates.insert(0, choose_solver(self._spec.solvers, name, self._labels))
        for candidate in candidates:
            with contextlib.suppress(InvalidSpec):
                provider, solver = self._solver(candidate)
                if provider == record.provider:
                    return solver
        raise InvalidSpec(
            f"{self._issuer.reference} has no solver of provider {record.provider} any more, "
            f"so the TXT record {record.name} has to be removed by hand",
            reason="CleanUpFailed",
        )

    def _solver(self, spec: SolverSpec) -> tuple[str, Dns01Solver]:
        built = self._built.get(id(spec))
        if built is None:
            built = self._built[id(spec)] = self._factory.build(self._issuer, self._spec, spec)
        return built

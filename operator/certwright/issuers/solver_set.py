"""The solvers of an ACME issuer, built from its spec with the credentials it names.

Credentials are read when a solver is built, which is once an order; what is shared and kept are zone look-ups only.
"""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING

from certwright.core.solver_choice import choose_for_target, choose_solver
from certwright.dns.names import challenge_name
from certwright.dns.resolvers import Resolvers
from certwright.dns.zone import Zones
from certwright.errors import InvalidSpec
from certwright.providers import registry
from certwright.providers.guard import everywhere, standing
from certwright.resources.order import Record
from certwright.solvers.dns01 import Dns01Solver
from certwright.solvers.http01 import solver as http01
from certwright.solvers.http01.config import Http01Config
from certwright.solvers.http01.objects import Image, Manifests

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from concurrent.futures import Executor

    from certwright.issuers.places import Places
    from certwright.kube.client import Kube
    from certwright.resources.issuer import AcmeSpec, Issuer, SolverSpec
    from certwright.resources.meta import Meta
    from certwright.resources.order import SolverObject
    from certwright.solvers.base import Solver

SUPPORTED = {"dns-01", "http-01"}


class SolverSets:
    """Builds solvers.

    Args:
        kube: Where solver pods are made.
        places: Where issuers' Secrets are.
        resolvers: The operator's own resolvers, for issuers that name none.
        solver_image: What solver pods run.
        executor: Runs the requests of a check side by side; not the threads that call solvers.
        authoritative_port: The port of authoritative servers; another one than 53 is for tests.
        on_effect: Told of each change at a DNS provider.
    """

    def __init__(
        self,
        kube: Kube,
        places: Places,
        *,
        resolvers: Sequence[str],
        solver_image: Image,
        executor: Executor,
        authoritative_port: int = 53,
        on_effect: Callable[[str], None] | None = None,
    ) -> None:
        self._kube = kube
        self._places = places
        self._resolvers = tuple(resolvers)
        self._image = solver_image
        self._executor = executor
        self._port = authoritative_port
        self._on_effect = on_effect
        self._lock = threading.Lock()
        self._zones: dict[tuple[str, ...], Zones] = {}

    def of(self, issuer: Issuer, spec: AcmeSpec, certificate: Meta) -> SolverSet:
        """The solvers of one issuer for one Certificate."""
        return SolverSet(self, issuer, spec, certificate)

    def build(self, issuer: Issuer, spec: AcmeSpec, solver: SolverSpec, certificate: Meta) -> tuple[str, Solver]:
        """The DNS provider's name, empty where there is none, and the solver, with its credentials.

        Raises:
            InvalidSpec: It is of a kind that is not there, or its config is wrong.
        """
        if solver.challenge == "dns-01":
            return self._dns01(issuer, spec, solver)
        if solver.challenge == "http-01":
            return "", self._http01(spec, solver, certificate)
        raise InvalidSpec(
            f"{solver.config.path}: this version does not support {solver.challenge}; use dns01 or http01",
            reason="NotSupported",
        )

    def remove(self, namespace: str, objects: Sequence[SolverObject]) -> None:
        """Remove what solvers made in the cluster; idempotent.

        Raises:
            CertwrightError: What the API server said.
        """
        http01.remove(self._kube, namespace, objects)

    def _dns01(self, issuer: Issuer, spec: AcmeSpec, solver: SolverSpec) -> tuple[str, Solver]:
        name, provider = registry.build(
            solver.config,
            lambda secret, key: self._places.value(issuer, secret, key),
            self._places.identity(issuer),
        )
        built = Dns01Solver(
            solver.config,
            zones=self._zones_for(solver.config.texts("nameservers") or spec.nameservers or self._resolvers),
            provider=provider,
            provider_name=name,
            wait=solver.wait,
            on_effect=self._on_effect,
        )
        return name, built

    def _http01(self, spec: AcmeSpec, solver: SolverSpec, certificate: Meta) -> Solver:
        names = self._kube.names
        config = Http01Config.of(solver.config, certificate, names)
        return http01.Http01Solver(
            Manifests(config, certificate, names, self._image),
            kube=self._kube,
            resolvers=self._zones_for(spec.nameservers or self._resolvers).resolvers,
            executor=self._executor,
            wait=solver.wait,
        )

    def _zones_for(self, resolvers: tuple[str, ...]) -> Zones:
        with self._lock:
            if resolvers not in self._zones:
                self._zones[resolvers] = Zones(
                    Resolvers.of(resolvers)
                    if resolvers == self._resolvers
                    else Resolvers.of(resolvers, field="nameservers", refuse=standing().fault),
                    authoritative_port=self._port,
                    refuse=everywhere().fault,
                )
            return self._zones[resolvers]


class SolverSet:
    """The solvers of one issuer for one Certificate, each built at most once."""

    def __init__(self, factory: SolverSets, issuer: Issuer, spec: AcmeSpec, certificate: Meta) -> None:
        self._factory = factory
        self._issuer = issuer
        self._spec = spec
        self._certificate = certificate
        self._built: dict[int, tuple[str, Solver]] = {}

    def choose(self, name: str) -> tuple[str, Solver]:
        """The challenge type and the solver for a name, which keeps its `*.`.

        Raises:
            InvalidSpec: None fits, or the one that fits cannot be built.
        """
        chosen = choose_solver(self._spec.solvers, name, self._certificate.labels)
        return chosen.challenge, self._solver(chosen)[1]

    def led_elsewhere(self, planned: Mapping[str, object]) -> dict[str, tuple[Solver, Record]]:
        """Where a CNAME leads into a zone that another solver names among its dnsZones: that one, with its own plan.

        Args:
            planned: By name, what the names' own solvers planned.

        Raises:
            InvalidSpec: The other solver cannot be built.
        """
        groups: dict[Solver, list[str]] = {}
        records = {name: plan for name, plan in planned.items() if isinstance(plan, Record)}
        for name, record in records.items():
            spec = self._of_target(name, record)
            if spec is not None:
                groups.setdefault(self._solver(spec)[1], []).append(name)
        found = {}
        for solver, names in groups.items():
            for name, own in zip(names, solver.plan_all(names), strict=True):
                if isinstance(own, Record) and own.name == records[name].name:
                    found[name] = (solver, own)
        return found

    def _of_target(self, name: str, record: Record) -> SolverSpec | None:
        """The solver that names the record's place, where a CNAME leads there."""
        if record.name == challenge_name(name).to_text():
            return None
        return choose_for_target(self._spec.solvers, record.name, self._certificate.labels)

    def for_record(self, name: str, record: Record) -> Solver:
        """The solver that can remove a record presented earlier: the one chosen then, else any of the same provider.

        Raises:
            InvalidSpec: The issuer has none of that provider any more.
        """
        candidates = list(self._spec.solvers)
        with contextlib.suppress(InvalidSpec):
            candidates.insert(0, choose_solver(self._spec.solvers, name, self._certificate.labels))
        with contextlib.suppress(InvalidSpec):
            candidates[:0] = filter(None, [self._of_target(name, record)])
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

    def _solver(self, spec: SolverSpec) -> tuple[str, Solver]:
        built = self._built.get(id(spec))
        if built is None:
            built = self._built[id(spec)] = self._factory.build(self._issuer, self._spec, spec, self._certificate)
        return built

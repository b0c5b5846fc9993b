"""Proves the identifiers of an order: plans, presents, checks and accepts, as far as it goes without waiting.

All names go side by side: one batch of records, one round of checks, and each name is accepted as soon as its own
record is seen.
"""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from certwright.errors import CertwrightError, ChallengeFailed, InvalidSpec, Terminal
from certwright.issuers.flight import Flight, Proof
from certwright.kube.faults import NamespaceTerminating
from certwright.resources.order import ChallengeState

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from concurrent.futures import Executor

    from certwright.acme.authorization import Authorization
    from certwright.acme.client import AcmeClient
    from certwright.issuers.solver_set import SolverSet
    from certwright.resources.order import OrderJournal, Record, SolverObject
    from certwright.solvers.base import Solver

WRITTEN_AGAIN = 120.0
"""Seconds after which a record that nobody sees is written once more: another's change may have undone it."""
FIRST_CHECK = 0.5
"""Seconds until what was not seen is looked for again; doubled up to the solver's interval."""


@dataclass(frozen=True, slots=True)
class Route:
    """How one name is going to be proven: which challenge, by which solver, and what that planned."""

    challenge: str
    solver: Solver
    planned: Any


def route(solvers: SolverSet, names: Sequence[str]) -> dict[str, Route]:
    """Find a solver and a place for every name; done before an order is spent on them.

    Returns:
        A route a name; what is planned lacks what only the CA knows.

    Raises:
        CertwrightError: Of the first name that cannot be proven.
    """
    by_solver: defaultdict[tuple[str, Solver], list[str]] = defaultdict(list)
    for name in names:
        by_solver[solvers.choose(name)].append(name)
    routes = {}
    for (challenge, solver), group in by_solver.items():
        for name, planned in zip(group, solver.plan_all(group), strict=True):
            if isinstance(planned, CertwrightError):
                raise _mendable(planned)
            routes[name] = Route(challenge, solver, planned)
    for name, led in solvers.led_elsewhere({name: route.planned for name, route in routes.items()}).items():
        routes[name] = Route("dns-01", *led)
    return routes


def plan(
    authorizations: Sequence[Authorization], routes: Mapping[str, Route], client: AcmeClient, *, order: str
) -> list[Proof]:
    """The proof of each identifier; one whose authorization is valid already needs none.

    Raises:
        Terminal: The CA does not offer what the solver solves, or asks for another name.
    """
    proofs = []
    for authorization in authorizations:
        proof = Proof(authorization.name, authorization)
        proofs.append(proof)
        if authorization.status == "valid":
            proof.state = ChallengeState.VALID
            continue
        chosen = routes.get(proof.name)
        if chosen is None:
            raise Terminal(
                f"the CA asks for a proof of {proof.name}, which was not ordered; ask the CA",
                reason="IdentifiersDiffer",
            )
        offered = {challenge.type: challenge for challenge in authorization.challenges}
        proof.solver, proof.challenge = chosen.solver, offered.get(chosen.challenge)
        if proof.challenge is None or not proof.challenge.token:
            raise Terminal(
                f"the CA does not offer {chosen.challenge} for {proof.name}, only {', '.join(offered) or 'nothing'}; "
                "give the issuer a solver for one of these",
                reason="NoSolver",
            )
        if proof.challenge.status != "pending":
            proof.state = ChallengeState.ACCEPTED
        token = proof.challenge.token
        proof.planned = chosen.solver.answer(
            chosen.planned, token=token, key_authorization=client.key.key_authorization(token), order=order
        )
    return proofs


def objects(proofs: Sequence[Proof]) -> tuple[SolverObject, ...]:
    """What the solvers of these will make in the cluster, each once."""
    made: dict[SolverObject, None] = {}
    for solver, group in _by_solver(proofs).items():
        made.update(dict.fromkeys(solver.objects([proof.planned for proof in group])))
    return tuple(made)


def present(flight: Flight, now: float) -> None:
    """Present all that is only planned; idempotent.

    Raises:
        CertwrightError: What the DNS provider or the API server said.
    """
    fresh = flight.in_state(ChallengeState.PLANNED)
    for solver, group in _by_solver(fresh).items():
        with _costing_nothing():
            solver.present([proof.planned for proof in group], _whole(flight, solver))
        for proof in group:
            proof.state = ChallengeState.PRESENTED
    if fresh:
        flight.written_at = now
    if fresh and flight.presented_at is None:
        flight.presented_at = flight.since = now


def check(flight: Flight, now: float) -> float | None:
    """Look for what was not seen yet.

    Returns:
        Seconds until the next round; None when everything is seen.

    Raises:
        ChallengeFailed: The solver's timeout is over.
    """
    waiting = flight.in_state(ChallengeState.PRESENTED, ChallengeState.CHECKING)
    if not waiting:
        return None
    since = now - (flight.presented_at if flight.presented_at is not None else now)
    flight.checks += 1
    next_round: list[float] = []
    for solver, group in _by_solver(waiting).items():
        pace = solver.pace
        early = pace.wait.total_seconds() - since
        if early > 0:
            next_round.append(early)
            continue
        with _costing_nothing():
            verdicts = solver.check([proof.planned for proof in group], _whole(flight, solver))
        graced = since >= pace.wait.total_seconds() + pace.grace.total_seconds()
        for proof, verdict in zip(group, verdicts, strict=True):
            seen = dataclasses.replace(verdict, ok=True) if verdict.tolerable and graced else verdict
            # An equal one may differ in how it was asked for, which is not news.
            proof.verdict = proof.verdict if seen == proof.verdict else seen
            proof.state = ChallengeState.CHECKING
        missing = [proof for proof in group if proof.verdict and not proof.verdict.ok]
        if not missing:
            continue
        if now - flight.written_at >= WRITTEN_AGAIN:
            for proof in missing:
                proof.state = ChallengeState.PLANNED
        if pace.timeout is not None and since > pace.timeout.total_seconds():
            unseen = missing[0].verdict
            text = f"{unseen.summary}, after {int(since)} s; {unseen.action}" if unseen else "not seen"
            raise ChallengeFailed(f"{missing[0].name}: {text}", reason="PropagationTimeout")
        next_round.append(min(FIRST_CHECK * 2 ** min(flight.checks - 1, 16), pace.interval.total_seconds()))
    return min(next_round) if next_round else None


def keep(flight: Flight) -> None:
    """See that what the CA is looking at stays where it is.

    Raises:
        CertwrightError: What the API server said.
    """
    for solver in _by_solver(flight.in_state(ChallengeState.ACCEPTED)):
        with _costing_nothing():
            solver.keep(_whole(flight, solver))


def accept(flight: Flight, client: AcmeClient, executor: Executor) -> None:
    """Tell the CA of every name whose proof is seen, side by side.

    Raises:
        CertwrightError: What the CA said.
    """
    seen = [proof for proof in flight.in_state(ChallengeState.CHECKING) if proof.verdict and proof.verdict.ok]

    def one(proof: Proof) -> None:
        if proof.challenge:
            client.accept(proof.challenge)
        proof.state = ChallengeState.ACCEPTED

    if len(seen) == 1:
        one(seen[0])
    else:
        list(executor.map(one, seen))


def withdraw(flight: Flight) -> None:
    """Remove all that this process presented, with the solvers that did it; idempotent.

    Raises:
        CertwrightError: What the DNS provider or the API server said.
    """
    for solver, group in _by_solver(flight.proofs).items():
        solver.clean_up([proof.planned for proof in group])


def clean_up(journal: OrderJournal, solvers: SolverSet) -> None:
    """Remove every record of a journal, by exact value; idempotent.

    Raises:
        CertwrightError: Of the first solver that failed, after all others were tried.
    """
    groups: defaultdict[Solver, list[Record]] = defaultdict(list)
    fault: CertwrightError | None = None
    for identifier in journal.identifiers:
        if identifier.record:
            try:
                groups[solvers.for_record(identifier.name, identifier.record)].append(identifier.record)
            except CertwrightError as error:
                fault = error
    for solver, records in groups.items():
        try:
            solver.clean_up(records)
        except CertwrightError as error:
            fault = error
    if fault:
        raise fault


def progress(flight: Flight) -> str:
    """One sentence on where the order stands, stable while nothing changes."""
    if not flight.proofs:  # taken up when all was proven
        names = len(flight.journaled)
        return f"{names} of {names} names proven; the order is {flight.order.status}"
    total = len(flight.proofs)
    unseen = [proof for proof in flight.proofs if proof.verdict and not proof.verdict.ok]
    proven = len(flight.in_state(ChallengeState.VALID))
    if unseen:
        verdict = unseen[0].verdict
        more = f", and {len(unseen) - 1} more" if len(unseen) > 1 else ""
        text = verdict.summary if verdict else ""
        return f"{total - len(unseen)} of {total} names are ready for the CA; {unseen[0].name}{more}: {text}"
    accepted = len(flight.in_state(ChallengeState.ACCEPTED))
    if accepted and flight.order.status == "pending":
        return f"{proven} of {total} names proven; the CA is validating {accepted}"
    return f"{proven} of {total} names proven; the order is {flight.order.status}"


@contextmanager
def _costing_nothing() -> Iterator[None]:
    """What the DNS or the cluster refuses costs the CA nothing: looked at again in minutes, not by the CA's limits."""
    try:
        yield
    except NamespaceTerminating:
        raise
    except Terminal as fault:
        raise _mendable(fault) from None


def _mendable(fault: CertwrightError) -> CertwrightError:
    return InvalidSpec(fault.message, reason=fault.reason) if isinstance(fault, Terminal) else fault


def _by_solver(proofs: Sequence[Proof]) -> dict[Solver, list[Proof]]:
    groups: defaultdict[Solver, list[Proof]] = defaultdict(list)
    for proof in proofs:
        if proof.solver and proof.planned:
            groups[proof.solver].append(proof)
    return groups


def _whole(flight: Flight, solver: Solver) -> list[Any]:
    """The plans of all that a solver still has to prove."""
    return [
        proof.planned
        for proof in flight.proofs
        if proof.solver is solver and proof.planned and proof.state != ChallengeState.VALID
    ]

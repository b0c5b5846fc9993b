"""Proves the identifiers of an order: plans, presents, checks and accepts, as far as it goes without waiting.

All names go side by side: one batch of records, one round of checks, and each name is accepted as soon as its own
record is seen.
"""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from certwright.errors import CertwrightError, ChallengeFailed, InvalidSpec, Terminal
from certwright.issuers.flight import Flight, Proof
from certwright.resources.order import ChallengeState, OrderJournal, Record
from certwright.solvers.dns01 import Dns01Solver, txt_value

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from concurrent.futures import Executor

    from certwright.acme.authorization import Authorization
    from certwright.acme.client import AcmeClient
    from certwright.issuers.solver_set import SolverSet

WRITTEN_AGAIN = 120.0
"""Seconds after which a record that nobody sees is written once more: another's change may have undone it."""
FIRST_CHECK = 0.5
"""Seconds until a record that was not seen is looked for again; doubled up to the solver's interval."""


@dataclass(frozen=True, slots=True)
class Route:
    """How one name is going to be proven: which challenge, by which solver, and where its record belongs."""

    challenge: str
    solver: Dns01Solver
    record: Record


def route(solvers: SolverSet, names: Sequence[str]) -> dict[str, Route]:
    """Find a solver and a zone for every name; done before an order is spent on them.

    Returns:
        A route a name; the records have no value yet.

    Raises:
        CertwrightError: Of the first name that cannot be proven.
    """
    by_solver: defaultdict[tuple[str, Dns01Solver], list[str]] = defaultdict(list)
    for name in names:
        by_solver[solvers.choose(name)].append(name)
    routes = {}
    for (challenge, solver), group in by_solver.items():
        for name, record in zip(group, solver.plan_all([(name, "") for name in group]), strict=True):
            if isinstance(record, CertwrightError):
                raise _mendable(record)
            routes[name] = Route(challenge, solver, record)
    return routes


def plan(authorizations: Sequence[Authorization], routes: Mapping[str, Route], client: AcmeClient) -> list[Proof]:
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
        value = txt_value(client.key.key_authorization(proof.challenge.token))
        proof.record = dataclasses.replace(chosen.record, value=value)
    return proofs


def present(flight: Flight, now: float) -> None:
    """Write the records of all that are only planned; idempotent.

    Raises:
        CertwrightError: What the provider said.
    """
    fresh = flight.in_state(ChallengeState.PLANNED)
    for solver, group in _by_solver(fresh).items():
        try:
            solver.present([proof.record for proof in group if proof.record])
        except Terminal as fault:
            raise _mendable(fault) from None
        for proof in group:
            proof.state = ChallengeState.PRESENTED
    if fresh:
        flight.written_at = now
    if fresh and flight.presented_at is None:
        flight.presented_at = flight.since = now


def check(flight: Flight, now: float) -> float | None:
    """Look for the records that were not seen yet.

    Returns:
        Seconds until the next round; None when every record is seen.

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
        propagation = solver.propagation
        early = propagation.wait.total_seconds() - since
        if early > 0:
            next_round.append(early)
            continue
        verdicts = solver.check([proof.record for proof in group if proof.record])
        for proof, verdict in zip(group, verdicts, strict=True):
            proof.verdict = verdict
            proof.state = ChallengeState.CHECKING
        missing = [proof for proof in group if proof.verdict and not proof.verdict.ok]
        if not missing:
            continue
        if now - flight.written_at >= WRITTEN_AGAIN:
            for proof in missing:
                proof.state = ChallengeState.PLANNED
        if propagation.timeout is not None and since > propagation.timeout.total_seconds():
            unseen = missing[0].verdict
            text = f"{unseen.summary}, after {int(since)} s; {unseen.action}" if unseen else "not seen"
            raise ChallengeFailed(f"{missing[0].name}: {text}", reason="PropagationTimeout")
        interval = propagation.interval.total_seconds()
        next_round.append(min(FIRST_CHECK * 2 ** min(flight.checks - 1, 16), interval))
    return min(next_round) if next_round else None


def accept(flight: Flight, client: AcmeClient, executor: Executor) -> None:
    """Tell the CA of every name whose record is seen, side by side.

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
    """Remove every record that this process presented, with the solvers that did it; idempotent.

    Raises:
        CertwrightError: What the provider said.
    """
    for solver, group in _by_solver(flight.proofs).items():
        solver.clean_up([proof.record for proof in group if proof.record])


def clean_up(journal: OrderJournal, solvers: SolverSet) -> None:
    """Remove every record of a journal, by exact value; idempotent.

    Raises:
        CertwrightError: Of the first solver that failed, after all others were tried.
    """
    groups: defaultdict[Dns01Solver, list[Record]] = defaultdict(list)
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


def _mendable(fault: CertwrightError) -> CertwrightError:
    """What the DNS refuses costs the CA nothing: it is looked at again in minutes, not by the CA's limits."""
    return InvalidSpec(fault.message, reason=fault.reason) if isinstance(fault, Terminal) else fault


def _by_solver(proofs: Sequence[Proof]) -> dict[Dns01Solver, list[Proof]]:
    groups: defaultdict[Dns01Solver, list[Proof]] = defaultdict(list)
    for proof in proofs:
        if proof.solver and proof.record:
            groups[proof.solver].append(proof)
    return groups

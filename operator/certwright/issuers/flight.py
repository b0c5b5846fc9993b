"""What this process remembers of an order under way beside what the journal holds; losing it costs repeated work."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from certwright.resources.order import ChallengeState, IdentifierJournal, OrderJournal, Record

if TYPE_CHECKING:
    from certwright.acme.authorization import Authorization, Challenge
    from certwright.acme.order import Order
    from certwright.resources.order import SolverObject, Verdict
    from certwright.solvers.base import Solver


@dataclass(slots=True)
class Proof:
    """One identifier on its way to be proven.

    Args:
        name: As the Certificate spells it.
        authorization: As the CA told.
        challenge: The one that is solved.
        planned: What its solver planned; None when nothing has to be presented.
        solver: Who solves it; None when nobody has to.
        state: How far it is.
        verdict: Of the last check.
    """

    name: str
    authorization: Authorization
    challenge: Challenge | None = None
    planned: Any = None
    solver: Solver | None = None
    state: ChallengeState = ChallengeState.PLANNED
    verdict: Verdict | None = None

    def journal(self) -> IdentifierJournal:
        """Its entry in the journal."""
        kind = self.challenge.type if self.challenge else ""
        record = self.planned if isinstance(self.planned, Record) else None
        return IdentifierJournal(self.name, kind, self.state, record, self.verdict)


@dataclass(slots=True)
class Flight:
    """One order on its way.

    Args:
        issuer: `Kind/name`.
        digest: What was asked for.
        order: As the CA last told.
        proofs: One an identifier.
        since: Monotonic seconds of the last change for the better.
        checks: Rounds of checks so far.
        polls: Times the order was asked for since the last change of its state.
        next_poll: Monotonic seconds before which the order is not asked for again.
        presented_at: Monotonic seconds of the moment when all was presented first.
        written_at: Monotonic seconds of the moment when something was presented last.
        journaled: What another process planned, where the order was taken up from its journal.
        generation: Of the issuer's spec that the solvers were built from.
        objects: What solvers make in the cluster.
    """

    issuer: str
    digest: str
    order: Order
    proofs: list[Proof]
    since: float
    checks: int = 0
    polls: int = 0
    next_poll: float = 0.0
    presented_at: float | None = None
    written_at: float = 0.0
    journaled: tuple[IdentifierJournal, ...] = ()
    generation: int = 0
    objects: tuple[SolverObject, ...] = ()

    def journal(self) -> OrderJournal:
        """What is written to status.order: never less than what has to be cleaned up."""
        return OrderJournal(
            issuer=self.issuer,
            url=self.order.url,
            state=self.order.status,
            request=self.digest,
            identifiers=tuple(proof.journal() for proof in self.proofs) or self.journaled,
            objects=self.objects,
        )

    def in_state(self, *states: ChallengeState) -> list[Proof]:
        """The proofs in one of these states."""
        return [proof for proof in self.proofs if proof.state in states]

"""Plans as the issuer makes them: first where, then with what only the CA knows."""

from collections.abc import Sequence

from certwright.errors import CertwrightError
from certwright.resources.order import Record
from certwright.solvers.dns01 import Dns01Solver


def plan_all(solver: Dns01Solver, items: Sequence[tuple[str, str]]) -> list[Record | CertwrightError]:
    """Records with their values, or faults, in order; items are identifiers with their key authorizations."""
    places = solver.plan_all([identifier for identifier, _ in items])
    return [
        place
        if isinstance(place, CertwrightError)
        else solver.answer(place, token="t", key_authorization=key_authorization, order="https://ca.test/order/1")
        for place, (_, key_authorization) in zip(places, items, strict=True)
    ]


def plan(solver: Dns01Solver, identifier: str, key_authorization: str) -> Record:
    """The record of one identifier; raises its fault."""
    (outcome,) = plan_all(solver, [(identifier, key_authorization)])
    if isinstance(outcome, CertwrightError):
        raise outcome
    return outcome

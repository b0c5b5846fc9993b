"""What every solver is to the issuer: short, idempotent steps, none of which waits for the world to follow."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from certwright.errors import CertwrightError
    from certwright.resources.order import SolverObject, Verdict


@dataclass(frozen=True, slots=True)
class Pace:
    """When the issuer looks whether the CA would see what was presented.

    Args:
        wait: From presenting to the first look.
        interval: The longest time between two looks.
        timeout: From presenting until the attempt is given up; None never gives up.
        grace: From presenting until a tolerable verdict will do.
    """

    wait: timedelta = timedelta(0)
    interval: timedelta = timedelta(seconds=5)
    timeout: timedelta | None = None
    grace: timedelta = timedelta(0)


class Solver(Protocol):
    """Solves challenges of one type. All methods are safe for threads and may be repeated at any time.

    What is planned is a value of the solver's own, such as a Record: all that it takes to make it, find it and remove
    it. `whole` are the plans for all identifiers of the order that this solver is for and that are not proven, which
    one object may serve. Methods raise from certwright.errors only.
    """

    @property
    def pace(self) -> Pace:
        """When `check` is due."""

    def plan_all(self, identifiers: Sequence[str]) -> list[Any | CertwrightError]:
        """Find out where each identifier's proof belongs, before an order is made; changes nothing."""

    def answer(self, planned: Any, *, token: str, key_authorization: str, order: str) -> Any:  # noqa: ANN401
        """Complete a plan by what the CA sent: the challenge's token, the key authorization, the order's URL."""

    def objects(self, planned: Sequence[Any]) -> tuple[SolverObject, ...]:
        """Objects of the cluster that `present` makes, for the journal."""

    def present(self, planned: Sequence[Any], whole: Sequence[Any]) -> None:
        """Make what the CA will look for; what is there already is left as it is."""

    def check(self, planned: Sequence[Any], whole: Sequence[Any]) -> list[Verdict]:
        """Say of each planned, in order, whether it can be seen where the CA will look; mends what was lost."""

    def keep(self, whole: Sequence[Any]) -> None:
        """See that what was presented is still there while the CA looks; mends what was lost."""

    def clean_up(self, planned: Sequence[Any]) -> None:
        """Take it away again; what is gone already is no fault."""

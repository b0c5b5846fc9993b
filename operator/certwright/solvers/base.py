"""What every solver is to the issuer: three short, idempotent steps, none of which waits for the world to follow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Sequence

    from certwright.resources.order import Verdict

Planned_contra = TypeVar("Planned_contra", contravariant=True)
"""What the journal holds of one challenge, e.g. a Record; all a solver needs to make it, find it and remove it."""


class Solver(Protocol[Planned_contra]):
    """Solves challenges of one type. All methods are safe for threads and may be repeated at any time.

    They raise from certwright.errors only.
    """

    def present(self, planned: Sequence[Planned_contra]) -> None:
        """Make what the CA will look for; what is there already is left as it is."""

    def check(self, planned: Sequence[Planned_contra]) -> list[Verdict]:
        """Say of each, in order, whether it can be seen where the CA will look."""

    def clean_up(self, planned: Sequence[Planned_contra]) -> None:
        """Take it away again; what is gone already is no fault."""

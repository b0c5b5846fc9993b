"""What whoever may write an issuer can make the operator reach: the rules of its owner, set once when it starts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from certwright.providers.exec_program import allow_programs
from certwright.providers.guard import Guard, networks, set_standing

if TYPE_CHECKING:
    from collections.abc import Sequence


def limit_tenants(
    *, allowed_networks: Sequence[str], exec_programs: Sequence[str], allow_loopback: bool = False
) -> None:
    """Set the rules for this process; for the composition root, and for commands that look as the operator does.

    Args:
        allowed_networks: Networks that hosts of issuers' choice may be in; none means all but those never allowed.
        exec_programs: Absolute paths of the programs that the provider `exec` may run.
        allow_loopback: Whether such hosts may be this one; for tests.

    Raises:
        InvalidSpec: One cannot be read.
    """
    allowed = networks(allowed_networks, field="allowed-networks")
    allow_programs(exec_programs)
    set_standing(Guard(allow_loopback=allow_loopback, allowed=allowed))

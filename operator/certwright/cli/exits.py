"""What the commands' exit codes mean, and how a fault ends one: a line for a person and never a traceback."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import typer
from typer.core import TyperGroup

from certwright.errors import CertwrightError

if TYPE_CHECKING:
    from click import Context

FAULT: Final = 1
NOT_READY: Final = 4
"""Also: `check` found something. 2 is wrong usage, 3 is `run` that lost its leadership, 130 is Ctrl-C."""


class Commands(TyperGroup):
    """The commands, with one way for all of them to fail; typer itself ends quietly by Ctrl-C and a closed pipe."""

    def invoke(self, ctx: Context) -> Any:  # type: ignore[override] # noqa: ANN401 - typer has its own copy of click
        """Run a command; a fault becomes one line on stderr and exit code 1."""
        try:
            return super().invoke(ctx)  # type: ignore[arg-type]
        except CertwrightError as fault:
            typer.echo(f"certwright: {fault.message}", err=True)
            raise typer.Exit(FAULT) from None

"""The `certwright` command: one sub-command a file, nothing but wiring here."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from certwright import __version__
from certwright.cli.run import run
from certwright.errors import CertwrightError

app = typer.Typer(
    name="certwright",
    help="Puts certificates into Kubernetes Secrets and keeps them valid.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
app.command()(run)


def _version(wanted: bool) -> None:  # noqa: FBT001 - the callback's signature
    if wanted:
        typer.echo(f"certwright {__version__}")
        raise typer.Exit


@app.callback()
def options(
    _version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Puts certificates into Kubernetes Secrets and keeps them valid."""


def main() -> None:
    """Run the command; a fault becomes one line and exit code 1."""
    try:
        app()
    except CertwrightError as fault:
        print(f"certwright: {fault.message}", file=sys.stderr)  # noqa: T201 - the one line
        sys.exit(1)

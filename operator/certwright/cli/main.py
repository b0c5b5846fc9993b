"""The `certwright` command: one sub-command a file, nothing but wiring here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from certwright import __version__
from certwright.cli import check, check_dns, providers, renew, run, status
from certwright.cli.exits import Commands

if TYPE_CHECKING:
    from click import Context


class Words(Commands):
    """Commands of two words beside those of one: `check dns NAME`, and `check FILE` for a file of any other name."""

    def resolve_command(self, ctx: Context, args: list[str]) -> Any:  # type: ignore[override] # noqa: ANN401 - as Commands
        """Take the two words for one where there is such a command."""
        both = " ".join(args[:2])
        return super().resolve_command(ctx, [both, *args[2:]] if both in self.commands else args)  # type: ignore[arg-type]


app = typer.Typer(
    name="certwright",
    cls=Words,
    help="Puts certificates into Kubernetes Secrets and keeps them valid.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command(epilog=status.EPILOG)(status.status)
app.command(epilog=renew.EPILOG)(renew.renew)
app.command(epilog=check.EPILOG)(check.check)
app.command("check dns", epilog=check_dns.EPILOG)(check_dns.check_dns)
app.command(epilog=providers.EPILOG)(providers.providers)
app.command(epilog=run.EPILOG)(run.run)


@app.command()
def version() -> None:
    """Print the version."""
    typer.echo(f"certwright {__version__}")


def _version(wanted: bool) -> None:  # noqa: FBT001 - the callback's signature
    if wanted:
        version()
        raise typer.Exit


@app.callback()
def options(
    _version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Puts certificates into Kubernetes Secrets and keeps them valid."""


def main() -> None:
    """Run the command."""
    app()

"""`certwright renew`: new certificates now, and watching them come."""

from __future__ import annotations

import time
from contextlib import nullcontext
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from certwright.cli.exits import NOT_READY
from certwright.cli.options import ApiGroup, Kubeconfig, Namespace  # noqa: TC001 - typer reads them
from certwright.resources.names import DEFAULT_GROUP

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.text import Text

    from certwright.cli.renewal import Asked, Progress
    from certwright.kube.client import Kube

INTERVAL = 0.5
"""Seconds between two looks of --wait."""
EPILOG = """Examples:

certwright renew web --wait

certwright renew --all --namespace shop

certwright renew -l team=blue --wait --timeout 10m"""


def renew(
    names: Annotated[list[str] | None, typer.Argument(metavar="NAME", help="Certificates of one namespace.")] = None,
    namespace: Namespace = "",
    every: Annotated[bool, typer.Option("--all", help="All Certificates of the namespace.")] = False,
    selector: Annotated[
        str, typer.Option("--selector", "-l", help="Those with these labels, as key=value.", show_default=False)
    ] = "",
    wait: Annotated[bool, typer.Option("--wait", help="Wait until each is Ready with its new certificate.")] = False,
    timeout: Annotated[str, typer.Option(help="How long to wait, e.g. 90s or 10m.")] = "5m",
    kubeconfig: Kubeconfig = "",
    api_group: ApiGroup = DEFAULT_GROUP,
) -> None:
    """Ask for new certificates now, whatever the renewal time says.

    Ends the backoff after a failure, too. Ctrl-C while waiting stops the waiting only.

    Exit codes: 0 all is asked for (with --wait: Ready), 1 a fault, 2 wrong usage, 4 not Ready in time or the attempt
    failed, 130 ended by Ctrl-C.
    """
    if bool(names) + every + bool(selector) != 1:
        raise typer.BadParameter("give names, or --all, or -l: exactly one of them", param_hint="NAME")
    from certwright.cli.cluster import connect  # noqa: PLC0415 - half of the start-up time
    from certwright.cli.reading import all_certificates  # noqa: PLC0415
    from certwright.cli.renewal import ask  # noqa: PLC0415
    from certwright.errors import InvalidSpec  # noqa: PLC0415
    from certwright.resources.values import parse_duration  # noqa: PLC0415

    try:
        seconds = parse_duration(timeout, "--timeout").total_seconds()
    except InvalidSpec as fault:
        raise typer.BadParameter(fault.message, param_hint="--timeout") from None
    cluster = connect(kubeconfig, api_group)
    where = namespace or cluster.namespace
    if not names:
        names = [body["metadata"]["name"] for body in all_certificates(cluster.kube, where, selector)]
    asked = []
    for name in dict.fromkeys(names):
        item = ask(cluster.kube, where, name, datetime.now(UTC))
        typer.echo(f"{where}/{name}: {'is being issued already' if item.already else 'a new certificate is asked for'}")
        asked.append(item)
    if not asked:
        typer.echo(f"no Certificates to renew in namespace {where}", err=True)
    if wait and not _wait(cluster.kube, asked, seconds):
        raise typer.Exit(NOT_READY)


def _wait(kube: Kube, asked: Sequence[Asked], seconds: float) -> bool:
    """Show how they get on until all have ended; whether all are Ready."""
    from rich.live import Live  # noqa: PLC0415 - not without --wait

    from certwright.cli.printing import console  # noqa: PLC0415
    from certwright.cli.reading import certificate  # noqa: PLC0415
    from certwright.cli.renewal import Progress, progress  # noqa: PLC0415
    from certwright.errors import Retryable  # noqa: PLC0415

    screen, end = console(), time.monotonic() + seconds
    states: dict[Asked, Progress] = {}
    live = Live(console=screen, auto_refresh=False) if screen.is_terminal else None
    try:
        with live or nullcontext():
            while True:
                for item in asked:
                    before = states.get(item)
                    if before is not None and before.done is not None:
                        continue
                    try:
                        states[item] = progress(item, certificate(kube, item.namespace, item.name))
                    except Retryable as fault:
                        states[item] = Progress(None, fault.message)
                    if live is None and states[item] != before:
                        typer.echo(_line(item, states[item]))
                if live is not None:
                    live.update(_lines(states), refresh=True)
                if all(state.done is not None for state in states.values()):
                    return all(state.done for state in states.values())
                if time.monotonic() >= end:
                    break
                time.sleep(INTERVAL)
    except KeyboardInterrupt:
        typer.echo("the renewal goes on without you; see `certwright status`", err=True)
        raise
    left = sum(state.done is None for state in states.values())
    typer.echo(f"certwright: {left} of {len(asked)} not Ready after {seconds:g} s; the renewal goes on", err=True)
    return False


def _line(item: Asked, state: Progress) -> str:
    return f"{item.namespace}/{item.name}: {'FAILED ' if state.done is False else ''}{state.message}"


def _lines(states: dict[Asked, Progress]) -> Text:
    from rich.text import Text  # noqa: PLC0415

    styles = {True: "green", False: "red", None: "yellow"}
    return Text("\n").join(Text(_line(item, state), styles[state.done]) for item, state in states.items())

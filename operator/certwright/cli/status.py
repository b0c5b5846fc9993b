"""`certwright status`: where Certificates stand."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer

from certwright.cli import times
from certwright.cli.exits import NOT_READY
from certwright.cli.options import AllNamespaces, ApiGroup, Format, Kubeconfig, Namespace, Output
from certwright.errors import Retryable
from certwright.resources.names import DEFAULT_GROUP

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import RenderableType

    from certwright.cli.cluster import Cluster

INTERVAL = 2.0
"""Seconds between two looks of --watch."""
EPILOG = """Examples:

certwright status --all-namespaces

certwright status web --namespace shop

certwright status -o json"""


def status(
    name: Annotated[str, typer.Argument(help="A Certificate; none means all of the namespace.")] = "",
    namespace: Namespace = "",
    all_namespaces: AllNamespaces = False,
    output: Output = Format.TEXT,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Go on, and show what changes, until Ctrl-C.")] = False,
    kubeconfig: Kubeconfig = "",
    api_group: ApiGroup = DEFAULT_GROUP,
) -> None:
    """Show where Certificates stand: a table of all, or one as a tree with all that is known.

    Exit codes: 0 all are Ready, 1 a fault, 2 wrong usage, 4 something is not Ready, 130 ended by Ctrl-C.
    """
    if name and all_namespaces:
        raise typer.BadParameter("a NAME is in one namespace; give -n instead of -A", param_hint="NAME")
    from certwright.cli.cluster import connect  # noqa: PLC0415 - half of the start-up time

    cluster = connect(kubeconfig, api_group)
    where = "" if all_namespaces else namespace or cluster.namespace

    def look() -> View:
        return one(cluster, where, name) if name else several(cluster, where)

    if watch:
        follow(look, output)
    view = look()
    show(view, output)
    if not view.all_ready:
        raise typer.Exit(NOT_READY)


class View:
    """One look at the cluster, ready to be shown in any form.

    Args:
        data: As JSON has it.
        render: Makes the text; imports rich.
        all_ready: Whether all that was looked at is Ready.
    """

    def __init__(self, data: object, render: Callable[[], RenderableType], *, all_ready: bool) -> None:
        self.data = data
        self.render = render
        self.all_ready = all_ready


def one(cluster: Cluster, namespace: str, name: str) -> View:
    """A look at one Certificate."""
    from certwright.cli import reading  # noqa: PLC0415 - likewise
    from certwright.cli.printing import plain  # noqa: PLC0415

    now = times.moment()
    story = reading.story(cluster.kube, namespace, name, now)

    def render() -> RenderableType:
        from certwright.cli.tree import tree  # noqa: PLC0415 - not for JSON

        return tree(story, now)

    data = {**plain(story.situation), "issuerReady": plain(story.issuer), "events": plain(story.events)}
    return View({**data, "status": dict(story.status)}, render, all_ready=story.situation.is_ready)


def several(cluster: Cluster, namespace: str) -> View:
    """A look at all Certificates of a namespace, or of all when it is empty."""
    from certwright.cli import reading  # noqa: PLC0415
    from certwright.cli.printing import plain  # noqa: PLC0415
    from certwright.cli.situation import Situation  # noqa: PLC0415

    now = times.moment()
    found = [Situation.of(body, now) for body in reading.all_certificates(cluster.kube, namespace)]

    def render() -> RenderableType:
        from certwright.cli.table import Overview  # noqa: PLC0415

        where = f"namespace {namespace}" if namespace else "the cluster"
        return Overview(found, now) if found else f"no Certificates in {where}"

    return View({"items": plain(found)}, render, all_ready=all(item.is_ready for item in found))


def show(view: View, output: Format) -> None:
    """Print one look."""
    from certwright.cli.printing import console, document  # noqa: PLC0415

    if output is Format.TEXT:
        console().print(view.render())
    else:
        typer.echo(document(view.data, output))


def follow(look: Callable[[], View], output: Format) -> None:
    """Show every change until Ctrl-C: in place on a terminal, one after the other elsewhere."""
    from rich.live import Live  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    from certwright.cli.printing import console  # noqa: PLC0415

    screen = console()
    if output is Format.TEXT and screen.is_terminal:
        with Live(console=screen, auto_refresh=False, vertical_overflow="crop") as live:
            while True:
                try:
                    live.update(look().render(), refresh=True)
                except Retryable as fault:
                    live.update(Text(f"{fault.message}; tried again", "yellow"), refresh=True)
                time.sleep(INTERVAL)
    shown: object = None
    while True:
        try:
            view = look()
        except Retryable as fault:
            typer.echo(f"certwright: {fault.message}; tried again", err=True)
        else:
            if view.data != shown:
                show(view, output)
                shown = view.data
        time.sleep(INTERVAL)

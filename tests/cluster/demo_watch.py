"""Follows the demo's Certificates by their status until each is where it is expected to be, and shows it live."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.live import Live
from rich.table import Table

from certwright.errors import Retryable
from certwright.kube.client import Kube
from certwright.kube.paths import CORE, path
from certwright.resources.names import DEFAULT_GROUP, Names
from cluster.demo_manifests import MISTAKES, Manifest

LOOK_EVERY = 0.1
_MARKS = {"done": "[green]✓[/]", "explained": "[yellow]![/]", "working": "[cyan]…[/]"}


class Cluster:
    """The few reads that the demo does itself; a kubectl a look would be slower than what it looks at.

    Args:
        kubeconfig: Where.
        namespace: The demo's.
    """

    def __init__(self, kubeconfig: Path, namespace: str) -> None:
        self.namespace = namespace
        self._kube = Kube(kubeconfig=str(kubeconfig), names=Names(DEFAULT_GROUP), user_agent="certwright-demo")

    def certificates(self) -> dict[str, Manifest]:
        """All Certificates by name; none while nobody answers."""
        try:
            found = self._kube.request("GET", path(self._kube.group_path, "certificates", self.namespace))
        except Retryable:
            return {}
        return {body["metadata"]["name"]: body for body in found["items"]}

    def secret(self, name: str) -> dict[str, str]:
        """The data of a Secret, base64 as it stands there."""
        return dict(self._kube.request("GET", path(CORE, "secrets", self.namespace, name)).get("data") or {})


@dataclass(slots=True)
class Progress:
    """How far one Certificate is.

    Attributes:
        name: The Certificate's.
        state: working, done, or explained for a mistake whose status says what it is.
        says: The last thing that its status said.
        seconds: From the apply to the end.
        body: The Certificate as it was seen last.
    """

    name: str
    state: str = "working"
    says: str = "not looked at yet"
    seconds: float = 0.0
    body: Manifest = field(default_factory=dict)

    def take(self, body: Manifest, seconds: float) -> bool:
        """Take in what the Certificate is now; tell whether it says something new."""
        before = (self.state, self.says)
        self.body = body
        conditions = {item["type"]: item for item in (body.get("status") or {}).get("conditions") or []}
        ready, issuing = conditions.get("Ready", {}), conditions.get("Issuing", {})
        self.says = str((issuing or ready).get("message") or self.says) + _order(body)
        if self.name in MISTAKES:
            explained = issuing.get("status") == "False" and issuing.get("reason") == MISTAKES[self.name]
            self.state = "explained" if explained else "working"
        elif ready.get("status") == "True" and not issuing and "order" not in body["status"]:
            self.state = "done"
        if self.state != "working" and not self.seconds:
            self.seconds = seconds
        return (self.state, self.says) != before


def _order(body: Manifest) -> str:
    """How far the order under way is, by the journal."""
    order = (body.get("status") or {}).get("order")
    return f"; {order['state']} order for {len(order['identifiers'])} names" if order else ""


def follow(cluster: Cluster, names: list[str], *, applied: float, timeout: float, console: Console) -> list[Progress]:
    """Show the Certificates' progress until all have ended or the time is over; returns where each is.

    Args:
        cluster: Where to look.
        names: The Certificates'.
        applied: When they were applied, by the monotonic clock.
        timeout: Seconds from then on.
        console: Where to show it: live on a terminal, else a line for each piece of news.
    """
    progress = [Progress(name) for name in names]
    with _display(console, progress) as show:
        while True:
            bodies = cluster.certificates()
            elapsed = time.monotonic() - applied
            for item in progress:
                if item.state == "working" and item.name in bodies and item.take(bodies[item.name], elapsed):
                    show(item, elapsed)
            if all(item.state != "working" for item in progress) or elapsed > timeout:
                return progress
            time.sleep(LOOK_EVERY)


@contextmanager
def _display(console: Console, progress: list[Progress]) -> Iterator[Callable[[Progress, float], None]]:
    if not console.is_terminal:
        yield lambda item, elapsed: console.print(
            f"  {elapsed:5.1f} s  {item.name}: {item.says}", markup=False, highlight=False, soft_wrap=True
        )
        return
    started = time.monotonic()

    def table() -> Table:
        grid = Table.grid(padding=(0, 2))
        for item in progress:
            seconds = item.seconds or time.monotonic() - started
            grid.add_row(_MARKS[item.state], item.name, f"{seconds:.1f} s", item.says)
        return grid

    with Live(get_renderable=table, console=console, refresh_per_second=8):
        yield lambda _item, _elapsed: None

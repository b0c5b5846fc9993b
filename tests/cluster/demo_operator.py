"""The operator of the demo: a process that goes on when the demo has ended, until `make demo-down`."""

import os
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cluster import ports
from cluster.image import CERTWRIGHT
from cluster.interrupts import held_back
from cluster.operator import surroundings
from cluster.process import ProcessHandle, StartError
from cluster.state import State, add_guest

NAME = "operator"
SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Running:
    """A running operator.

    Attributes:
        pid: The process.
        log: Its log.
        metrics: URL of its metrics.
    """

    pid: int
    log: Path
    metrics: str


def end(folder: Path) -> bool:
    """End the operator of an earlier demo; False if there was none that still ran."""
    state = State.read(folder)
    if state is None:
        return False
    old = [guest for guest in state.guests if guest.name == NAME]
    ran = [guest for guest in old if guest.alive()]
    for guest in ran:
        guest.end()
    if old:
        replace(state, guests=tuple(guest for guest in state.guests if guest not in old)).write(folder)
    return bool(ran)


def start(folder: Path, facts: dict[str, Any]) -> Running:
    """Start the operator and return when it is ready; what fails or is interrupted is ended.

    Args:
        folder: The environment's state folder, which gets the log and a note of the process.
        facts: What the environment says of itself.

    Raises:
        StartError: It ended, or was not ready in time.
    """
    metrics, health = ports.free_port(), ports.free_port()
    command = [
        str(Path(sys.executable).parent / "certwright"),
        "run",
        f"--kubeconfig={facts['kubeconfig']}",
        f"--dns-resolvers={facts['dns']['resolver']}",
        f"--metrics-address=127.0.0.1:{metrics}",
        f"--health-address=127.0.0.1:{health}",
    ]
    if "node" in facts:
        command += [f"--http01-solver-image={CERTWRIGHT}", "--http01-solver-image-pull-policy=Never"]
    log = folder / f"{NAME}.log"
    with log.open("wb") as output, held_back():
        process = subprocess.Popen(
            command,
            env={**os.environ, **surroundings(facts["dns"]["port"])},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,  # neither Ctrl-C nor the end of this terminal is for it
        )
        _started.append(process)
        add_guest(folder, process.pid, NAME)  # from here on whoever ends the environment ends the operator
    try:
        _wait_ready(process, f"http://127.0.0.1:{health}/readyz", log)
    except BaseException:
        if handle := ProcessHandle.of(process.pid, NAME):
            handle.end()
        raise
    return Running(process.pid, log, f"http://127.0.0.1:{metrics}/metrics")


_started: list["subprocess.Popen[bytes]"] = []  # held on to, or Python warns that a process of ours still runs


def _wait_ready(process: "subprocess.Popen[bytes]", probe: str, log: Path) -> None:
    deadline = time.monotonic() + SECONDS
    while not _answers(probe):
        if process.poll() is not None or time.monotonic() > deadline:
            tail = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
            raise StartError(f"the operator did not get ready:\n{tail}")
        time.sleep(0.05)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as page:  # noqa: S310 - our own http:// URL
            return int(page.status) == 200
    except OSError:
        return False

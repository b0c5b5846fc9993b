"""The process that holds an environment in the background, from `up` until `down`.

Its children die with it by the kernel's doing, so that ending this one process is enough, even by SIGKILL.
"""

import os
import shutil
import signal
import threading
from pathlib import Path

from cluster import state as states
from cluster.environment import CRDS, Environment
from cluster.state import State


def keep(folder: Path, *, crds: bool) -> None:
    """Run an environment in the folder until SIGTERM or SIGINT; the state file appears when all of it answers.

    Args:
        folder: For data and logs.
        crds: Whether the repository's CRDs are applied.
    """
    for number in (signal.SIGTERM, signal.SIGINT):
        # Until all of it is up the quickest end is the best: the kernel ends the children at once.
        signal.signal(number, lambda *_: os._exit(1))
    environment = Environment(folder, crds=CRDS if crds else None)
    ended = threading.Event()
    try:
        environment.start()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: ended.set())
        State.of(environment).write(folder)
        ended.wait()
    finally:
        environment.stop()
        states.remove(folder)


def clear(folder: Path) -> None:
    """Remove what an earlier environment left in the folder. Only what environments make, never the folder itself."""
    for name in ("controlplane", "bind", "pebble", "kubectl"):
        shutil.rmtree(folder / name, ignore_errors=True)
    states.remove(folder)

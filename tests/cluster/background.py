"""Starts an environment that goes on in the background, and ends it: what `up`, `down` and the demo call."""

import fcntl
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cluster.environment import KUBECONFIG_VARIABLE, REPOSITORY, build_all
from cluster.interrupts import held_back
from cluster.keeper import clear
from cluster.process import ProcessHandle, StartError
from cluster.progress import Progress, say
from cluster.state import State, remove

_SECONDS = 120.0
_started: list["subprocess.Popen[bytes]"] = []  # held on to, or Python warns that a process of ours still runs


def up(folder: Path, *, crds: bool = True) -> State:
    """Return the environment of a folder, started now unless it runs already.

    Interrupted while it starts, it ends everything.

    Args:
        folder: For data and logs, an earlier environment's are removed.
        crds: Whether the repository's CRDs are applied.

    Raises:
        BuildError: a program could not be built.
        MissingProgramError: a program is missing; the message names the package to install.
        StartError: it did not come up; the message says why.
    """
    folder = folder.absolute()
    with _alone(folder):
        state = State.read(folder)
        if state and state.keeper.alive():
            say(f"already up; logs are in {folder}")
            return state
        build_all()  # here, where people see the progress
        clear(folder)
        existing = os.environ.get(KUBECONFIG_VARIABLE)
        cluster = "" if existing else "etcd, kube-apiserver, kube-controller-manager, "
        with Progress(f"starting {cluster}Pebble and BIND", expected="about 5 s"):
            state = _start(folder, [] if crds else ["--no-crds"])
        say(f"up; logs are in {folder}")
        return state


def down(folder: Path) -> bool:
    """End the environment of a folder; False if there was none. Data and logs stay until the next `up`."""
    with _alone(folder.absolute()):
        state = State.read(folder)
        if state is None:
            say("nothing is up")
            return False
        left = state.end()
        remove(folder)
        _started[:] = [keeper for keeper in _started if keeper.poll() is None]
        say("ended" + (f", these one by one: {', '.join(left)}" if left else ""))
        return True


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Let two commands on one folder take turns."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _start(folder: Path, options: list[str]) -> State:
    paths = [str(REPOSITORY / "tests"), *filter(None, [os.environ.get("PYTHONPATH")])]
    log = folder / "keeper.log"
    keeper: subprocess.Popen[bytes] | None = None
    try:
        with log.open("wb") as output, held_back():
            keeper = subprocess.Popen(
                [sys.executable, "-m", "cluster", "keep", "--state", str(folder), *options],
                env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
            _started.append(keeper)
        return _wait_for_state(folder, keeper, log)
    except BaseException:
        if keeper and (handle := ProcessHandle.of(keeper.pid, "keeper")):
            handle.end(grace=30)
        raise


def _wait_for_state(folder: Path, keeper: "subprocess.Popen[bytes]", log: Path) -> State:
    deadline = time.monotonic() + _SECONDS
    while time.monotonic() < deadline:
        if state := State.read(folder):
            return state
        if keeper.poll() is not None:
            break
        time.sleep(0.05)
    lines = log.read_text(errors="replace").strip().splitlines()[-20:]
    raise StartError("the environment did not come up:\n" + "\n".join(lines))

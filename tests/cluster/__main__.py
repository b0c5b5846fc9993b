"""`python -m cluster`: an environment that stays up in the background, for trying things by hand.

python -m cluster up [--state DIR]      start it and print the kubeconfig's path
python -m cluster status [--state DIR]  say what runs and how to reach it
python -m cluster down [--state DIR]    end it
python -m cluster build                 only build and fetch the programs
"""

import argparse
import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from cluster.build import BuildError
from cluster.environment import REPOSITORY, build_all
from cluster.keeper import clear, keep
from cluster.packages import MissingProgramError
from cluster.process import ProcessHandle, StartError
from cluster.progress import Progress, say
from cluster.state import State, default_state, remove

_SECONDS = 120.0


def main() -> int:
    """Run one command; return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m cluster", description="A Kubernetes, an ACME CA and a DNS server.")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, text in {
        "up": "start an environment in the background and print its kubeconfig's path",
        "status": "say what runs",
        "down": "end the environment",
        "build": "only build and fetch the programs",
        "keep": "what `up` runs in the background",
    }.items():
        command = commands.add_parser(name, help=text)
        if name != "build":
            command.add_argument("--state", type=Path, default=None, help="folder for data and logs")
        if name in {"up", "keep"}:
            command.add_argument("--no-crds", action="store_true", help="do not apply the CRDs of this repository")
    arguments = parser.parse_args()
    # A termination is an orderly end here, as Ctrl-C is.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return _run(arguments)
    except KeyboardInterrupt:
        say("interrupted; everything is ended")
        return 130
    except (BuildError, MissingProgramError, StartError) as error:
        say(f"error: {error}")
        return 1


def _run(arguments: argparse.Namespace) -> int:
    if arguments.command == "build":
        build_all()
        return 0
    folder = (arguments.state or default_state()).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    if arguments.command == "keep":
        keep(folder, crds=not arguments.no_crds)
        return 0
    if arguments.command == "status":
        return _status(folder)
    with (folder / "lock").open("w") as lock:  # two at once on one folder take turns
        fcntl.flock(lock, fcntl.LOCK_EX)
        return _up(folder, ["--no-crds"] * arguments.no_crds) if arguments.command == "up" else _down(folder)


def _up(folder: Path, options: list[str]) -> int:
    state = State.read(folder)
    if state and state.keeper.alive():
        say(f"already up; logs are in {folder}")
    else:
        build_all()  # here, where people see the progress
        clear(folder)
        with Progress("starting etcd, kube-apiserver, kube-controller-manager, Pebble and BIND", expected="about 5 s"):
            state = _start(folder, options)
        say(f"up; logs are in {folder}")
    print(state.facts["kubeconfig"])
    return 0


def _start(folder: Path, options: list[str]) -> State:
    paths = [str(REPOSITORY / "tests"), *filter(None, [os.environ.get("PYTHONPATH")])]
    log = folder / "keeper.log"
    with log.open("wb") as output:
        keeper = subprocess.Popen(
            [sys.executable, "-m", "cluster", "keep", "--state", str(folder), *options],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        return _wait_for_state(folder, keeper, log)
    except BaseException:
        if handle := ProcessHandle.of(keeper.pid, "keeper"):
            handle.end(grace=30)
        raise


def _wait_for_state(folder: Path, keeper: subprocess.Popen[bytes], log: Path) -> State:
    deadline = time.monotonic() + _SECONDS
    while time.monotonic() < deadline:
        if state := State.read(folder):
            return state
        if keeper.poll() is not None:
            break
        time.sleep(0.05)
    lines = log.read_text(errors="replace").strip().splitlines()[-20:]
    raise StartError("the environment did not come up:\n" + "\n".join(lines))


def _down(folder: Path) -> int:
    state = State.read(folder)
    if state is None:
        say("nothing is up")
        return 0
    left = state.end()
    remove(folder)  # data and logs stay to be looked at, until the next `up`
    say("ended" + (f", these one by one: {', '.join(left)}" if left else ""))
    return 0


def _status(folder: Path) -> int:
    state = State.read(folder)
    if state is None or not state.keeper.alive():
        say("nothing is up")
        return 1
    for process in (*state.children, *state.guests):
        say(f"{process.name:24} {process.pid:>8} {'runs' if process.alive() else 'is gone'}")
    print(json.dumps(state.facts, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())

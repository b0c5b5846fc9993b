"""`python -m cluster.node`: an environment with a node that stays up in the background, for trying things by hand.

Exit codes: 0 done; 1 failed; 130 interrupted.
"""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

from cluster import background
from cluster import state as states
from cluster.build import BuildError
from cluster.environment import REPOSITORY, Environment, build_all
from cluster.image import certwright
from cluster.interrupts import held_back
from cluster.keeper import clear
from cluster.node import Node
from cluster.node_programs import build_node
from cluster.node_sandbox import remove_left_over
from cluster.packages import MissingProgramError
from cluster.pebble import PebbleOptions
from cluster.process import ProcessHandle, StartError
from cluster.progress import Progress, say
from cluster.state import State, default_state


def main() -> int:
    """Run one command; return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m cluster.node", description="An environment with a node.")
    parser.add_argument("command", choices=["up", "down", "keep"], help="`keep` is what `up` runs in the background")
    parser.add_argument("--state", type=Path, default=None, help="folder for data and logs")
    arguments = parser.parse_args()
    folder = (arguments.state or default_state().with_name("state-node")).absolute()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        if arguments.command == "keep":
            keep(folder)
        elif arguments.command == "up":
            facts = up(folder).facts
            print(facts["kubeconfig"], facts["node"]["address"])
        else:
            down(folder)
    except KeyboardInterrupt:
        say("interrupted; everything is ended")
        return 130
    except (BuildError, MissingProgramError, StartError) as error:
        say(f"error: {error}")
        return 1
    return 0


def up(folder: Path) -> State:
    """Return the environment with a node of a folder, started now unless it runs already.

    What one that was killed left behind is removed first.

    Raises:
        BuildError: a program could not be built.
        MissingProgramError: a program is missing; the message names the package to install.
        StartError: there can be no node here, or it did not come up; the message says why.
    """
    if reason := Node.missing():
        raise StartError(reason)
    with background._alone(folder):
        state = State.read(folder)
        if state and state.keeper.alive():
            say(f"already up; logs are in {folder}")
            return state
        build_all()
        build_node()
        certwright()
        clear(folder)
        shutil.rmtree(folder / "node", ignore_errors=True)
        with Progress(
            "starting etcd, kube-apiserver, kube-controller-manager, Pebble, BIND, and a node with Traefik",
            expected="about 12 s",
        ):
            state = _start(folder)
        say(f"up; logs are in {folder}")
        return state


def down(folder: Path) -> None:
    """End the environment of a folder with its node, also one whose keeper was killed."""
    background.down(folder)
    if not Node.missing():
        remove_left_over()


def keep(folder: Path) -> None:
    """Run an environment with a node in the folder until SIGTERM; the state file appears when all of it is ready."""
    ended = threading.Event()
    # Validates where the node's Ingress controller listens.
    environment = Environment(folder, pebble=PebbleOptions(http_port=80, tls_port=443))
    node = Node(environment)
    try:
        environment.start()
        node.start()
        image = certwright()
        node.load_image(image)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: ended.set())
        state = State.of(environment)
        handles = [child.handle() for child in node.children]
        children = (*(handle for handle in handles if handle), *state.children)
        facts = {**state.facts, "node": {"address": node.address, "gateway": node.gateway, "image": str(image)}}
        replace(state, children=children, facts=facts).write(folder)
        ended.wait()
    finally:
        node.stop()
        environment.stop()
        states.remove(folder)


def _start(folder: Path) -> State:
    paths = [str(REPOSITORY / "tests"), *filter(None, [os.environ.get("PYTHONPATH")])]
    log = folder / "keeper.log"
    keeper: subprocess.Popen[bytes] | None = None
    try:
        with log.open("wb") as output, held_back():
            keeper = subprocess.Popen(
                [sys.executable, "-m", "cluster.node", "keep", "--state", str(folder)],
                env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
            background._started.append(keeper)
        return background._wait_for_state(folder, keeper, log)
    except BaseException:
        if keeper and (handle := ProcessHandle.of(keeper.pid, "keeper")):
            handle.end(grace=30)
        raise

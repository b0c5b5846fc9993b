"""`python -m cluster`: an environment that stays up in the background, for trying things by hand.

    python -m cluster up [--state DIR]      start it and print the kubeconfig's path
    python -m cluster status [--state DIR]  say what runs and how to reach it, as JSON
    python -m cluster down [--state DIR]    end it
    python -m cluster build                 only build and fetch the programs

Exit codes: 0 done; 1 failed, or for `status` nothing is up; 130 interrupted.
"""

import argparse
import json
import signal
import sys
from pathlib import Path

from cluster.background import down, up
from cluster.build import BuildError
from cluster.environment import build_all
from cluster.keeper import keep
from cluster.packages import MissingProgramError
from cluster.process import StartError
from cluster.progress import say
from cluster.state import State, default_state


def main() -> int:
    """Run one command; return its exit code."""
    arguments = _parser().parse_args()
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


def _parser() -> argparse.ArgumentParser:
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
    return parser


def _run(arguments: argparse.Namespace) -> int:
    if arguments.command == "build":
        build_all()
        return 0
    folder = (arguments.state or default_state()).absolute()
    if arguments.command == "keep":
        keep(folder, crds=not arguments.no_crds)
    elif arguments.command == "up":
        print(up(folder, crds=not arguments.no_crds).facts["kubeconfig"])
    elif arguments.command == "down":
        down(folder)
    else:
        return _status(folder)
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

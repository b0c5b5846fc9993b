"""`make kind-demo`: the demo on a cluster made by kind, for those who have Docker.

What differs from `make demo` is the cluster, and nothing after it: the same examples, operator, CA and DNS server, the
same report. CA and DNS server run on this machine and cannot be reached from within kind's node, so that the operator
runs beside them, as in `make demo`; that the image and the chart work on kind's node is shown before.

    python -m cluster.kind_demo check   say whether it can run here
    python -m cluster.kind_demo up      create the cluster and run the demo
    python -m cluster.kind_demo down    end the demo and delete the cluster

Exit codes: 0 all is as expected; 1 something is not, it says what; 2 Docker or kind is missing; 130 interrupted.
"""

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

from cluster import demo
from cluster.background import down
from cluster.build import BuildError
from cluster.cache import cache_root
from cluster.chart import CHART
from cluster.environment import KUBECONFIG_VARIABLE
from cluster.helm import program
from cluster.image import ARCHIVE, CERTWRIGHT
from cluster.kind import NAME, Kind, KindError, find, require_docker
from cluster.packages import MissingProgramError, kubectl
from cluster.progress import say

SPACE = "certwright"
ENDED_BY = "make kind-demo-down"


def main() -> int:
    """Run one command; return its exit code."""
    parser = argparse.ArgumentParser(prog="make kind-demo", description="The demo on a cluster made by kind.")
    parser.add_argument("command", choices=("check", "up", "down"))
    parser.add_argument("--state", type=Path, default=None, help="folder for data and logs")
    parser.add_argument("--archive", type=Path, default=ARCHIVE, help="the image, as `make image` writes it")
    arguments = parser.parse_args()
    folder = (arguments.state or cache_root() / "kind-state").absolute()
    folder.mkdir(parents=True, exist_ok=True)
    try:
        require_docker()
        kind = Kind(find(), folder / "kind.kubeconfig")
        if arguments.command == "up":
            return _up(kind, folder, arguments.archive)
        if arguments.command == "down":
            down(folder)
            kind.down()
    except MissingProgramError as error:
        say(f"error: {error}")
        return 2
    except (BuildError, KindError) as error:
        say(f"error: {error}")
        return 1
    except KeyboardInterrupt:
        say(f"interrupted; {ENDED_BY} deletes the cluster, if it was created")
        return 130
    return 0


def _up(kind: Kind, folder: Path, archive: Path) -> int:
    if not archive.exists():
        raise KindError(f"{archive} is not there: `make image` makes it")
    if kind.up():
        kind.load(archive)
        _show_chart(kind.kubeconfig)
    else:
        say(f"the kind cluster {NAME} of an earlier demo is used again")
    say("the API server is kind's; operator, CA and DNS server run on this machine, outside the cluster")
    say("the count of API writes is left out, for kind keeps no audit log")
    os.environ[KUBECONFIG_VARIABLE] = str(kind.kubeconfig)
    return demo.run(folder, ended_by=ENDED_BY)


def _show_chart(kubeconfig: Path) -> None:
    """Install the chart with the image, wait for its pods, and have them rest: only one operator may work at a time.

    Raises:
        BuildError: There is no Helm and none could be built.
        KindError: It was not installed, or its pods did not get ready.
    """
    helm = shutil.which("helm") or str(program(4).path())
    say("installing the chart with the image, and waiting for its pods ...")
    repository, _, tag = CERTWRIGHT.rpartition(":")
    image = f"image.repository={repository},image.tag={tag},image.pullPolicy=Never"
    _run(
        *(helm, f"--kubeconfig={kubeconfig}", "upgrade", "--install", "certwright", str(CHART)),
        *(f"--namespace={SPACE}", "--create-namespace", f"--set={image}", "--wait", "--timeout=5m"),
    )
    say("the chart's pods are ready; they rest from now on, for they cannot reach CA and DNS server of this machine")
    _run(str(kubectl()), f"--kubeconfig={kubeconfig}", "scale", "deployment", "--all", f"-n={SPACE}", "--replicas=0")


def _run(*command: str) -> None:
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=600)
    if done.returncode:
        raise KindError(f"{Path(command[0]).name}: {(done.stderr or done.stdout).strip()}")


if __name__ == "__main__":
    sys.exit(main())

"""kind: Kubernetes in Docker, as the cluster of `make kind-demo`.

kind itself is built here where the machine has none, or an older one. Docker cannot be, and where it is missing one
line says so.
"""

import re
import shutil
import subprocess
from pathlib import Path

from cluster.build import HERE, BuildError, GoProgram
from cluster.environment import REPOSITORY
from cluster.packages import MissingProgramError

KIND = "v0.33.0"
CONFIG = REPOSITORY / "kind-config.yaml"
NAME = "certwright"
"""The cluster's, as the configuration has it."""


class KindError(RuntimeError):
    """kind or Docker failed; the message is what it said."""


def program() -> GoProgram:
    """Return the binary of kind."""
    return GoProgram(
        name=f"kind-{KIND}",
        module=HERE / "kind",
        package="sigs.k8s.io/kind",
        ldflags="-s -w",
        expected="about 10 s the first time, then cached",
    )


def require_docker() -> None:
    """Make sure that Docker is there and answers.

    Raises:
        MissingProgramError: it does not; the message says what to install or to start.
    """
    if not shutil.which("docker"):
        raise MissingProgramError(
            "kind needs Docker, and there is no `docker` here: install it (Debian's packages docker.io and docker-cli)"
        )
    done = subprocess.run(["docker", "info"], capture_output=True, text=True, check=False, timeout=60)
    if done.returncode:
        raise MissingProgramError(f"kind needs Docker, which does not answer; start it ({_last(done)})")


def find() -> Path:
    """Return kind: the machine's if it is new enough, else the one that is built here.

    Raises:
        MissingProgramError: there is none and none could be built.
    """
    if found := shutil.which("kind"):
        answer = subprocess.run([found, "version"], capture_output=True, text=True, check=False, timeout=60).stdout
        if (version := _version(answer)) and version >= (_version(KIND) or ()):
            return Path(found)
    try:
        return program().path()
    except (BuildError, MissingProgramError) as error:
        raise MissingProgramError(
            f"there is no kind {KIND} here, and it could not be built: install it ({error})"
        ) from error


class Kind:
    """The demo's kind cluster.

    Args:
        program: kind itself.
        kubeconfig: Where its kubeconfig is put; no other file is touched.
    """

    def __init__(self, program: Path, kubeconfig: Path) -> None:
        self.kubeconfig = kubeconfig
        self._program = program

    def up(self) -> bool:
        """Create the cluster, or use the one that is there; tell whether it is a new one.

        Raises:
            KindError: it could not be created; kind has told more already.
        """
        if NAME in self._answer("get", "clusters").split():
            self._answer("export", "kubeconfig", f"--name={NAME}", f"--kubeconfig={self.kubeconfig}")
            return False
        self._show("create", "cluster", f"--config={CONFIG}", f"--kubeconfig={self.kubeconfig}", "--wait=3m")
        return True

    def load(self, archive: Path) -> None:
        """Give the node the images of an archive.

        Raises:
            KindError: it did not take them.
        """
        self._show("load", "image-archive", str(archive), f"--name={NAME}")

    def down(self) -> None:
        """Delete the cluster, if it is there.

        Raises:
            KindError: it could not be deleted.
        """
        self._show("delete", "cluster", f"--name={NAME}", f"--kubeconfig={self.kubeconfig}")

    def _answer(self, *arguments: str) -> str:
        done = subprocess.run([self._program, *arguments], capture_output=True, text=True, check=False, timeout=120)
        if done.returncode:
            raise KindError(f"kind {' '.join(arguments[:2])}: {_last(done)}")
        return done.stdout

    def _show(self, *arguments: str) -> None:
        """Let kind tell its progress itself; it does so on standard error."""
        done = subprocess.run([self._program, *arguments], stdin=subprocess.DEVNULL, check=False, timeout=1200)
        if done.returncode:
            raise KindError(f"kind {' '.join(arguments[:2])} failed")


def _version(text: str) -> tuple[int, ...] | None:
    found = re.search(r"v(\d+)\.(\d+)\.(\d+)", text)
    return tuple(int(part) for part in found.groups()) if found else None


def _last(done: "subprocess.CompletedProcess[str]") -> str:
    lines = (done.stderr or done.stdout).strip().splitlines()
    return lines[-1] if lines else f"exit code {done.returncode}"

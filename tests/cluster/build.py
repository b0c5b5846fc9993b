"""Builds the Go programs once and keeps them: the control plane (minutes), Pebble (half a minute) and a helper.

The key of a cache entry is the content of the module and the versions, so that a change of either builds anew and
switching branches back and forth does not.
"""

import json
import os
import re
import subprocess
from collections import deque
from dataclasses import dataclass
from pathlib import Path

from cluster.cache import cache_root, content_key, home_directory, locked
from cluster.packages import go
from cluster.progress import Progress

HERE = Path(__file__).parent
KUBERNETES = "v1.36.3"
PEBBLE = "v2.10.1"


class BuildError(RuntimeError):
    """The Go compiler failed; the message ends with its last lines."""


@dataclass(frozen=True, slots=True)
class GoProgram:
    """One program to be built.

    Attributes:
        name: File name of the result, without its key.
        module: Folder with go.mod and go.sum.
        package: The main package, relative or by import path.
        ldflags: Flags for the linker, such as version variables.
        expected: How long it takes, in words.
        packages: How many packages are compiled when nothing is cached, about; 0 to leave it unsaid.
    """

    name: str
    module: Path
    package: str
    ldflags: str
    expected: str
    packages: int = 0

    def path(self) -> Path:
        """Return the binary, built now if the cache has none.

        Raises:
            BuildError: the compiler failed.
            MissingProgramError: there is no Go and none could be had.
        """
        target = self.cached()
        if not target.exists():
            with locked(self.name):  # a second process waits here and then finds the first one's work
                if not target.exists():
                    self._build(target)
        return target

    def cached(self) -> Path:
        """Return where the binary is or would be."""
        sources = sorted([*self.module.glob("go.*"), *self.module.glob("*.go")])
        return cache_root() / "bin" / f"{self.name}-{content_key([*sources, self.package, self.ldflags])}"

    def _build(self, target: Path) -> None:
        program = go(self._minimum_go())
        target.parent.mkdir(exist_ok=True)
        partial = target.with_name(f"{target.name}.{os.getpid()}.partial")
        command = [
            *(str(program.path), "build", "-v", "-trimpath", "-buildvcs=false", "-modcacherw"),
            *("-ldflags", self.ldflags, "-o", str(partial), self.package),
        ]
        environment = {**_go_environment(), **program.env}
        with Progress(f"building {self.name}", expected=self.expected) as progress:
            _run(command, self.module, environment, progress, self.packages)
        partial.rename(target)

    def _minimum_go(self) -> tuple[int, int]:
        version = re.search(r"^go (\d+)\.(\d+)", (self.module / "go.mod").read_text(), flags=re.MULTILINE)
        if version is None:
            raise BuildError(f"{self.module / 'go.mod'} names no Go version")
        return int(version[1]), int(version[2])


def _run(command: list[str], folder: Path, environment: dict[str, str], progress: Progress, total: int) -> None:
    """Run the compiler and count its packages. Ended by an exception of ours, it ends too."""
    tail: deque[str] = deque(maxlen=15)
    with subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as compiler:
        try:
            compiled, of = 0, f" of about {total}" if total else ""
            for line in map(str.strip, compiler.stdout or ()):
                tail.append(line)
                compiled += not line.startswith("go: ")  # those say what is being downloaded
                progress.detail(f"{compiled}{of} packages compiled, {line.removeprefix('go: ')[:80]}")
        except BaseException:
            compiler.terminate()
            raise
    if compiler.returncode:
        raise BuildError("go build failed:\n" + "\n".join(tail))


def _go_environment() -> dict[str, str]:
    environment = {
        **os.environ,
        "CGO_ENABLED": "0",
        "GOFLAGS": "-mod=readonly",  # what go.sum does not name is not built
        "GOTOOLCHAIN": "local",  # the Go that was chosen here, never one that it fetches on its own
        "GOWORK": "off",
    }
    # Go wants a home for its caches. Somebody's own cache is used where there is one: it may be warm.
    if home_directory() is None or not environment.get("HOME"):
        environment["HOME"] = str(home_directory() or cache_root())
    return environment


def module(name: str, checksum: str) -> Path:
    """Return the folder of a Go module's published content, for the files in it that are no program.

    Args:
        name: Path and version, as `example.com/module@v1.2.3`.
        checksum: As go.sum has it.

    Raises:
        BuildError: it could not be had, or is another than it was.
        MissingProgramError: there is no Go and none could be had.
    """
    program = go((1, 26))
    environment = {**_go_environment(), **program.env, "GOFLAGS": "-modcacherw"}
    command = [str(program.path), "mod", "download", "-json", name]
    # In a folder without go.mod, so that nothing but the name decides.
    done = subprocess.run(command, cwd=cache_root(), env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BuildError(f"{name}: {(done.stderr or done.stdout).strip()}")
    answer = json.loads(done.stdout)
    if answer["Sum"] != checksum:
        raise BuildError(f"{name} has the checksum {answer['Sum']}, not {checksum}")
    return Path(answer["Dir"])


def control_plane() -> GoProgram:
    """Return the binary of etcd, kube-apiserver and kube-controller-manager."""
    major, minor, _ = KUBERNETES.removeprefix("v").split(".")
    version = "k8s.io/component-base/version"
    values = {"gitVersion": KUBERNETES, "gitMajor": major, "gitMinor": minor, "gitTreeState": "clean"}
    # Without a version the API server does not know which of its APIs are due for removal, and misbehaves.
    ldflags = "-s -w " + " ".join(f"-X {version}.{name}={value}" for name, value in values.items())
    return GoProgram(
        name=f"controlplane-{KUBERNETES}",
        module=HERE / "controlplane",
        package=".",
        ldflags=ldflags,
        expected="about 6 minutes on two idle cores the first time, then cached",
        packages=2480,
    )


def pebble() -> GoProgram:
    """Return the binary of Pebble, Let's Encrypt's test CA."""
    return GoProgram(
        name=f"pebble-{PEBBLE}",
        module=HERE / "pebble",
        package="github.com/letsencrypt/pebble/v2/cmd/pebble",
        ldflags=f"-s -w -X main.version={PEBBLE}",
        expected="about 30 s the first time, then cached",
    )


def forward() -> GoProgram:
    """Return the binary that gives BIND further loopback addresses; see its source for why."""
    return GoProgram(
        name="forward",
        module=HERE / "forward",
        package=".",
        ldflags="-s -w",
        expected="a few seconds the first time, then cached",
    )

"""`make demo` from outside: what it prints, what it leaves running, and that its end leaves nothing."""

import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster import packages
from cluster.environment import KUBECONFIG_VARIABLE, REPOSITORY, build_all
from cluster.image import certwright
from cluster.node import Node
from cluster.node_programs import build_node
from cluster.state import State

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.slow,
    pytest.mark.skipif(KUBECONFIG_VARIABLE in os.environ, reason="the demo would change the cluster in use"),
]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(REPOSITORY / "tests"), "COLUMNS": "112"}


@pytest.fixture(scope="module", autouse=True)
def _built() -> None:
    build_all()
    if not Node.missing():
        build_node()
        certwright()


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A state folder of the test's own; what is still up in it at the end is ended."""
    yield tmp_path
    _run("cluster", "down", folder=tmp_path)


def test_demo_shows_verified_certificates_and_an_explained_mistake_and_goes_on_running(folder: Path) -> None:
    first = _run("cluster.demo", folder=folder)
    assert first.returncode == 0, first.stderr
    rows = _rows(first.stdout)
    on_node = [] if Node.missing() else ["shop"]
    assert ("HTTP-01 is left out" in first.stderr) == (not on_node)
    for name in ("apex-and-wildcard", "many-names", "own-ca", "backend", *on_node):
        assert rows[name][-1] == "OK", first.stdout
        assert rows[name][3].endswith(" s")
    assert rows["explained-mistake"][3:] == ["not Ready", "-", "-"]
    words = " ".join(first.stdout.split())
    assert "UpdateRefused: the DNS server" in words
    assert "allow key certwright to update TXT records of this zone there" in words
    assert "example.com is example.test" in first.stderr

    state = State.read(folder)
    assert state is not None
    assert [guest.name for guest in state.guests if guest.alive()] == ["operator"]
    assert f"export KUBECONFIG={state.facts['kubeconfig']}" in first.stdout

    (patch,) = [line for line in first.stdout.splitlines() if " patch certificate " in line]
    _kubectl(state, *shlex.split(patch)[1:])
    _kubectl(state, "wait", "certificate/explained-mistake", "-n=demo", "--for=condition=Ready", "--timeout=30s")

    second = _run("cluster.demo", folder=folder)
    assert second.returncode == 0, second.stderr
    assert "its cluster is used again" in second.stderr
    assert {name: row[-1] for name, row in _rows(second.stdout).items()} == {
        name: row[-1] for name, row in rows.items()
    }
    assert not state.guests[0].alive(), "the first run's operator still runs beside the second's"

    assert _processes(folder)
    assert _run("cluster", "down", folder=folder).returncode == 0
    assert _processes(folder) == []


def test_two_demos_at_once_are_refused(folder: Path) -> None:
    with _started(folder) as one:
        _until_said(one, folder, "starting etcd")
        other = _run("cluster.demo", folder=folder)
        assert other.returncode == 1
        assert "another demo is being started right now" in other.stderr
        one.send_signal(signal.SIGINT)
        assert one.wait(60) == 130


@pytest.mark.parametrize("moment", ["starting etcd", "up; logs are in", "starting the operator", "s  own-ca:"])
def test_an_interrupted_demo_leaves_nothing_running(folder: Path, moment: str) -> None:
    with _started(folder) as demo:
        _until_said(demo, folder, moment)
        demo.send_signal(signal.SIGINT)
        assert demo.wait(60) == 130
    assert _processes(folder) == []
    assert State.read(folder) is None


def _run(module: str, *arguments: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", module, *arguments, "--state", str(folder)]
    return subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, check=False, timeout=180)


def _kubectl(state: State, *arguments: str) -> None:
    command = [str(packages.kubectl()), f"--kubeconfig={state.facts['kubeconfig']}", *arguments]
    subprocess.run(command, check=True, capture_output=True, timeout=60)


def _started(folder: Path) -> "subprocess.Popen[bytes]":
    with (folder / "said").open("wb") as said:
        command = [sys.executable, "-u", "-m", "cluster.demo", "--state", str(folder)]
        return subprocess.Popen(command, env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=said)


def _until_said(demo: "subprocess.Popen[bytes]", folder: Path, words: str) -> None:
    deadline = time.monotonic() + 60
    while words not in (folder / "said").read_text():
        assert demo.poll() is None, (folder / "said").read_text()
        assert time.monotonic() < deadline, (folder / "said").read_text()
        time.sleep(0.02)


def _rows(text: str) -> dict[str, list[str]]:
    """The first line of each row of the first table, by the name in its first cell."""
    table = text.partition("Where the time went")[0]
    rows = [[cell.strip() for cell in line.strip("│").split("│")] for line in table.splitlines() if "│" in line]
    return {row[0]: row for row in rows if row[0]}


def _processes(folder: Path) -> list[str]:
    """The commands of processes that work in a folder, or were told of it."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            place = str((process / "cwd").readlink())
        except OSError:
            continue
        if command and (str(folder) in command or place.startswith(str(folder))):
            found.append(command)
    return found

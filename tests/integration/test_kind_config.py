"""kind-config.yaml read by kind itself, and `make kind-demo` on an API server of the harness: there is no Docker here.

What kind does with a node that runs cannot be shown without Docker. Everything up to its `docker run` is the real
kind's work, and everything after the cluster's creation is what `make kind-demo` does with any cluster.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from cluster import kind, packages
from cluster.controlplane import ControlPlane
from cluster.environment import REPOSITORY, build_all
from cluster.state import State

HERE = Path(__file__).parent


@pytest.fixture
def pretended(tmp_path: Path) -> Path:
    """A folder for PATH with a Docker that starts nothing; further programs by `pretend`."""
    folder = tmp_path / "bin"
    folder.mkdir()
    pretend(folder, "docker")
    return folder


def pretend(folder: Path, *names: str) -> None:
    """Put further programs into the folder, all of them the same script."""
    for name in names:
        (folder / name).write_text(f"#!{sys.executable}\n{(HERE / 'pretended.py').read_text()}")
        (folder / name).chmod(0o755)


def commands(folder: Path) -> list[str]:
    """What was asked of the pretended programs."""
    log = folder / "commands"
    return log.read_text().splitlines() if log.exists() else []


def create(config: str, folder: Path | None) -> "subprocess.CompletedProcess[str]":
    """Have the real kind make a cluster, with the pretended Docker or without any."""
    path = f"{folder}{os.pathsep}/usr/bin:/bin" if folder else str(REPOSITORY / "none")
    return subprocess.run(
        [kind.program().path(), "create", "cluster", "--config=-", "--kubeconfig=/dev/null"],
        input=config,
        env={"PATH": path},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_kind_starts_the_node_as_configured(pretended: Path) -> None:
    """All of kind's own checks pass, and the node would have the ports and the image."""
    text = kind.CONFIG.read_text()
    done = create(text, pretended)
    (run,) = [command for command in commands(pretended) if command.startswith("docker run ")]
    assert "nothing is started here" in done.stderr
    for port in (80, 443):
        assert f" --publish=127.0.0.1:{port}:{port}/TCP " in run
    assert f" --label io.x-k8s.kind.cluster={kind.NAME} " in run
    (node,) = yaml.safe_load(text)["nodes"]
    assert run.endswith(f" {node['image']}")
    assert node["labels"] == {"ingress-ready": "true"}


def test_the_image_is_the_one_that_this_kind_was_released_with(pretended: Path) -> None:
    document = yaml.safe_load(kind.CONFIG.read_text())
    (pinned,) = [node.pop("image") for node in document["nodes"]]
    create(yaml.safe_dump(document), pretended)
    (run,) = [command for command in commands(pretended) if command.startswith("docker run ")]
    assert run.rpartition(" ")[2] == pinned
    assert "@sha256:" in pinned


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("hostPort: 443", "hostPrt: 443", "field hostPrt not found"),
        ("hostPort: 443", "hostPort: 70000", "invalid port number: 70000"),
        ("role: control-plane", "role: worker", "must have at least one control-plane node"),
    ],
    ids=["a field that there is not", "a port that there is not", "no control plane"],
)
def test_kind_would_refuse(pretended: Path, old: str, new: str, says: str) -> None:
    """That the checks above can fail."""
    text = kind.CONFIG.read_text()
    assert old in text
    done = create(text.replace(old, new), pretended)
    assert done.returncode == 1
    assert says in done.stderr
    assert not [command for command in commands(pretended) if command.startswith("docker run ")]


def test_kind_without_docker_reads_the_config_and_complains_of_docker() -> None:
    text = kind.CONFIG.read_text()
    assert "failed to get docker info" in create(text, None).stderr
    assert "field hostPrt not found" in create(text.replace("hostPort", "hostPrt"), None).stderr


def kind_demo(
    command: str, folder: Path, path: str, *, archive: str = "certwright.tar", **variables: str
) -> "subprocess.CompletedProcess[str]":
    """Run what the Makefile runs."""
    (folder / "certwright.tar").touch()
    options = [f"--state={folder / 'state'}", f"--archive={folder / archive}"]
    return subprocess.run(
        [sys.executable, "-m", "cluster.kind_demo", command, *options],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY / "tests"), "PATH": path, "COLUMNS": "112", **variables},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )


@pytest.mark.parametrize("command", ["check", "up", "down"])
def test_without_docker_one_line_says_what_to_install(tmp_path: Path, command: str) -> None:
    done = kind_demo(command, tmp_path, str(tmp_path))
    assert done.returncode == 2
    missing = "error: kind needs Docker, and there is no `docker` here: install it (Debian's packages "
    assert done.stderr.splitlines() == [f"{missing}docker.io and docker-cli)"]


def test_with_docker_that_does_not_run_one_line_says_so(tmp_path: Path) -> None:
    docker = tmp_path / "docker"
    docker.write_text("#!/bin/sh\necho 'Cannot connect to the Docker daemon' >&2\nexit 1\n")
    docker.chmod(0o755)
    done = kind_demo("up", tmp_path, f"{tmp_path}{os.pathsep}/usr/bin:/bin")
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        "error: kind needs Docker, which does not answer; start it (Cannot connect to the Docker daemon)"
    ]


def test_a_kind_that_is_too_old_is_not_used(pretended: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ours = kind.program().path()
    monkeypatch.setenv("PATH", f"{pretended}{os.pathsep}/usr/bin:/bin")
    pretend(pretended, "kind")
    assert kind.find() == pretended / "kind"
    text = (pretended / "kind").read_text()
    (pretended / "kind").write_text(text.replace("kind v0.33.0", "kind v0.9.0"))
    assert kind.find() == ours


def test_without_the_image_it_says_how_to_make_it(pretended: Path, tmp_path: Path) -> None:
    pretend(pretended, "kind")
    done = kind_demo("up", tmp_path, f"{pretended}{os.pathsep}/usr/bin:/bin", archive="none.tar")
    assert done.returncode == 1
    assert done.stderr.splitlines() == [f"error: {tmp_path / 'none.tar'} is not there: `make image` makes it"]
    assert not [command for command in commands(pretended) if "create" in command]


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """A control plane beside the session's environment, in place of the one in kind's node."""
    build_all()
    plane = ControlPlane(tmp_path_factory.mktemp("kind"))
    plane.start()
    yield plane
    plane.stop()


@pytest.mark.cluster
@pytest.mark.slow
def test_all_that_comes_after_the_clusters_creation(other: ControlPlane, pretended: Path, tmp_path: Path) -> None:
    """The same demo as the embedded one's, on a cluster that it knows by a kubeconfig only."""
    pretend(pretended, "kind", "helm")
    path = f"{pretended}{os.pathsep}/usr/bin:/bin"
    variables = {"PRETENDED_KUBECONFIG": str(other.kubeconfig), "PRETENDED_KUBECTL": str(packages.kubectl())}
    kubeconfig = tmp_path / "state" / "kind.kubeconfig"
    try:
        first = kind_demo("up", tmp_path, path, **variables)
        assert first.returncode == 0, first.stderr
        image = "image.repository=localhost/certwright,image.tag=dev,image.pullPolicy=Never"
        install = f"upgrade --install certwright {REPOSITORY / 'helm' / 'certwright'} --namespace=certwright"
        assert asked(pretended) == [
            "kind version",
            "kind get clusters",
            f"kind create cluster --config={kind.CONFIG} --kubeconfig={kubeconfig} --wait=3m",
            f"kind load image-archive {tmp_path / 'certwright.tar'} --name=certwright",
            f"helm --kubeconfig={kubeconfig} {install} --create-namespace --set={image} --wait --timeout=5m",
        ]
        _certificates_are_ready(other)
        deployment = _get(other, "deployment", "certwright", "certwright")
        assert deployment["spec"]["replicas"] == 0, "two operators would work at the same certificates"
        assert "HTTP-01 is left out, for it needs a real node" in first.stderr
        assert "starting Pebble and BIND" in first.stderr
        assert "make kind-demo-down   # ends all of it" in first.stdout
        assert f"export KUBECONFIG={kubeconfig}" in first.stdout

        (pretended / "commands").unlink()
        (pretended / "helm").unlink()
        second = kind_demo("up", tmp_path, path, **variables)
        assert second.returncode == 0, second.stderr
        assert [line.split(" --")[0] for line in asked(pretended)] == [
            "kind version", "kind get clusters", "kind export kubeconfig",
        ]  # fmt: skip
        assert "the kind cluster certwright of an earlier demo is used again" in second.stderr
        _certificates_are_ready(other)
    finally:
        (pretended / "commands").unlink()
        ended = kind_demo("down", tmp_path, path, **variables)
    assert ended.returncode == 0, ended.stderr
    assert asked(pretended)[-1] == f"kind delete cluster --name=certwright --kubeconfig={kubeconfig}"
    assert State.read(tmp_path / "state") is None


def asked(folder: Path) -> list[str]:
    """What was asked of kind and Helm."""
    return [command for command in commands(folder) if not command.startswith("docker ")]


def _get(plane: ControlPlane, *arguments: str) -> dict[str, Any]:
    what, name, namespace = arguments
    command = [packages.kubectl(), f"--kubeconfig={plane.kubeconfig}", "get", what, name, f"-n={namespace}", "-o=json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _certificates_are_ready(plane: ControlPlane) -> None:
    for name in ("apex-and-wildcard", "many-names", "own-ca", "backend"):
        status = _get(plane, "certificate", name, "demo")["status"]
        assert [item["status"] for item in status["conditions"] if item["type"] == "Ready"] == ["True"], name

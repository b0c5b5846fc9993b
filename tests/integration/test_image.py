"""Certwright's image: what is in it, and its solver and commands in pods that are allowed nothing."""

import gzip
import http.client
import io
import json
import re
import tarfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import certwright
from bench import solver_start
from cluster import image
from cluster.environment import Environment
from cluster.image_archive import write_layer
from cluster.image_debian import NOBODY
from cluster.node import Node
from cluster.node_inside import inside, snapshotter

pytestmark = pytest.mark.cluster

PORT = 8089
HOST, TOKEN, THUMBPRINT = solver_start.HOST, solver_start.TOKEN, solver_start.THUMBPRINT
PATH = f"/.well-known/acme-challenge/{TOKEN}"
SOLVER = ["certwright-http-solver", f"--listen-port={PORT}", f"--thumbprint={THUMBPRINT}"]
#: Prints each module that the operator imports and that has to be compiled at every start.
NOT_COMPILED = """
import os, sys
import certwright.app, certwright.cli.main, certwright.solvers.http01.server.command
for module in list(sys.modules.values()):
    compiled = getattr(module, "__cached__", None)
    if compiled and not os.path.exists(compiled):
        print(module.__name__)
"""
PROVIDERS = 'from importlib.metadata import *; print(*(e.name for e in entry_points(group="certwright.dns_providers")))'
WRITES = "open('/home/nonroot/x', 'w')"


@pytest.fixture(scope="module")
def archive() -> Path:
    return image.certwright()


@pytest.fixture(scope="module")
def layers(archive: Path) -> list[dict[str, tarfile.TarInfo]]:
    """Each layer's entries by path."""
    with tarfile.open(archive) as outer:
        found = []
        for name in manifest(outer)["Layers"]:
            content = outer.extractfile(name)
            assert content
            with gzip.open(content) as plain, tarfile.open(fileobj=io.BytesIO(plain.read())) as layer:
                found.append({entry.name: entry for entry in layer})
        return found


@pytest.fixture(scope="module")
def env(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Environment]:
    """An environment of these tests' own, as the node has one control plane for its lifetime."""
    with Environment(tmp_path_factory.mktemp("image-environment")) as environment:
        yield environment


@pytest.fixture(scope="module")
def restricted(env: Environment, node: Node, archive: Path) -> str:
    """A namespace that takes restricted pods only, on a node that has the image."""
    node.load_image(archive)
    name = "image"
    env.kubectl("create", "namespace", name)
    env.kubectl("label", "namespace", name, "pod-security.kubernetes.io/enforce=restricted")
    wait_until(
        lambda: env.kubectl("get", "serviceaccount", "default", f"--namespace={name}", "--ignore-not-found"),
        "the controller manager made no service account",
    )
    return name


def test_the_archive_names_the_image_and_how_it_runs(archive: Path) -> None:
    with tarfile.open(archive) as outer:
        found = manifest(outer)
        content = outer.extractfile(found["Config"])
        assert content
        config = json.load(content)

    assert found["RepoTags"] == [image.CERTWRIGHT] == ["localhost/certwright:dev"]
    assert config["os"] == "linux"
    assert config["config"]["Entrypoint"] == ["certwright"]
    assert config["config"]["User"] == "65532:65532"
    assert config["config"]["Labels"]["org.opencontainers.image.version"] == certwright.__version__
    assert len(config["rootfs"]["diff_ids"]) == len(found["Layers"]) == 3


def test_each_layer_holds_what_changes_together(layers: list[dict[str, tarfile.TarInfo]]) -> None:
    def has(path: str) -> list[int]:
        return [number for number, layer in enumerate(layers) if any(re.search(path, name) for name in layer)]

    assert has("^usr/bin/python3") == [0]
    assert has("/kopf/") == has("/cryptography/") == [1]
    assert has("/certwright/") == has("^usr/local/bin/certwright") == [2]
    assert has("/certwright-.*/entry_points.txt$") == [2]


def test_nothing_is_in_it_that_nobody_needs(layers: list[dict[str, tarfile.TarInfo]]) -> None:
    names = [name for layer in layers for name in layer]

    for useless in (
        "/pip/",
        "/tests/",
        "/kubernetes/aio/",
        "usr/share/doc/",
        "^var/",
        "dpkg",
        "/gconv/",
        "^bin/(ba|da)?sh$",
    ):
        assert not [name for name in names if re.search(useless, name)], useless
    assert sum(entry.size for layer in layers for entry in layer.values()) < 200e6


def test_nobody_but_root_may_change_it_and_everybody_may_read_it(layers: list[dict[str, tarfile.TarInfo]]) -> None:
    entries = [entry for layer in layers for entry in layer.values() if not entry.issym()]

    assert {(entry.uid, entry.gid, entry.mtime) for entry in entries} == {(0, 0, 0)}
    assert [entry.name for entry in entries if entry.mode & 0o022] == ["tmp"]
    assert all(entry.mode & 0o444 == 0o444 for entry in entries)
    assert not [entry.name for entry in entries if entry.mode & 0o6000]


def test_an_image_of_unchanged_code_is_not_made_again(archive: Path) -> None:
    before = archive.stat()

    again = image.certwright()

    assert (again, again.stat().st_ino, again.stat().st_mtime_ns) == (archive, before.st_ino, before.st_mtime_ns)


def test_the_same_files_make_the_same_layer(tmp_path: Path) -> None:
    for name, mode in (("one", 0o600), ("two", 0o664)):
        (tmp_path / name).write_text("x")
        (tmp_path / name).chmod(mode)
        write_layer(tmp_path / f"{name}.tar.gz", [("x", tmp_path / name)])
        time.sleep(0.01)

    assert (tmp_path / "one.tar.gz").read_bytes() == (tmp_path / "two.tar.gz").read_bytes()


@pytest.mark.usefixtures("restricted")
def test_it_is_loaded_as_kind_loads_it(node: Node, archive: Path) -> None:
    node._ctr("images", "rm", image.CERTWRIGHT)

    # What `kind load image-archive` runs on its node.
    how = ["--all-platforms", "--digests", f"--snapshotter={snapshotter(node.folder)}"]
    node._ctr("images", "import", *how, inside(archive))

    node._ctr("images", "label", image.CERTWRIGHT, "test=found")  # fails for one that is not there


def test_the_solver_answers_from_a_restricted_pod(env: Environment, restricted: str) -> None:
    solver = pod(restricted, "solver", [*SOLVER, f"{HOST}={TOKEN}", f"2001:db8::7={TOKEN}"])
    apply(env, solver)
    address = running(env, restricted, "solver")
    wait_until(lambda: fetch(address, PATH, HOST)[0], "the solver does not answer")

    assert fetch(address, PATH, HOST) == (200, f"{TOKEN}.{THUMBPRINT}")
    assert fetch(address, PATH, "[2001:db8::7]:80") == (200, f"{TOKEN}.{THUMBPRINT}")
    for path, host in ((PATH, "other.test"), (PATH + "x", HOST), ("/", HOST), ("/healthz", HOST)):
        assert fetch(address, path, host) == (404, "Not Found\n")
    status = process_status(env, restricted, "solver")
    assert set(status["Uid"].split()) == {str(NOBODY)}
    assert int(status["CapEff"], 16) == 0
    assert int(status["VmRSS"].split()[0]) < 25_000
    assert f"answered host={HOST} token={TOKEN[:8]} client=" in env.kubectl(
        "logs", "solver", f"--namespace={restricted}"
    )


def test_the_solver_ends_when_it_is_told(env: Environment, restricted: str) -> None:
    apply(env, pod(restricted, "ended", [*SOLVER, f"{HOST}={TOKEN}"]))
    address = running(env, restricted, "ended")
    wait_until(lambda: fetch(address, PATH, HOST)[0], "the solver does not answer")

    # Number 1 of a container is ended by no signal that it does not handle.
    env.kubectl("exec", "ended", f"--namespace={restricted}", "--", "python3", "-c", "import os; os.kill(1, 15)")

    assert ended(env, restricted, "ended") == "Succeeded"


def test_the_solver_writes_to_a_web_servers_volume(env: Environment, restricted: str) -> None:
    solver = pod(restricted, "webroot", [*SOLVER, "--webroot=/webroot", f"{HOST}={TOKEN}"])
    solver["spec"]["volumes"] = [{"name": "webroot", "emptyDir": {}}]
    solver["spec"]["containers"][0]["volumeMounts"] = [{"name": "webroot", "mountPath": "/webroot"}]
    apply(env, solver)
    address = running(env, restricted, "webroot")
    wait_until(lambda: fetch(address, PATH, HOST)[0], "the solver does not answer")

    read = f"print(open('/webroot{PATH}').read())"

    assert env.kubectl("exec", "webroot", f"--namespace={restricted}", "--", "python3", "-c", read) == (
        f"{TOKEN}.{THUMBPRINT}\n"
    )


def test_the_commands_run_in_a_pod(env: Environment, restricted: str) -> None:
    programs = {
        "version": ["certwright", "--version"],
        "help": ["certwright", "--help"],
        "compiled": ["python3", "-c", NOT_COMPILED],
        "providers": ["python3", "-c", PROVIDERS],
        "writes": ["python3", "-c", WRITES],
    }
    apply(env, *(pod(restricted, name, program) for name, program in programs.items()))

    assert ended(env, restricted, "version") == "Succeeded"
    assert said(env, restricted, "version") == f"certwright {certwright.__version__}"
    assert ended(env, restricted, "help") == "Succeeded"
    assert "Usage: certwright" in said(env, restricted, "help")
    assert ended(env, restricted, "compiled") == "Succeeded"
    names = said(env, restricted, "compiled").split()
    assert all(name.startswith("kubernetes.client.models.") for name in names), names
    assert len(names) < 10
    assert ended(env, restricted, "providers") == "Succeeded"
    assert {"rfc2136", "cloudflare"} <= set(said(env, restricted, "providers").split())
    assert ended(env, restricted, "writes") == "Failed"
    assert "Read-only file system" in said(env, restricted, "writes")


def test_how_long_the_solver_takes_to_its_first_answer(
    env: Environment, restricted: str, capsys: pytest.CaptureFixture[str]
) -> None:
    source = Path(solver_start.__file__).read_text()
    apply(env, pod(restricted, "start", ["python3", "-c", source, SOLVER[0]]))

    assert ended(env, restricted, "start") == "Succeeded", said(env, restricted, "start")
    found = json.loads(said(env, restricted, "start"))

    assert found["resident"] < 25_000_000
    with capsys.disabled():
        print(f" [{found['milliseconds']:.0f} ms to the first answer, {found['resident'] / 1e6:.1f} MB]", end="")


def manifest(outer: tarfile.TarFile) -> dict[str, Any]:
    content = outer.extractfile("manifest.json")
    assert content
    (found,) = json.load(content)
    return dict(found)


def apply(env: Environment, *objects: dict[str, Any]) -> None:
    env.kubectl("apply", "-f", "-", input=json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)}))


def pod(namespace: str, name: str, program: list[str]) -> dict[str, Any]:
    """A pod of the image that is allowed nothing; its user is the image's."""
    container = {
        "name": "main",
        "image": image.CERTWRIGHT,
        "imagePullPolicy": "Never",
        "command": program,
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
            "runAsNonRoot": True,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"cpu": "500m", "memory": "128Mi"}},
    }
    spec = {"automountServiceAccountToken": False, "restartPolicy": "Never", "containers": [container]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": namespace}, "spec": spec}


def running(env: Environment, namespace: str, name: str) -> str:
    """Wait until a pod is Ready; return its address."""
    env.kubectl("wait", "--for=condition=Ready", "--timeout=60s", f"pod/{name}", f"--namespace={namespace}")
    return env.kubectl("get", "pod", name, f"--namespace={namespace}", "-o", "jsonpath={.status.podIP}")


def ended(env: Environment, namespace: str, name: str) -> str:
    """Wait until a pod has ended; return its phase."""
    where = ["--namespace", namespace, "-o", "jsonpath={.status.phase}"]
    wait_until(lambda: env.kubectl("get", "pod", name, *where) in {"Succeeded", "Failed"}, f"{name} does not end")
    return env.kubectl("get", "pod", name, *where)


def said(env: Environment, namespace: str, name: str) -> str:
    return env.kubectl("logs", name, f"--namespace={namespace}").strip()


def process_status(env: Environment, namespace: str, name: str) -> dict[str, str]:
    """/proc/PID/status of a pod's solver, as this machine sees it."""
    uid = env.kubectl("get", "pod", name, f"--namespace={namespace}", "-o", "jsonpath={.metadata.uid}")
    found = [
        process
        for process in Path("/proc").glob("[0-9]*")
        if uid in text(process / "cgroup") and SOLVER[0] in text(process / "cmdline")
    ]
    assert len(found) == 1
    return {
        key: value.strip() for key, _, value in (row.partition(":") for row in text(found[0] / "status").splitlines())
    }


def text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:  # it ended meanwhile
        return ""


def fetch(address: str, path: str, host: str) -> tuple[int, str]:
    """Get a page by a Host header: status and body; status 0 for no answer."""
    connection = http.client.HTTPConnection(address, PORT, timeout=5)
    try:
        connection.request("GET", path, headers={"Host": host})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    except OSError:
        return 0, ""
    finally:
        connection.close()


def wait_until(condition: Callable[[], object], otherwise: str, seconds: float = 90.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, otherwise
        time.sleep(0.1)

"""The harness itself: if this fails, no other integration test means anything."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import dns.message
import dns.query
import dns.rcode
import dns.tsig
import dns.update
import pytest

from cluster.bind import Bind
from cluster.controlplane import ControlPlane
from cluster.environment import Environment
from cluster.pebble import Pebble, PebbleOptions
from cluster.process import Child, ProcessHandle, StartError
from cluster.state import State
from cluster.zones import DEFAULT_ZONES, Zone

TESTS = Path(__file__).resolve().parents[1]


@pytest.mark.cluster
def test_everything_is_up_and_knows_each_other(env: Environment) -> None:
    assert "default" in env.kubectl("get", "namespaces", "-o", "name")
    assert env.pebble.directory()["newOrder"].startswith("https://127.0.0.1:")
    assert "BEGIN CERTIFICATE" in env.pebble.root_pem()
    assert env.pebble.options.dns_server == env.bind.resolver


@pytest.mark.cluster
@pytest.mark.needs("audit")
def test_the_audit_log_counts_every_request_once(env: Environment, namespace: str) -> None:
    mark = env.audit_mark()
    env.kubectl("create", "configmap", "one", f"--namespace={namespace}")
    env.kubectl("create", "configmap", "one", f"--namespace={namespace}", check=False)

    mine = [entry for entry in env.audit(mark) if (entry.namespace, entry.resource) == (namespace, "configmaps")]
    writes = [entry for entry in mine if entry.is_write and entry.user == "admin"]

    assert [(entry.verb, entry.code) for entry in writes] == [("create", 201), ("create", 409)]
    assert all(entry.user_agent.startswith("kubectl/") for entry in writes)


@pytest.mark.cluster
@pytest.mark.needs("users")
def test_another_user_may_do_what_rbac_says(env: Environment, namespace: str) -> None:
    kubeconfig = env.kubeconfig_for("reader", ["readers"])
    question = ["auth", "can-i", "list", "secrets", f"--namespace={namespace}"]
    command = [env.kubectl_path, f"--kubeconfig={kubeconfig}", *question]

    before = subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    env.kubectl("create", "rolebinding", "reader", "--clusterrole=admin", "--group=readers", f"--namespace={namespace}")
    deadline = time.monotonic() + 10
    after = ""
    while after != "yes" and time.monotonic() < deadline:  # the authorizer sees the binding by its watch
        after = subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()

    assert (before, after) == ("no", "yes")


@pytest.mark.cluster
@pytest.mark.needs("outages")
def test_the_api_server_comes_back_with_its_data(env: Environment, namespace: str) -> None:
    control_plane = env.require("outages")

    control_plane.stop_apiserver()
    assert not control_plane.ready()
    control_plane.start_apiserver()

    assert namespace in env.kubectl("get", "namespace", namespace, "-o", "name")


@pytest.fixture(scope="module")
def bind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bind]:
    with Bind(tmp_path_factory.mktemp("bind"), zones=[*DEFAULT_ZONES, Zone("more.test")]) as server:
        yield server


def test_a_signed_update_is_taken_and_seen_at_every_name_server(bind: Bind) -> None:
    name = "_acme-challenge.example.test"
    bind.update("example.test", add=[(name, "one"), (name, "two")])

    assert bind.txt(name) == ["one", "two"]
    for address in bind.addresses:
        question = dns.message.make_query(name, "TXT")
        for ask in (dns.query.udp, dns.query.tcp):
            assert len(ask(question, address, port=bind.port, timeout=5).answer[0]) == 2

    bind.update("example.test", remove=[(name, "one")])
    assert bind.txt(name) == ["two"]
    assert f'{name}. 60 TXT "two"' in bind.zone_dump("example.test")


def test_an_unsigned_update_is_refused(bind: Bind) -> None:
    host, port = bind.resolver.split(":")
    update = dns.update.UpdateMessage("example.test")
    update.add("x", 60, "TXT", "unsigned")

    assert dns.query.tcp(update, host, port=int(port), timeout=5).rcode() == dns.rcode.REFUSED
    assert bind.txt("x.example.test") == []


def test_a_frozen_zone_refuses_signed_updates_too(bind: Bind) -> None:
    with pytest.raises(StartError, match="REFUSED"):
        bind.update("frozen.test", add=[("x.frozen.test", "value")])


def test_delegations_and_unknown_names_are_answered_at_once(bind: Bind) -> None:
    assert bind.query("_acme-challenge.sub.example.test", "SOA").authority[0].name.to_text() == "sub.example.test."
    assert bind.query("more.test", "NS").answer
    begin = time.monotonic()
    assert bind.query("nobody.example.com").rcode() == dns.rcode.NXDOMAIN
    assert time.monotonic() - begin < 1


def test_the_name_server_keeps_updates_over_a_crash(bind: Bind) -> None:
    bind.update("more.test", add=[("kept.more.test", "value")])

    bind.kill9()
    bind.start()

    assert bind.txt("kept.more.test") == ["value"]


def test_pebble_counts_its_requests_and_forgets_all_in_a_restart(tmp_path: Path) -> None:
    with Pebble(
        tmp_path, PebbleOptions(alternate_roots=1, external_accounts={"kid": "c2VjcmV0LXNlY3JldC1zZWNyZXQ"})
    ) as ca:
        assert ca.requests() == []
        mark = ca.mark()
        assert ca.directory()["meta"]["externalAccountRequired"]
        assert ca.requests(mark) == [("GET", "/dir")]
        before = {ca.root_pem(), ca.root_pem(1)}

        ca.restart()

        assert len(before | {ca.root_pem(), ca.root_pem(1)}) == 4


def test_a_program_that_does_not_start_is_named_with_its_log(tmp_path: Path) -> None:
    child = Child("broken", ["sh", "-c", "echo no such luck >&2; exit 3"], folder=tmp_path)
    child.start()
    with pytest.raises(StartError, match=r"broken ended instead of getting ready(?s:.)*no such luck"):
        child.wait_until(lambda: False)


def test_a_process_with_a_used_pid_is_never_ended() -> None:
    with subprocess.Popen(["sleep", "60"]) as foreign:
        try:
            handle = ProcessHandle.of(foreign.pid)
            assert handle is not None
            impostor = ProcessHandle(handle.pid, handle.started - 1, "long gone")

            impostor.end()
            State(impostor, (impostor,), {}, (impostor,)).end()

            assert foreign.poll() is None
            handle.end()
            assert foreign.wait(5) == -signal.SIGTERM
        finally:
            foreign.kill()


@pytest.mark.cluster
@pytest.mark.slow
def test_up_and_down_leave_nothing_behind(tmp_path: Path, env: Environment) -> None:
    assert env.pebble.process.running  # the programs are built, by the fixture
    done = _cluster("up", tmp_path)
    assert Path(done.stdout.strip()).is_file()
    processes = _processes(tmp_path)
    assert len(processes) >= 3

    assert _cluster("up", tmp_path).stderr.startswith("already up")
    assert _cluster("status", tmp_path).returncode == 0
    assert _cluster("down", tmp_path).returncode == 0

    assert not any(process.alive() for process in processes)
    assert _cluster("status", tmp_path).returncode == 1
    assert env.pebble.process.running


@pytest.mark.cluster
@pytest.mark.slow
@pytest.mark.needs("outages")  # with an existing cluster there is hardly a moment to interrupt
@pytest.mark.parametrize("victim", ["keeper", "up"])
def test_nothing_survives_the_death_of_whoever_started_it(tmp_path: Path, env: Environment, victim: str) -> None:
    assert env.pebble.process.running
    if victim == "keeper":
        _cluster("up", tmp_path)
        processes = _processes(tmp_path)
        processes[0].signal(signal.SIGKILL)
    else:
        starting = _start_cluster("up", tmp_path)
        assert _until(lambda: len(_related(str(tmp_path))) > 4)  # in the middle of starting
        processes = _related(str(tmp_path))
        starting.send_signal(signal.SIGINT)
        _, said = starting.communicate(timeout=60)
        assert starting.returncode == 130
        assert "everything is ended" in said

    assert _until(lambda: not any(process.alive() for process in processes))
    assert not _related(str(tmp_path))
    assert _cluster("down", tmp_path).returncode == 0


def test_a_control_plane_from_given_binaries_says_what_it_lacks(tmp_path: Path) -> None:
    for name in ("etcd", "kube-apiserver"):
        (tmp_path / name).touch()

    control_plane = ControlPlane(tmp_path / "state", assets=tmp_path)

    assert "controllers" not in control_plane.features
    assert control_plane.apiserver.command[0] == str(tmp_path / "kube-apiserver")
    (tmp_path / "etcd").unlink()
    with pytest.raises(StartError, match="KUBEBUILDER_ASSETS"):
        ControlPlane(tmp_path / "state", assets=tmp_path)


def _start_cluster(command: str, state: Path) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "cluster", command, "--state", str(state)],
        env={**os.environ, "PYTHONPATH": str(TESTS)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _cluster(command: str, state: Path) -> "subprocess.CompletedProcess[str]":
    process = _start_cluster(command, state)
    output, errors = process.communicate(timeout=120)
    return subprocess.CompletedProcess(process.args, process.returncode, output, errors)


def _processes(state: Path) -> list[ProcessHandle]:
    """Return the keeper and its children."""
    written = State.read(state)
    assert written is not None
    assert all(process.alive() for process in (written.keeper, *written.children))
    return [written.keeper, *written.children]


def _related(text: str) -> list[ProcessHandle]:
    """Return the processes whose command line holds a text, other than this one."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and int(folder.name) != os.getpid():
            try:
                command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
            handle = ProcessHandle.of(int(folder.name), command) if text in command else None
            found += [handle] if handle else []
    return found


def _until(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.05)
    return False

"""The command as a whole: help, version, faults, pipes, what it loads, and which cluster it means."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from fake_api import MISSING, FakeApi, Run, certificate

from certwright import __version__
from certwright.cli import cluster
from certwright.cli.times import relative
from certwright.errors import Terminal

COMMANDS = ("status", "renew", "check", "providers", "run", "version")
HEAVY = ("kopf", "kubernetes", "cryptography", "dns", "requests", "structlog", "yaml")


def test_version(run: Run) -> None:
    assert run("version").stdout == run("--version").stdout == f"certwright {__version__}\n"


@pytest.mark.parametrize("command", COMMANDS)
def test_help_says_what_exit_codes_mean(run: Run, command: str) -> None:
    done = run(command, "--help")
    assert done.exit_code == 0
    assert command == "version" or "Exit codes: 0" in done.stdout


def test_unknown_commands_are_wrong_usage(run: Run) -> None:
    assert run("frobnicate").exit_code == 2


def test_help_loads_nothing_heavy() -> None:
    """By a new process, since this one has loaded all of it."""
    code = (
        "import sys\n"
        "from certwright.cli.main import main\n"
        "sys.argv = ['certwright', 'check', '--help']\n"
        "try: main()\n"
        f"finally: print('loaded', *(name for name in {HEAVY!r} if name in sys.modules), file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == "loaded\n"


def test_status_needs_no_kopf() -> None:
    code = "import sys, certwright.cli.reading, certwright.cli.cluster; print('kopf' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_a_closed_pipe_is_quiet() -> None:
    command = [sys.executable, "-c", "from certwright.cli.main import main; main()", "check", "--help"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
        assert child.stdout
        assert child.stderr
        child.stdout.close()
        assert child.stderr.read() == b""


def test_a_defect_is_not_hidden(api: FakeApi, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    api.add("certificates", certificate(conditions=[MISSING]))
    monkeypatch.setattr(api, "on_read", lambda: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        run("status", "web")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "now"), (5, "in 5 s"), (-150, "2 min ago"), (7300, "in 2 h"), (86400 * 2, "in 2 days"), (-59.9, "59 s ago")],
)
def test_times_are_told_in_one_unit(seconds: float, text: str) -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    assert relative(now + timedelta(seconds=seconds), now) == text


class TestCluster:
    CONFIG = """
        current-context: {current}
        contexts:
        - {{name: blue, context: {{cluster: c, user: u, namespace: {namespace}}}}}
        - {{name: green, context: {{cluster: c, user: u}}}}
    """

    def write(self, folder: Path, name: str, current: str, namespace: str) -> str:
        file = folder / name
        file.write_text(self.CONFIG.format(current=current, namespace=namespace))
        return str(file)

    def test_the_namespace_is_the_current_contexts(self, tmp_path: Path) -> None:
        assert cluster.context_namespace([self.write(tmp_path, "a", "blue", "shop")]) == "shop"
        assert cluster.context_namespace([self.write(tmp_path, "b", "green", "shop")]) == "default"

    def test_the_first_of_several_files_counts(self, tmp_path: Path) -> None:
        first, second = (
            self.write(tmp_path, "a", "blue", "shop"),
            self.write(tmp_path, "b", "green", "blog"),
        )
        assert cluster.context_namespace(["/nowhere", first, second]) == "shop"

    @pytest.mark.parametrize("text", ["[]", "a: [", "contexts: []", "\xff"])
    def test_what_cannot_be_read_is_left_to_the_client(self, tmp_path: Path, text: str) -> None:
        (tmp_path / "bad").write_bytes(text.encode("latin-1"))
        assert cluster.context_namespace([str(tmp_path / "bad")]) == "default"

    def test_no_cluster_is_a_fault_that_says_what_to_do(self, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HOME", "/nowhere")
        monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
        with pytest.raises(Terminal) as fault:
            cluster.connect("", "certwright.dev")
        assert fault.value.reason == cluster.NO_CLUSTER
        done = run("status")
        assert done.exit_code == 1
        assert done.stderr.startswith("certwright: no cluster is configured")
        assert done.stderr.count("\n") == 1

    def test_a_pod_has_a_namespace_of_its_own(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        used: list[object] = []
        monkeypatch.setattr(cluster, "Kube", lambda **options: used.append(options["kubeconfig"]))
        monkeypatch.setattr(cluster, "POD_NAMESPACE", tmp_path / "namespace")
        monkeypatch.setenv("HOME", "/nowhere")
        monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "192.0.2.1")
        assert cluster.connect("", "certwright.dev").namespace == "default"
        (tmp_path / "namespace").write_text("mine\n")
        assert cluster.connect("", "certwright.dev").namespace == "mine"
        assert used == [None, None]

    def test_the_default_is_kubectls(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HOME", str(tmp_path))
        assert cluster.default_kubeconfig() == ""
        (tmp_path / ".kube").mkdir()
        file = self.write(tmp_path / ".kube", "config", "blue", "shop")
        assert cluster.default_kubeconfig() == file

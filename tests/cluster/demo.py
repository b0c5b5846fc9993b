"""`make demo`: the main job, for real, before one's eyes, and left running to try.

Starts a Kubernetes, an ACME CA and a DNS server, and in front of them the operator; applies what is in `examples/`;
shows how the certificates come about; verifies them; and says where the time went. A second run uses what the first
left running. Interrupted, it ends everything.

Exit codes: 0 all is as expected; 1 something is not, it says what; 130 interrupted.
"""

import argparse
import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dns.tsig
from rich.console import Console

from cluster import demo_manifests, demo_operator, node_command, packages
from cluster.background import down, up
from cluster.bind import publish
from cluster.build import BuildError
from cluster.demo_manifests import Manifest, certificates, overlaid
from cluster.demo_report import WIDTH, Report, Step
from cluster.demo_timing import Logs
from cluster.demo_watch import Cluster, follow
from cluster.environment import KUBECONFIG_VARIABLE
from cluster.image import certwright
from cluster.node import Node
from cluster.packages import MissingProgramError
from cluster.process import StartError
from cluster.progress import say
from cluster.state import State, default_state

NAMESPACE = "demo"
PATIENCE = 60.0
"""Seconds that the certificates have."""


def main() -> int:
    """Run the demo; return its exit code."""
    parser = argparse.ArgumentParser(prog="make demo", description="The main job, on a real API server, CA and DNS.")
    parser.add_argument("--state", type=Path, default=None, help="folder for data and logs")
    return run((parser.parse_args().state or default_state()).absolute())


def run(folder: Path, *, ended_by: str = "make demo-down") -> int:
    """Run the demo in a state folder; return its exit code.

    Args:
        folder: For data and logs.
        ended_by: The command that ends what it leaves running.
    """
    # A termination is an orderly end here, as Ctrl-C is.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with _only_one(folder):
            try:
                return Demo(folder, ended_by).run()
            except KeyboardInterrupt:
                for number in (signal.SIGINT, signal.SIGTERM):
                    signal.signal(number, signal.SIG_IGN)  # the end must not be interrupted as well
                say("interrupted; ending everything ...")
                down(folder)
                return 130
    except (BuildError, MissingProgramError, StartError) as error:
        say(f"error: {error}")
        return 1


class Demo:
    """One run.

    Args:
        folder: The environment's state folder.
        ended_by: The command that ends what it leaves running.
    """

    def __init__(self, folder: Path, ended_by: str) -> None:
        self._folder = folder
        self._ended_by = ended_by
        self._out = _console(stderr=False)
        self._progress = _console(stderr=True)
        self._steps: list[Step] = []

    def run(self) -> int:
        """Run it; return the exit code.

        Raises:
            StartError: Something did not start, or kubectl failed.
        """
        with self._step("cluster"):
            facts = self._environment()
        manifests = overlaid(facts)
        kubectl = Kubectl(facts)
        with self._step("operator"):
            self._clear(kubectl, manifests)
            say("starting the operator ...")
            operator = demo_operator.start(self._folder, facts)
        self._publish(facts, manifests)
        self._say_changes(facts)
        logs, cluster = Logs(facts, NAMESPACE), Cluster(Path(facts["kubeconfig"]), NAMESPACE)
        since, applied = logs.marks(), time.monotonic()
        with self._step("certificates"):
            kubectl.apply(manifests)
            names = [body["metadata"]["name"] for body in certificates(manifests)]
            progress = follow(cluster, names, applied=applied, timeout=PATIENCE, console=self._progress)
        report = Report(self._out, facts, cluster)
        self._out.print()
        report.certificates(progress)
        report.mistakes(progress)
        report.times(self._steps, progress, logs, since)
        report.next_steps(operator.log, self._ended_by)
        for failure in report.failures:
            say(f"not as expected: {failure}")
        return 1 if report.failures else 0

    def _environment(self) -> dict[str, Any]:
        state = State.read(self._folder)
        if state and state.keeper.alive():
            gone = [child.name for child in state.children if not child.alive()]
            if gone:
                say(f"an earlier demo runs no longer in full ({', '.join(gone)} ended): starting afresh ...")
                down(self._folder)
            elif "node" in state.facts and state.facts["node"]["image"] != str(certwright()):
                say("the operator's image is another than that of the earlier demo: starting afresh ...")
                down(self._folder)
            else:
                say(
                    "an earlier demo still runs: its cluster is used again, its operator and certificates are made anew"
                )
        if reason := _no_node():
            say(f"HTTP-01 is left out, for it needs a real node: {reason}")
            return up(self._folder).facts
        return node_command.up(self._folder).facts

    def _clear(self, kubectl: "Kubectl", manifests: list[Manifest]) -> None:
        """Make room for another run: the objects of an earlier one go while its operator can still clean up."""
        if any(kubectl.exists(body) for body in certificates(manifests)):
            say("removing the certificates of the earlier run ...")
            kubectl.delete(manifests)
        demo_operator.end(self._folder)
        kubectl.make_namespaces()

    def _publish(self, facts: dict[str, Any], manifests: list[Manifest]) -> None:
        """Have the names that are proven by HTTP-01 lead to the node, as a person would do at their DNS provider."""
        if "node" not in facts:
            return
        tsig = facts["dns"]["tsig"]
        key = dns.tsig.Key(tsig["name"], tsig["secret"], tsig["algorithm"])
        names = demo_manifests.served_names(manifests)
        publish(facts["dns"]["resolver"], key, demo_manifests.ZONES["example.com"], names, facts["node"]["address"])

    def _say_changes(self, facts: dict[str, Any]) -> None:
        say("applying examples/" + ", examples/".join(demo_manifests.files(facts)) + "; here they differ in:")
        for change in demo_manifests.changes(facts):
            say(f"  {change.where}: {change.value}")

    @contextmanager
    def _step(self, what: str) -> Iterator[None]:
        started = time.monotonic()
        yield
        self._steps.append(Step(what, time.monotonic() - started))


class Kubectl:
    """kubectl in the demo's namespace."""

    def __init__(self, facts: dict[str, Any]) -> None:
        cache = Path(facts["state"]) / "kubectl"
        self._command = [str(packages.kubectl()), f"--kubeconfig={facts['kubeconfig']}", f"--cache-dir={cache}"]

    def make_namespaces(self) -> None:
        """Make the demo's namespace and the operator's, where its Lease is."""
        for name in (NAMESPACE, "certwright"):
            body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
            self._run("apply", "-f", "-", bodies=[body])

    def apply(self, manifests: list[Manifest]) -> None:
        """Apply all in one go."""
        self._run("apply", f"-n={NAMESPACE}", "-f", "-", bodies=manifests)

    def exists(self, body: Manifest) -> bool:
        """Tell whether an object is there."""
        kind, name = body["kind"].lower(), body["metadata"]["name"]
        return bool(self._run("get", kind, name, f"-n={NAMESPACE}", "--ignore-not-found", "-o=name").strip())

    def delete(self, manifests: list[Manifest]) -> None:
        """Delete objects, and the Secrets of those that are Certificates."""
        secrets = [
            {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": body["spec"]["secretName"]}}
            for body in certificates(manifests)
        ]
        bodies = [body for body in manifests if body["kind"] != "Secret"]
        self._run("delete", f"-n={NAMESPACE}", "--ignore-not-found", "-f", "-", bodies=[*bodies, *secrets])

    def _run(self, *arguments: str, bodies: list[Manifest] | None = None) -> str:
        text = json.dumps({"apiVersion": "v1", "kind": "List", "items": bodies}) if bodies else None
        done = subprocess.run([*self._command, *arguments], input=text, capture_output=True, text=True, check=False)
        if done.returncode:
            raise StartError(f"kubectl {arguments[0]}: {done.stderr.strip()}")
        return done.stdout


def _no_node() -> str | None:
    """Why there can be no node, None where there can be one."""
    if KUBECONFIG_VARIABLE in os.environ:
        return "one joins our own control plane only, and the cluster in use is another"
    return Node.missing()


@contextmanager
def _only_one(folder: Path) -> Iterator[None]:
    """Keep two demos from working on one folder at a time."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "demo.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise StartError("another demo is being started right now; wait for it, or interrupt it") from None
        yield


def _console(*, stderr: bool) -> Console:
    console = Console(stderr=stderr, highlight=False)
    return console if console.is_terminal else Console(stderr=stderr, highlight=False, width=WIDTH)


if __name__ == "__main__":
    sys.exit(main())

"""An operator to count by: it serves one namespace, so that nobody else's objects are in what is counted."""

import json
import secrets as random
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from cluster.environment import Environment
from cluster.manifests import GROUP, Manifest, acme_issuer, apply, condition, issuer, tsig_secret
from cluster.operator import Operator

SETTLED = 1.0
"""Seconds after the last write that is waited for whether another one comes."""


@dataclass(slots=True)
class Counted:
    """A namespace and the operator that serves it alone.

    Attributes:
        env: The environment.
        namespace: Of all objects.
        operator: The process.
    """

    env: Environment
    namespace: str
    operator: Operator

    def apply(self, *objects: Manifest) -> None:
        """Apply objects."""
        apply(self.env, *objects)

    def certificates(self) -> list[Manifest]:
        """All there are."""
        text = self.env.kubectl("get", f"certificates.{GROUP}", "-n", self.namespace, "-o", "json")
        return list(json.loads(text)["items"])

    def wait_ready(self, timeout: float = 40.0) -> None:
        """Wait until all Certificates are Ready with nothing under way."""
        deadline = time.monotonic() + timeout
        while waiting := [body for body in self.certificates() if not _at_rest(body)]:
            assert time.monotonic() < deadline, [body["status"] for body in waiting][:3]
            time.sleep(0.2)

    def writes(self, since: int) -> list[str]:
        """What the operator wrote since an audit mark, once it has written for a while no more."""
        while True:
            found = self._writes(since)
            time.sleep(SETTLED)
            if self._writes(since) == found:
                return found

    def _writes(self, since: int) -> list[str]:
        return [
            f"{entry.verb} {entry.resource} {entry.name} {entry.code}"
            for entry in self.env.audit(since)
            if entry.is_write and entry.user_agent.startswith("certwright/") and entry.namespace == self.namespace
        ]


def _at_rest(body: Manifest) -> bool:
    ready = condition(body, "Ready")
    fresh = ready.get("observedGeneration") == body["metadata"]["generation"]
    return ready.get("status") == "True" and fresh and "order" not in body["status"] and not condition(body, "Issuing")


Serve = Callable[[], Counted]


@contextmanager
def serving(env: Environment, folder: Path) -> Iterator[Counted]:
    """A namespace with the issuers `acme` and `ca`, both ready, and an operator that serves it."""
    name = f"budget-{random.token_hex(3)}"
    env.kubectl("create", "namespace", name)
    operator = Operator(env, folder, options=(f"--namespaces={name}",))
    operator.start()
    try:
        yield Counted(env, name, operator)
    finally:
        operator.stop()
        env.kubectl("delete", "namespace", name, "--wait=false", check=False)


def prepare(counted: Counted) -> None:
    """Apply the issuers and wait until they are ready."""
    root: Manifest = {
        "apiVersion": f"{GROUP}/v1",
        "kind": "Certificate",
        "metadata": {"name": "root", "namespace": counted.namespace},
        "spec": {
            "secretName": "root",
            "issuerRef": {"name": "bootstrap"},
            "isCA": True,
            "commonName": "A root",
            "privateKey": {"algorithm": "ECDSA"},
        },
    }
    counted.apply(
        tsig_secret(counted.env, counted.namespace),
        acme_issuer(counted.env, counted.namespace),
        issuer(counted.namespace, "bootstrap", selfSigned={}),
        issuer(counted.namespace, "ca", ca={"secretName": "root"}),
        root,
    )
    counted.wait_ready()
    for name in ("acme", "ca"):
        counted.env.kubectl(
            "wait", f"issuers.{GROUP}/{name}", "-n", counted.namespace, "--for=condition=Ready", "--timeout=20s"
        )


@pytest.fixture(scope="module")
def counted(env: Environment, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Counted]:
    """The operator of a module, with issuers that are ready."""
    with serving(env, tmp_path_factory.mktemp("counted")) as made:
        prepare(made)
        yield made


@pytest.fixture
def bare(env: Environment, tmp_path: Path) -> Iterator[Counted]:
    """An operator of the test's own, with nothing to do."""
    with serving(env, tmp_path) as made:
        yield made


@pytest.fixture
def proc(request: pytest.FixtureRequest) -> Callable[[Operator, str], int]:
    """Read a number of a process from the kernel, such as its threads or its resident kB."""
    if not sys.platform.startswith("linux"):
        pytest.skip(f"{request.node.name} reads /proc")

    def read(operator: Operator, field: str) -> int:
        lines = Path(f"/proc/{operator.child.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith(f"{field}:"))

    return read

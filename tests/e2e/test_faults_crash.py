"""kill -9 after each effect of an issuance in turn, against the real API server, CA and name server.

A crash costs at most the order that was just made, and leaves nothing behind.
"""

import os
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from waits import fetch_certificate, next_key_secrets, operator_writes, renew, secret, status, until, wait_ready

from cluster.environment import Environment
from cluster.manifests import acme_issuer, apply, certificate, condition, tsig_secret
from cluster.operator import NAMESPACE, Operator

pytestmark = [pytest.mark.cluster, pytest.mark.needs("audit"), pytest.mark.timeout(90), pytest.mark.slow]

MOST = 24
"""More effects than an issuance may have, with all its polls."""
SIDE_BY_SIDE = 3
ISSUER = {"name": "crash", "kind": "ClusterIssuer"}
LAUNCHER = (sys.executable, str(Path(__file__).with_name("crashing.py")))
WRITES = 10
"""API writes of an issuance with a crash: the six of one without, and what was repeated."""


class Run:
    """One Certificate in a namespace of its own, and the operator that dies of its n-th effect."""

    def __init__(self, env: Environment, folder: Path, prefix: str, number: int) -> None:
        self.namespace = f"{prefix}-{number}"
        self.journal = folder / f"{self.namespace}.effects"
        self.host = f"{self.namespace}.example.test"
        self.operator = Operator(
            env,
            folder,
            name=f"{self.namespace}-operator",
            command=(*LAUNCHER, "run"),
            options=(f"--namespaces={self.namespace}",),
            variables={"CRASH_JOURNAL": str(self.journal), "CRASH_AT": str(number)},
        )

    @property
    def objects(self) -> list[dict[str, object]]:
        """What is applied."""
        space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.namespace}}
        return [space, certificate(self.namespace, "web", self.host, issuerRef=ISSUER)]

    def effects(self) -> list[str]:
        """What the operator did until it died."""
        return self.journal.read_text().splitlines() if self.journal.exists() else []

    def to_the_kill(self) -> None:
        """Run the operator until it dies, or is done for lack of effects."""
        self.operator.child.start()
        until(lambda: not self.operator.child.running or self.done(), 60, f"{self.namespace} died", self.operator.log)
        self.operator.child.kill9()

    def done(self) -> bool:
        """Whether the issuance has come to its end, which the Event is."""
        return any(effect.startswith("kube create events") for effect in self.effects())


def learn(env: Environment, folder: Path, prefix: str) -> Run:
    """An issuance without a crash, from which the sequence of effects is known."""
    run = Run(env, folder, prefix, 0)
    apply(env, *run.objects)
    run.to_the_kill()
    assert "acme newOrder" in run.effects()
    assert len(run.effects()) <= MOST, run.effects()
    return run


def crash_all(runs: list[Run]) -> None:
    """Run each to its kill, a few at a time."""
    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        list(pool.map(Run.to_the_kill, runs))


def serial(env: Environment, namespace: str) -> int:
    """The serial number of the certificate in the Secret, whose key must be the one beside it."""
    data = secret(env, namespace, "web-tls")
    assert data
    leaf = x509.load_pem_x509_certificate(data["tls.crt"])
    key = load_pem_private_key(data["tls.key"], None)
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert leaf.public_key().public_bytes(*form) == key.public_key().public_bytes(*form), namespace
    return leaf.serial_number


def assert_nothing_left(env: Environment, runs: list[Run]) -> None:
    assert not [line for line in env.bind.zone_dump("example.test") if "_acme-challenge.crash" in line]
    for run in runs:
        until(lambda run=run: not next_key_secrets(env, run.namespace), 5, f"no helper Secret in {run.namespace}")


def assert_orders(env: Environment, runs: list[Run], mark: int) -> None:
    """A second order only where the first one had not come to the journal yet."""
    unwritten = [run for run in runs if not any("certificates/status" in effect for effect in run.effects())]
    assert env.pebble.request_counts(mark)["POST /order-plz"] == len(runs) + len(unwritten)


def assert_each_effect_killed(runs: list[Run]) -> None:
    """Every kind of effect was the last one of some run."""
    killed = {_kind(run.effects()[-1]) for run in runs}
    assert killed == {_kind(effect) for run in runs for effect in run.effects()}
    assert {"acme newOrder", "acme finalize", "acme certificate", "dns added", "dns removed"} <= killed
    assert {"kube create secrets", "kube patch secrets", "kube delete secrets"} <= killed
    assert "kube patch certificates/status" in killed


def assert_few_writes(env: Environment, runs: list[Run], mark: int) -> None:
    for run in runs:
        done = operator_writes(env, mark, run.namespace)
        assert len(done) <= WRITES, (run.effects(), done)


def _kind(effect: str) -> str:
    return " ".join(effect.split()[: 3 if effect.startswith("kube") else 2])


@pytest.fixture(scope="module")
def learnt(env: Environment, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Run]]:
    """A run for each effect of an issuance, in its own namespace; the issuer is ready and no operator runs."""
    folder = tmp_path_factory.mktemp("crash")
    apply(env, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
    apply(env, tsig_secret(env, NAMESPACE), acme_issuer(env, "", "crash", kind="ClusterIssuer"))
    prefix = f"crash-{os.getpid()}"
    first = learn(env, folder, prefix)
    made = [Run(env, folder, prefix, number) for number in range(1, len(first.effects()) + 1)]
    yield made
    spaces = [run.namespace for run in (first, *made)]
    env.kubectl("delete", "namespace", *spaces, "--wait=false", "--ignore-not-found", check=False)
    env.kubectl("delete", "clusterissuer", "crash", check=False)


@pytest.fixture
def sound(env: Environment, learnt: list[Run], tmp_path: Path) -> Iterator[Operator]:
    """The operator that comes after the crashes; not started."""
    spaces = ",".join(run.namespace for run in learnt)
    operator = Operator(env, tmp_path, options=(f"--namespaces={spaces}",))
    yield operator
    operator.stop()


def test_a_crash_after_any_effect_of_an_issuance(env: Environment, learnt: list[Run], sound: Operator) -> None:
    audit, pebble = env.audit_mark(), env.pebble.mark()
    apply(env, *(item for run in learnt for item in run.objects))

    crash_all(learnt)
    sound.start()

    for run in learnt:
        wait_ready(env, run.namespace, "web", 30)
        serial(env, run.namespace)
    assert_each_effect_killed(learnt)
    assert_nothing_left(env, learnt)
    assert_orders(env, learnt, pebble)
    assert_few_writes(env, learnt, audit)


def test_a_crash_after_any_effect_of_a_renewal(env: Environment, learnt: list[Run], sound: Operator) -> None:
    """The certificates of the test before are renewed; each stays Ready and in use until its successor is stored."""
    sound.start()
    apply(env, *(item for run in learnt for item in run.objects))
    for run in learnt:
        wait_ready(env, run.namespace, "web", 30)
    sound.stop()
    before = {run.namespace: serial(env, run.namespace) for run in learnt}
    audit, pebble = env.audit_mark(), env.pebble.mark()
    for run in learnt:
        run.journal.unlink(missing_ok=True)
        renew(env, run.namespace, "web")

    crash_all(learnt)
    for run in learnt:
        assert condition(fetch_certificate(env, run.namespace, "web"), "Ready")["status"] == "True"
        stored = any("kube patch secrets" in effect for effect in run.effects())
        assert (serial(env, run.namespace) != before[run.namespace]) == stored, run.effects()
    sound.start()

    for run in learnt:
        renewed(env, run)
        assert serial(env, run.namespace) != before[run.namespace]
    assert_each_effect_killed(learnt)
    assert_nothing_left(env, learnt)
    assert_orders(env, learnt, pebble)
    assert_few_writes(env, learnt, audit)


def renewed(env: Environment, run: Run) -> None:
    """Wait until a renewal is over; the Certificate is Ready at each look."""

    def look() -> bool:
        body = fetch_certificate(env, run.namespace, "web")
        assert condition(body, "Ready")["status"] == "True", body["status"]
        return not condition(body, "Issuing")

    until(look, 30, f"{run.namespace} is renewed", lambda: status(env, run.namespace, "web"))

"""An API server that goes away, refuses writes, and loses replies to what it has carried out."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from faulty_proxy import CUT, Fault, FaultyProxy
from waits import (
    Holding,
    events,
    next_key_secrets,
    operator_writes,
    secret,
    solver,
    until,
    wait_issuer,
    wait_order,
    wait_ready,
)

from cluster.environment import Environment
from cluster.manifests import acme_issuer, apply, certificate, tsig_secret
from cluster.operator import Operator

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(90)]
WRITES = {
    "journal": ("PATCH", "/certificates/{name}/status", 0),
    "nextkey": ("POST", '"name":"{name}-next-', 0),
    "secret": ("PATCH", "/secrets/{name}-tls", 0),
    "end": ("PATCH", "/certificates/{name}/status", 1),
    "drop": ("DELETE", "/secrets/{name}-next-", 0),
    "event": ("POST", '"involvedObject":', 0),
}
"""The six writes of one issuance: method, what path or body contains, and how many like it come first."""


@pytest.fixture
def proxy(env: Environment, tmp_path: Path) -> Iterator[FaultyProxy]:
    with FaultyProxy(env.kubeconfig, tmp_path) as running:
        yield running


@pytest.fixture
def behind(env: Environment, proxy: FaultyProxy, namespace: str, tmp_path: Path) -> Iterator[str]:
    """A namespace with an issuer that is ready, and an operator that reaches the API server by the proxy."""
    operator = Operator(env, tmp_path, kubeconfig=proxy.kubeconfig, options=(f"--namespaces={namespace}",))
    operator.start()
    apply(env, tsig_secret(env, namespace), acme_issuer(env, namespace, solvers=[solver(env)]))
    wait_issuer(env, namespace)
    yield namespace
    operator.stop()
    assert "Traceback" not in operator.log()


def fits_key(env: Environment, namespace: str, name: str) -> bool:
    """Whether the certificate in a Secret is of the key beside it."""
    data = secret(env, namespace, name) or {}
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    certified = x509.load_pem_x509_certificate(data["tls.crt"]).public_key().public_bytes(*form)
    return certified == load_pem_private_key(data["tls.key"], None).public_key().public_bytes(*form)


def fault(code: int, write: str, name: str, *, times: int = 1) -> Fault:
    method, text, skip = WRITES[write]
    wanted = text.format(name=name)

    def fits(verb: str, path: str, body: str) -> bool:
        if verb != method or name not in path + body:
            return False
        return wanted in path or wanted in body.replace(" ", "")

    return Fault(code, fits, skip=skip, times=times)


@pytest.mark.parametrize("code", [409, 429, 500, CUT], ids=["409", "429", "500", "reply lost"])
def test_any_write_fails_once(env: Environment, proxy: FaultyProxy, behind: str, code: int) -> None:
    """One certificate for each of the six writes, whose first try fails."""
    faults = {f"at-{write}": fault(code, write, f"at-{write}") for write in WRITES}
    proxy.faults += faults.values()
    mark = env.pebble.mark()

    apply(env, *(certificate(behind, name, f"{name}.code{code}.example.test") for name in faults))

    for name in faults:
        wait_ready(env, behind, name, 40)
        assert fits_key(env, behind, f"{name}-tls"), name
    until(lambda: not next_key_secrets(env, behind), 20, "no helper Secret is left")
    for name in faults:
        # An Event is a courtesy: a refused one is forgotten, and so is an end whose reply was lost.
        forgotten = name == "at-end" if code == CUT else name == "at-event"
        if not forgotten:
            until(lambda name=name: events(env, behind, name), 5, f"there is an Event about {name}")
    assert {name for name, entry in faults.items() if entry.hits != 1} == set()
    assert env.pebble.request_counts(mark)["POST /order-plz"] == len(faults), "an order was made twice"
    assert not [line for line in env.bind.zone_dump("example.test") if "_acme-challenge.at-" in line]
    for name in faults:
        tries = [
            (write.method, write.path.rpartition("/namespaces/")[2], write.code)
            for write in proxy.writes
            if name in write.path + write.body
        ]
        # Six without a fault. After one, the steps from the Secret on may be done again, which changes nothing.
        assert sum(200 <= answered < 300 for *_, answered in tries) <= 7, (name, tries)
        assert len(tries) <= 9, (name, tries)
        assert sum(event["count"] for event in events(env, behind, name)) <= 1 + (name == "at-event"), name


def test_the_journal_cannot_be_written_for_a_while(env: Environment, proxy: FaultyProxy, behind: str) -> None:
    """No order is made twice and nothing is presented while it is not written down."""
    proxy.faults.append(failing := fault(500, "journal", "web", times=3))
    mark = env.pebble.mark()

    apply(env, certificate(behind, "web", "unwritten.example.test"))
    until(lambda: failing.hits, 10, "the journal is refused")
    assert not env.bind.txt("_acme-challenge.unwritten.example.test")

    wait_ready(env, behind, "web", 40)
    assert env.pebble.request_counts(mark)["POST /order-plz"] == 1


@pytest.mark.needs("audit", "outages")
def test_the_api_server_is_restarted_in_the_middle_of_an_order(env: Environment, acme: str, holding: Holding) -> None:
    plane, pebble = env.require("outages"), env.pebble.mark()
    with holding():
        apply(env, certificate(acme, "web", "apiserver.example.test"))
        order = wait_order(env, acme, "web")
        until(lambda: env.bind.txt("_acme-challenge.apiserver.example.test"), 10, "the record is there")
        plane.stop_apiserver()
        plane.start_apiserver()
        assert wait_order(env, acme, "web")["url"] == order["url"]

    wait_ready(env, acme, "web")
    assert env.pebble.request_counts(pebble)["POST /order-plz"] == 1
    assert not env.bind.txt("_acme-challenge.apiserver.example.test")
    assert not next_key_secrets(env, acme)


@pytest.mark.needs("audit", "outages")
def test_an_order_comes_to_its_end_while_the_api_server_is_away(env: Environment, acme: str, holding: Holding) -> None:
    """The CA is ready before the API server is; what could not be written is written when it is back."""
    plane, pebble, audit = env.require("outages"), env.pebble.mark(), env.audit_mark()
    name = "_acme-challenge.blackout.example.test"
    with holding():
        apply(env, certificate(acme, "web", "blackout.example.test"))
        wait_order(env, acme, "web")
        until(lambda: env.bind.txt(name), 10, "the record is there")
        plane.stop_apiserver()
    try:
        until(lambda: env.pebble.request_counts(pebble)["POST /chalZ/"], 20, "the CA is told of the record")
    finally:
        plane.start_apiserver()

    wait_ready(env, acme, "web", 60)
    # Watches come back by themselves: what is applied now is seen.
    apply(env, certificate(acme, "next", "next.example.test"))
    wait_ready(env, acme, "next", 40)
    assert env.pebble.request_counts(pebble)["POST /order-plz"] == 2
    assert not env.bind.txt(name)
    until(lambda: not next_key_secrets(env, acme), 20, "no helper Secret is left")
    assert len(operator_writes(env, audit, acme)) <= 14

"""Secrets that go with their Certificates, by the operator's setting and the real garbage collector."""

import json
import secrets as random
from collections.abc import Iterator
from pathlib import Path

import pytest
from waits import client, secret, until, wait_ready

from certwright.kube.paths import path
from cluster.environment import Environment
from cluster.manifests import GROUP, apply, certificate, issuer
from cluster.operator import Operator

pytestmark = [pytest.mark.cluster, pytest.mark.needs("controllers"), pytest.mark.timeout(90)]


@pytest.fixture
def space(env: Environment) -> Iterator[str]:
    """A namespace with an issuer that needs nothing."""
    name = f"owner-{random.token_hex(3)}"
    apply(
        env,
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}},
        issuer(name, "self", selfSigned={}),
        certificate(name, "web", "web.example.test", issuer="self"),
    )
    yield name
    env.kubectl("delete", "namespace", name, "--wait=false", check=False)


def _owners(env: Environment, space: str) -> list[str]:
    body = json.loads(env.kubectl("get", "secret", "web-tls", "-n", space, "-o", "json"))
    return [item["uid"] for item in body["metadata"].get("ownerReferences", [])]


def test_a_secret_goes_with_its_certificate(env: Environment, space: str, tmp_path: Path) -> None:
    """The reference comes and goes with the setting, without a new certificate; with it the Secret is collected."""
    plain = Operator(env, tmp_path, name="plain", options=(f"--namespaces={space}",))
    owning = Operator(env, tmp_path, name="owning", options=(f"--namespaces={space}", "--secret-owner-reference"))
    before = b""
    for operator, wanted in ((plain, False), (owning, True), (plain, False), (owning, True)):
        operator.start()
        try:
            uid = wait_ready(env, space, "web")["metadata"]["uid"]
            until(lambda uid=uid, wanted=wanted: (uid in _owners(env, space)) == wanted, 10, f"owned: {wanted}")
        finally:
            operator.stop()
        data = secret(env, space, "web-tls")
        assert data
        assert before in (b"", data["tls.crt"])
        before = data["tls.crt"]
    env.kubectl("delete", f"certificates.{GROUP}", "web", "-n", space)
    until(lambda: secret(env, space, "web-tls") is None, 30, "the Secret is collected")


def test_a_secret_in_use_is_not_made_anew_while_its_certificate_goes(
    env: Environment, space: str, tmp_path: Path
) -> None:
    """Deleting in the foreground keeps the Certificate until its Secret is gone: nobody may bring that back."""
    owning = Operator(env, tmp_path, options=(f"--namespaces={space}", "--secret-owner-reference"))
    owning.start()
    try:
        wait_ready(env, space, "web")
        kube = client(env.kubeconfig)
        where = path(kube.group_path, "certificates", space, "web")
        kube.request("DELETE", where, body={"propagationPolicy": "Foreground"})
        until(lambda: secret(env, space, "web-tls") is None, 30, "the Secret is collected")
        until(lambda: not env.kubectl("get", f"certificates.{GROUP}", "-n", space, "-o", "name"), 30, "and the rest")
        assert secret(env, space, "web-tls") is None
    finally:
        owning.stop()

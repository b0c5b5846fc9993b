"""A temporary certificate on request, by the real operator: there while the order waits, and replaced in the end."""

import subprocess
import time

import pytest
from cryptography import x509
from waits import NAMES, Holding, events, status, until, wait_order, wait_ready
from waits import secret as read_secret

from cluster.environment import Environment
from cluster.manifests import apply, certificate

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(120)]


def test_something_is_served_by_until_the_ca_has_answered(env: Environment, acme: str, holding: Holding) -> None:
    body = certificate(acme, "meanwhile", "meanwhile.example.test")
    body["metadata"]["annotations"] = {NAMES.issue_temporary: "true"}
    with holding():
        apply(env, body, certificate(acme, "patient", "patient.example.test"))
        found = until(lambda: read_secret(env, acme, "meanwhile-tls"), 20, "there is a Secret")
        leaf = x509.load_pem_x509_certificate(found["tls.crt"])
        assert leaf.issuer.rfc4514_string() == "CN=temporary certificate"
        command = ["openssl", "x509", "-noout", "-checkhost", "meanwhile.example.test"]
        done = subprocess.run(command, input=found["tls.crt"], capture_output=True, check=True)
        assert b"does match certificate" in done.stdout
        wait_order(env, acme, "patient")
        time.sleep(0.5)
        assert read_secret(env, acme, "patient-tls") is None, "it did not ask for one"
        now = status(env, acme, "meanwhile")
        assert "notAfter" not in now
        assert {item["status"] for item in now["conditions"] if item["type"] == "Ready"} == {"False"}
    done_body = wait_ready(env, acme, "meanwhile", 60)
    after = read_secret(env, acme, "meanwhile-tls")
    assert after
    assert x509.load_pem_x509_certificate(after["tls.crt"]).issuer != leaf.issuer
    assert after["tls.key"] == found["tls.key"]
    assert done_body["status"]["revision"] == 1
    assert "Issuing" in {event["reason"] for event in events(env, acme, "meanwhile")}

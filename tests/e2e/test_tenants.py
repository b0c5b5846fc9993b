"""What whoever may write an Issuer can make the operator do, and what not: programs, and hosts of their choice."""

import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from waits import solver, wait_condition, wait_issuer, wait_ready

from cluster.environment import Environment
from cluster.manifests import acme_issuer, apply, certificate, tsig_secret
from cluster.operator import Operator

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(120)]

HOOK = """#!{python} -I
# Speaks lego's exec; its TSIG key comes from the issuer's Secret and from nowhere else.
import os, sys
import dns.name, dns.query, dns.tsig, dns.update

act, name, value = sys.argv[1:]
with open("{calls}", "a") as calls:
    print(act, name, file=calls)
key = dns.tsig.Key("{key_name}", os.environ["CREDENTIAL"], "{algorithm}")
update = dns.update.UpdateMessage(
    os.environ["CERTWRIGHT_ZONE"], keyring={{key.name: key}}, keyalgorithm=key.algorithm
)
if act == "present":
    update.add(dns.name.from_text(name), 60, "TXT", value)
else:
    update.delete(dns.name.from_text(name), "TXT", value)
answer = dns.query.tcp(update, "{host}", port={port}, timeout=10)
sys.exit(0 if answer.rcode() == 0 else "the server says %d" % answer.rcode())
"""


def hook(env: Environment, folder: Path) -> Path:
    host, _, port = env.bind.resolver.rpartition(":")
    text = HOOK.format(
        python=sys.executable,
        calls=folder / "calls",
        key_name=env.bind.key_name,
        algorithm=env.bind.algorithm,
        host=host,
        port=port,
    )
    program = folder / "hook"
    program.write_text(text)
    program.chmod(0o755)
    return program


def by_program(program: Path) -> dict[str, object]:
    config = {"program": str(program), "credentialSecretRef": {"name": "tsig", "key": "key"}}
    return {"dns01": {"provider": {"name": "exec", "config": config}, "propagation": {"interval": "1s"}}}


def test_a_program_that_the_owner_allows_proves_names(env: Environment, namespace: str, tmp_path: Path) -> None:
    program, other = hook(env, tmp_path), tmp_path / "other"
    other.write_text(f"#!/bin/sh\ntouch {tmp_path / 'ran'}\n")
    other.chmod(0o755)
    operator = Operator(env, tmp_path, options=(f"--namespaces={namespace}", f"--exec-programs={program}"))
    operator.start()
    try:
        apply(
            env,
            tsig_secret(env, namespace),
            acme_issuer(env, namespace, solvers=[by_program(program)]),
            acme_issuer(env, namespace, "forbidden", solvers=[by_program(other)]),
            certificate(namespace, "web", "web.example.test", "*.web.example.test"),
            certificate(namespace, "other", "other.example.test", issuer="forbidden"),
        )
        wait_ready(env, namespace, "web", timeout=60)
        calls = (tmp_path / "calls").read_text().splitlines()
        name = "_acme-challenge.web.example.test."
        assert calls.count(f"present {name}") == 2
        assert calls.count(f"cleanup {name}") == 2
        assert env.bind.txt(name) == []
        refusal = wait_condition(
            env, namespace, "other", "Issuing", "False", reason="NotAllowed", says="--exec-programs allows"
        )
        assert str(other) in refusal["message"]
        assert not (tmp_path / "ran").exists()
    finally:
        operator.stop()
    assert env.bind.tsig_secret not in operator.log()


def test_loopback_is_not_connected_to_on_an_issuers_word(env: Environment, namespace: str, tmp_path: Path) -> None:
    """As users run it, without the variable that the tests need: every server of the environment is on loopback."""
    operator = Operator(
        env, tmp_path, options=(f"--namespaces={namespace}",), variables={"CERTWRIGHT_ALLOW_LOOPBACK": "false"}
    )
    operator.start()
    try:
        apply(env, tsig_secret(env, namespace), acme_issuer(env, namespace, solvers=[solver(env)]))
        says = f"spec.acme.server: the host {urlsplit(env.pebble.directory_url).hostname} is not connected to"
        wait_condition(env, namespace, "acme", "Ready", "False", resource="issuers", reason="AddressRefused", says=says)
    finally:
        operator.stop()


def test_networks_that_the_owner_names(env: Environment, namespace: str, tmp_path: Path) -> None:
    """The CA, the zones' name servers and the operator's own resolvers stay reachable, and nothing of an issuer's."""
    operator = Operator(env, tmp_path, options=(f"--namespaces={namespace}", "--allowed-networks=192.0.2.0/24"))
    operator.start()
    try:
        apply(
            env,
            tsig_secret(env, namespace),
            acme_issuer(env, namespace, solvers=[solver(env)]),
            acme_issuer(env, namespace, "resolver", solvers=[solver(env)], nameservers=["127.0.0.2"]),
            certificate(namespace, "update", "update.example.test"),
            certificate(namespace, "resolver", "resolver.example.test", issuer="resolver"),
        )
        wait_issuer(env, namespace)
        refusal = wait_condition(env, namespace, "update", "Issuing", "False", reason="AddressRefused")
        assert "rfc2136.nameserver: the host 127.0.0.1 is not connected to" in refusal["message"]
        assert "outside the networks that the operator allows" in refusal["message"]
        refusal = wait_condition(env, namespace, "resolver", "Issuing", "False", reason="AddressRefused")
        assert "nameservers: 127.0.0.2:53 is not asked, since it is outside the networks" in refusal["message"]
        assert env.bind.txt("_acme-challenge.update.example.test.") == []
    finally:
        operator.stop()

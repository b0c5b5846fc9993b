"""`certwright check dns` against BIND and a real API server: what it finds, and that it writes nothing."""

import base64
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cluster.bind import Bind
from cluster.environment import Environment
from cluster.zones import DEFAULT_ZONES, Zone

pytestmark = pytest.mark.cluster
ZONES = [
    *DEFAULT_ZONES,
    Zone(
        "more.test",
        records=[
            '@ CAA 0 issue "pebble.example"',
            'strict CAA 0 issue "pebble.example; validationmethods=http-01"',
            "alias CNAME www.validation.test.",
            "_acme-challenge.loop CNAME _acme-challenge.loop",
        ],
    ),
]
Check = Callable[..., Any]


def check_dns(resolver: str, port: int, *arguments: str, code: int = 0, **variables: str) -> Any:
    """What the command finds, as JSON."""
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "from certwright.cli.main import main; main()",
            "check",
            "dns",
            *arguments,
            "-o",
            "json",
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={
            **{name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")},
            "CERTWRIGHT_DNS_RESOLVERS": resolver,
            "CERTWRIGHT_DNS_AUTHORITATIVE_PORT": str(port),
            **variables,
        },
    )
    assert done.returncode == code, done.stdout + done.stderr
    return json.loads(done.stdout)


def problems(data: Any) -> dict[str, str]:
    return {
        finding["code"]: f"{finding['text']}; to do: {finding['action']}"
        for name in data["names"]
        for finding in name["findings"]
        if finding["severity"] == "problem"
    }


@pytest.fixture(scope="module")
def bind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bind]:
    with Bind(tmp_path_factory.mktemp("bind"), zones=ZONES) as running:
        yield running


@pytest.fixture
def check(bind: Bind) -> Check:
    return lambda *arguments, **options: check_dns(bind.resolver, bind.port, *arguments, **options)


def test_all_is_well(bind: Bind, check: Check) -> None:
    data = check("www.example.test", "*.sub.example.test", "alias.example.test")
    zones = [(item["record"], item["zone"]) for item in data["names"]]
    assert zones == [
        ("_acme-challenge.www.example.test.", "example.test."),
        ("_acme-challenge.sub.example.test.", "sub.example.test."),
        ("alias.validation.test.", "validation.test."),
    ]
    for item in data["names"]:
        assert {(state["udp"], state["tcp"], state["serial"]) for state in item["servers"]} == {
            ("answers", "answers", 1)
        }
        assert len(item["servers"]) == len(bind.addresses)


def test_no_delegation(check: Check) -> None:
    assert "www.nowhere.test" not in problems(check("www.example.test"))
    assert problems(check("www.nowhere.test", code=4))["NoDelegation"].startswith("nowhere.test. is not delegated")


def test_caa(check: Check) -> None:
    assert not problems(check("www.more.test", "--caa-identity", "pebble.example"))
    told = problems(check("www.more.test", "--caa-identity", "other.example", code=4))["CAARefuses"]
    assert 'add the record more.test. CAA 0 issue "other.example"' in told
    told = problems(check("strict.more.test", "--caa-identity", "pebble.example", code=4))["CAARefuses"]
    assert "by http-01 only, not by dns-01" in told
    # the alias has no records at its target, and so those of its own parent count (RFC 8659 section 3)
    assert "CAARefuses" in problems(check("alias.more.test", "--caa-identity", "other.example", code=4))


def test_cnames(check: Check) -> None:
    assert "go round in a circle" in problems(check("loop.more.test", code=4))["BadCNAME"]
    assert not problems(check("alias.example.test", "--expect-cname", "alias.validation.test"))
    told = problems(check("www.example.test", "--expect-cname", "www.validation.test", code=4))["CNAMEMissing"]
    assert "_acme-challenge.www.example.test. 300 IN CNAME www.validation.test." in told


def test_a_name_server_that_is_down(bind: Bind, check: Check) -> None:
    if len(bind.name_servers) < 2:
        pytest.skip("needs port 53")
    bind.name_servers[1].stop()
    try:
        told = problems(check("www.example.test", code=4))["ServerSilent"]
    finally:
        bind.name_servers[1].start()
    assert told.startswith(f"ns2.example.test. {bind.addresses[1]} (connection refused)")


def solved(env: Environment, namespace: str, name: str, nameserver: str, secret: str) -> None:
    """An issuer whose records go to a name server."""
    rfc2136 = {
        "nameserver": nameserver,
        "tsigKeyName": env.bind.key_name,
        "tsigAlgorithm": "HMACSHA256",
        "tsigSecretSecretRef": {"name": secret, "key": "secret"},
    }
    server = {"server": env.pebble.directory_url, "skipTLSVerify": True, "privateKeySecretRef": {"name": "account"}}
    issuer = {
        "apiVersion": "certwright.dev/v1",
        "kind": "Issuer",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"acme": {**server, "solvers": [{"dns01": {"rfc2136": rfc2136}}]}},
    }
    env.kubectl("apply", "-f", "-", input=json.dumps(issuer))


def secret(env: Environment, namespace: str, name: str, value: str) -> None:
    env.kubectl("create", "secret", "generic", name, "-n", namespace, f"--from-literal=secret={value}")


@pytest.fixture
def by_issuer(env: Environment, namespace: str) -> Check:
    """Run the command with an issuer of the namespace, by the environment's DNS."""

    def check(name: str, issuer: str, code: int = 0) -> Any:
        where = ("--issuer", f"Issuer/{issuer}", "-n", namespace)
        return check_dns(env.bind.resolver, env.bind.port, name, *where, code=code, KUBECONFIG=str(env.kubeconfig))

    return check


def test_an_issuer_of_the_cluster(env: Environment, namespace: str, by_issuer: Check) -> None:
    """Credentials first missing, then there; and nothing is written by any of it."""
    b = env.bind
    solved(env, namespace, "le", b.resolver, "tsig")
    mark = env.audit_mark() if not env.missing("audit") else None
    zone = b.zone_dump("example.test")
    told = problems(by_issuer("www.example.test", "le", 4))["BadCredentials"]
    assert f"there is no Secret tsig in namespace {namespace}; create it" in told
    secret(env, namespace, "tsig", b.tsig_secret)
    data = by_issuer("www.example.test", "le")
    assert data["issuer"]["reference"] == "Issuer/le"
    assert data["issuer"]["identities"] == ["pebble.letsencrypt.org"]
    assert b.tsig_secret not in json.dumps(data)
    texts = [finding["text"] for finding in data["names"][0]["findings"]]
    assert "rfc2136 takes the credentials for the zone example.test.: tried by a change of nothing" in texts
    assert b.zone_dump("example.test") == zone
    if mark is not None:
        assert [entry for entry in env.audit(mark) if entry.is_write and "certwright-cli" in entry.user_agent] == []


def test_credentials_that_are_wrong(env: Environment, namespace: str, by_issuer: Check) -> None:
    wrong = base64.b64encode(b"not the key").decode()
    solved(env, namespace, "le", env.bind.resolver, "tsig")
    secret(env, namespace, "tsig", wrong)
    told = problems(by_issuer("www.example.test", "le", 4))
    assert list(told) == ["BadCredentials"]
    assert "does not accept the TSIG key (" in told["BadCredentials"]
    assert "Secret tsig" in told["BadCredentials"]
    assert wrong not in str(told)


def test_credentials_that_may_not_change_the_zone(env: Environment, namespace: str, by_issuer: Check) -> None:
    solved(env, namespace, "le", env.bind.resolver, "tsig")
    secret(env, namespace, "tsig", env.bind.tsig_secret)
    told = problems(by_issuer("www.frozen.test", "le", 4))["BadCredentials"]
    assert "refuses to update frozen.test. (REFUSED); allow key certwright to update TXT records of this zone" in told


def test_a_zone_that_the_account_has_not(env: Environment, namespace: str, by_issuer: Check, tmp_path: Path) -> None:
    """The credentials are good, and belong to another server than the one that has the zone."""
    with Bind(tmp_path, zones=[Zone("another.test")]) as other:
        solved(env, namespace, "le", other.resolver, "tsig")
        secret(env, namespace, "tsig", other.tsig_secret)
        told = problems(by_issuer("www.example.test", "le", 4))
    assert list(told) == ["ZoneNotInAccount"]
    assert (
        f"the DNS server {other.resolver} does not take updates of example.test. (NOTAUTH); point"
        in (told["ZoneNotInAccount"])
    )

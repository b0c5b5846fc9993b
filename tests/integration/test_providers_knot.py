"""rfc2136 against Knot DNS beside BIND: another server's updates, keys with rights of their own, several accounts."""

import base64
import contextlib
import os
import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import dns.exception
import dns.message
import dns.query
import dns.rcode
import dns.rdatatype
import dns.tsig
import dns.update
import pytest

from certwright.errors import Terminal
from certwright.providers import registry
from certwright.providers.base import Provider, add_many, remove_many
from certwright.providers.conformance import VALUES, Check, Subject, checks
from certwright.resources.reading import Fields
from cluster import packages
from cluster.bind import Bind
from cluster.ports import free_port
from cluster.process import Child
from unit.providers import other_process

pytestmark = pytest.mark.cluster

HOST, AT = "127.0.0.1", "spec.acme.solvers[0].dns01"
ZONES = {"example.test": "certwright", "sub.example.test": "certwright", "other.test": "team-other"}
"""Each zone, and the key that may update it."""


class Knot:
    """A primary with a key for each team, and an ACL for each zone."""

    def __init__(self, folder: Path) -> None:
        root = packages.debian("knot")
        libraries = sorted({str(library.parent) for library in (root / "usr" / "lib").rglob("lib*.so*")})
        self.port = free_port()
        self.keys = {name: base64.b64encode(secrets.token_bytes(48)).decode() for name in sorted({*ZONES.values()})}
        for zone in ZONES:
            below = [f"{name.removesuffix(f'.{zone}')} NS ns1" for name in ZONES if name.endswith(f".{zone}")]
            lines = ["$TTL 60", f"@ SOA ns1.{zone}. mail.{zone}. 1 60 60 600 1", "@ NS ns1", f"ns1 A {HOST}", *below]
            (folder / f"{zone}.zone").write_text(f"$ORIGIN {zone}.\n" + "\n".join(lines) + "\n")
        (folder / "knot.conf").write_text(self._conf(folder))
        command = [root / "usr" / "sbin" / "knotd", "-c", folder / "knot.conf", "-v"]
        self.process = Child("knotd", command, folder=folder, env={"LD_LIBRARY_PATH": os.pathsep.join(libraries)})

    def _conf(self, folder: Path) -> str:
        keys = "".join(
            f"  - id: {name}\n    algorithm: hmac-sha384\n    secret: {secret}\n" for name, secret in self.keys.items()
        )
        acls = "".join(f"  - id: of-{name}\n    key: {name}\n    action: update\n" for name in self.keys)
        zones = "".join(f"  - domain: {zone}\n    acl: of-{name}\n" for zone, name in ZONES.items())
        return (
            f"server:\n  listen: {HOST}@{self.port}\n  rundir: {folder}\n"
            f"database:\n  storage: {folder}/db\n"
            f"log:\n  - target: stderr\n    any: info\n"
            f"key:\n{keys}acl:\n{acls}"
            f'template:\n  - id: default\n    storage: {folder}\n    file: "%s.zone"\n    journal-content: none\n'
            f"    zonefile-load: whole\nzone:\n{zones}"
        )

    def start(self) -> None:
        self.process.start()
        self.process.wait_until(self._answers, seconds=20)

    def _answers(self) -> bool:
        with contextlib.suppress(dns.exception.DNSException, OSError):
            question = dns.message.make_query("other.test", "SOA")
            return bool(dns.query.udp(question, HOST, port=self.port, timeout=0.5).answer)
        return False

    def txt(self, name: str) -> list[str]:
        answer = dns.query.tcp(dns.message.make_query(name, "TXT"), HOST, port=self.port, timeout=5)
        rrsets = [rrset for rrset in answer.answer if rrset.rdtype == dns.rdatatype.TXT]
        return [b"".join(rdata.strings).decode() for rrset in rrsets for rdata in rrset]

    def put(self, name: str, value: str) -> None:
        """As a person does with a tool of theirs."""
        key = dns.tsig.Key("certwright", self.keys["certwright"], "hmac-sha384")
        update = dns.update.UpdateMessage("example.test.", keyring={key.name: key}, keyalgorithm="hmac-sha384")
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        update.add(name, 60, "TXT", f'"{escaped}"')
        assert dns.query.tcp(update, HOST, port=self.port, timeout=5).rcode() == dns.rcode.NOERROR

    def config(self, key: str = "certwright", protocol: str = "TCP") -> dict[str, object]:
        rfc2136 = {
            "nameserver": f"{HOST}:{self.port}",
            "protocol": protocol,
            "tsigKeyName": key,
            "tsigAlgorithm": "hmac-sha384",
            "tsigSecretSecretRef": {"name": "tsig", "key": key},
        }
        return {"rfc2136": rfc2136}

    def provider(self, key: str = "certwright", protocol: str = "TCP", secret: str = "") -> Provider:
        content = (secret or self.keys[key]).encode()
        return registry.build(Fields(self.config(key, protocol), AT), lambda _name, _key: content)[1]


@pytest.fixture(scope="module")
def knot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Knot]:
    made = Knot(tmp_path_factory.mktemp("knot"))
    try:
        made.start()
        yield made
    finally:
        made.process.stop()


@pytest.mark.parametrize("check", checks(), ids=lambda check: check.name)
@pytest.mark.parametrize("protocol", ["UDP", "TCP"])
def test_conformance(knot: Knot, check: Check, protocol: str) -> None:
    wrong = base64.b64encode(b"an old secret").decode()
    check.run(
        Subject(
            make=lambda: knot.provider(protocol=protocol),
            read_txt=knot.txt,
            zone="example.test.",
            subzone="sub.example.test.",
            expired=lambda: knot.provider(protocol=protocol, secret=wrong),
            credentials=(knot.keys["certwright"], wrong),
            stranger=knot.put,
            elsewhere=other_process.of_config(knot.config(protocol=protocol), knot.keys["certwright"]),
        )
    )


def test_a_key_may_only_what_it_is_allowed(knot: Knot) -> None:
    name = "_acme-challenge.example.test."
    with pytest.raises(Terminal) as caught:
        knot.provider("team-other").add_txt("example.test.", name, VALUES[0])
    assert caught.value.reason in {"UpdateRefused", "TSIGRefused"}
    assert "team-other" in caught.value.message
    assert knot.txt(name) == []


def test_several_accounts_of_several_servers_at_once(knot: Knot, tmp_path: Path) -> None:
    """Two keys of one server and one of another, each with zones of its own, all at the same time."""
    with Bind(tmp_path, privileged_port=False) as bind:
        rfc2136 = {
            "nameserver": bind.resolver,
            "protocol": "TCP",
            "tsigKeyName": bind.key_name,
            "tsigAlgorithm": bind.algorithm,
            "tsigSecretSecretRef": {"name": "tsig", "key": "key"},
        }
        config = Fields({"rfc2136": rfc2136}, AT)
        accounts: list[tuple[Provider, str, object]] = [
            (knot.provider(), "example.test.", knot),
            (knot.provider(), "sub.example.test.", knot),
            (knot.provider("team-other"), "other.test.", knot),
            (registry.build(config, lambda _name, _key: bind.tsig_secret.encode())[1], "validation.test.", bind),
        ]

        def items(zone: str) -> list[tuple[str, str]]:
            return [(f"_acme-challenge.w{number}.{zone}", value) for number in range(20) for value in VALUES]

        with ThreadPoolExecutor(len(accounts)) as pool:
            list(pool.map(lambda each: add_many(each[0], each[1], items(each[1])), accounts))
        for _, zone, server in accounts:
            for name, _ in items(zone):
                assert sorted(server.txt(name)) == sorted(VALUES)  # type: ignore[attr-defined]
        with ThreadPoolExecutor(len(accounts)) as pool:
            list(pool.map(lambda each: remove_many(each[0], each[1], items(each[1])), accounts))
        for _, zone, server in accounts:
            for name, _ in items(zone):
                assert server.txt(name) == []  # type: ignore[attr-defined]

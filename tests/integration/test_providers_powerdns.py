"""PowerDNS by its HTTP API, against a real server with an SQLite database, and what it then serves."""

import contextlib
import os
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import dns.message
import dns.query
import dns.rdatatype
import pytest

from certwright.errors import Terminal
from certwright.providers import registry
from certwright.providers.api import Api
from certwright.providers.conformance import VALUES, Check, Subject, checks
from certwright.providers.guard import Guard, set_standing, standing
from certwright.providers.powerdns import PowerDNS
from certwright.resources.reading import Fields
from cluster import packages
from cluster.ports import free_port
from cluster.process import Child
from unit.providers import other_process

pytestmark = pytest.mark.cluster

KEY = "pdns-key-0123456789"
HOST = "127.0.0.1"
AT = "spec.acme.solvers[0].dns01"


class Server:
    """A server with the zones example.test and sub.example.test, the first a primary."""

    def __init__(self, folder: Path) -> None:
        root = packages._debian("pdns-backend-sqlite3")
        libraries = sorted({str(library.parent) for library in (root / "usr" / "lib").rglob("lib*.so*")})
        self.dns, self.http = free_port(), free_port()
        self.url = f"http://{HOST}:{self.http}"
        self.database = folder / "pdns.sqlite3"
        with contextlib.closing(sqlite3.connect(self.database)) as database:
            schema = root / "usr" / "share" / "pdns-backend-sqlite3" / "schema" / "schema.sqlite3.sql"
            database.executescript(schema.read_text())
        settings = {
            "launch": "gsqlite3",
            "gsqlite3-database": self.database,
            "module-dir": next((root / "usr" / "lib").rglob("libgsqlite3backend.so")).parent,
            "local-address": HOST,
            "local-port": self.dns,
            "socket-dir": folder,
            "api": "yes",
            "api-key": KEY,
            "webserver": "yes",
            "webserver-address": HOST,
            "webserver-port": self.http,
            "primary": "yes",
            "cache-ttl": 0,
            "query-cache-ttl": 0,
            "negquery-cache-ttl": 0,
            "zone-cache-refresh-interval": 0,
        }
        (folder / "pdns.conf").write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
        program = shutil.which("pdns_server", path=f"{os.environ.get('PATH', '')}:/usr/sbin") or root / (
            "usr/sbin/pdns_server"
        )
        command = [program, f"--config-dir={folder}", "--guardian=no", "--daemon=no"]
        self.process = Child("pdns", command, folder=folder, env={"LD_LIBRARY_PATH": os.pathsep.join(libraries)})

    def start(self) -> None:
        self.process.start()
        self.process.wait_until(self._answers, seconds=20)
        for zone, kind in (("example.test.", "Master"), ("sub.example.test.", "Native")):
            body = {"name": zone, "kind": kind, "nameservers": [f"ns1.{zone}"]}
            self.api().send("POST", "/api/v1/servers/localhost/zones", body=body)

    def _answers(self) -> bool:
        try:
            self.api().get("/api/v1/servers/localhost")
        except Exception:  # noqa: BLE001 - not yet
            return False
        return True

    def api(self) -> Api:
        return self.provider()._api

    def config(self) -> dict[str, object]:
        return {"name": "powerdns", "config": {"host": self.url}, "secretRef": {"name": "pdns"}}

    def provider(self, key: str = KEY) -> PowerDNS:
        _, provider = registry.build(Fields({"provider": self.config()}, AT), lambda _name, _key: key.encode())
        assert isinstance(provider, PowerDNS)
        return provider

    def txt(self, name: str) -> list[str]:
        answer = dns.query.tcp(dns.message.make_query(name, "TXT"), HOST, port=self.dns, timeout=5)
        rrsets = [rrset for rrset in answer.answer if rrset.rdtype == dns.rdatatype.TXT]
        return [b"".join(rdata.strings).decode() for rrset in rrsets for rdata in rrset]

    def put(self, name: str, value: str) -> None:
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        record = {"content": f'"{escaped}"', "disabled": False}
        change = {"name": name, "type": "TXT", "ttl": 3600, "changetype": "REPLACE", "records": [record]}
        self.api().send("PATCH", "/api/v1/servers/localhost/zones/example.test.", body={"rrsets": [change]})


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    before = standing()
    set_standing(Guard(allow_loopback=True))
    made = Server(tmp_path_factory.mktemp("pdns"))
    try:
        made.start()
        yield made
    finally:
        made.process.stop()
        set_standing(before)


@pytest.mark.parametrize("check", checks(), ids=lambda check: check.name)
def test_conformance(server: Server, check: Check) -> None:
    check.run(
        Subject(
            make=server.provider,
            read_txt=server.txt,
            zone="example.test.",
            subzone="sub.example.test.",
            expired=lambda: server.provider("an-old-key-0123"),
            credentials=(KEY, "an-old-key-0123"),
            stranger=server.put,
            elsewhere=other_process.of_config({"provider": server.config()}, KEY),
        )
    )


def test_a_zone_that_the_server_does_not_have(server: Server) -> None:
    assert server.provider().find_zone("_acme-challenge.example.org.") is None
    with pytest.raises(Terminal, match=r"has no zone example\.org"):
        server.provider().add_txt("example.org.", "_acme-challenge.example.org.", VALUES[0])


def test_the_serial_rises_so_that_secondaries_see_it(server: Server) -> None:
    def serial() -> int:
        answer = dns.query.tcp(dns.message.make_query("example.test.", "SOA"), HOST, port=server.dns, timeout=5)
        return int(answer.answer[0][0].serial)

    before = serial()
    server.provider().add_txt("example.test.", "_acme-challenge.serial.example.test.", VALUES[0])
    assert serial() > before
    server.provider().remove_txt("example.test.", "_acme-challenge.serial.example.test.", VALUES[0])


def test_another_server_id(server: Server) -> None:
    provider = PowerDNS(Api(server.api().endpoint, guard=Guard(allow_loopback=True)), "other")
    with pytest.raises(Terminal, match="PowerDNS answers 404"):
        provider.add_txt("example.test.", "_acme-challenge.example.test.", VALUES[0])


@pytest.mark.parametrize("value", ["", "x" * 600, "ü\u00e4", 'a "b" \\ c; d'])
def test_any_value(server: Server, value: str) -> None:
    name = "_acme-challenge.any.example.test."
    server.provider().add_txt("example.test.", name, value)
    server.provider().add_txt("example.test.", name, VALUES[0])
    assert sorted(server.txt(name)) == sorted([value, VALUES[0]])
    server.provider().remove_txt("example.test.", name, value)
    assert server.txt(name) == [VALUES[0]]
    server.provider().remove_txt("example.test.", name, VALUES[0])

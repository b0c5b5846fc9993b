"""BIND 9 as authoritative server with dynamic updates, and as the resolver that knows the test zones."""

import base64
import contextlib
import secrets
import shutil
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

import dns.exception
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdatatype
import dns.tsig
import dns.tsigkeyring
import dns.update
import dns.zone

from cluster.build import forward
from cluster.packages import named
from cluster.ports import accepts, free_loopback, free_port
from cluster.process import Child, StartError
from cluster.zones import DEFAULT_ZONES, Zone, root_zone_file, zone_file

_DNS_PORT = 53
_HOST = "127.0.0.1"


class Bind:
    """A name server for test zones.

    BIND itself listens on a free high port of 127.0.0.1; that is the resolver. Where this process may use port 53,
    every zone has two name servers, ns1 and ns2, at loopback addresses of this instance and port 53, both leading to
    BIND; several instances run side by side. Elsewhere every zone has ns1 at 127.0.0.1 and the high port, and whoever
    asks authoritative servers must be told the port.

    Args:
        folder: For configuration, zones and the log.
        zones: What it holds.
        key_name: Name of the TSIG key that updates are signed with.
        algorithm: The key's algorithm.
        privileged_port: False to use a high port even where port 53 could be had.
        query_log: Whether its log has every question.

    Attributes:
        addresses: Of the zones' name servers.
        port: Of the zones' name servers: 53 or the high port.
        resolver: `address:port` of the resolver, which takes updates too.
        tsig_secret: The key, base64.
        process: BIND.
        name_servers: What listens on port 53, ns1 first; stop one to have a name server that is down.
    """

    def __init__(
        self,
        folder: Path,
        *,
        zones: Sequence[Zone] = DEFAULT_ZONES,
        key_name: str = "certwright",
        algorithm: str = "hmac-sha256",
        privileged_port: bool = True,
        query_log: bool = False,
    ) -> None:
        self.folder = folder
        self.zones = tuple(zones)
        self.key_name = key_name
        self.algorithm = algorithm
        self._query_log = query_log
        self.tsig_secret = base64.b64encode(secrets.token_bytes(32)).decode()
        self._port = free_port()
        self.resolver = f"{_HOST}:{self._port}"
        self.addresses = free_loopback(_DNS_PORT, 2) if privileged_port else []
        self.port = _DNS_PORT if self.addresses else self._port
        self.name_servers = [
            Child(f"ns{number}", [forward().path(), f"{address}:{_DNS_PORT}", self.resolver], folder=folder)
            for number, address in enumerate(self.addresses, start=1)
        ]
        self.addresses = self.addresses or [_HOST]
        program = named()
        # -g: in the foreground, log to standard error. One thread is plenty.
        command: list[str | Path] = [program.path, "-g", "-4", "-n", "1", "-c", folder / "named.conf"]
        self.process = Child("named", command, folder=folder, env=program.env)
        self._control_zone = f"ready-{secrets.token_hex(4)}.invalid"

    @property
    def children(self) -> list[Child]:
        """All processes."""
        return [*self.name_servers, self.process]

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self, *, fresh: bool = False) -> None:
        """Start it and return when it answers. Zones keep what was updated, unless `fresh`.

        Raises:
            StartError: it ended or does not answer.
        """
        if fresh or not (self.folder / "named.conf").exists():
            self._configure()
        self.process.start()
        for server in self.name_servers:
            server.start()
        self.process.wait_until(self._answers, seconds=20)
        for server, address in zip(self.name_servers, self.addresses, strict=False):
            server.wait_until(partial(accepts, address, self.port))

    def stop(self) -> None:
        """Stop it; the zones stay on disk."""
        for child in self.children:
            child.stop()

    def kill9(self) -> None:
        """Kill it at once."""
        for child in self.children:
            child.kill9()

    def restart(self) -> None:
        """Stop it and start it with the zones as they were."""
        self.stop()
        self.start()

    def txt(self, name: str) -> list[str]:
        """Return the TXT values at a name, sorted, as the authoritative server gives them; no CNAME is followed."""
        answer = self.query(name, "TXT")
        owner = dns.name.from_text(name)
        return sorted(
            b"".join(record.strings).decode()
            for rrset in answer.answer
            if rrset.name == owner and rrset.rdtype == dns.rdatatype.TXT
            for record in rrset
        )

    def query(self, name: str, kind: str = "A") -> dns.message.Message:
        """Ask for records of a kind, by UDP and for a long answer again by TCP."""
        question = dns.message.make_query(name, kind)
        answer, _ = dns.query.udp_with_fallback(question, _HOST, port=self._port, timeout=5)
        return answer

    def zone_dump(self, zone: str) -> list[str]:
        """Return every record of a zone as `owner TTL type data`, sorted, by a zone transfer."""
        content = dns.zone.Zone(dns.name.from_text(zone), relativize=False)
        dns.query.inbound_xfr(_HOST, content, port=self._port, timeout=5)
        return sorted(
            f"{owner} {ttl} {dns.rdatatype.to_text(data.rdtype)} {data}"
            for owner, ttl, data in content.iterate_rdatas()
        )

    def update(self, zone: str, *, add: Sequence[tuple[str, str]] = (), remove: Sequence[tuple[str, str]] = ()) -> None:
        """Change TXT records by a signed update, as somebody else with the key would.

        Args:
            zone: The zone.
            add: (absolute name, value) to be added.
            remove: (absolute name, value) to be removed.

        Raises:
            StartError: the server refused it.
        """
        message = dns.update.UpdateMessage(
            zone, keyring=self.keyring(), keyalgorithm=dns.name.from_text(self.algorithm)
        )
        for name, value in remove:
            message.delete(dns.name.from_text(name), "TXT", f'"{value}"')
        for name, value in add:
            message.add(dns.name.from_text(name), 60, "TXT", f'"{value}"')
        answer = dns.query.tcp(message, _HOST, port=self._port, timeout=5)
        if answer.rcode() != dns.rcode.NOERROR:
            raise StartError(f"update of {zone}: {dns.rcode.to_text(answer.rcode())}")

    def keyring(self) -> dict[dns.name.Name, dns.tsig.Key]:
        """Return the key as dnspython wants it."""
        key = dns.tsig.Key(self.key_name, self.tsig_secret, self.algorithm)
        return {key.name: key}

    def _answers(self) -> bool:
        # The version query is no use here: another server could answer it. Only this one has this zone.
        with contextlib.suppress(dns.exception.DNSException, OSError):
            question = dns.message.make_query(self._control_zone, "SOA")
            answer = dns.query.udp(question, _HOST, port=self._port, timeout=0.5)
            return answer.rcode() == dns.rcode.NOERROR and bool(answer.answer)
        return False

    def _configure(self) -> None:
        shutil.rmtree(self.folder / "zones", ignore_errors=True)
        files = self.folder / "zones"
        files.mkdir(parents=True)
        (files / "root").write_text(root_zone_file(self.zones, self.addresses))
        ready = Zone(self._control_zone, dynamic=False)
        blocks = ['zone "." { type primary; file "zones/root"; };']
        for zone in (*self.zones, ready):
            (files / zone.name).write_text(zone_file(zone, self.zones, self.addresses))
            policy = f'key "{self.key_name}"' if zone.dynamic else "none"
            blocks.append(
                f'zone "{zone.name}" {{ type primary; file "zones/{zone.name}"; allow-update {{ {policy}; }}; }};'
            )
        conf = self.folder / "named.conf"
        conf.touch(mode=0o600)
        conf.write_text("\n".join([self._options(), *blocks, ""]))

    def _options(self) -> str:
        return f"""\
key "{self.key_name}" {{ algorithm {self.algorithm}; secret "{self.tsig_secret}"; }};
controls {{ }};
options {{
    directory "{self.folder}";
    listen-on port {self._port} {{ {_HOST}; }};
    listen-on-v6 {{ none; }};
    pid-file none;
    session-keyfile none;
    lock-file none;
    recursion yes;
    allow-query {{ any; }};
    allow-recursion {{ any; }};
    allow-transfer {{ any; }};
    dnssec-validation no;
    empty-zones-enable no;
    notify no;
    querylog {"yes" if self._query_log else "no"};
    max-cache-size 8m;
    tcp-clients 2000;
    tcp-listen-queue 200;
    minimal-responses no-auth-recursive;
}};
logging {{
    category lame-servers {{ null; }};
    category update {{ default_stderr; }};
    category update-security {{ default_stderr; }};
}};"""


def strings(value: str) -> str:
    """A value of any length and any signs as `Bind.update` takes it, which puts quotes before and after it."""
    cut = [value[start : start + 255] for start in range(0, len(value), 255)]
    return '" "'.join(part.replace("\\", "\\\\").replace('"', '\\"') for part in cut)


def publish(resolver: str, key: dns.tsig.Key, zone: str, names: Sequence[str], address: str) -> None:
    """Have names lead to an address, by a signed update.

    Args:
        resolver: `address:port` of the server.
        key: That it takes updates by.
        zone: A dynamic one.
        names: Absolute, without the dot at the end.
        address: IPv4.

    Raises:
        StartError: the server refused it.
    """
    message = dns.update.UpdateMessage(zone, keyring={key.name: key}, keyalgorithm=key.algorithm)
    for name in names:
        message.replace(dns.name.from_text(name), 60, "A", address)
    host, _, port = resolver.rpartition(":")
    answer = dns.query.tcp(message, host, port=int(port), timeout=5)
    if answer.rcode() != dns.rcode.NOERROR:
        raise StartError(f"update of {zone}: {dns.rcode.to_text(answer.rcode())}")

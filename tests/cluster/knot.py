"""Knot DNS as authoritative server with dynamic updates: a second implementation beside BIND."""

import base64
import contextlib
import os
import secrets
import shutil
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import dns.exception
import dns.message
import dns.query
import dns.rcode
import dns.rdatatype

from cluster.packages import Program, debian
from cluster.ports import free_port
from cluster.process import Child
from cluster.zones import DEFAULT_ZONES, Zone, root_zone_file, zone_file

_HOST = "127.0.0.1"


def knotd() -> Program:
    """Return Knot's server: the machine's, else Debian's package unpacked into the cache.

    Raises:
        MissingProgramError: there is none and Debian's package could not be had.
    """
    path = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin"))
    if found := shutil.which("knotd", path=path):
        return Program(Path(found))
    root = debian("knot")
    folders = sorted({str(library.parent) for library in (root / "usr" / "lib").rglob("lib*.so*")})
    return Program(root / "usr" / "sbin" / "knotd", {"LD_LIBRARY_PATH": os.pathsep.join(folders)})


class Knot:
    """A primary for test zones at one address of 127.0.0.1 and a high port, where it is asked for any name.

    Args:
        folder: For configuration, zones and the log.
        zones: What it holds, beside a root zone that delegates to them.
        key_name: Name of the TSIG key that updates of dynamic zones are signed with.
        algorithm: The key's algorithm.

    Attributes:
        port: Where it listens.
        server: `address:port`.
        tsig_secret: The key, base64.
        process: It.
    """

    def __init__(
        self,
        folder: Path,
        *,
        zones: Sequence[Zone] = DEFAULT_ZONES,
        key_name: str = "certwright",
        algorithm: str = "hmac-sha256",
    ) -> None:
        self.folder = folder
        self.zones = tuple(zones)
        self.key_name = key_name
        self.algorithm = algorithm
        self.port = free_port()
        self.server = f"{_HOST}:{self.port}"
        self.tsig_secret = base64.b64encode(secrets.token_bytes(32)).decode()
        program = knotd()
        self.process = Child("knotd", [program.path, "-c", folder / "knot.conf"], folder=folder, env=program.env)
        self._ready = f"ready-{secrets.token_hex(4)}.invalid"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start it and return when it answers; zones keep what was updated.

        Raises:
            StartError: it ended or does not answer.
        """
        if not (self.folder / "knot.conf").exists():
            self._configure()
        self.process.start()
        self.process.wait_until(self._answers, seconds=20)

    def stop(self) -> None:
        """Stop it; the zones stay on disk."""
        self.process.stop()

    def txt(self, name: str) -> list[str]:
        """Return the TXT values at a name, sorted."""
        answer = dns.query.tcp(dns.message.make_query(name, "TXT"), _HOST, port=self.port, timeout=5)
        return sorted(
            b"".join(data.strings).decode()
            for rrset in answer.answer
            if rrset.rdtype == dns.rdatatype.TXT
            for data in rrset
        )

    def _answers(self) -> bool:
        # Only this one has this zone: another server at the port would not do.
        with contextlib.suppress(dns.exception.DNSException, OSError):
            question = dns.message.make_query(self._ready, "SOA")
            answer = dns.query.udp(question, _HOST, port=self.port, timeout=0.5)
            return answer.rcode() == dns.rcode.NOERROR and bool(answer.answer)
        return False

    def _configure(self) -> None:
        files = self.folder / "zones"
        files.mkdir(parents=True)
        (self.folder / "database").mkdir()  # without it every update is answered SERVFAIL
        (files / "root").write_text(root_zone_file(self.zones, [_HOST]))
        entries = ["  - domain: .\n    file: root\n"]
        for zone in (*self.zones, Zone(self._ready, dynamic=False)):
            (files / zone.name).write_text(zone_file(zone, self.zones, [_HOST]))
            acl = "    acl: updates\n" if zone.dynamic else ""
            entries.append(f"  - domain: {zone.name}\n    file: {zone.name}\n{acl}")
        conf = self.folder / "knot.conf"
        conf.touch(mode=0o600)
        conf.write_text(self._settings() + "".join(entries))

    def _settings(self) -> str:
        return f"""\
server:
    listen: {_HOST}@{self.port}
    rundir: {self.folder}
    udp-workers: 1
    tcp-workers: 1
    background-workers: 1
database:
    storage: {self.folder / "database"}
log:
  - target: stderr
    any: info
key:
  - id: {self.key_name}
    algorithm: {self.algorithm}
    secret: {self.tsig_secret}
acl:
  - id: updates
    key: {self.key_name}
    action: update
template:
  - id: default
    storage: {self.folder / "zones"}
    semantic-checks: off
zone:
"""

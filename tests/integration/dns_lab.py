"""A DNS of several real name servers in a network of its own: a root, `com`, four servers of example.com, a resolver.

The zone's primary tells two of its three secondaries of changes; the fourth server hears of none for an hour. The
resolver knows the root only, finds everything else by itself, and keeps what it finds.
"""

import base64
import secrets
import time
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.query
import dns.rcode
import dns.tsig
import dns.update

from cluster.nameserver import COM, ROOT, NameServer, resolver, top, zone_text
from cluster.network import Network

RESOLVER, INSIDE, CORP = "10.53.0.53", "10.53.0.54", "10.53.0.60"
FOUR = ("10.53.1.1", "10.53.1.2", "10.53.1.3", "10.53.1.4")
SIX = ("fd53::1", "fd53::2", "fd53::3", "fd53::4")
LAME, SIGNED, STRICT = "10.53.1.9", "10.53.1.8", "10.53.0.55"
NEGATIVE_TTL = 900
KEY = "lab"

_DELEGATIONS = [
    "example.com. NS ns1.example.com.\nexample.com. NS ns2.example.com.",
    "example.com. NS ns3.example.com.\nexample.com. NS ns4.example.com.",
    *(f"ns{n}.example.com. A {four}" for n, four in enumerate(FOUR, start=1)),
    *(f"ns{n}.example.com. AAAA {six}" for n, six in enumerate(SIX, start=1)),
    f"signed.com. NS ns.signed.com.\nns.signed.com. A {SIGNED}",
    f"lame.com. NS ns.lame.com.\nns.lame.com. A {LAME}",
]
_EXAMPLE = [
    "@ NS ns1\n@ NS ns2\n@ NS ns3\n@ NS ns4\n@ A 192.0.2.80\nwww A 192.0.2.80",
    *(f"ns{n} A {FOUR[n - 1]}\nns{n} AAAA {SIX[n - 1]}" for n in range(1, 5)),
]
_CORP = zone_text("ns", f"@ NS ns\nns A {CORP}\nhost A 192.0.2.81")


class Lab:
    """The name servers.

    Args:
        folder: For all of them.
        records: Further lines of the zone example.com.

    Attributes:
        network: Where they are.
        primary: ns1.example.com.
        stale: ns4.example.com.
        resolver: What resolves for everybody.
    """

    def __init__(self, folder: Path, records: str = "") -> None:
        self._secret = base64.b64encode(secrets.token_bytes(32)).decode()
        self._stack = ExitStack()
        self.network = network = Network(folder, [ROOT, COM, RESOLVER, INSIDE, CORP, LAME, SIGNED, STRICT, *FOUR, *SIX])
        zone = zone_text("ns1.example.com.", *_EXAMPLE, records, minimum=NEGATIVE_TTL)
        key = f'key "{KEY}" {{ algorithm hmac-sha256; secret "{self._secret}"; }};\n'

        def server(
            name: str, listen: list[str], config: str, options: str = "recursion no;", **files: str
        ) -> NameServer:
            return NameServer(folder, name, listen=listen, config=config, options=options, files=files, network=network)

        self._top = top(folder, network, *_DELEGATIONS)
        notified = f"also-notify {{ {FOUR[1]}; {FOUR[2]}; }}; notify explicit; notify-delay 0; notify-source {FOUR[0]};"
        policy = f'allow-update {{ key "{KEY}"; }};'
        primary = f'{key}zone "example.com" {{ type primary; file "example.com"; {policy} {notified} }};\n'
        self.primary = server("ns1", [FOUR[0], SIX[0]], primary, **{"example.com": zone})
        secondary = f'zone "example.com" {{ type secondary; file "example.com"; primaries {{ {FOUR[0]}; }}; }};\n'
        self._secondaries = [
            server(f"ns{n}", [FOUR[n - 1], SIX[n - 1]], secondary, f"recursion no; transfer-source {FOUR[n - 1]};")
            for n in (2, 3, 4)
        ]
        self.stale = self._secondaries[-1]
        self._lame = server("lame", [LAME], "")
        inner = 'zone "corp.example.com" { type primary; file "corp"; };\n'
        self._corp = server("corp", [CORP], inner, corp=_CORP)
        copy = f'zone "corp.example.com" {{ type secondary; file "corp"; primaries {{ {CORP}; }}; }};\n'
        self.resolver = resolver(folder, network, "resolver", RESOLVER)
        self._inside = resolver(folder, network, "inside", INSIDE, copy)
        anchor = f'trust-anchors {{ "signed.com" static-ds 1 13 2 "{"0" * 64}"; }};\n'
        self._strict = resolver(folder, network, "strict", STRICT, anchor, more="dnssec-validation yes;")
        policy = 'dnssec-policy default; inline-signing yes; allow-update { key "lab"; };'
        self._signed = server(
            "signed",
            [SIGNED],
            f'{key}zone "signed.com" {{ type primary; file "zone"; {policy} }};\n',
            zone=zone_text("ns", f"@ NS ns\nns A {SIGNED}\nwww A 192.0.2.82"),
        )

    def __enter__(self) -> Self:
        self._stack.enter_context(self.network)
        servers = (self._top, self.primary, *self._secondaries, self._lame, self._corp, self._signed)
        for server in (*servers, self.resolver, self._inside, self._strict):
            self._stack.enter_context(server)
        for address in FOUR:
            self.wait_for_serial(address, 1)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def ask(self, address: str, name: str, kind: str, *, recurse: bool = False) -> dns.message.Message:
        """Ask one server by TCP."""
        question = dns.message.make_query(name, kind)
        if not recurse:
            question.flags &= ~dns.flags.RD
        return self.network.call(lambda: dns.query.tcp(question, address, timeout=5))

    def update(self, *changes: tuple[str, str, str], remove: bool = False, zone: str = "example.com") -> int:
        """Add or remove (name, type, data) at the primary; returns the zone's serial after that."""
        message = dns.update.UpdateMessage(zone)
        message.use_tsig(dns.tsig.Key(KEY, self._secret, "hmac-sha256"))
        for name, kind, data in changes:
            if remove:
                message.delete(name, kind, data)
            else:
                message.add(name, 60, kind, data)
        answer = self.network.call(lambda: dns.query.tcp(message, FOUR[0], timeout=5))
        assert answer.rcode() == dns.rcode.NOERROR, answer
        serial = self.serial(FOUR[0])
        for address in FOUR[1:3]:
            self.wait_for_serial(address, serial)
        return serial

    def notify(self, address: str) -> None:
        """Tell a secondary of a change, and wait until it has it."""
        message = dns.message.make_query("example.com", "SOA")
        message.set_opcode(dns.opcode.NOTIFY)
        message.flags |= dns.flags.AA
        self.network.call(lambda: dns.query.udp(message, address, source=FOUR[0], timeout=5))
        self.wait_for_serial(address, self.serial(FOUR[0]))

    def serial(self, address: str) -> int:
        """The serial that a server has; 0 for none."""
        answer = self.ask(address, "example.com", "SOA").answer
        return int(answer[0][0].serial) if answer else 0

    def wait_for_serial(self, address: str, serial: int) -> None:
        """Wait until a server has it."""
        deadline = time.monotonic() + 20
        while self.serial(address) != serial:
            assert time.monotonic() < deadline, f"{address} has not got serial {serial}"
            time.sleep(0.05)

    def settle(self) -> None:
        """Bring the fourth server up to date."""
        if self.serial(FOUR[3]) != self.serial(FOUR[0]):
            self.notify(FOUR[3])

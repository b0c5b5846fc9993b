"""BINDs with configurations that tests write themselves, where the harness's own does not do.

Beside single servers there is a DNS to put them into: a root with `com` below it, and resolvers that know the root.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

from cluster.network import Network
from cluster.packages import named
from cluster.process import Child

_STARTED = b"all zones loaded"


class NameServer:
    """A name server.

    Args:
        folder: For its configuration, zone files and log.
        name: Of the process.
        listen: Its addresses.
        port: Its port.
        config: Statements of named.conf beside `options`: zones, views, keys.
        options: Further statements within `options`.
        files: Zone files by name.
        network: Where it runs; None for here.
    """

    def __init__(
        self,
        folder: Path,
        name: str,
        *,
        listen: Sequence[str],
        port: int = 53,
        config: str = "",
        options: str = "recursion no;",
        files: Mapping[str, str] | None = None,
        network: Network | None = None,
    ) -> None:
        folder = folder / name
        folder.mkdir(parents=True)
        for file, text in (files or {}).items():
            (folder / file).write_text(text)
        conf = folder / "named.conf"
        conf.touch(mode=0o600)
        places = [_listening("", port, [address for address in listen if ":" not in address])]
        places.append(_listening("-v6", port, [address for address in listen if ":" in address]))
        common = _OPTIONS.format(folder=folder)
        if "dnssec-validation" not in options:
            common += "    dnssec-validation no;\n"
        conf.write_text(f"controls {{ }};\noptions {{\n{''.join(places)}{common}{options}\n}};\n{config}")
        program = named()
        command: list[str | Path] = [program.path, "-g", "-n", "1", "-c", conf]
        self.process = Child(name, command, folder=folder, env=program.env)
        self._command, self._network = command, network

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start it and return when it has loaded its zones; raises StartError when it has not."""
        if self._network:
            self.process.command = self._network.enter(*self._command)
        before = self._loads()
        self.process.start()
        self.process.wait_until(partial(self._loaded, before), seconds=20)

    def stop(self) -> None:
        """Stop it; the zones stay on disk."""
        self.process.stop()

    def _loads(self) -> int:
        return self.process.log.read_bytes().count(_STARTED) if self.process.log.exists() else 0

    def _loaded(self, before: int) -> bool:
        return self._loads() > before


_OPTIONS = """\
    directory "{folder}";
    pid-file none;
    session-keyfile none;
    lock-file none;
    allow-query {{ any; }};
    allow-transfer {{ any; }};
    empty-zones-enable no;
    max-cache-size 8m;
    notify no;
    minimal-responses no;
"""


def _listening(kind: str, port: int, addresses: Sequence[str]) -> str:
    return f"    listen-on{kind} port {port} {{ {' '.join(f'{address};' for address in addresses) or 'none;'} }};\n"


ROOT, COM = "10.53.0.1", "10.53.0.2"


def zone_text(primary: str, *lines: str, minimum: int = 60) -> str:
    """A zone file: its SOA, then the lines. Negative answers may be kept for `minimum` seconds."""
    soa = f"@ {minimum} SOA {primary} hostmaster.example.com. 1 3600 600 86400 {minimum}"
    return "\n".join(["$TTL 60", soa, *lines, ""])


def top(folder: Path, network: Network, *lines: str) -> NameServer:
    """A server of the root and of `com`, at ROOT and COM; the lines are the delegations in `com`."""
    root = zone_text(
        "root.invalid.", "@ NS root.invalid.", f"root.invalid. A {ROOT}", "com. NS ns.com.", f"ns.com. A {COM}"
    )
    zones = 'zone "." { type primary; file "root"; };\nzone "com" { type primary; file "com"; };\n'
    files = {"root": root, "com": zone_text("ns.com.", "@ NS ns.com.", f"ns.com. A {COM}", *lines)}
    return NameServer(folder, "top", listen=[ROOT, COM], config=zones, files=files, network=network)


def resolver(folder: Path, network: Network, name: str, address: str, zones: str = "", *, more: str = "") -> NameServer:
    """A resolver that finds everything from the root; it may have zones of its own, and more options."""
    hints = f". 60 NS root.invalid.\nroot.invalid. 60 A {ROOT}\n"
    options = (
        f"recursion yes; allow-recursion {{ any; }}; query-source address {address}; transfer-source {address}; {more}"
    )
    config = f'zone "." {{ type hint; file "hints"; }};\n{zones}'
    return NameServer(
        folder, name, listen=[address], config=config, options=options, files={"hints": hints}, network=network
    )

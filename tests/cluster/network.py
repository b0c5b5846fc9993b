"""A network of a test's own: a namespace with nothing but a loopback interface, on which any address can be put.

There every port 53 is free, packets can be dropped or redirected by rules, and nothing gets out. It hangs on one
process and ends with it.
"""

import contextlib
import ctypes
import os
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from cluster.node_programs import nft
from cluster.process import Child, StartError
from cluster.relay import Relay

T = TypeVar("T")
_TOOLS = ("unshare", "nsenter", "setpriv", "ip")
_INIT = 'ip link set lo up && touch "$1" && while :; do sleep 3600 & wait; done'
_CLONE_NEWNET = 0x40000000


class Network:
    """A network namespace.

    Args:
        folder: For the log of the process that holds it.
        addresses: That its loopback interface has.
    """

    def __init__(self, folder: Path, addresses: Sequence[str]) -> None:
        self._ready = folder / "network-ready"
        self._addresses = addresses
        self._nft = nft()
        command: list[str | Path] = ["unshare", "--net", "--", "sh", "-c", _INIT, "init", self._ready]
        self.process = Child("network", command, folder=folder)

    @staticmethod
    def missing() -> str | None:
        """Return why there can be none here, in one line; None if there can."""
        if not Path("/proc/self/ns/net").exists() or os.geteuid() != 0:
            return "a network of one's own needs root on Linux"
        if lacking := [tool for tool in _TOOLS if not shutil.which(tool)]:
            return f"a network of one's own needs the program {lacking[0]}"
        done = subprocess.run(["unshare", "--net", "true"], capture_output=True, text=True, check=False)
        return f"no network of one's own ({done.stderr.strip()})" if done.returncode else None

    def __enter__(self) -> Self:
        self._ready.unlink(missing_ok=True)
        self.process.start()
        self.process.wait_until(self._ready.exists, seconds=20)
        for address in self._addresses:
            self.run("ip", "address", "add", f"{address}/{128 if ':' in address else 32}", "dev", "lo")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.kill9()

    def enter(self, *command: str | Path) -> list[str]:
        """Return the command that runs another in there."""
        return ["nsenter", f"--target={self.process.pid}", "--net", "--", *map(str, command)]

    def run(self, *command: str | Path) -> str:
        """Run a command in there to its end and return what it printed; raises StartError when it failed."""
        done = subprocess.run(self.enter(*command), capture_output=True, text=True, check=False)
        if done.returncode:
            raise StartError(f"{' '.join(map(str, command))}: {done.stderr.strip()}")
        return done.stdout

    def call(self, function: Callable[[], T]) -> T:
        """Call a function in a thread of its own whose sockets are in there."""

        def inside() -> T:
            with Path(f"/proc/{self.process.pid}/ns/net").open("rb") as namespace:
                if ctypes.CDLL(None, use_errno=True).setns(namespace.fileno(), _CLONE_NEWNET):
                    raise OSError(ctypes.get_errno(), "setns")
            return function()

        with ThreadPoolExecutor(1) as pool:
            return pool.submit(inside).result()

    def inward(self, port: int) -> Relay:
        """A relay from a port of 127.0.0.1 in there to the same port out here."""
        listener = self.call(lambda: socket.create_server(("127.0.0.1", port)))
        return Relay(listener, lambda: socket.create_connection(("127.0.0.1", port), timeout=10))

    def outward(self, address: str, port: int, *, source: str = "", here: int = 0) -> Relay:
        """A relay from a port of 127.0.0.1 out here to a server in there.

        Args:
            address: Of the server.
            port: Of the server.
            source: Address in there that the connections come from.
            here: The port out here; 0 for a free one.
        """
        origin = (source, 0) if source else None

        def connect() -> socket.socket:
            return self.call(lambda: socket.create_connection((address, port), timeout=10, source_address=origin))

        return Relay(socket.create_server(("127.0.0.1", here)), connect)

    @contextlib.contextmanager
    def rules(self, text: str) -> Iterator[None]:
        """Keep packet filter rules, as `nft -f` reads them, for as long as the context lasts."""
        environment = {**os.environ, **self._nft.env}
        command = self.enter(self._nft.path, "-f", "-")
        done = subprocess.run(command, input=text, capture_output=True, text=True, check=False, env=environment)
        if done.returncode:
            raise StartError(f"nft: {done.stderr.strip()}")
        try:
            yield
        finally:
            subprocess.run(self.enter(self._nft.path, "flush", "ruleset"), check=True, env=environment)

"""The rules for a process in which a library works on a tenant's word: where it may connect, and what it may read.

They are for libraries that are trusted and settings that are not: an option that names the cloud's metadata service, a
socket of the node or a file of the operator leads nowhere. An audit hook keeps them, which cannot be taken off.
"""

from __future__ import annotations

import os
import resource
import socket
import ssl
import sys
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from certwright.errors import InvalidSpec

if TYPE_CHECKING:
    from certwright.providers.guard import Guard

TIMEOUT: Final = (5.0, 20.0)
"""Seconds to connect, and for each read, where the library gives none."""
MAX_REFUSALS: Final = 4
_PLACES: Final = ("/etc/ssl", "/etc/pki", "/usr/share", "/usr/lib/ssl", "/etc/resolv.conf", "/etc/hosts", "/dev/null")
_FAMILIES: Final = frozenset({socket.AF_INET, socket.AF_INET6})
_PROCESSES: Final = frozenset(
    {"subprocess.Popen", "os.system", "os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn", "pty.spawn"}
)
_WRITING: Final = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


class RefusedError(PermissionError):
    """Something that must not be done; an OSError, so that libraries treat it as a failure of the system's."""


class Sandbox:
    """Lays the rules on this process.

    Args:
        guard: Where connections may go.

    Attributes:
        refusals: What was refused, the first few; libraries may hide the exception.
    """

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self.refusals: list[str] = []
        paths = ssl.get_default_verify_paths()
        given = [os.environ.get(name) for name in ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE")]
        places = [*_PLACES, sys.prefix, sys.base_prefix, *sys.path, paths.cafile, paths.capath, *given]
        self._readable = tuple({os.path.realpath(place) for place in places if place})

    def lay(self) -> None:
        """Lay the rules: nothing is written, no process started, and connections are bounded in where and how long."""
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
        socket.setdefaulttimeout(TIMEOUT[1])
        self._bound_requests()
        sys.addaudithook(self._audit)

    def _audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event in {"socket.connect", "socket.sendto", "socket.sendmsg"}:
            self._check_address(arguments[0], arguments[1])
        elif event == "open":
            self._check_file(arguments[0], arguments[1], arguments[2])
        elif event in _PROCESSES:
            self._refuse("starting another program is refused")

    def _check_address(self, sock: socket.socket, address: Any) -> None:  # noqa: ANN401 - of any kind of socket
        if address is None:  # on a socket that is connected already
            return
        if sock.family not in _FAMILIES or not isinstance(address, tuple):
            self._refuse("a connection to a socket of this machine is refused; name a host")
        try:
            fault = self._guard.fault(str(address[0]))
        except ValueError:
            self._refuse(f"a connection to {str(address[0])[:100]}, which is no address, is refused")
        if fault:
            self._refuse(f"a connection to {address[0]} is refused: it is {fault}; name another host")

    def _check_file(self, path: object, mode: object, flags: object) -> None:
        if not isinstance(path, str | bytes | os.PathLike):
            return  # a descriptor that is open already
        name = os.path.realpath(os.fsdecode(path))
        writes = (isinstance(mode, str) and set(mode) & set("wax+")) or (isinstance(flags, int) and flags & _WRITING)
        if writes and name != os.devnull:
            self._refuse(f"writing the file {name[:100]} is refused")
        if not any(name == place or name.startswith(f"{place}/") for place in self._readable):
            self._refuse(f"reading the file {name[:100]} is refused; give what is in it, by the Secret")

    def _refuse(self, text: str) -> None:
        if len(self.refusals) < MAX_REFUSALS:
            self.refusals.append(text)
        raise RefusedError(text)

    def _bound_requests(self) -> None:
        """Give every request a timeout, and check its host where a proxy would resolve the name."""
        import requests.adapters  # noqa: PLC0415 - only where something uses it

        send = requests.adapters.HTTPAdapter.send

        def bounded(
            adapter: requests.adapters.HTTPAdapter,
            request: requests.PreparedRequest,
            **options: Any,  # noqa: ANN401 - the base class's
        ) -> requests.Response:
            options["timeout"] = options.get("timeout") or TIMEOUT
            if any((options.get("proxies") or {}).values()):
                self._check_host(urlsplit(request.url or "").hostname or "")
            return send(adapter, request, **options)

        requests.adapters.HTTPAdapter.send = bounded  # type: ignore[method-assign,assignment]

    def _check_host(self, host: str) -> None:
        try:
            found = [str(place[0]) for *_, place in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)]
        except OSError:
            return  # the proxy may know more
        try:
            self._guard.check(host, found)
        except InvalidSpec as error:
            self._refuse(error.message)

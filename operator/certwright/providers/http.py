"""One HTTP request, bounded in size and time, and guarded in where it goes; what a status means is not its business.

This is the only module of the providers that knows an HTTP library. It goes through requests' adapter and not its
Session: a Session is not made for many threads, follows redirects anywhere and lets REQUESTS_CA_BUNDLE overrule the
trust it was given. Connections are shared by all providers with the same trust.
"""

from __future__ import annotations

import socket
import ssl
import time
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import requests
import requests.adapters
import requests.utils
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import HTTPError

from certwright.errors import InvalidSpec
from certwright.providers.guard import Deadline, Guard, set_deadline

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MAX_BODY: Final = 1 << 20
"""Bytes of a reply."""
TIMEOUT: Final = (5.0, 15.0)
"""Seconds to connect, and seconds for each read."""
TOTAL_SECONDS: Final = 30.0
"""For a whole reply, headers and body."""


class NoReplyError(Exception):
    """No usable reply came; the text says why."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, headers (by any case) and body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def exchange(
    method: str, url: str, content: bytes | None, *, headers: Mapping[str, str], ca_bundle: str, guard: Guard
) -> Answer:
    """Send one request and read the whole reply; follows no redirect and retries nothing.

    Args:
        method: The method.
        url: Absolute, encoded.
        content: The body.
        headers: All of them.
        ca_bundle: Certificates in PEM that are trusted; empty trusts the system's.
        guard: Where the connection may go.

    Raises:
        NoReplyError: None came, or it was too long or too slow.
        InvalidSpec: The host may not be connected to, or the bundle is none.
    """
    # Built by hand: the library's own cleaning of URLs costs more than all the rest.
    request = requests.PreparedRequest()
    request.method, request.url, request.body = method, url, content
    request.headers = requests.structures.CaseInsensitiveDict({"User-Agent": "certwright", **headers})
    if content is not None:
        request.headers["Content-Length"] = str(len(content))
    try:
        set_deadline(time.monotonic() + TOTAL_SECONDS)
        response = _adapter(ca_bundle, guard).send(
            request, stream=True, timeout=TIMEOUT, verify=True, proxies=_proxies(url, guard)
        )
        try:
            body: bytes = response.raw.read(MAX_BODY + 1, decode_content=False)
            if len(body) <= MAX_BODY:
                response.raw.read(1, decode_content=False)  # that a body was cut short shows at the next read only
        finally:
            response.close()  # one read to the end is back in the pool already; any other must not get there
    except (requests.RequestException, HTTPError, OSError, ValueError) as error:
        raise NoReplyError(_cause(error)) from None
    finally:
        set_deadline(None)
    if len(body) > MAX_BODY:
        raise NoReplyError(f"the reply is longer than {MAX_BODY} bytes")
    return Answer(response.status_code, response.headers, body)


def _proxies(url: str, guard: Guard) -> dict[str, str]:
    """The environment's proxies; what is asked of one must pass the guard as far as its name resolves here."""
    parts = urlsplit(url)
    if guard.trusted and parts.scheme == "http":
        return {}  # a cloud's metadata service is beside us; no proxy could reach it, and none may see what it says
    proxies = _environment_proxies(f"{parts.scheme}://{parts.netloc}")
    if parts.scheme in proxies:
        host = parts.hostname or ""
        try:
            found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
        except OSError:
            return proxies
        guard.check(host, [str(place[0]) for *_, place in found])
    return proxies


class _Socket(Deadline, socket.socket):
    """A plain socket that keeps the deadline."""


class _TLSSocket(Deadline, ssl.SSLSocket):
    """A TLS socket that keeps the deadline."""


class _Adapter(requests.adapters.HTTPAdapter):
    """Connects as its guard says, and trusts what its context trusts, whatever the environment says."""

    def __init__(self, context: ssl.SSLContext, guard: Guard) -> None:
        self._context = context
        self._guard = guard
        super().__init__(pool_connections=32, pool_maxsize=16)

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **kwargs: Any) -> None:  # noqa: ANN401, FBT001, FBT002 - the base class's signature
        super().init_poolmanager(connections, maxsize, block, ssl_context=self._context, **kwargs)
        self.poolmanager.pool_classes_by_scheme = _guarded(self._guard)

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:  # noqa: ANN401 - the base class's signature
        return super().proxy_manager_for(proxy, ssl_context=self._context, **kwargs)

    def cert_verify(self, *_: object) -> None:
        """Leave the connection alone: the base class would add its own bundle to the context."""


def _guarded(guard: Guard) -> dict[str, Any]:
    """Connection pools whose connections are made by the guard."""

    def connect(self: HTTPConnection) -> socket.socket:
        return guard.connect(self.host, int(self.port or 0), float(self.timeout or TIMEOUT[0]), _Socket)

    plain = type("Plain", (HTTPConnection,), {"_new_conn": connect})
    secure = type("Secure", (HTTPSConnection,), {"_new_conn": connect})
    return {
        "http": type("PlainPool", (HTTPConnectionPool,), {"ConnectionCls": plain}),
        "https": type("SecurePool", (HTTPSConnectionPool,), {"ConnectionCls": secure}),
    }


@lru_cache(maxsize=64)
def _adapter(ca_bundle: str, guard: Guard) -> _Adapter:
    """The connections of all accounts with the same trust: loading the system's roots costs too much for each."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.sslsocket_class = _TLSSocket
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    paths = ssl.get_default_verify_paths()
    if ca_bundle:
        try:
            context.load_verify_locations(cadata=ca_bundle)
        except (ssl.SSLError, ValueError):
            raise InvalidSpec("caBundle: is not a list of certificates in PEM") from None
    elif paths.cafile or paths.capath:
        context.load_default_certs()
    else:  # a bare container image
        context.load_verify_locations(cafile=requests.utils.DEFAULT_CA_BUNDLE_PATH)
    return _Adapter(context, guard)


@lru_cache(maxsize=256)
def _environment_proxies(origin: str) -> dict[str, str]:
    """Read once a host: looking them up costs as much as the request."""
    return dict(requests.utils.get_environ_proxies(origin))


_CAUSES: Final[tuple[tuple[type[BaseException] | tuple[type[BaseException], ...], str], ...]] = (
    (socket.gaierror, "the host name does not resolve"),
    (ConnectionRefusedError, "the connection is refused"),
    ((TimeoutError, requests.Timeout), "no whole reply in time"),
    (ssl.SSLError, "the server does not speak TLS as it should"),
    (
        requests.exceptions.ProxyError,
        "the proxy does not let it through; check HTTPS_PROXY and NO_PROXY of the operator",
    ),
    (ConnectionError, "the connection was cut"),
)


def _cause(error: BaseException) -> str:
    """Why no reply came; the libraries wrap the cause three deep, so it is looked for from the innermost outwards."""
    for cause in reversed(list(_chain(error))):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"the server's certificate is not trusted ({cause.verify_message.rstrip('.')})"
        for kinds, text in _CAUSES:
            if isinstance(cause, kinds):
                return text
    return f"no usable reply ({type(error).__name__})"


def _chain(error: BaseException) -> Iterator[BaseException]:
    """An exception and everything it was made of, outermost first."""
    seen: list[BaseException] = []
    pending: list[BaseException] = [error]
    while pending:
        one = pending.pop(0)
        if one not in seen:
            seen.append(one)
            yield one
            inner = (one.__cause__, one.__context__, getattr(one, "reason", None), *one.args)
            pending += [cause for cause in inner if isinstance(cause, BaseException)]

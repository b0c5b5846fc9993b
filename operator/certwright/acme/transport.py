"""HTTP as ACME needs it: pooled, bounded in size and time, and silent about what a status means.

It follows no redirect of a POST, believes no body longer than 1 MiB, retries nothing and keeps no cookies. It goes
through requests' adapter and not its Session: a Session is not made for many threads, and lets REQUESTS_CA_BUNDLE
overrule the trust it was given.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

import requests
import requests.adapters
import requests.utils
from urllib3.exceptions import HTTPError

from certwright.acme import headers
from certwright.acme.failures import failure
from certwright.acme.guarded import check_name, pools
from certwright.acme.reading import malformed
from certwright.acme.trust import deadline, tls_context
from certwright.errors import InvalidSpec

if TYPE_CHECKING:
    from collections.abc import Mapping

    from certwright.acme.guarded import Rule

MAX_BODY = 1 << 20
"""Bytes; the longest chain anybody serves is a hundredth of it."""
MAX_REDIRECTS = 3

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """Tell the time, aware."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class RequestDone:
    """One request and how it ended, for metrics and tests; no reply, no `status`; `seconds` are wall time."""

    method: str
    url: str
    kind: str
    status: int | None
    seconds: float


@dataclass(frozen=True, slots=True)
class Reply:
    """What a server answered; `retry_after` is in seconds, None when it did not say."""

    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes
    retry_after: float | None

    @property
    def ok(self) -> bool:
        """Whether the status is a success."""
        return HTTPStatus.OK <= self.status < HTTPStatus.MULTIPLE_CHOICES

    @property
    def location(self) -> str | None:
        """The absolute URL of the Location header."""
        value = self.headers.get("Location")
        return urljoin(self.url, value) if value else None

    def links(self, relation: str) -> tuple[str, ...]:
        """The absolute URLs of one relation of the Link headers (RFC 8288)."""
        return headers.links(self.headers.get("Link"), relation=relation, base=self.url)


class _Adapter(requests.adapters.HTTPAdapter):
    """An adapter that trusts what its context trusts, whatever requests' own bundle and the environment say."""

    def __init__(self, *, pool_size: int, pool: dict[str, Any], rule: Rule | None) -> None:
        self._pool = pool
        self._rule = rule
        super().__init__(pool_connections=8, pool_maxsize=pool_size)

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **kwargs: Any) -> None:  # noqa: ANN401, FBT001, FBT002 - the base class's signature
        super().init_poolmanager(connections, maxsize, block, **self._pool, **kwargs)
        if self._rule:
            self.poolmanager.pool_classes_by_scheme = pools(self._rule)

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:  # noqa: ANN401 - the base class's signature
        return super().proxy_manager_for(proxy, **self._pool, **kwargs)

    def cert_verify(self, *_: object) -> None:
        """Leave the connection alone: the base class would add its own bundle to the context."""


class Transport:
    """HTTP to one or several ACME servers with the same settings; used by any number of threads at once.

    Args:
        ca_bundle_pem: Certificates that alone are trusted; None trusts the system's.
        skip_tls_verify: Trust anybody, for tests.
        server_name: The name to ask for and to verify, where it is not the URL's host.
        timeout: Seconds to connect, and seconds for each read.
        total: Seconds for a whole reply, headers and body.
        pool_size: Connections kept open to each host.
        user_agent: Sent with each request (RFC 8555 6.1).
        on_request: Called after each request has had its effect, in the thread that sent it.
        allow_http: Speak plain http too, for tests.
        clock: Tells the time, for Retry-After dates.
        rule: Where connections may go; None lets them go anywhere.

    Raises:
        InvalidSpec: The bundle is no list of certificates in PEM.
    """

    def __init__(
        self,
        *,
        ca_bundle_pem: bytes | None = None,
        skip_tls_verify: bool = False,
        server_name: str | None = None,
        timeout: tuple[float, float] = (10, 30),
        total: float = 60,
        pool_size: int = 32,
        user_agent: str = "certwright",
        on_request: Callable[[RequestDone], None] | None = None,
        allow_http: bool = False,
        clock: Clock = utc_now,
        rule: Rule | None = None,
    ) -> None:
        context = tls_context(ca_bundle_pem=ca_bundle_pem, skip_tls_verify=skip_tls_verify)
        # The context verifies the very name that is asked for.
        pool = {"ssl_context": context, "server_hostname": server_name}
        self._adapter = _Adapter(pool_size=pool_size, pool=pool, rule=rule)
        self._rule = rule
        self._verify = not skip_tls_verify
        self._timeout = timeout
        self._total = total
        self._user_agent = user_agent
        self._on_request = on_request
        self.allow_http = allow_http
        self._clock = clock
        self._proxies: dict[str, dict[str, str]] = {}

    def close(self) -> None:
        """Close the connections that are idle."""
        self._adapter.close()

    def get(self, url: str, *, kind: str) -> Reply:
        """GET, following at most three redirects.

        Raises:
            InvalidSpec: The URL is not https.
            Retryable: No reply came, or it was too long or too slow.
        """
        for _ in range(MAX_REDIRECTS):
            reply = self._send("GET", url, kind=kind)
            if reply.status not in {301, 302, 303, 307, 308} or reply.location is None:
                return reply
            if urlsplit(reply.location).scheme != urlsplit(url).scheme:
                raise malformed(url, "the reply redirects away from https")
            url = reply.location
        raise malformed(url, f"the reply redirects more than {MAX_REDIRECTS} times")

    def head(self, url: str, *, kind: str) -> Reply:
        """HEAD; raises as `get`."""
        return self._send("HEAD", url, kind=kind)

    def post(self, url: str, body: bytes, *, kind: str, accept: str | None = None) -> Reply:
        """POST a JWS (RFC 8555 6.2); raises as `get`. A lost reply does not mean that the request had no effect."""
        extra = {"Content-Type": "application/jose+json"}
        if accept:
            extra["Accept"] = accept
        return self._send("POST", url, kind=kind, body=body, extra=extra)

    def _send(
        self, method: str, url: str, *, kind: str, body: bytes | None = None, extra: dict[str, str] | None = None
    ) -> Reply:
        request = self._prepare(method, url, body=body, extra=extra or {})
        started = time.monotonic()
        status = None
        try:
            with deadline(self._total):
                reply = self._exchange(request, url)
            status = reply.status
        except InvalidSpec as error:
            raise InvalidSpec(f"spec.acme.server: {error.message}", reason=error.reason) from None
        except (requests.RequestException, HTTPError, OSError, ValueError) as error:
            raise failure(error, method=method, url=url) from error
        finally:
            if self._on_request is not None:
                self._on_request(RequestDone(method, url, kind, status, time.monotonic() - started))
        return reply

    def _prepare(self, method: str, url: str, *, body: bytes | None, extra: dict[str, str]) -> requests.PreparedRequest:
        """Build the request by hand: the URLs are a server's own and need none of the cleaning that costs most."""
        if not (url.startswith("https://") or (self.allow_http and url.startswith("http://"))):
            raise InvalidSpec(f"the ACME server's URL {url[:160]!r} is not https; check spec.acme.server")
        request = requests.PreparedRequest()
        request.method, request.url, request.body = method, url, body
        fields = {"User-Agent": self._user_agent, **extra}
        if body is not None:
            fields["Content-Length"] = str(len(body))
        request.headers = requests.structures.CaseInsensitiveDict(fields)
        return request

    def _exchange(self, request: requests.PreparedRequest, url: str) -> Reply:
        response = self._adapter.send(
            request, stream=True, timeout=self._timeout, verify=self._verify, proxies=self._proxies_for(url)
        )
        try:
            body: bytes = response.raw.read(MAX_BODY + 1, decode_content=False)
            if len(body) <= MAX_BODY:
                response.raw.read(1, decode_content=False)  # that a body was cut short shows at the next read only
        finally:
            response.close()  # a connection read to the end is back in the pool already; any other must not get there
        if len(body) > MAX_BODY:
            raise malformed(url, f"the reply is longer than {MAX_BODY} bytes")
        wait = headers.retry_after(response.headers.get("Retry-After"), now=self._clock())
        return Reply(url, response.status_code, response.headers, body, wait)

    def _proxies_for(self, url: str) -> dict[str, str]:
        """Read the environment's proxies once a host: looking them up costs as much as the request."""
        host = urlsplit(url).netloc
        proxies = self._proxies.get(host)
        if proxies is None:
            proxies = requests.utils.get_environ_proxies(url)
            if self._rule and urlsplit(url).scheme in proxies:
                check_name(self._rule, urlsplit(url).hostname or "")
            self._proxies[host] = proxies
        return proxies

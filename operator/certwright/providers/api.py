"""Requests to a DNS provider's API, and what its answers mean: faults by class, each naming what a person should do.

Credentials travel in headers, or in a form where an API knows nothing better, and never in a URL; they are in no
message, and an API that repeats one is not quoted with it.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode, urljoin, urlsplit

from certwright.errors import CertwrightError, InvalidSpec, Retryable, Terminal, Throttled
from certwright.providers import rates
from certwright.providers.guard import Guard, everywhere, standing
from certwright.providers.http import NoReplyError, exchange
from certwright.providers.pauses import Pauses as _Pauses
from certwright.providers.telling import said

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

    from certwright.providers.credentials import Credential
    from certwright.providers.login import Login

MAX_REDIRECTS: Final = 3
MAX_PAGES: Final = 200
DEFAULT_PAUSE: Final = 60.0
"""Seconds to leave an API alone that says 429 and not for how long."""
MAX_PAUSE: Final = 86_400.0
_URL: Final = re.compile(r"[!-~]{1,2000}")
FORM: Final = "application/x-www-form-urlencoded"
REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
CREDENTIALS_REFUSED, NOT_ALLOWED, RATE_LIMITED = "CredentialsRefused", "NotAllowed", "RateLimited"
UNAVAILABLE, REQUEST_REFUSED, ZONE_NOT_IN_ACCOUNT = "ProviderUnavailable", "RequestRefused", "ZoneNotInAccount"
CONFLICT = "ProviderConflict"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An API and one account of it.

    Args:
        vendor: The provider's name, for people.
        url: What all paths are below.
        rights: What the credentials must be allowed, for the message when they are not.
        headers: Sent with each request; never shown.
        credentials: What the headers are made of, to say where they came from and to keep them out of messages.
        url_field: The config's field that the URL is from; empty where it is the vendor's own. Only such a URL may be
            plain http, and only its failures are blamed on the config.
        ca_bundle: Certificates in PEM that are trusted in place of the system's.
        login: Makes the headers that differ from request to request: a signature, a token that ends.
        identity: What else tells one account from another: the role that the credentials assume, say.
    """

    vendor: str
    url: str
    rights: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    credentials: tuple[Credential, ...] = ()
    url_field: str = ""
    ca_bundle: str = field(default="", repr=False)
    login: Login | None = field(default=None, repr=False)
    identity: str = ""

    @property
    def where(self) -> str:
        """Where the credentials came from, for messages."""
        return " and ".join(credential.where for credential in self.credentials) or "the account"

    @property
    def secrets(self) -> tuple[str, ...]:
        """What no message may repeat."""
        return (*(credential.value for credential in self.credentials), *(self.login.secrets if self.login else ()))

    @property
    def account(self) -> str:
        """The same for the same account only; tells nothing of its credentials."""
        parts = [self.vendor, self.url, self.identity, *(credential.value for credential in self.credentials)]
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Reply:
    """What an API answered."""

    method: str
    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def ok(self) -> bool:
        """Whether the status is a success."""
        return HTTPStatus.OK <= self.status < HTTPStatus.MULTIPLE_CHOICES

    def json(self) -> Any:  # noqa: ANN401 - whatever the API sends
        """The body's content; raises Retryable when it is none."""
        try:
            return json.loads(self.body) if self.body.strip() else None
        except ValueError:
            raise Retryable(f"{self.method} {self.url}: the reply is not JSON", reason=UNAVAILABLE) from None


class Api:
    """Requests to one account; made for one provider, used by any number of threads.

    Args:
        endpoint: The account.
        guard: Where connections may go; by default the operator's rule, whose networks count where an issuer names
            the host.
    """

    def __init__(self, endpoint: Endpoint, *, guard: Guard | None = None) -> None:
        self.endpoint = endpoint
        self._guard = guard or (standing() if endpoint.url_field else everywhere())
        self._url = endpoint.url.rstrip("/")
        what = endpoint.url_field or endpoint.vendor
        schemes = {"http", "https"} if endpoint.url_field else {"https"}
        try:
            parts = urlsplit(self._url)
            good = parts.scheme in schemes and parts.hostname and parts.port != 0 and _URL.fullmatch(self._url)
        except ValueError:
            good = False
        if not good or "@" in parts.netloc or parts.query or parts.fragment:
            # What else may be in it, a password say, is not shown.
            raise InvalidSpec(f"{what}: is not an https:// URL of host, port and path, and nothing else")

    def get(self, path: str, query: Mapping[str, object] | None = None) -> Any:  # noqa: ANN401 - what the API sends
        """GET, and the content of the reply."""
        return self.send("GET", path, query=query).json()

    def pages(
        self, path: str, query: Mapping[str, object], *, following: Callable[[Reply], Mapping[str, object] | None]
    ) -> Iterator[Any]:
        """GET a list page by page.

        Args:
            path: The list's path.
            query: For every page.
            following: What to add to the query for the next page; None after the last one.

        Raises:
            Terminal: There are more pages than anybody has.
        """
        asked = dict(query)
        for _ in range(MAX_PAGES):
            reply = self.send("GET", path, query=asked)
            yield reply.json()
            more = following(reply)
            if more is None:
                return
            asked |= more
        raise Terminal(f"GET {self._url}{path}: the list has more than {MAX_PAGES} pages", reason=REQUEST_REFUSED)

    def send(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, object] | None = None,
        body: object = None,
        headers: Mapping[str, str] | None = None,
        allow: Collection[int] = (),
    ) -> Reply:
        """Send one request.

        Args:
            method: GET follows redirects within the host; nothing else follows any.
            path: Below the API's URL, with its segments encoded.
            query: Values None are left out.
            body: Sent as JSON unless None; octets go as they are, with their Content-Type among the headers.
            headers: In addition to the account's.
            allow: Statuses that the caller judges itself.

        Raises:
            Throttled: 429, or the account is still throttled, or has used up the vendor's rate.
            Retryable: No reply, a 5xx, or a conflict.
            Terminal: The credentials are refused, lack a right, or the request is refused.
            InvalidSpec: The host may not be connected to.
        """
        pause = _pauses.get(self.endpoint.account)
        if pause and pause > _now():
            raise self._throttled(pause)
        given = {name: value for name, value in (query or {}).items() if value is not None}
        url = f"{self._url}{path}" + (f"?{urlencode(given)}" if given else "")
        content = body if body is None or isinstance(body, bytes) else json.dumps(body, separators=(",", ":")).encode()
        for _ in range(MAX_REDIRECTS):
            self._take_turn()
            reply = self._exchange(method, url, content, headers or {})
            if reply.ok or reply.status in allow:
                return reply
            if reply.status not in REDIRECTS or method != "GET":
                raise self.fault(reply)
            target = _target(url, reply)
            if urlsplit(target)[:2] != urlsplit(url)[:2]:
                raise self.fault(reply)
            url = target
        raise self.fault(reply)

    def fault(self, reply: Reply, *, meaning: int | None = None) -> CertwrightError:
        """What a reply that is no success means.

        Args:
            reply: The reply.
            meaning: The status that it should have had, from APIs that tell by codes of their own.
        """
        endpoint, status = self.endpoint, meaning or reply.status
        what = f"{reply.method} {reply.url}: {endpoint.vendor} answers {reply.status}"
        what += said(reply.body, endpoint.secrets)
        pause = _seconds(reply.headers.get("Retry-After"))
        if status == HTTPStatus.TOO_MANY_REQUESTS:
            until = _now() + timedelta(seconds=DEFAULT_PAUSE if pause is None else pause)
            _pauses.set(endpoint.account, until, _now())
            return self._throttled(until, what)
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.REQUEST_TIMEOUT:
            return Retryable(what, reason=UNAVAILABLE, after=pause)
        if status in {HTTPStatus.CONFLICT, HTTPStatus.PRECONDITION_FAILED, HTTPStatus.LOCKED}:
            return Retryable(what, reason=CONFLICT, after=pause)
        advice, reason = self._advice(reply, status)
        return Terminal(f"{what}{advice}", reason=reason)

    def _advice(self, reply: Reply, status: int) -> tuple[str, str]:
        """What a person should do about a refusal, and the reason for the condition."""
        where = self.endpoint.where
        if status == HTTPStatus.UNAUTHORIZED:
            return f"; the credentials are wrong or have expired: check {where}", CREDENTIALS_REFUSED
        if status == HTTPStatus.FORBIDDEN:
            return f"; allow the credentials ({where}) {self.endpoint.rights}", NOT_ALLOWED
        if status in REDIRECTS:
            target = urlsplit(_target(reply.url, reply))
            field = f": correct {self.endpoint.url_field}" if self.endpoint.url_field else ""
            return f"; the redirect to {target.scheme}://{target.netloc[:100]} is not followed{field}", REQUEST_REFUSED
        return "", REQUEST_REFUSED

    def _take_turn(self) -> None:
        """Keep to the vendor's rate; raises Throttled when that takes longer than a request may wait."""
        while wait := _rates.take(self.endpoint.account, urlsplit(self._url).hostname or ""):
            if wait > rates.LONGEST_WAIT:
                told = f"{self.endpoint.vendor} takes no more requests of this account for now"
                raise self._throttled(_now() + timedelta(seconds=wait), told)
            time.sleep(wait)

    def _throttled(self, until: datetime, what: str = "") -> Throttled:
        told = what or f"{self.endpoint.vendor} has asked to be left alone"
        return Throttled(f"{told}; asked again at {until:%H:%M:%S} UTC", until=until, reason=RATE_LIMITED)

    def _exchange(self, method: str, url: str, content: bytes | None, headers: Mapping[str, str]) -> Reply:
        endpoint = self.endpoint
        short = url.partition("?")[0][:300]
        kind = {} if content is None else {"Content-Type": "application/json"}
        all_headers = {"Accept": "application/json", **kind, **endpoint.headers, **headers}
        if endpoint.login:
            all_headers |= endpoint.login.headers(method, url, content, all_headers)
        try:
            answer = exchange(
                method, url, content, headers=all_headers, ca_bundle=endpoint.ca_bundle, guard=self._guard
            )
        except InvalidSpec as error:
            raise InvalidSpec(f"{endpoint.url_field or short}: {error.message}", reason=error.reason) from None
        except NoReplyError as error:
            blame = f"; check {endpoint.url_field} and the network" if endpoint.url_field else ""
            raise Retryable(f"{method} {short}: {error}{blame}", reason=UNAVAILABLE) from None
        return Reply(method, short, answer.status, answer.headers, answer.body)


_pauses = _Pauses()
_rates = rates.Rates()


def _target(url: str, reply: Reply) -> str:
    """Where a redirect leads; empty when it makes no sense."""
    try:
        target = urljoin(url, reply.headers.get("Location", ""))
        return target if _URL.fullmatch(target) and urlsplit(target).netloc else ""
    except ValueError:
        return ""


def _now() -> datetime:
    return datetime.now(UTC)


def _seconds(retry_after: str | None) -> float | None:
    """A Retry-After header (RFC 9110 section 10.2.3) in seconds, a day at most; None when it says nothing."""
    text = (retry_after or "").strip()
    if text.isdecimal():
        return min(float(text[:12]), MAX_PAUSE)
    try:
        return min(max((parsedate_to_datetime(text) - _now()).total_seconds(), 0.0), MAX_PAUSE)
    except (ValueError, TypeError, OverflowError):
        return None

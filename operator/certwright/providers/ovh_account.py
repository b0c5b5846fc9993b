"""How OVHcloud knows who asks: signatures by an application's keys, or tokens of an OAuth2 service account.

A signature holds the time by OVHcloud's own clock, which anybody may ask for; so a node's clock that is wrong does no
harm.
"""

from __future__ import annotations

import hashlib
import json
import threading
import time
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import urlencode

from certwright.errors import Retryable
from certwright.providers.api import FORM, UNAVAILABLE, Api, Endpoint

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from certwright.providers.api import Reply
    from certwright.providers.guard import Guard


class Place(NamedTuple):
    """An API, and where its tokens come from; empty where there are none."""

    url: str
    token_url: str = ""


ENDPOINTS: Final = {
    "ovh-eu": Place("https://eu.api.ovh.com/1.0", "https://www.ovh.com/auth/oauth2/token"),
    "ovh-ca": Place("https://ca.api.ovh.com/1.0", "https://ca.ovh.com/auth/oauth2/token"),
    "ovh-us": Place("https://api.us.ovhcloud.com/1.0", "https://us.ovhcloud.com/auth/oauth2/token"),
    "kimsufi-eu": Place("https://eu.api.kimsufi.com/1.0"),
    "kimsufi-ca": Place("https://ca.api.kimsufi.com/1.0"),
    "soyoustart-eu": Place("https://eu.api.soyoustart.com/1.0"),
    "soyoustart-ca": Place("https://ca.api.soyoustart.com/1.0"),
}
BAD_KEYS: Final = frozenset({"INVALID_KEY", "INVALID_CREDENTIAL", "NOT_CREDENTIAL", "INVALID_SIGNATURE"})
LATE: Final = "QUERY_TIME_OUT"
"""The error code for a signature whose time is too far from OVHcloud's."""
CLOCK_SECONDS: Final = 3600.0
"""How long the difference of the clocks is believed."""
SPARE_SECONDS: Final = 60.0
"""A token is not used any more so long before it ends."""


@dataclass(frozen=True, slots=True)
class Account(Endpoint):
    """An account.

    Args:
        client_id: Of a service account, whose secret is the only credential; empty for an application, whose
            credentials are its key, its secret and its consumer's key.
        token_url: Where its tokens come from.
    """

    client_id: str = ""
    token_url: str = ""


class OvhApi(Api):
    """Requests to one account.

    Args:
        endpoint: The account.
        guard: See Api.
    """

    endpoint: Account

    def __init__(self, endpoint: Account, *, guard: Guard | None = None) -> None:
        super().__init__(endpoint, guard=guard)
        self._lock = threading.Lock()
        self._token, self._token_ends = "", 0.0

    def _exchange(self, method: str, url: str, content: bytes | None, headers: Mapping[str, str]) -> Reply:
        """As Api's, with the proof of who asks; once more where the clock or the token was too old."""
        reply = super()._exchange(method, url, content, {**headers, **self._proof(method, url, content)})
        if error_code(reply) != LATE and (not self._token or reply.status != HTTPStatus.UNAUTHORIZED):
            return reply
        _clocks.forget(self._url)
        self._token = ""
        return super()._exchange(method, url, content, {**headers, **self._proof(method, url, content)})

    def _advice(self, reply: Reply, status: int) -> tuple[str, str]:
        """As Api's; keys that are wrong or have expired get status 400 or 403 here."""
        if error_code(reply) in BAD_KEYS or b"invalid_client" in reply.body:
            status = HTTPStatus.UNAUTHORIZED
        return super()._advice(reply, status)

    def _proof(self, method: str, url: str, content: bytes | None) -> dict[str, str]:
        """The headers that say who asks."""
        if self.endpoint.client_id:
            return {"Authorization": f"Bearer {self._valid_token()}"}
        key, secret, consumer = (item.value for item in self.endpoint.credentials)
        offset = _clocks.offset(self._url, self._server_time)
        at = str(int(time.monotonic() + offset))
        signed = "+".join((secret, consumer, method, url, (content or b"").decode(), at))
        digest = hashlib.sha1(signed.encode()).hexdigest()  # noqa: S324 - the protocol's choice
        return {
            "X-Ovh-Application": key,
            "X-Ovh-Consumer": consumer,
            "X-Ovh-Timestamp": at,
            "X-Ovh-Signature": f"$1${digest}",
        }

    def _server_time(self) -> float:
        reply = super()._exchange("GET", f"{self._url}/auth/time", None, {})
        if not reply.ok:
            raise self.fault(reply)
        found = reply.json()
        if not isinstance(found, int):
            raise Retryable(f"{reply.method} {reply.url}: the reply is not JSON with a time", reason=UNAVAILABLE)
        return float(found)

    def _valid_token(self) -> str:
        """A token of the service account, by its secret (RFC 6749 section 4.4)."""
        with self._lock:
            if not self._token or time.monotonic() >= self._token_ends:
                account = self.endpoint
                form = {
                    "grant_type": "client_credentials",
                    "client_id": account.client_id,
                    "client_secret": account.credentials[0].value,
                    "scope": "all",
                }
                reply = super()._exchange("POST", account.token_url, urlencode(form).encode(), {"Content-Type": FORM})
                if not reply.ok:
                    raise self.fault(reply)
                content = reply.json()
                self._token = str(content["access_token"])
                self._token_ends = time.monotonic() + float(content["expires_in"]) - SPARE_SECONDS
            return self._token


def error_code(reply: Reply) -> str:
    """The code of a refusal; empty when it has none."""
    if reply.ok:
        return ""
    try:
        content = json.loads(reply.body)
    except ValueError:
        return ""
    return str(content.get("errorCode", "")) if isinstance(content, dict) else ""


class _Clocks:
    """How far OVHcloud's clocks are from this process's, for all accounts."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[str, tuple[float, float]] = {}

    def offset(self, url: str, ask: Callable[[], float]) -> float:
        """Seconds from the monotonic clock to the API's; asked for once an hour."""
        with self._lock:
            asked, offset = self._known.get(url, (-CLOCK_SECONDS, 0.0))
        if time.monotonic() - asked < CLOCK_SECONDS:
            return offset
        offset = ask() - time.monotonic()
        with self._lock:
            self._known[url] = time.monotonic(), offset
        return offset

    def forget(self, url: str) -> None:
        """Ask anew the next time."""
        with self._lock:
            self._known.pop(url, None)


_clocks = _Clocks()

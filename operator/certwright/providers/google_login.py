"""Tokens for Google's APIs: of a service account's key, or of what the operator's environment has.

google-auth makes them; its requests go through ours, so that they end in time. Of a Secret only a service account's key
is taken: other kinds of credentials name files and URLs to get tokens from, and those would be a tenant's choice.
"""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass
from functools import lru_cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from certwright.errors import CertwrightError, InvalidSpec, Retryable, Terminal
from certwright.providers.api import CREDENTIALS_REFUSED, UNAVAILABLE
from certwright.providers.guard import Guard, standing
from certwright.providers.http import NoReplyError, exchange
from certwright.providers.login import package_of
from certwright.providers.telling import said

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

SCOPE: Final = "https://www.googleapis.com/auth/ndev.clouddns.readwrite"
TOKEN_URL: Final = "https://oauth2.googleapis.com/token"  # noqa: S105 - a URL
WHERE: Final = "the operator's own Google credentials"
MISSING: Final = "NoAmbientCredentials"
UNIVERSE: Final = "googleapis.com"
_EXTRA, _PACKAGE = "google", "google-auth"


class GoogleLogin:
    """Adds a token to each request; see providers.login.

    Args:
        make: Makes google-auth's credentials, when a token is first needed.
        where: What they are, for messages.
        guard: Where tokens may be asked for.

    Raises:
        Terminal: google-auth is not installed.
    """

    def __init__(self, make: Callable[[], Any], where: str, guard: Guard) -> None:
        with package_of(_EXTRA, _PACKAGE):
            from google.auth import exceptions  # noqa: PLC0415 - only who uses Google's DNS needs it
        self._exceptions = exceptions
        self._make = make
        self._where = where
        self._guard = guard
        self._lock = threading.Lock()
        self._credentials: Any = None

    def headers(self, method: str, url: str, content: bytes | None, headers: Mapping[str, str]) -> dict[str, str]:  # noqa: ARG002 - a token is for any request
        """See providers.login."""
        with self._lock:
            try:
                if self._credentials is None:
                    self._credentials = self._make()
                if not self._credentials.valid:
                    self._credentials.refresh(_Transport(self._guard))
            except self._exceptions.RefreshError as error:
                told = said(json.dumps({"message": str(error.args[0])}).encode()) if error.args else ""
                raise Terminal(
                    f"Google gives no token{told}; the credentials are wrong, or not in force any more: check "
                    f"{self._where}",
                    reason=CREDENTIALS_REFUSED,
                ) from None
            except self._exceptions.GoogleAuthError as error:
                raise Retryable(f"Google gives no token: {type(error).__name__}", reason=UNAVAILABLE) from None
            return {"Authorization": f"Bearer {self._credentials.token}"}

    @property
    def secrets(self) -> tuple[str, ...]:
        """See providers.login."""
        token = getattr(self._credentials, "token", None)
        return (str(token),) if token else ()


@dataclass(frozen=True, slots=True)
class _Reply:
    """A reply, as google-auth wants it."""

    status: int
    headers: Mapping[str, str]
    data: bytes


class _Transport:
    """Sends google-auth's requests; it would repeat some by itself, and sleep meanwhile: ours are tried again later."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard

    def __call__(
        self,
        url: str,
        method: str = "GET",
        body: bytes | str | None = None,
        headers: Mapping[str, str] | None = None,
        **_: object,
    ) -> _Reply:
        content = body.encode() if isinstance(body, str) else body
        host = url.partition("?")[0][:200]
        try:
            reply = exchange(method, url, content, headers=dict(headers or {}), ca_bundle="", guard=self._guard)
        except NoReplyError as error:
            raise Retryable(f"{method} {host}: {error}", reason=UNAVAILABLE) from None
        if reply.status >= HTTPStatus.INTERNAL_SERVER_ERROR or reply.status == HTTPStatus.TOO_MANY_REQUESTS:
            raise Retryable(f"{method} {host}: Google answers {reply.status}", reason=UNAVAILABLE)
        return _Reply(reply.status, reply.headers, reply.body)


def by_key(content: bytes, where: str) -> tuple[GoogleLogin, str]:
    """A login by a service account's key, and the account's name.

    Args:
        content: The key as Google gives it out, a JSON object.
        where: Where it is from, for messages.

    Raises:
        InvalidSpec: It is none.
    """
    with package_of(_EXTRA, _PACKAGE):
        from google.oauth2 import service_account  # noqa: PLC0415 - see above
    try:
        key: Any = json.loads(content)
        if key["type"] != "service_account":
            raise InvalidSpec(
                f"{where} is of the type {str(key['type'])[:40]!r}; put the key of a service account there, as JSON"
            )
        if key.get("universe_domain", UNIVERSE) != UNIVERSE:
            raise InvalidSpec(f"{where} is of another cloud than {UNIVERSE}, which is not supported")
        # What else is in it, such as another URL for tokens, is not for us to follow.
        info = {name: str(key[name]) for name in ("client_email", "private_key")}
        info |= {"private_key_id": str(key.get("private_key_id") or ""), "token_uri": TOKEN_URL}
        credentials = service_account.Credentials.from_service_account_info(info, scopes=[SCOPE])  # type: ignore[no-untyped-call]
    except (ValueError, KeyError, TypeError, AttributeError):  # what cryptography says of the key is not repeated
        raise InvalidSpec(f"{where} is not the key of a service account as Google gives it out, as JSON") from None
    return GoogleLogin(lambda: credentials, where, standing()), info["client_email"]


@lru_cache(maxsize=1)
def by_environment() -> GoogleLogin:
    """The operator's own login, shared by all solvers that use it: Application Default Credentials, as Google has them.

    A file that GOOGLE_APPLICATION_CREDENTIALS names, also for workload identity federation; else the metadata service,
    where GKE's workload identity is.
    """
    return GoogleLogin(_operators, WHERE, Guard(trusted=True))


def _operators() -> Any:  # noqa: ANN401 - google-auth's
    import google.auth  # noqa: PLC0415 - see above

    try:
        credentials, _ = google.auth.default(scopes=[SCOPE], request=_Transport(Guard(trusted=True)))  # type: ignore[arg-type]
    except (google.auth.exceptions.DefaultCredentialsError, CertwrightError):
        # Asking the metadata service is the last thing it does: when that is not there, there is nothing.
        raise InvalidSpec(
            "the operator has no Google credentials of its own: no usable file in GOOGLE_APPLICATION_CREDENTIALS, and "
            "no metadata service (GKE workload identity); give it some, or name serviceAccountSecretRef in the solver",
            reason=MISSING,
        ) from None
    return credentials

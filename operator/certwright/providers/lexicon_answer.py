"""What the process that runs dns-lexicon answers, and what that means: the one place that both sides share.

The process says what failed, with the words of the library or the API; which fault that is, and what a person should
do, is decided outside of it.
"""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, quote_plus

from certwright.errors import CertwrightError, InvalidSpec, Retryable, Terminal, Throttled
from certwright.providers.api import (
    CONFLICT,
    CREDENTIALS_REFUSED,
    DEFAULT_PAUSE,
    MAX_PAUSE,
    NOT_ALLOWED,
    RATE_LIMITED,
    REQUEST_REFUSED,
    UNAVAILABLE,
)
from certwright.providers.guard import REFUSED as ADDRESS_REFUSED
from certwright.providers.telling import MASK, last_words, said
from certwright.resources.values import clip

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

OPTION, PROVIDER, MISSING_EXTRA, REFUSED = "option", "provider", "missing", "refused"
CREDENTIALS, HTTP, NETWORK, FAILED = "credentials", "http", "network", "failed"
PROVIDER_FAILED: Final = "ProviderFailed"
SHORTEST: Final = 4
"""Signs of a credential; to leave out fewer would leave no words."""
_OF_CONFIG: Final = {
    OPTION: ("options.", None),
    PROVIDER: ("provider: ", None),
    REFUSED: ("options: ", ADDRESS_REFUSED),
}
_BUSY: Final = frozenset({HTTPStatus.CONFLICT, HTTPStatus.PRECONDITION_FAILED, HTTPStatus.LOCKED})


def fault_of(error: Exception, secrets: Sequence[str]) -> dict[str, Any]:
    """An exception of lexicon, or of what it uses, as an answer; its words are bounded, and have no credential."""
    hidden = forms(secrets)
    response: Any = getattr(error, "response", None)
    status = getattr(response, "status_code", None)
    if isinstance(status, int):
        request = getattr(response, "request", None)
        url = str(getattr(request, "url", "") or "").partition("?")[0]  # credentials may be in the query
        words = said(response.content, hidden) if isinstance(getattr(response, "content", None), bytes) else ""
        text = f"{getattr(request, 'method', '')} {url}".strip()
        return {
            "fault": HTTP,
            "status": status,
            "after": str(response.headers.get("Retry-After", "")),
            "text": f"{hide(text, hidden)} answers {status}{words}",
        }
    kinds = {kind.__name__ for kind in type(error).__mro__}
    kind = FAILED
    if "AuthenticationError" in kinds:
        kind = CREDENTIALS
    elif "OSError" in kinds or "DNSException" in kinds:
        kind = NETWORK
    return {"fault": kind, "text": f"{type(error).__name__}{clean(str(error), hidden, colon=': ')}"}


def clean(text: str, hidden: Sequence[str], *, colon: str = "") -> str:
    """A text in one line, cut, and without credentials; empty stays empty."""
    words = last_words(" ".join(text.split()).encode(), hidden).removeprefix(": ")
    return f"{colon}{words}" if words else ""


def hide(text: str, hidden: Sequence[str]) -> str:
    """A text of ours, cut, and without what was given as a credential in any of its `forms`."""
    for secret in sorted(hidden, key=len, reverse=True):
        text = text.replace(secret, MASK)
    return clip(text)


def forms(secrets: Iterable[str]) -> list[str]:
    """Credentials in every form in which a library could repeat them; what is too short for one stays."""
    found: set[str] = set()
    for secret in secrets:
        octets = secret.encode()
        for text in (secret, secret.strip(), *secret.splitlines()):
            found |= {
                text,
                quote(text, safe=""),
                quote(text),
                quote_plus(text),
                json.dumps(text)[1:-1],
                repr(text)[1:-1],
            }
        found |= {base64.b64encode(octets).decode().rstrip("="), octets.hex()}
    return [text for text in found if len(text) >= SHORTEST]


def fault(answer: Mapping[str, Any], *, where: str, credentials: str, name: str) -> CertwrightError:
    """The fault that an answer without success is.

    Args:
        answer: The process's.
        where: The path of the provider's config.
        credentials: Where the credentials are from.
        name: Lexicon's name of the provider.
    """
    kind, text = str(answer.get("fault", "")), str(answer.get("text", ""))
    if kind in _OF_CONFIG:
        field, reason = _OF_CONFIG[kind]
        return InvalidSpec(f"{where}.{field}{text}", reason=reason)
    if kind == MISSING_EXTRA:
        return Terminal(f"{where}: {text}; install it where the operator runs", reason="ExtraMissing")
    what = f"{where}: lexicon's provider {name}: {text}"
    if kind == CREDENTIALS:
        return Terminal(
            f"{what}; the credentials are wrong or have no such zone: check {credentials}", reason=CREDENTIALS_REFUSED
        )
    if kind == HTTP:
        return _of_status(int(answer.get("status") or 0), str(answer.get("after") or ""), what, credentials)
    return Retryable(what, reason=UNAVAILABLE if kind == NETWORK else PROVIDER_FAILED)


def _of_status(status: int, after: str, what: str, credentials: str) -> CertwrightError:
    pause = min(float(after[:12]), MAX_PAUSE) if after.isdecimal() else None
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        until = datetime.now(UTC) + timedelta(seconds=DEFAULT_PAUSE if pause is None else pause)
        return Throttled(f"{what}; asked again at {until:%H:%M:%S} UTC", until=until, reason=RATE_LIMITED)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.REQUEST_TIMEOUT:
        return Retryable(what, reason=UNAVAILABLE, after=pause)
    if status in _BUSY:
        return Retryable(what, reason=CONFLICT, after=pause)
    if status == HTTPStatus.UNAUTHORIZED:
        return Terminal(
            f"{what}; the credentials are wrong or have expired: check {credentials}", reason=CREDENTIALS_REFUSED
        )
    if status == HTTPStatus.FORBIDDEN:
        return Terminal(f"{what}; allow the credentials ({credentials}) to change this zone", reason=NOT_ALLOWED)
    return Terminal(what, reason=REQUEST_REFUSED)

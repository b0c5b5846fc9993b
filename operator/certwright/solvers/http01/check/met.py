"""What a look for an HTTP-01 answer met: a value with a text that is the same as long as the situation is.

Nothing that a page says is repeated: who may write a Certificate must not read pages through the operator.
"""

from __future__ import annotations

import http
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from certwright.solvers.http01.check.fetch import MAX_BODY, Fault, Page

if TYPE_CHECKING:
    from certwright.solvers.http01.answer import Answer

_SIZES: Final = ((1024, "less than 1 kB"), (MAX_BODY + 1, "1 to 4 kB"))
_EXACT: Final = 256


class Kind(StrEnum):
    """What was met, as far as it matters for what to do."""

    RIGHT = "the answer"
    STATUS = "another status than 200"
    BODY = "another body"
    NETWORK = "no page"
    FORBIDDEN = "an address that is not connected to"
    REDIRECT = "a redirect that leads nowhere"
    UNRESOLVED = "a host without an address"
    UNASKED = "nothing: there was no time"


@dataclass(frozen=True, slots=True)
class Met:
    """What one look met.

    Args:
        kind: See Kind.
        text: For people; the same while nothing changes.
        status: The status code; 0 where there is none.
        fault: Of the network.
        redirect: Where redirects led, for people; empty where there were none.
    """

    kind: Kind
    text: str
    status: int = 0
    fault: Fault | None = None
    redirect: str = ""


def judge(answer: Answer, page: Page) -> Met:
    """Whether a page is the answer; white space at its end does not count (RFC 8555 section 8.3)."""
    if page.status != http.HTTPStatus.OK:
        return Met(Kind.STATUS, phrase(page.status), status=page.status)
    body = page.body.rstrip()
    if body == answer.key_authorization.encode():
        return Met(Kind.RIGHT, "serves the answer", status=page.status)
    if body.startswith(f"{answer.token}.".encode()):
        text = "the token with the thumbprint of another account key"
    elif not body:
        text = "an empty body"
    else:
        text = f"another body ({_size(page.body)}{f' of {page.media_type}' if page.media_type else ''})"
    return Met(Kind.BODY, text, status=page.status)


def phrase(code: int) -> str:
    """A status code in words; the words that a server sends are its own."""
    try:
        return f"{code} {http.HTTPStatus(code).phrase}"
    except ValueError:
        return f"status {code}"


def _size(body: bytes) -> str:
    """How long a body is, roughly: many a page has another length each time."""
    if len(body) < _EXACT:
        return f"{len(body)} bytes"
    return next((text for size, text in _SIZES if len(body) < size), "more than 4 kB")

"""What an API said of a failure, as a short text for a message: bounded, and with no credential in it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

MAX_TEXT: Final = 200
"""Characters of an API's own words."""
_TELLING: Final = (
    "message",
    "error",
    "errors",
    "detail",
    "details",
    "reason",
    "description",
    "error_chain",
    "cause",
    "text",
)
"""Members that vendors put their words into, at whatever depth."""


def said(body: bytes, secrets: Sequence[str] = ()) -> str:
    """The words of an error's body, with a colon before them; empty when there are none.

    Args:
        body: The reply's body, JSON or text.
        secrets: What must not be repeated.
    """
    text = body[: 4 * MAX_TEXT].decode(errors="replace")
    try:
        content = json.loads(body)
    except ValueError:
        text = "" if "<" in text else text
    else:
        words = list(dict.fromkeys(_words(content, telling=False))) or list(_words(content, telling=True))
        text = "; ".join(words)
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        text = text.replace(secret, "[redacted]")
    text = " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())
    text = text if len(text) <= MAX_TEXT else f"{text[:MAX_TEXT]}…"
    return f": {text}" if text else ""


def _words(content: object, *, telling: bool) -> Iterator[str]:
    if isinstance(content, dict):
        for name, value in content.items():
            # A member of errors is telling whatever it is called: the field that is wrong.
            yield from _words(value, telling=name in _TELLING or (telling and not isinstance(value, int)))
    elif isinstance(content, list):
        for value in content:
            yield from _words(value, telling=telling)
    elif telling and isinstance(content, str) and content:
        yield content

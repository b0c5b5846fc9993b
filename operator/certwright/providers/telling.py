"""What an API said of a failure, as a short text for a message: bounded, and with no credential in it."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

MAX_TEXT: Final = 200
"""Characters of an API's own words."""
MASK: Final = "[redacted]"
_CREDENTIAL: Final = re.compile(
    r"""((?:authorization|cookie|passw\w*|secret|token|credential|[\w-]*key)["']?\s*[:=]\s*["']?"""
    r"""(?:(?:basic|bearer)\s+)?|://[^\s/:@]*:(?=[^\s/@]+@)|\b(?:basic|bearer)\s+)[^\s"',;@]+""",
    re.IGNORECASE,
)
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
    return _short(text, secrets)


def last_words(output: bytes, secrets: Sequence[str] = ()) -> str:
    """The last line of a program's output, with a colon before it; empty when there is none.

    Args:
        output: What it wrote.
        secrets: What must not be repeated; what looks like a credential of another kind is left out as well.
    """
    lines = [line for line in output.decode(errors="replace").splitlines() if line.strip()]
    return _short(_CREDENTIAL.sub(rf"\1{MASK}", lines[-1]) if lines else "", secrets)


def _short(text: str, secrets: Sequence[str]) -> str:
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        text = text.replace(secret, MASK)
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

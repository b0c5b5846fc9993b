"""TXT values as zone files write them (RFC 1035 section 5.1), for APIs that take and give record data in that form.

An API may give back what it was given in another cut or with other escapes: values are compared read, never as text.
"""

from __future__ import annotations

import re
from typing import Final

STRING_OCTETS: Final = 255
"""Octets of one character string (RFC 1035 section 3.3)."""
_STRING: Final = re.compile(rb'"((?:[^"\\]|\\.)*)"|((?:[^\s"\\]|\\.)+)', re.DOTALL)
_ESCAPE: Final = re.compile(rb"\\(?:(\d{3})|(.))", re.DOTALL)


def quote(value: str) -> str:
    """A value as quoted strings, cut where the wire needs it; octets that are not printable are escaped."""
    octets = value.encode()
    strings = [octets[start : start + STRING_OCTETS] for start in range(0, max(len(octets), 1), STRING_OCTETS)]
    return " ".join('"' + "".join(map(_escaped, string)) + '"' for string in strings)


def unquote(text: str) -> str:
    """The value that a text in zone file form means; strings are joined, and one without quotes counts, too."""
    return b"".join(_ESCAPE.sub(_unescaped, quoted or bare) for quoted, bare in _STRING.findall(text.encode())).decode(
        errors="replace"
    )


def _escaped(octet: int) -> str:
    if octet in b'"\\':
        return f"\\{octet:c}"
    return chr(octet) if 0x20 <= octet < 0x7F else f"\\{octet:03d}"  # noqa: PLR2004 - the bounds of printable ASCII


def _unescaped(match: re.Match[bytes]) -> bytes:
    if match[1]:
        return bytes([int(match[1]) & 0xFF])
    return match[2]


def loose(text: str) -> str:
    """The value of a text from an API that gives both forms: quoted strings are read, anything else is the value."""
    return unquote(text) if text.startswith('"') and text.endswith('"') else text

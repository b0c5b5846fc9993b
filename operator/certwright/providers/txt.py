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
DECIMAL, OCTAL = 10, 8


def quote(value: str, *, octal: bool = False) -> str:
    """A value as quoted strings, cut where the wire needs it; octets that are not printable are escaped.

    Args:
        value: The value.
        octal: Escape by octal numbers, as Route 53 does, and not by decimal ones.
    """
    octets = value.encode()
    strings = [octets[start : start + STRING_OCTETS] for start in range(0, max(len(octets), 1), STRING_OCTETS)]
    return " ".join('"' + "".join(_escaped(octet, octal=octal) for octet in string) + '"' for string in strings)


def unquote(text: str, *, octal: bool = False) -> str:
    """The value that a text in zone file form means; strings are joined, and one without quotes counts, too."""
    base = OCTAL if octal else DECIMAL

    def unescaped(match: re.Match[bytes]) -> bytes:
        if not match[1]:
            return match[2]
        try:
            return bytes([int(match[1], base) & 0xFF])
        except ValueError:  # an 8 or a 9 where numbers are octal
            return match[1]

    strings = (quoted or bare for quoted, bare in _STRING.findall(text.encode()))
    return b"".join(_ESCAPE.sub(unescaped, string) for string in strings).decode(errors="replace")


def _escaped(octet: int, *, octal: bool) -> str:
    if octet in b'"\\':
        return f"\\{octet:c}"
    if 0x20 <= octet < 0x7F:  # noqa: PLR2004 - the bounds of printable ASCII
        return chr(octet)
    return f"\\{octet:03o}" if octal else f"\\{octet:03d}"


def loose(text: str) -> str:
    """The value of a text from an API that gives both forms: quoted strings are read, anything else is the value."""
    return unquote(text) if text.startswith('"') and text.endswith('"') else text

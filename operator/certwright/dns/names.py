"""DNS names as the other parts of dns/ need them: checked, lower case, absolute, as A-labels.

It says whether a text is a host name and what the challenge's name for it is; it asks no server.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import dns.exception
import dns.name

from certwright.errors import InvalidSpec

if TYPE_CHECKING:
    from collections.abc import Iterator

CHALLENGE_LABEL = "_acme-challenge"
_IDNA = dns.name.IDNA2008Codec(uts_46=True, allow_pure_ascii=True)
"""Leaves ASCII labels alone: an underscore is no part of IDNA."""
_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")


def canonical(text: str) -> dns.name.Name:
    """The absolute, lower-case name with IDNA labels as A-labels (RFC 5891).

    Args:
        text: A host name with or without the final dot; underscores are let through, a wildcard is not.

    Raises:
        InvalidSpec: When it is no host name: a label empty, longer than 63 octets or with other signs, or more than
            253 octets in all (RFC 1035 section 2.3.4).
    """
    try:
        name = dns.name.from_text(text, idna_codec=_IDNA).canonicalize()
    except (dns.exception.DNSException, UnicodeError) as error:
        raise InvalidSpec(f"{text[:80]!r} is not a DNS name: {error}") from None
    if name == dns.name.root:
        raise InvalidSpec(f"{text[:80]!r} is not a DNS name: the root cannot be used here")
    for label in name.labels[:-1]:
        if not _LABEL.fullmatch(label.decode("latin-1")):
            raise InvalidSpec(
                f"{text[:80]!r} is not a DNS name: its label {label.decode('latin-1')!r} has other signs than letters, "
                "digits, inner hyphens and underscores"
            )
    return name


def challenge_name(identifier: str) -> dns.name.Name:
    """Where the TXT record of an identifier belongs (RFC 8555 section 8.4).

    Args:
        identifier: A host name; a leading `*.` is left out, since a wildcard is proven at its parent.

    Raises:
        InvalidSpec: When it is no host name, or too long to carry the challenge's label.
    """
    host = canonical(identifier.removeprefix("*."))
    try:
        return dns.name.Name((CHALLENGE_LABEL.encode(), *host.labels))
    except dns.exception.DNSException:
        raise InvalidSpec(
            f"{identifier!r} is too long for DNS-01: with {CHALLENGE_LABEL} before it, it has more than 253 octets"
        ) from None


def ancestors(name: dns.name.Name) -> Iterator[dns.name.Name]:
    """The name and each one above it, without the root."""
    while len(name.labels) > 1:
        yield name
        name = name.parent()

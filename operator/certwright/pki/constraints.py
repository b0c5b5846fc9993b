"""Name constraints of a CA (RFC 5280 4.2.1.10): written from a spec, and described for comparing."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from cryptography import x509

from certwright.pki.values import encodable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from certwright.resources.other_names import NameConstraints, Subtrees

_WORDS: dict[type[x509.GeneralName], str] = {
    x509.DNSName: "dnsDomains",
    x509.IPAddress: "ipRanges",
    x509.RFC822Name: "emailAddresses",
    x509.UniformResourceIdentifier: "uriDomains",
}


def extension(constraints: NameConstraints) -> x509.NameConstraints:
    """The extension for constraints that are not empty.

    Raises:
        InvalidSpec: A value is not what its list is for; says which.
    """
    return x509.NameConstraints(
        permitted_subtrees=_names("permitted", constraints.permitted) or None,
        excluded_subtrees=_names("excluded", constraints.excluded) or None,
    )


def described(found: x509.NameConstraints | None, *, critical: bool) -> tuple[str, ...]:
    """What constraints say, as sorted texts like `permitted dnsDomains example.com`; nothing where there are none."""
    if found is None:
        return ()
    lists: tuple[tuple[str, Iterable[x509.GeneralName] | None], ...] = (
        ("permitted", found.permitted_subtrees),
        ("excluded", found.excluded_subtrees),
    )
    texts = {f"{side} {_WORDS.get(type(name), 'other')} {name.value}" for side, names in lists for name in names or ()}
    return (*sorted(texts), *(["critical"] if critical else []))


def _names(side: str, subtrees: Subtrees) -> list[x509.GeneralName]:
    where = f"spec.nameConstraints.{side}"
    return [
        *(encodable(f"{where}.dnsDomains", x509.DNSName, value) for value in subtrees.dns_domains),
        *(encodable(f"{where}.ipRanges", _range, value) for value in subtrees.ip_ranges),
        *(encodable(f"{where}.emailAddresses", x509.RFC822Name, value) for value in subtrees.email_addresses),
        *(encodable(f"{where}.uriDomains", x509.UniformResourceIdentifier, value) for value in subtrees.uri_domains),
    ]


def _range(text: str) -> x509.IPAddress:
    if "/" not in text:
        raise ValueError("it has no prefix length; write it like 10.0.0.0/8")
    return x509.IPAddress(ipaddress.ip_network(text, strict=False))

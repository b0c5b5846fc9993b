"""Which names are public suffixes, under which strangers register: such a name is never the zone to write into.

The list comes with the package and is read on the first question (a tenth of a second, 1.7 MB kept), only its ICANN
part: below a private suffix, say of a hosting company, the owner's zone may well be the suffix itself. What is not
listed at all, like `corp` or `internal`, is nobody's public suffix and may be a zone.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from publicsuffixlist import PublicSuffixList

from certwright.dns.names import ancestors

if TYPE_CHECKING:
    import dns.name

TOP_LABELS = 2
"""Of a top-level domain: its own and the root's."""


@cache
def _list() -> PublicSuffixList:
    return PublicSuffixList(accept_unknown=False, only_icann=True)


def is_public_suffix(name: dns.name.Name) -> bool:
    """Whether it is the root or an ICANN public suffix; the name is lower-case A-labels."""
    text = name.to_text(omit_final_dot=True)
    return len(name.labels) <= 1 or bool(_list().is_public(text))


def domain_of(name: dns.name.Name) -> dns.name.Name | None:
    """The shortest name at or above it that somebody may own: one label below the public suffix.

    Where no suffix is listed, the top-level domain counts as one. None for a suffix itself.
    """
    owned = [label for label in ancestors(name) if len(label.labels) > TOP_LABELS and not is_public_suffix(label)]
    return owned[-1] if owned else None

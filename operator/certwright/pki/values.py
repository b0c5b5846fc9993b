"""Values on their way into a certificate: what its encoding forbids is told with the field it stands in."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TypeVar

from cryptography import x509
from cryptography.x509.oid import NameOID

from certwright.errors import InvalidSpec

if TYPE_CHECKING:
    from collections.abc import Callable

# RFC 5280 appendix A.1 gives these two a PrintableString, which has an alphabet of its own (X.680 41.4).
_PRINTABLE_ONLY = {NameOID.COUNTRY_NAME, NameOID.SERIAL_NUMBER}
_PRINTABLE = re.compile(r"[A-Za-z0-9 '()+,\-./:=?]*")
_T = TypeVar("_T")


def encodable(field: str, make: Callable[..., _T], *arguments: object) -> _T:
    """What `make` gives for the arguments, the last of which is the value of a field.

    Raises:
        InvalidSpec: Naming the field, when the value cannot be encoded.
    """
    value = str(arguments[-1])
    try:
        if not value:
            raise ValueError("it is empty")  # noqa: TRY301 - one message for all
        value.encode()  # JSON may hold half a character
        return make(*arguments)
    except (ValueError, TypeError) as fault:
        raise InvalidSpec(f"{field}: {value[:80]!r} cannot be in a certificate: {str(fault)[:120]}") from None


def attribute(oid: x509.ObjectIdentifier, value: str) -> x509.NameAttribute[str]:
    """One attribute of a name. Raises ValueError for a value that its type cannot have."""
    if oid in _PRINTABLE_ONLY and not _PRINTABLE.fullmatch(value):
        raise ValueError("it may have letters, digits, spaces and '()+,-./:=? only")
    return x509.NameAttribute(oid, value)

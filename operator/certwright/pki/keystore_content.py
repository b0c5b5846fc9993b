"""What a keystore is made from: the key and the certificates of a TLS Secret."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from certwright.pki import chain, keys

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cryptography import x509

    from certwright.pki.keys import PrivateKey


@dataclass(frozen=True, slots=True)
class Content:
    """What goes into keystores.

    Args:
        key: The key.
        chain: Leaf first.
        trusted: The CA's certificates; none where the issuer gave none.
    """

    key: PrivateKey = field(repr=False)
    chain: tuple[x509.Certificate, ...]
    trusted: tuple[x509.Certificate, ...]

    @property
    def leaf(self) -> x509.Certificate:
        """The certificate of the key."""
        return self.chain[0]

    @property
    def others(self) -> tuple[x509.Certificate, ...]:
        """All certificates but the leaf, each once."""
        return tuple(one for one in dict.fromkeys((*self.chain[1:], *self.trusted)) if one != self.leaf)


def content(data: Mapping[str, bytes]) -> Content:
    """Read it out of a TLS Secret's data.

    Raises:
        InvalidSpec: Some of it cannot be read.
    """
    return Content(
        key=keys.load(data.get("tls.key", b""), "tls.key"),
        chain=tuple(chain.split(data.get("tls.crt", b""), "tls.crt")),
        trusted=tuple(chain.split(data["ca.crt"], "ca.crt")) if data.get("ca.crt") else (),
    )

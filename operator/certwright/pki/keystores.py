"""The keystores of a Certificate's Secret: made from its key and certificates, and known again by a stamp.

Their salts are random, so that one cannot be compared with one made anew; and none is ever opened, since whoever may
write a Secret could lay in one that takes hours to open. A stamp is a digest of all that a keystore was made from, its
password included, and of the keystore itself. It is keyed by the private key: without that nobody can tell a
password by it.
"""

from __future__ import annotations

import hmac
from hashlib import sha256
from typing import TYPE_CHECKING, Protocol

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from certwright.pki.keystore_content import content
from certwright.resources.outputs import JKS, KEYSTORES, TRUSTSTORES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from certwright.pki.keystore_content import Content
    from certwright.resources.outputs import Keystore

    Make = Callable[[Keystore, str, Content], bytes]
    WithPassword = tuple[Keystore, str]

STAMP_LENGTH = 20
"""Hex digits."""


class Format(Protocol):
    """What a module of one kind of keystore has."""

    @property
    def keystore(self) -> Make:
        """Makes a keystore."""

    @property
    def truststore(self) -> Make:
        """Makes a truststore."""


def entries(
    stores: Iterable[WithPassword], data: Mapping[str, bytes], stamps: Mapping[str, str]
) -> tuple[dict[str, bytes], dict[str, str]]:
    """The entries of a TLS Secret for its keystores and truststores; the latter only where there is a CA to trust.

    Args:
        stores: Keystores with their passwords, which are not empty.
        data: The Secret's data: key and certificates, and the keystores that are there.
        stamps: Those of the keystores that are there, by entry; one that bears its stamp is taken as it is.

    Returns:
        The entries and their stamps.

    Raises:
        InvalidSpec: Key or certificates cannot be read.
    """
    found = content(data)
    out, marks = {}, {}
    for name, make, store, password in _parts(stores, found):
        present = data.get(name, b"")
        keep = bool(present) and _stamp(name, store, password, found, present) == stamps.get(name)
        out[name] = present if keep else make(store, password, found)
        marks[name] = _stamp(name, store, password, found, out[name])
    return out, marks


def stamps_of(stores: Iterable[WithPassword], data: Mapping[str, bytes]) -> dict[str, str]:
    """The stamps that the keystores of a Secret would bear if they were made from what is in it.

    Raises:
        InvalidSpec: Key or certificates cannot be read.
    """
    found = content(data)
    return {
        name: _stamp(name, store, password, found, data.get(name, b""))
        for name, _, store, password in _parts(stores, found)
    }


def written(stamps: Mapping[str, str]) -> str:
    """Stamps as one text for an annotation."""
    return ",".join(f"{name}={stamp}" for name, stamp in sorted(stamps.items()))


def read(text: str) -> dict[str, str]:
    """Stamps from an annotation; what makes no sense there is passed over."""
    return {name: stamp for name, equals, stamp in (part.partition("=") for part in text.split(",")) if equals}


def _stamp(name: str, store: Keystore, password: str, found: Content, made: bytes) -> str:
    key = found.key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    parts = [name, store.alias, store.profile, password]
    ders = [one.public_bytes(Encoding.DER) for one in (*found.chain, *found.trusted)]
    digests = [sha256(part).hexdigest() for part in (*(part.encode() for part in parts), *ders, made)]
    return hmac.new(key, ".".join(digests).encode(), sha256).hexdigest()[:STAMP_LENGTH]


def _parts(stores: Iterable[WithPassword], found: Content) -> Iterator[tuple[str, Make, Keystore, str]]:
    for store, password in stores:
        form = _format(store.kind)
        yield KEYSTORES[store.kind], form.keystore, store, password
        if found.trusted:
            yield TRUSTSTORES[store.kind], form.truststore, store, password


def _format(kind: str) -> Format:
    """The module of a kind, loaded when the first Certificate wants it."""
    if kind == JKS:
        from certwright.pki import jks  # noqa: PLC0415

        return jks
    from certwright.pki import pkcs12  # noqa: PLC0415

    return pkcs12

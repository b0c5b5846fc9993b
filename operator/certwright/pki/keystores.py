"""The keystores of a Certificate's Secret: made from its key and certificates, and compared with those that are there.

Their salts are random, so that one which still holds what it should is taken as it is and never made anew.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from certwright.pki.keystore_content import content
from certwright.resources.outputs import JKS, KEYSTORES, TRUSTSTORES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from certwright.pki.keystore_content import Content
    from certwright.resources.outputs import Keystore


class Format(Protocol):
    """What a module of one kind of keystore has."""

    @property
    def keystore(self) -> Callable[[Keystore, str, Content], bytes]:
        """Makes a keystore."""

    @property
    def truststore(self) -> Callable[[Keystore, str, Content], bytes]:
        """Makes a truststore."""

    @property
    def is_keystore(self) -> Callable[[bytes, Keystore, str, Content], bool]:
        """Whether a keystore is right."""

    @property
    def is_truststore(self) -> Callable[[bytes, Keystore, str, Content], bool]:
        """Whether a truststore is right."""


def entries(stores: Iterable[tuple[Keystore, str]], data: Mapping[str, bytes]) -> dict[str, bytes]:
    """The entries of a TLS Secret for its keystores and truststores; the latter only where there is a CA to trust.

    Args:
        stores: Keystores with their passwords, which are not empty.
        data: The Secret's data: key and certificates, and the keystores that are there.

    Raises:
        InvalidSpec: Key or certificates cannot be read.
    """
    found = content(data)
    out: dict[str, bytes] = {}
    for store, password in stores:
        for name, make, right in _parts(store, found):
            present = data.get(name, b"")
            keep = bool(present) and right(present, store, password, found)
            out[name] = present if keep else make(store, password, found)
    return out


def worn(stores: Iterable[tuple[Keystore, str]], data: Mapping[str, bytes]) -> str:
    """The first entry that is missing, does not open by its password, or holds something else; empty if there is none.

    Raises:
        InvalidSpec: Key or certificates cannot be read.
    """
    found = content(data)
    for store, password in stores:
        for name, _, right in _parts(store, found):
            if not (data.get(name) and right(data[name], store, password, found)):
                return name
    return ""


def _parts(
    store: Keystore, found: Content
) -> Iterator[tuple[str, Callable[[Keystore, str, Content], bytes], Callable[[bytes, Keystore, str, Content], bool]]]:
    form = _format(store.kind)
    yield KEYSTORES[store.kind], form.keystore, form.is_keystore
    if found.trusted:
        yield TRUSTSTORES[store.kind], form.truststore, form.is_truststore


def _format(kind: str) -> Format:
    """The module of a kind, loaded when the first Certificate wants it."""
    if kind == JKS:
        from certwright.pki import jks  # noqa: PLC0415

        return jks
    from certwright.pki import pkcs12  # noqa: PLC0415

    return pkcs12

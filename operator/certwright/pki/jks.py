"""The JKS keystore and truststore of a Certificate, and whether one that is there is right."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_der_private_key

from certwright.errors import InvalidSpec
from certwright.pki import jks_format
from certwright.pki.chain import UNREADABLE
from certwright.pki.keys import public_digest

if TYPE_CHECKING:
    from cryptography import x509

    from certwright.pki.keys import PrivateKey
    from certwright.pki.keystore_content import Content
    from certwright.resources.outputs import Keystore


def keystore(store: Keystore, password: str, found: Content) -> bytes:
    """The key with its chain under the alias, and the CA as one to trust, as cert-manager has it."""
    key = found.key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    entry = jks_format.Entry(key, tuple(_der(one) for one in found.chain))
    made = jks_format.Keystore({store.alias.lower(): entry}, _beside(store, found))
    return jks_format.write(made, password, created=found.leaf.not_valid_before_utc)


def truststore(store: Keystore, password: str, found: Content) -> bytes:  # noqa: ARG001 - as of PKCS#12
    """The CA alone."""
    made = jks_format.Keystore({}, _trusted(found))
    return jks_format.write(made, password, created=found.leaf.not_valid_before_utc)


def is_keystore(data: bytes, store: Keystore, password: str, found: Content) -> bool:
    """Whether a file opens by the password and holds what `keystore` would put into it."""
    opened = _opened(data, password)
    entry = opened.keys.get(store.alias.lower()) if opened else None
    return (
        opened is not None
        and entry is not None
        and len(opened.keys) == 1
        and entry.chain == tuple(_der(one) for one in found.chain)
        and set(opened.trusted.values()) == set(_beside(store, found).values())
        and _is_key(entry.key, found.key)
    )


def is_truststore(data: bytes, store: Keystore, password: str, found: Content) -> bool:  # noqa: ARG001 - as of PKCS#12
    """Whether a file opens by the password and holds what `truststore` would put into it."""
    opened = _opened(data, password)
    return opened is not None and not opened.keys and set(opened.trusted.values()) == set(_trusted(found).values())


def _opened(data: bytes, password: str) -> jks_format.Keystore | None:
    try:
        return jks_format.read(data, password)
    except InvalidSpec:
        return None


def _beside(store: Keystore, found: Content) -> dict[str, bytes]:
    """What is trusted beside the key; an alias of the key's that is `ca`, too, leaves no room for it."""
    return {alias: der for alias, der in _trusted(found).items() if alias != store.alias.lower()}


def _trusted(found: Content) -> dict[str, bytes]:
    """The certificates of the CA as `ca`, `ca-1` and so on."""
    return {f"ca-{number}" if number else "ca": _der(one) for number, one in enumerate(found.trusted)}


def _is_key(der: bytes, key: PrivateKey) -> bool:
    try:
        found = load_der_private_key(der, None, unsafe_skip_rsa_key_validation=True)
    except UNREADABLE:
        return False
    return public_digest(found.public_key()) == public_digest(key.public_key())  # type: ignore[arg-type] # any kind will do


def _der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.DER)

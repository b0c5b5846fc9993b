"""The JKS keystore and truststore of a Certificate."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from certwright.pki import jks_format

if TYPE_CHECKING:
    from cryptography import x509

    from certwright.pki.keystore_content import Content
    from certwright.resources.outputs import Keystore


def keystore(store: Keystore, password: str, found: Content) -> bytes:
    """The key with its chain under the alias, and the CA as one to trust, as cert-manager has it.

    An alias of the key's that is the CA's, too, leaves no room for the CA.
    """
    alias = store.alias.lower()  # Java knows no large letters there
    key = found.key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    entry = jks_format.Entry(key, tuple(_der(one) for one in found.chain))
    beside = {name: der for name, der in _trusted(found).items() if name != alias}
    made = jks_format.Keystore({alias: entry}, beside)
    return jks_format.write(made, password, created=found.leaf.not_valid_before_utc)


def truststore(store: Keystore, password: str, found: Content) -> bytes:  # noqa: ARG001 - as of PKCS#12
    """The CA alone."""
    made = jks_format.Keystore({}, _trusted(found))
    return jks_format.write(made, password, created=found.leaf.not_valid_before_utc)


def _trusted(found: Content) -> dict[str, bytes]:
    """The certificates of the CA as `ca`, `ca-1` and so on."""
    return {f"ca-{number}" if number else "ca": _der(one) for number, one in enumerate(found.trusted)}


def _der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.DER)

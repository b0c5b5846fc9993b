"""The PKCS#12 keystore and truststore of a Certificate."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.serialization import pkcs12

from certwright.pki import pkcs12_profiles

if TYPE_CHECKING:
    from certwright.pki.keystore_content import Content
    from certwright.resources.outputs import Keystore


def keystore(store: Keystore, password: str, found: Content) -> bytes:
    """The key, its certificate and all those above it."""
    encryption = pkcs12_profiles.encryption(store.profile, password)
    made = pkcs12.serialize_key_and_certificates(None, found.key, found.leaf, found.others, encryption)
    return pkcs12_profiles.finished(store.profile, password, made)


def truststore(store: Keystore, password: str, found: Content) -> bytes:
    """The CA alone, marked as one that Java trusts."""
    named = [pkcs12.PKCS12Certificate(one, one.subject.rfc4514_string().encode()) for one in found.trusted]
    made = pkcs12.serialize_java_truststore(named, pkcs12_profiles.encryption(store.profile, password))
    return pkcs12_profiles.finished(store.profile, password, made)

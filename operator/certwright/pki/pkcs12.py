"""The PKCS#12 keystore and truststore of a Certificate, and whether one that is there is right."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.serialization import pkcs12

from certwright.pki import pkcs12_profiles
from certwright.pki.chain import UNREADABLE
from certwright.pki.keys import public_digest

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


def is_keystore(data: bytes, store: Keystore, password: str, found: Content) -> bool:
    """Whether a file opens by the password, has the profile, and holds what `keystore` would put into it."""
    opened = _opened(data, store, password)
    if opened is None or opened.key is None or opened.cert is None:
        return False
    mine = public_digest(opened.key.public_key())  # type: ignore[arg-type] # whatever it is
    others = {one.certificate for one in opened.additional_certs} - {found.leaf}
    return (
        mine == public_digest(found.key.public_key())
        and opened.cert.certificate == found.leaf
        and others == set(found.others)
    )


def is_truststore(data: bytes, store: Keystore, password: str, found: Content) -> bool:
    """Whether a file opens by the password, has the profile, and holds what `truststore` would put into it."""
    opened = _opened(data, store, password)
    if opened is None or opened.key is not None or opened.cert is not None:
        return False
    return {one.certificate for one in opened.additional_certs} == set(found.trusted)


def _opened(data: bytes, store: Keystore, password: str) -> pkcs12.PKCS12KeyAndCertificates | None:
    if pkcs12_profiles.profile_of(data) != store.profile:
        return None
    try:
        return pkcs12.load_pkcs12(data, password.encode())
    except UNREADABLE:
        return None

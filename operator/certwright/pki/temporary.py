"""Temporary certificates: something to serve by until the CA has answered, from a CA that is thrown away at once.

Nobody trusts it. Its issuer's name says what it is to whoever looks at it in a browser.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from certwright.pki import chain, csr, keys, signing
from certwright.pki.authority import Authority
from certwright.resources.certificate import CertificateSpec, IssuerRef, PrivateKeySpec

if TYPE_CHECKING:
    from datetime import datetime

    from certwright.pki.certificate import CertificateFacts
    from certwright.pki.keys import PrivateKey

ISSUER = "temporary certificate"
_ISSUERS = {f"CN={ISSUER}", "CN=cert-manager.local"}
"""Ours, and cert-manager's."""


def temporary_chain(spec: CertificateSpec, key: PrivateKey, *, now: datetime) -> bytes:
    """A certificate for what a spec asks for, PEM.

    Args:
        spec: The Certificate's spec.
        key: The key that the real certificate is going to have.
        now: The moment from which on it is valid, UTC.

    Raises:
        InvalidSpec: A value of the spec cannot be in a certificate.
    """
    kind = PrivateKeySpec(algorithm="ECDSA", size=256)
    root = CertificateSpec(
        secret_name="",
        issuer_ref=IssuerRef(""),
        common_name=ISSUER,
        is_ca=True,
        duration=spec.duration,
        private_key=kind,
    )
    own = keys.generate(kind)
    made = signing.self_sign(root, own, now=now)
    authority = Authority(tuple(chain.split(made.chain_pem, ISSUER)), own, ISSUER)
    return signing.sign(csr.make_csr(spec, key), spec, authority, now=now).chain_pem


def is_temporary(facts: CertificateFacts) -> bool:
    """Whether a certificate is one of these."""
    return facts.issuer in _ISSUERS

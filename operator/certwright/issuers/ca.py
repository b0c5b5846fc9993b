"""The ca issuer: signs with a CA's key from a Secret, read anew for each certificate and kept nowhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from certwright.errors import InvalidSpec, Terminal
from certwright.issuers import asking
from certwright.issuers.base import Issued, Outcome, Report, Request
from certwright.kube import secrets
from certwright.pki import signing

if TYPE_CHECKING:
    from datetime import datetime

    from certwright.issuers.next_key import NextKeys
    from certwright.issuers.places import Places
    from certwright.kube.client import Kube
    from certwright.resources.issuer import Issuer


class Ca:
    """Signs with the key pair in a Secret.

    Args:
        kube: The client.
        next_keys: Where certificates' keys come from.
        places: Where an issuer's Secrets are.
    """

    def __init__(self, kube: Kube, next_keys: NextKeys, places: Places) -> None:
        self._kube = kube
        self._next_keys = next_keys
        self._places = places

    def check(self, issuer: Issuer, now: datetime) -> Report:
        """Read the key pair and see that it can sign.

        Raises:
            InvalidSpec: It is missing, malformed, expired, or no CA; says which and what to do.
        """
        self._authority(issuer, now)
        return Report("KeyPairVerified", "the CA's certificate and key can sign")

    def advance(self, issuer: Issuer, request: Request) -> Outcome:
        """Sign at once."""
        if issuer.ca is None:  # pragma: no cover - chosen by type
            raise Terminal(f"{issuer.reference} is not a CA issuer")
        authority = self._authority(issuer, request.now)
        spec = request.certificate.spec
        asked = asking.at_once(self._next_keys, request.certificate)
        bundle = signing.sign(
            asked.request,
            spec,
            authority,
            now=request.now,
            crl_distribution_points=issuer.ca.crl_distribution_points,
            ocsp_servers=issuer.ca.ocsp_servers,
            issuing_certificate_urls=issuer.ca.issuing_certificate_urls,
        )
        return Issued(chain=bundle.chain_pem, ca=bundle.ca_pem, key=asked.key)

    def _authority(self, issuer: Issuer, now: datetime) -> signing.Authority:
        if issuer.ca is None:  # pragma: no cover - chosen by type
            raise Terminal(f"{issuer.reference} is not a CA issuer")
        namespace, name = self._places.namespace(issuer), issuer.ca.secret_name
        secret = secrets.get(self._kube, namespace, name)
        if secret is None:
            raise InvalidSpec(
                f"spec.ca.secretName: there is no Secret {name} in namespace {namespace}; "
                "create it with the CA's tls.crt and tls.key",
                reason="SecretNotFound",
            )
        return signing.load_authority(secret.data, where=f"Secret {namespace}/{name}", now=now)

"""The selfSigned issuer: a certificate signed by its own key."""

from __future__ import annotations

from typing import TYPE_CHECKING

from certwright.errors import InvalidSpec, Terminal
from certwright.issuers.base import Issued, Outcome, Report, Request
from certwright.pki import signing

if TYPE_CHECKING:
    from datetime import datetime

    from certwright.issuers.next_key import NextKeys
    from certwright.resources.issuer import Issuer


class SelfSigned:
    """Signs each certificate with its own key.

    Args:
        next_keys: Where keys come from.
    """

    def __init__(self, next_keys: NextKeys) -> None:
        self._next_keys = next_keys

    def check(self, issuer: Issuer, now: datetime) -> Report:  # noqa: ARG002 - the interface
        """Always ready."""
        return Report("IsReady", "it needs nothing to be ready")

    def advance(self, issuer: Issuer, request: Request) -> Outcome:
        """Sign at once."""
        if issuer.self_signed is None:  # pragma: no cover - chosen by type
            raise Terminal(f"{issuer.reference} is not selfSigned")
        if request.certificate.spec.csr_ref:
            raise InvalidSpec("spec.csrSecretRef: a selfSigned issuer needs the key itself; use another issuer")
        key = self._next_keys.passing(request.certificate)
        bundle = signing.self_sign(
            request.certificate.spec,
            key,
            now=request.now,
            crl_distribution_points=issuer.self_signed.crl_distribution_points,
        )
        return Issued(chain=bundle.chain_pem, ca=bundle.ca_pem, key=key)

"""What an issuer may log in by: Secrets and ServiceAccounts of one namespace. The border between tenants.

An Issuer uses those of its own namespace only, a ClusterIssuer those of one namespace that the operator is told. The
operator's own credentials belong to its owner, who makes ClusterIssuers; Issuers get them where the owner says so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from certwright.errors import InvalidSpec
from certwright.kube import secrets, tokens, webhooks
from certwright.providers.base import Identity
from certwright.resources.names import CLUSTER_ISSUER

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from certwright.kube.client import Kube
    from certwright.resources.issuer import Issuer


class Places:
    """Finds what an issuer may log in by.

    Args:
        kube: The client.
        cluster_namespace: The namespace of ClusterIssuers' Secrets.
        issuer_ambient: Whether Issuers may use the operator's own credentials.
        cluster_issuer_ambient: Whether ClusterIssuers may.
    """

    def __init__(
        self,
        kube: Kube,
        cluster_namespace: str,
        *,
        issuer_ambient: bool = False,
        cluster_issuer_ambient: bool = True,
    ) -> None:
        self._kube = kube
        self._cluster_namespace = cluster_namespace
        self._issuer_ambient = issuer_ambient
        self._cluster_issuer_ambient = cluster_issuer_ambient

    def namespace(self, issuer: Issuer) -> str:
        """The only namespace whose Secrets the issuer may use."""
        return self._cluster_namespace if issuer.key.kind == CLUSTER_ISSUER else issuer.key.namespace

    def value(self, issuer: Issuer, name: str, key: str) -> bytes:
        """One value of one of the issuer's Secrets.

        Raises:
            InvalidSpec: The Secret or the key is not there; says where it was looked for.
        """
        namespace = self.namespace(issuer)
        secret = secrets.get(self._kube, namespace, name)
        if secret is None:
            raise InvalidSpec(f"there is no Secret {name} in namespace {namespace}; create it", reason="SecretNotFound")
        value = secret.data.get(key)
        if not value:
            have = ", ".join(sorted(secret.data)) or "none"
            raise InvalidSpec(
                f"Secret {namespace}/{name} has no value under {key!r}; the keys it has: {have}",
                reason="SecretNotFound",
            )
        return value

    def identity(self, issuer: Issuer) -> Identity:
        """What the issuer may log in by beside its Secrets."""
        return Identity(
            ambient=lambda: self._check_ambient(issuer),
            tokens=lambda name, wanted: self._tokens(issuer, name, wanted),
            webhook=lambda group, solver, payload: webhooks.call(self._kube, group, solver, payload),
            namespace=self.namespace(issuer),
        )

    def _check_ambient(self, issuer: Issuer) -> None:
        cluster = issuer.key.kind == CLUSTER_ISSUER
        if not (self._cluster_issuer_ambient if cluster else self._issuer_ambient):
            flag = "--cluster-issuer-ambient-credentials" if cluster else "--issuer-ambient-credentials"
            raise InvalidSpec(
                f"the operator's own credentials are not for {issuer.key.kind}s; name credentials in the solver, or "
                f"run the operator with {flag}",
                reason="AmbientCredentialsRefused",
            )

    def _tokens(self, issuer: Issuer, name: str, audiences: Sequence[str]) -> Callable[[], str]:
        namespace = self.namespace(issuer)
        return lambda: tokens.make(self._kube, namespace, name, audiences)

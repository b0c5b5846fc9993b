"""Where the Secrets of an issuer are, and reading one value of them: the border between tenants.

An Issuer reads Secrets of its own namespace only, a ClusterIssuer those of one namespace that the operator is told.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from certwright.errors import InvalidSpec
from certwright.kube import secrets
from certwright.resources.names import CLUSTER_ISSUER

if TYPE_CHECKING:
    from certwright.kube.client import Kube
    from certwright.resources.issuer import Issuer


class Places:
    """Finds an issuer's Secrets.

    Args:
        kube: The client.
        cluster_namespace: The namespace of ClusterIssuers' Secrets.
    """

    def __init__(self, kube: Kube, cluster_namespace: str) -> None:
        self._kube = kube
        self._cluster_namespace = cluster_namespace

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

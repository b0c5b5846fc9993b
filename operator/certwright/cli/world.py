"""What `check` may look at beside the manifest: a cluster, or none. Reads only; what it cannot see it says once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from certwright.errors import CertwrightError, InvalidSpec, Terminal
from certwright.kube import certificates, issuers, lists, secrets
from certwright.providers.base import Identity
from certwright.resources.names import CERTIFICATE, CLUSTER_ISSUER

if TYPE_CHECKING:
    from collections.abc import Callable

    from certwright.cli.manifest import Manifest
    from certwright.kube.client import Kube
    from certwright.kube.secrets import Secret
    from certwright.resources.names import ObjectKey

T = TypeVar("T")


class Unseen(Terminal):
    """Something could not be looked up: that is no fault of the manifest."""

    default_reason = "Unseen"


def _operators(*_: object) -> NoReturn:
    raise Unseen("they are the operator's own, or made for it")


OPERATORS_IDENTITY = Identity(ambient=_operators, tokens=_operators)
"""What a solver logs in by beside Secrets: only the operator has it, and whoever runs a command is somebody else."""


class World:
    """Looks things up, the manifest first: it is what will be there.

    Args:
        manifest: The objects to check.
        kube: The client; None without a cluster.
        cluster_namespace: Where the Secrets of ClusterIssuers are.

    Methods raise Unseen where nothing can be said.
    """

    def __init__(self, manifest: Manifest, kube: Kube | None, cluster_namespace: str) -> None:
        self.manifest = manifest
        self.has_cluster = kube is not None
        self._kube = kube
        self._cluster_namespace = cluster_namespace
        self._neighbours: dict[str, list[dict[str, Any]]] = {}

    def certificate(self, key: ObjectKey) -> dict[str, Any] | None:
        """The Certificate as the cluster has it."""
        return self._ask(lambda kube: certificates.get(kube, key))

    def neighbours(self, namespace: str) -> list[dict[str, Any]]:
        """All Certificates of a namespace in the cluster."""
        if namespace not in self._neighbours:
            found = self._ask(lambda kube: list(lists.of_kind(kube, CERTIFICATE, namespace=namespace)))
            self._neighbours[namespace] = found
        return self._neighbours[namespace]

    def issuer(self, key: ObjectKey) -> dict[str, Any] | None:
        """The issuer as the cluster has it."""
        return self._ask(lambda kube: issuers.get(kube, key))

    def secret(self, namespace: str, name: str) -> Secret | None:
        """The Secret as the cluster has it."""
        return self._ask(lambda kube: secrets.get(kube, namespace, name))

    def issuer_secret_namespace(self, issuer: ObjectKey) -> str:
        """Where an issuer's Secrets are."""
        return self._cluster_namespace if issuer.kind == CLUSTER_ISSUER else issuer.namespace

    def issuer_value(self, issuer: ObjectKey, name: str, key: str) -> bytes:
        """One value of one of an issuer's Secrets.

        Raises:
            InvalidSpec: It is not there.
            Unseen: Nobody can tell.
        """
        namespace = self.issuer_secret_namespace(issuer)
        data = self.manifest.secrets.get((namespace, name))
        if data is None:
            secret = self.secret(namespace, name)
            if secret is None:
                raise InvalidSpec(f"there is no Secret {name} in namespace {namespace}; create it")
            data = dict(secret.data)
        if not data.get(key):
            have = ", ".join(sorted(data)) or "none"
            raise InvalidSpec(f"Secret {namespace}/{name} has no value under {key!r}; the keys it has: {have}")
        return data[key]

    def _ask(self, request: Callable[[Kube], T]) -> T:
        if self._kube is None:
            raise Unseen("there is no cluster to look into")
        try:
            return request(self._kube)
        except InvalidSpec:
            raise  # a name that no object can have
        except CertwrightError as fault:
            raise Unseen(fault.message) from None

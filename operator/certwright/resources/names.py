"""Every group, label, annotation and object name, made from one setting: the API group.

Set to cert-manager's group the operator is a drop-in replacement, so nothing outside this module may spell any of them.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

VERSION = "v1"
DEFAULT_GROUP = "certwright.dev"
CERTIFICATE, ISSUER, CLUSTER_ISSUER = "Certificate", "Issuer", "ClusterIssuer"
PLURALS = {CERTIFICATE: "certificates", ISSUER: "issuers", CLUSTER_ISSUER: "clusterissuers"}


@dataclass(frozen=True, slots=True)
class ObjectKey:
    """What names one object to the reconciler; `namespace` is empty for cluster-scoped kinds."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        """Kind/name or Kind/namespace/name, for logs and for status.order.issuer."""
        return "/".join(part for part in (self.kind, self.namespace, self.name) if part)


@dataclass(frozen=True, slots=True)
class Names:
    """All names that follow from the API group.

    Args:
        group: The API group, e.g. `certwright.dev`.
    """

    group: str = DEFAULT_GROUP

    @property
    def api_version(self) -> str:
        """`group/version`, as manifests spell it."""
        return f"{self.group}/{VERSION}"

    @property
    def field_manager(self) -> str:
        """The one field manager of server-side apply; cert-manager's own where its group is served."""
        return "cert-manager-certificates-issuing" if self.group == "cert-manager.io" else "certwright"

    @property
    def watched_label(self) -> str:
        """Label of every Secret that is watched; the value is "true"."""
        return f"controller.{self.group}/fao"

    @property
    def secret_selector(self) -> str:
        """Label selector of every Secret that is watched, for the API server to filter by."""
        return f"{self.watched_label}=true"

    @property
    def next_key_label(self) -> str:
        """Label of a Secret that holds a private key whose certificate is not stored yet."""
        return self.annotation("next-private-key")

    def annotation(self, word: str) -> str:
        """An annotation or label of ours, by its last part."""
        return f"{self.group}/{word}"

    @property
    def certificate_name(self) -> str:
        """Annotation of a TLS Secret: the Certificate that owns it."""
        return self.annotation("certificate-name")

    @property
    def issuer_name(self) -> str:
        """Annotation of a TLS Secret: the issuer's name."""
        return self.annotation("issuer-name")

    @property
    def issuer_kind(self) -> str:
        """Annotation of a TLS Secret: the issuer's kind."""
        return self.annotation("issuer-kind")

    @property
    def issuer_group(self) -> str:
        """Annotation of a TLS Secret: the issuer's API group."""
        return self.annotation("issuer-group")

    @property
    def direct_injection(self) -> str:
        """Annotation of a TLS Secret that only its template sets: its CA may be injected elsewhere."""
        return self.annotation("allow-direct-injection")

    @property
    def request_digest(self) -> str:
        """Annotation of a TLS Secret: what its certificate was asked for by."""
        return self.annotation("request-digest")

    @property
    def keystore_stamps(self) -> str:
        """Annotation of a TLS Secret: what its keystores were made from, as a digest that tells nothing."""
        return self.annotation("keystores-digest")

    @property
    def issue_temporary(self) -> str:
        """Annotation of a Certificate: "true" asks for a temporary certificate while the real one is on its way."""
        return self.annotation("issue-temporary-certificate")

    def acme_annotation(self, word: str) -> str:
        """An annotation or label of ours that concerns ACME, by its last part."""
        return f"acme.{self.group}/{word}"

    @property
    def http01_solver_label(self) -> str:
        """Label of every object that serves HTTP-01 challenges; the value is "true"."""
        return self.acme_annotation("http01-solver")

    @property
    def order_label(self) -> str:
        """Label of those objects that tells one order's from another's."""
        return self.acme_annotation("order")

    def http01_objects(self, uid: str, order_url: str) -> str:
        """Name of the objects that serve an order's HTTP-01 challenges: the order's own, and the same after a crash."""
        prefix = "cm-acme-http-solver" if self.group == "cert-manager.io" else "certwright-http-solver"
        return f"{prefix}-{hashlib.sha256(f'{uid} {order_url}'.encode()).hexdigest()[:10]}"

    def next_key_secret(self, certificate_name: str, uid: str) -> str:
        """Name of the Secret for the next private key: the same after a crash, never another Certificate's."""
        digest = hashlib.sha256(uid.encode()).hexdigest()[:8]
        return f"{certificate_name[:200].rstrip('-.')}-next-{digest}"

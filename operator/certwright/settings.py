"""The operator's settings, as one value. Where they come from, flags and environment, is the CLI's business."""

from __future__ import annotations

from dataclasses import dataclass

from certwright import __version__
from certwright.resources.names import DEFAULT_GROUP


@dataclass(frozen=True, slots=True)
class Settings:
    """How the operator runs.

    Args:
        kubeconfig: Path; empty uses the pod's ServiceAccount.
        api_group: Group of Certificate, Issuer and ClusterIssuer.
        namespaces: Namespaces to serve; none means all.
        cluster_resource_namespace: Where Secrets of ClusterIssuers, and the Lease, are.
        dns_resolvers: Resolvers as host:port, tls://host or https://host/path; none means the system's.
        dns_authoritative_port: Port of authoritative name servers; 53 but in tests.
        allowed_networks: Networks, in CIDR notation, that hosts of issuers' choice may be in; none means any but those
            that are never connected to.
        exec_programs: Absolute paths of the programs that the DNS provider `exec` may run.
        allow_loopback: Whether hosts of issuers' choice may be this one; for tests.
        http01_solver_image: Image of the pods that solve HTTP-01 challenges, with its tag or digest.
        http01_solver_image_pull_policy: `Always`, `IfNotPresent` or `Never`; empty leaves it to the cluster.
        issuer_ambient_credentials: Whether Issuers may use the operator's own credentials at a DNS provider.
        cluster_issuer_ambient_credentials: Whether ClusterIssuers may.
        secret_owner_reference: Whether a TLS Secret is deleted with its Certificate.
        leader_elect: Whether several replicas agree on one that works.
        metrics_address: host:port of /metrics; empty for none.
        health_address: host:port of /healthz and /readyz; empty for none.
        workers: Threads that reconcile.
        side_by_side: Threads for requests of one order that go side by side.
    """

    kubeconfig: str = ""
    api_group: str = DEFAULT_GROUP
    namespaces: tuple[str, ...] = ()
    cluster_resource_namespace: str = "certwright"
    dns_resolvers: tuple[str, ...] = ()
    dns_authoritative_port: int = 53
    allowed_networks: tuple[str, ...] = ()
    exec_programs: tuple[str, ...] = ()
    allow_loopback: bool = False
    http01_solver_image: str = ""
    http01_solver_image_pull_policy: str = ""
    issuer_ambient_credentials: bool = False
    cluster_issuer_ambient_credentials: bool = True
    secret_owner_reference: bool = False
    leader_elect: bool = True
    metrics_address: str = "0.0.0.0:9402"
    health_address: str = "0.0.0.0:9403"
    workers: int = 8
    side_by_side: int = 8

    @property
    def user_agent(self) -> str:
        """How API servers and CAs shall know us."""
        return f"certwright/{__version__}"

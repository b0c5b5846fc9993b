"""`certwright run`: the operator."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from certwright.cli.options import AllowLoopback, parts
from certwright.resources.names import DEFAULT_GROUP
from certwright.settings import Settings

EPILOG = """Examples:

certwright run --kubeconfig ~/.kube/config --no-leader-elect --log-level debug"""


class LogFormat(StrEnum):
    """How log lines look."""

    TEXT = "text"
    JSON = "json"


class LogLevel(StrEnum):
    """From which severity on lines are logged."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class PullPolicy(StrEnum):
    """When a node fetches an image."""

    ALWAYS = "Always"
    IF_NOT_PRESENT = "IfNotPresent"
    NEVER = "Never"


def run(
    kubeconfig: Annotated[
        str, typer.Option(envvar=["CERTWRIGHT_KUBECONFIG", "KUBECONFIG"], help="Path; none means in-cluster.")
    ] = "",
    api_group: Annotated[
        str, typer.Option(envvar="CERTWRIGHT_API_GROUP", help="API group of the resources.")
    ] = DEFAULT_GROUP,
    namespaces: Annotated[
        str, typer.Option(envvar="CERTWRIGHT_NAMESPACES", help="Namespaces to serve, with commas; none means all.")
    ] = "",
    cluster_resource_namespace: Annotated[
        str,
        typer.Option(
            envvar="CERTWRIGHT_CLUSTER_RESOURCE_NAMESPACE",
            help="Namespace of the Secrets that ClusterIssuers name, and of the Lease.",
        ),
    ] = "certwright",
    dns_resolvers: Annotated[
        str,
        typer.Option(
            envvar="CERTWRIGHT_DNS_RESOLVERS",
            help="Resolvers as host:port, tls://host or https://host/path, with commas; none means the system's.",
        ),
    ] = "",
    allowed_networks: Annotated[
        str,
        typer.Option(
            envvar="CERTWRIGHT_ALLOWED_NETWORKS",
            help="Networks, as 192.0.2.0/24 with commas, that hosts which issuers name may be in; none means all but "
            "link-local, metadata and loopback addresses and their like, which no network here allows.",
        ),
    ] = "",
    exec_programs: Annotated[
        str,
        typer.Option(
            envvar="CERTWRIGHT_EXEC_PROGRAMS",
            help="Programs that issuers may run by the DNS provider exec, as absolute paths with commas.",
        ),
    ] = "",
    http01_solver_image: Annotated[
        str,
        typer.Option(
            envvar="CERTWRIGHT_HTTP01_SOLVER_IMAGE",
            help="Image of the pods that solve HTTP-01 challenges: this version's own image.",
        ),
    ] = "",
    http01_solver_image_pull_policy: Annotated[
        PullPolicy | None,
        typer.Option(
            envvar="CERTWRIGHT_HTTP01_SOLVER_IMAGE_PULL_POLICY", help="Of that image; none means the default."
        ),
    ] = None,
    issuer_ambient_credentials: Annotated[
        bool,
        typer.Option(
            envvar="CERTWRIGHT_ISSUER_AMBIENT_CREDENTIALS",
            help="Let Issuers use the operator's own credentials at DNS providers; default: only ClusterIssuers may.",
        ),
    ] = False,
    cluster_issuer_ambient_credentials: Annotated[
        bool,
        typer.Option(
            envvar="CERTWRIGHT_CLUSTER_ISSUER_AMBIENT_CREDENTIALS",
            help="Let ClusterIssuers use the operator's own credentials at DNS providers.",
        ),
    ] = True,
    secret_owner_reference: Annotated[
        bool,
        typer.Option(
            envvar="CERTWRIGHT_SECRET_OWNER_REFERENCE",
            help="Delete a TLS Secret with its Certificate; default: keep it.",
        ),
    ] = False,
    leader_elect: Annotated[
        bool, typer.Option(envvar="CERTWRIGHT_LEADER_ELECT", help="Let one of several replicas work, by a Lease.")
    ] = True,
    metrics_address: Annotated[
        str, typer.Option(envvar="CERTWRIGHT_METRICS_ADDRESS", help="host:port of /metrics; empty for none.")
    ] = "0.0.0.0:9402",
    health_address: Annotated[
        str, typer.Option(envvar="CERTWRIGHT_HEALTH_ADDRESS", help="host:port of /healthz, /readyz; empty for none.")
    ] = "0.0.0.0:9403",
    workers: Annotated[
        int, typer.Option(envvar="CERTWRIGHT_WORKERS", min=1, max=64, help="Threads that reconcile.")
    ] = 8,
    log_format: Annotated[LogFormat, typer.Option(envvar="CERTWRIGHT_LOG_FORMAT")] = LogFormat.TEXT,
    log_level: Annotated[LogLevel, typer.Option(envvar="CERTWRIGHT_LOG_LEVEL")] = LogLevel.INFO,
    dns_authoritative_port: Annotated[
        int, typer.Option(envvar="CERTWRIGHT_DNS_AUTHORITATIVE_PORT", hidden=True, help="For tests.")
    ] = 53,
    allow_loopback: AllowLoopback = False,
) -> None:
    """Run the operator until SIGTERM or SIGINT.

    Exit codes: 0 stopped by a signal, 1 a fault (restart it: that costs nothing), 2 wrong usage, 3 leadership lost.
    """
    from certwright.app import App  # noqa: PLC0415 - the other commands need not load all of it
    from certwright.ops import logs  # noqa: PLC0415

    logs.configure(format=log_format.value, level=log_level.value)
    App(
        Settings(
            kubeconfig=kubeconfig,
            api_group=api_group,
            namespaces=parts(namespaces),
            cluster_resource_namespace=cluster_resource_namespace,
            dns_resolvers=parts(dns_resolvers),
            dns_authoritative_port=dns_authoritative_port,
            allowed_networks=parts(allowed_networks),
            exec_programs=parts(exec_programs),
            allow_loopback=allow_loopback,
            http01_solver_image=http01_solver_image,
            http01_solver_image_pull_policy=http01_solver_image_pull_policy or "",
            issuer_ambient_credentials=issuer_ambient_credentials,
            cluster_issuer_ambient_credentials=cluster_issuer_ambient_credentials,
            secret_owner_reference=secret_owner_reference,
            leader_elect=leader_elect,
            metrics_address=metrics_address,
            health_address=health_address,
            workers=workers,
        )
    ).run()

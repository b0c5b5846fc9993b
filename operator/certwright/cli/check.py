"""`certwright check`: what would happen to a manifest, without touching anything."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from certwright.cli.exits import NOT_READY
from certwright.cli.options import (
    AllowedNetworks,
    AllowLoopback,
    ApiGroup,
    ExecPrograms,
    Format,
    Kubeconfig,
    Namespace,
    Output,
    parts,
)
from certwright.errors import CertwrightError, Terminal
from certwright.resources.names import CERTIFICATE, DEFAULT_GROUP

if TYPE_CHECKING:
    from certwright.cli.cluster import Cluster

EPILOG = """Examples:

certwright check certificates.yaml

certwright check certificates.yaml --offline -o json

kubectl kustomize . | certwright check -"""


def check(
    file: Annotated[str, typer.Argument(help="A manifest; - means standard input.", metavar="FILE")],
    namespace: Namespace = "",
    output: Output = Format.TEXT,
    offline: Annotated[bool, typer.Option("--offline", help="Look into no cluster; the DNS is asked.")] = False,
    dns_resolvers: Annotated[
        str,
        typer.Option(
            envvar="CERTWRIGHT_DNS_RESOLVERS",
            help="Resolvers as host:port, tls://host or https://host/path, with commas; none means the system's.",
        ),
    ] = "",
    cluster_resource_namespace: Annotated[
        str,
        typer.Option(
            envvar="CERTWRIGHT_CLUSTER_RESOURCE_NAMESPACE", help="Namespace of the Secrets that ClusterIssuers name."
        ),
    ] = "certwright",
    kubeconfig: Kubeconfig = "",
    api_group: ApiGroup = DEFAULT_GROUP,
    dns_authoritative_port: Annotated[
        int, typer.Option(envvar="CERTWRIGHT_DNS_AUTHORITATIVE_PORT", hidden=True, help="For tests.")
    ] = 53,
    allowed_networks: AllowedNetworks = "",
    exec_programs: ExecPrograms = "",
    allow_loopback: AllowLoopback = False,
) -> None:
    """Say what would happen to the Certificates and issuers of a manifest, touching nothing.

    It reads the manifest, the cluster where there is one, and the DNS. Credentials are read to see that they are there
    and are used for nothing.

    Exit codes: 0 all is fine, 1 a fault, 2 wrong usage, 4 problems were found, 130 ended by Ctrl-C.
    """
    text = _read(file)
    from certwright.cli.issuer_plan import IssuerPlanner  # noqa: PLC0415
    from certwright.cli.manifest import read  # noqa: PLC0415 - none of these for --help
    from certwright.cli.plan import Planner  # noqa: PLC0415
    from certwright.cli.printing import console, document, plain  # noqa: PLC0415
    from certwright.cli.proofs import Prover  # noqa: PLC0415
    from certwright.cli.world import World  # noqa: PLC0415
    from certwright.providers.tenants import limit_tenants  # noqa: PLC0415
    from certwright.resources.names import Names  # noqa: PLC0415

    limit_tenants(
        allowed_networks=parts(allowed_networks), exec_programs=parts(exec_programs), allow_loopback=allow_loopback
    )
    cluster, unseen = (None, "--offline") if offline else _cluster(kubeconfig, api_group)
    names, now = Names(api_group), datetime.now(UTC)
    manifest = read(text, names, namespace or (cluster.namespace if cluster else "default"))
    world = World(manifest, cluster.kube if cluster else None, cluster_resource_namespace)
    prover = Prover(world, resolvers=parts(dns_resolvers), names=names, authoritative_port=dns_authoritative_port)
    planner = Planner(world, prover, names, now)
    plans = [planner.plan(key, body) for key, body in manifest.certificates.items()]
    problems = [*manifest.problems, *IssuerPlanner(world).problems()]
    count = len(problems) + sum(len(plan.problems) for plan in plans)
    if output is not Format.TEXT:
        data = {"cluster": not unseen, "problemCount": count, "problems": problems, "certificates": plain(plans)}
        typer.echo(document(data, output))
    else:
        from certwright.cli.plan_tree import plan_tree  # noqa: PLC0415

        screen = console()
        if unseen:
            screen.print(f"no cluster is looked into ({unseen}): nothing is said of Secrets and of what is not here")
        for plan in plans:
            screen.print(plan_tree(plan, now))
        for problem in problems:
            screen.print(f"problem: {problem}", style="red")
        others = f", {manifest.skipped} objects of other kinds" if manifest.skipped else ""
        found = f"{count or 'no'} problem{'s'[: count != 1]}"
        screen.print(f"{len(plans)} Certificates, {len(manifest.issuers)} issuers{others}: {found}")
    if count:
        raise typer.Exit(NOT_READY)


def _read(file: str) -> str:
    try:
        return sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeError) as error:
        raise Terminal(f"cannot read {file}: {getattr(error, 'strerror', None) or error}") from None


def _cluster(kubeconfig: str, api_group: str) -> tuple[Cluster | None, str]:
    """The cluster, or why there is none; one that was asked for by name has to answer."""
    from certwright.cli.cluster import connect  # noqa: PLC0415 - half of the start-up time
    from certwright.kube.faults import Forbidden  # noqa: PLC0415
    from certwright.kube.lists import of_kind  # noqa: PLC0415

    try:
        cluster = connect(kubeconfig, api_group)
        next(of_kind(cluster.kube, CERTIFICATE, namespace=cluster.namespace), None)
    except Forbidden:
        pass
    except CertwrightError as fault:
        if kubeconfig:
            raise
        return None, fault.message
    return cluster, ""

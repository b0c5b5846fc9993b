"""`certwright check dns`: what stands between a name and a DNS-01 challenge, before anything is issued."""

from __future__ import annotations

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
from certwright.resources.names import CLUSTER_ISSUER, DEFAULT_GROUP, ISSUER

if TYPE_CHECKING:
    from certwright.cli.check_dns_issuer import IssuerSide
    from certwright.dns.caa import Wish
    from certwright.dns.diagnosis import Diagnosis

EPILOG = """Examples:

certwright check dns www.example.com

certwright check dns example.com '*.example.com' --issuer ClusterIssuer/letsencrypt

certwright check dns www.example.com --expect-cname www.challenges.example.net

certwright check dns www.example.com --resolver 9.9.9.9:53 --caa-identity letsencrypt.org -o json"""


def check_dns(
    names: Annotated[list[str], typer.Argument(help="Host names; a wildcard begins with *.", metavar="NAME")],
    issuer: Annotated[
        str, typer.Option(help="Issuer of the cluster, as KIND/NAME or NAME.", metavar="KIND/NAME", show_default=False)
    ] = "",
    namespace: Namespace = "",
    expect_cname: Annotated[
        str, typer.Option(help="Where _acme-challenge.NAME should lead.", metavar="TARGET", show_default=False)
    ] = "",
    caa_identity: Annotated[
        list[str] | None,
        typer.Option(help="The CA's name in CAA records; may be repeated. The issuer's CA tells its own."),
    ] = None,
    account_uri: Annotated[str, typer.Option(help="URL of the ACME account.", show_default=False)] = "",
    method: Annotated[str, typer.Option(help="ACME challenge type; the issuer's solver decides.")] = "dns-01",
    output: Output = Format.TEXT,
    resolver: Annotated[
        str,
        typer.Option(
            "--resolver",
            "--dns-resolvers",
            envvar="CERTWRIGHT_DNS_RESOLVERS",
            help="Resolvers as host:port, tls://host or https://host/path, with commas; none means the issuer's, "
            "else the system's.",
            show_default=False,
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
    """Say what stands between names and a DNS-01 challenge, touching nothing.

    It asks the DNS, from the delegation down to each name server; with --issuer it looks at the solver's provider and
    credentials, too, and asks the CA for its directory.

    Exit codes: 0 all is fine, 1 a fault, 2 wrong usage, 4 problems were found, 130 ended by Ctrl-C.
    """
    reference = _reference(issuer)
    from certwright.cli.printing import console, document, plain  # noqa: PLC0415 - none of these for --help
    from certwright.dns.caa import Wish  # noqa: PLC0415
    from certwright.dns.finding import Severity  # noqa: PLC0415
    from certwright.providers.tenants import limit_tenants  # noqa: PLC0415

    limit_tenants(
        allowed_networks=parts(allowed_networks), exec_programs=parts(exec_programs), allow_loopback=allow_loopback
    )
    given = Wish(tuple(caa_identity or ()), method=method, account_uri=account_uri)
    side: IssuerSide | None = None
    if reference:
        from certwright.cli.check_dns_issuer import look_at_issuer  # noqa: PLC0415
        from certwright.cli.cluster import connect  # noqa: PLC0415 - half of the start-up time
        from certwright.resources.issuer import issuer_key  # noqa: PLC0415

        cluster = connect(kubeconfig, api_group)
        key = issuer_key(reference[0], namespace or cluster.namespace, reference[1])
        side = look_at_issuer(cluster.kube, key, cluster_namespace=cluster_resource_namespace, given=given)
    own = parts(resolver)
    found = _diagnoses(list(dict.fromkeys(names)), side, given, expect_cname, own, dns_authoritative_port)
    of_issuer = [item for item in side.summary.findings if item.severity is Severity.PROBLEM] if side else []
    count = len(of_issuer) + sum(len(item.problems) for item in found)
    if output is not Format.TEXT:
        listed = [{**plain(item), "problemCount": len(item.problems)} for item in found]
        about = plain(side.summary) if side else None
        typer.echo(document({"problemCount": count, "issuer": about, "names": listed}, output))
    else:
        from certwright.cli.check_dns_tree import diagnosis_tree, issuer_tree  # noqa: PLC0415

        screen = console()
        if side:
            screen.print(issuer_tree(side.summary))
        for item in found:
            screen.print(diagnosis_tree(item))
        screen.print(f"{len(found)} name{'s'[: len(found) != 1]}: {count or 'no'} problem{'s'[: count != 1]}")
    if count:
        raise typer.Exit(NOT_READY)


def _reference(text: str) -> tuple[str, str] | None:
    """Kind and name of the issuer."""
    if not text:
        return None
    kind, _, name = text.rpartition("/")
    if kind not in {"", ISSUER, CLUSTER_ISSUER} or not name:
        raise typer.BadParameter(f"{text!r} must be Issuer/NAME, ClusterIssuer/NAME or NAME", param_hint="--issuer")
    return kind or ISSUER, name


def _diagnoses(
    names: list[str], side: IssuerSide | None, given: Wish, expect_cname: str, own: tuple[str, ...], port: int
) -> list[Diagnosis]:
    """The names' diagnoses, in order; those with the same resolvers are looked at side by side."""
    from certwright.dns.diagnosis import Subject, diagnose  # noqa: PLC0415 - not for --help
    from certwright.dns.resolvers import Resolvers  # noqa: PLC0415
    from certwright.dns.zone import Zones  # noqa: PLC0415
    from certwright.providers.guard import everywhere, standing  # noqa: PLC0415

    groups: dict[tuple[str, ...], list[Subject]] = {}
    for name in names:
        subject = Subject(name, side.wish_for(name) if side else given, expect_cname)
        groups.setdefault(own or (side.resolvers_for(name) if side else ()), []).append(subject)
    found: dict[str, Diagnosis] = {}
    for resolvers, subjects in groups.items():
        refuse = standing().fault
        theirs = Resolvers.of(own, field="--resolver") if own else Resolvers.of(resolvers, refuse=refuse)
        zones = Zones(theirs, authoritative_port=port, refuse=everywhere().fault)
        for item in diagnose(zones, subjects):
            found[item.name] = side.complete(item) if side else item
    return [found[name] for name in names]

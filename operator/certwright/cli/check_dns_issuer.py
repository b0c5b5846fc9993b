"""The issuer's part in `check dns`: who the CA is, which solver proves a name, and whether its provider would do it.

A provider is built with its credentials and asked for the zone, which changes nothing; what it says of a name joins the
name's findings. Without an issuer none of this is known.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from certwright.acme.directory import fetch_directory
from certwright.acme.servers import directory_url
from certwright.acme.transport import Transport, utc_now
from certwright.cli.manifest import Manifest
from certwright.cli.world import OPERATORS_IDENTITY, Unseen, World
from certwright.core.solver_choice import choose_for_target, choose_solver
from certwright.dns.finding import Finding, advice, ok, problem
from certwright.dns.names import canonical
from certwright.errors import CertwrightError, InvalidSpec, Retryable, Terminal
from certwright.kube import issuers
from certwright.kube.faults import NotFound
from certwright.providers import registry
from certwright.providers.base import Rehearsing
from certwright.providers.guard import everywhere
from certwright.resources.issuer import parse_issuer

if TYPE_CHECKING:
    from certwright.dns.caa import Wish
    from certwright.dns.diagnosis import Diagnosis
    from certwright.kube.client import Kube
    from certwright.providers.base import Provider
    from certwright.resources.issuer import AcmeSpec, Issuer, SolverSpec
    from certwright.resources.names import ObjectKey

WITHOUT_ZONE_LIST = frozenset({"acme-dns", "acmeDNS", "azureDNS", "exec", "httpreq", "lexicon", "rfc2136", "webhook"})
"""Providers whose protocol has no way to ask for zones: that they know none says nothing."""
CA_TIMEOUT = (5.0, 5.0)
DNS01 = "dns-01"
NOT_PRIMARY = "NotPrimary"
"""Reason of a provider's fault: the server that it changes zones at has not got this one."""


@dataclass(frozen=True, slots=True)
class IssuerSummary:
    """What is shown of the issuer.

    Args:
        reference: `Kind/name`.
        server: The CA's directory.
        identities: The CA's names in CAA records.
        account_uri: The ACME account; empty before it is registered.
        findings: What is to be said of it.
    """

    reference: str
    server: str
    identities: tuple[str, ...]
    account_uri: str
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class _Plan:
    """How one name is proven: the solver that fits, and its provider as far as it could be built."""

    solver: SolverSpec | None = None
    provider_name: str = ""
    provider: Provider | None = None
    findings: tuple[Finding, ...] = ()


class IssuerSide:
    """An ACME issuer, its CA and its solvers.

    Args:
        issuer: The issuer.
        spec: Its ACME part.
        world: Where Secrets are looked up.
        given: What the command line says of CAA, which counts first.
    """

    def __init__(self, issuer: Issuer, spec: AcmeSpec, world: World, given: Wish) -> None:
        self._issuer = issuer
        self._spec = spec
        self._world = world
        self._given = given
        self._plans: dict[str, _Plan] = {}
        self.summary = _summary(issuer, spec, given)

    def wish_for(self, name: str) -> Wish:
        """What CAA has to allow for a name."""
        solver = self._plan(name).solver
        return replace(
            self._given,
            identities=self.summary.identities,
            account_uri=self.summary.account_uri,
            method=solver.challenge if solver else self._given.method,
        )

    def resolvers_for(self, name: str) -> tuple[str, ...]:
        """The resolvers of the name's solver, else the issuer's; empty when neither names any."""
        solver = self._plan(name).solver
        return (solver.config.texts("nameservers") if solver else ()) or self._spec.nameservers

    def complete(self, diagnosis: Diagnosis) -> Diagnosis:
        """The diagnosis with what the solver and its provider say of the name."""
        plan = self._plan(diagnosis.name)
        led = choose_for_target(self._spec.solvers, diagnosis.record, {}) if len(diagnosis.chain) > 1 else None
        if led is not None and led is not plan.solver:
            plan = self._built(led)
        return diagnosis.having(*plan.findings, *_zone(plan, diagnosis))

    def _plan(self, name: str) -> _Plan:
        if name not in self._plans:
            self._plans[name] = self._planned(name)
        return self._plans[name]

    def _planned(self, name: str) -> _Plan:
        try:
            solver = choose_solver(self._spec.solvers, name, {})
        except InvalidSpec as fault:
            return _Plan(findings=(problem("NoSolver", fault.message, "change the solvers of the issuer"),))
        if solver.challenge != DNS01:
            text = f"{name} is proven by {solver.challenge}, and not by its DNS"
            return _Plan(solver, findings=(advice("OtherChallenge", text, f"add a {DNS01} solver if that was meant"),))
        return self._built(solver)

    def _built(self, solver: SolverSpec) -> _Plan:
        """A dns-01 solver with its provider."""
        provider_name = ""
        try:
            provider_name, _ = registry.choose(solver.config)
            provider_name, provider = registry.build(solver.config, self._secret, OPERATORS_IDENTITY)
        except Unseen as fault:
            text = f"the credentials of {provider_name} cannot be looked at: {fault.message}"
            finding = advice("CredentialsUnseen", text, "run this with the right to read the Secret, where it is one")
        except CertwrightError as fault:
            text = f"the solver's provider {provider_name} cannot be used: {fault.message}"
            finding = problem("BadCredentials", text, "mend the solver, or the Secret that it names")
        else:
            return _Plan(solver, provider_name, provider)
        return _Plan(solver, provider_name, findings=(finding,))

    def _secret(self, name: str, key: str) -> bytes:
        return self._world.issuer_value(self._issuer.key, name, key)


def look_at_issuer(kube: Kube, key: ObjectKey, *, cluster_namespace: str, given: Wish) -> IssuerSide:
    """Read an issuer and ask its CA for the directory.

    Args:
        kube: The client.
        key: Of the issuer.
        cluster_namespace: Where the Secrets of ClusterIssuers are.
        given: What the command line says of CAA.

    Raises:
        NotFound: There is none of that name.
        InvalidSpec: It cannot be read.
        Terminal: It is no ACME issuer.
    """
    body = issuers.get(kube, key)
    if body is None:
        where = f" in namespace {key.namespace}" if key.namespace else ""
        raise NotFound(f"there is no {key.kind} {key.name}{where}")
    issuer = parse_issuer({"kind": key.kind, **body})
    if issuer.acme is None:
        raise Terminal(f"{issuer.reference} is a {issuer.type} issuer, which needs no DNS")
    return IssuerSide(issuer, issuer.acme, World(Manifest(), kube, cluster_namespace), given)


def _summary(issuer: Issuer, spec: AcmeSpec, given: Wish) -> IssuerSummary:
    identities, findings = given.identities, list[Finding]()
    if not identities:
        transport = None
        try:
            url = directory_url(spec.server, allow_http=spec.allow_http)
            transport = Transport(
                ca_bundle_pem=spec.ca_bundle or None,
                skip_tls_verify=spec.skip_tls_verify,
                timeout=CA_TIMEOUT,
                total=sum(CA_TIMEOUT),
                allow_http=spec.allow_http,
                rule=everywhere(),
            )
            identities = fetch_directory(url, transport=transport, clock=utc_now).caa_identities
        except Retryable as fault:
            findings.append(advice("NoDirectory", fault.message, "try again, or give --caa-identity"))
        except CertwrightError as fault:
            findings.append(problem("BadServer", fault.message, "mend spec.acme of the issuer"))
        finally:
            if transport:
                transport.close()
    uri = given.account_uri or issuer.account.get("uri", "")
    return IssuerSummary(issuer.reference, spec.server, identities, uri, tuple(findings))


def _zone(plan: _Plan, diagnosis: Diagnosis) -> list[Finding]:
    """Whether the account has the zone that the record belongs in; asks the provider, and changes nothing."""
    if plan.provider is None or plan.solver is None:
        return []
    name, record = plan.provider_name, diagnosis.record
    wanted = plan.solver.config.text("zone")
    zone = canonical(wanted).to_text() if wanted else diagnosis.zone
    try:
        found = plan.provider.find_zone(record)
        if found is None and zone and isinstance(plan.provider, Rehearsing):
            plan.provider.rehearse(zone)
            return [ok("Provider", f"{name} takes the credentials for the zone {zone}: tried by a change of nothing")]
    except Retryable as fault:
        return [advice("ProviderUnavailable", f"{name} cannot be asked for the zone: {fault.message}", "try again")]
    except CertwrightError as fault:
        return [_refused(name, fault)]
    silent = name in WITHOUT_ZONE_LIST or not getattr(plan.provider, "may_list", True)
    if found is None and silent:
        return [ok("Provider", f"the provider {name} can be built; it cannot say which zones it may change")]
    return [_compared(name, found, zone, diagnosis)]


def _compared(name: str, found: str | None, zone: str, diagnosis: Diagnosis) -> Finding:
    """The zone that the account has, against the one that the DNS has."""
    if found is None:
        return problem(
            "ZoneNotInAccount",
            f"the account of {name} has no zone that holds {diagnosis.record}",
            f"create the zone {zone or 'of that name'} there, take credentials that may see it, or lead "
            f"{diagnosis.chain[0]} by a CNAME into a zone that the account has",
        )
    if zone and found != zone:
        return problem(
            "WrongZone",
            f"the account of {name} would write {diagnosis.record} into its zone {found}, and the DNS has it in {zone}",
            f"take the account that serves {zone}, or delegate {found} to the name servers of this one",
        )
    return ok("Provider", f"the account of {name} has the zone {found}")


def _refused(name: str, fault: CertwrightError) -> Finding:
    if fault.reason == NOT_PRIMARY:
        return problem("ZoneNotInAccount", fault.message, "name the server that has the zone, or set dns01.zone")
    text = f"{name} refuses the credentials, or what they are to do: {fault.message}"
    return problem("BadCredentials", text, "mend the credentials, or what they are allowed to do")

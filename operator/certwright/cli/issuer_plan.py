"""The issuers of a manifest, or those that it refers to: whether they are there and can be used."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from certwright.cli.situation import IssuerSummary
from certwright.cli.world import Unseen
from certwright.errors import InvalidSpec
from certwright.resources.issuer import issuer_key, parse_issuer
from certwright.resources.names import CLUSTER_ISSUER, ISSUER

if TYPE_CHECKING:
    from certwright.cli.world import World
    from certwright.resources.certificate import CertificateSpec
    from certwright.resources.issuer import Issuer

UNKNOWN = "Unknown"


@dataclass(frozen=True, slots=True)
class IssuerPlan:
    """The issuer of a Certificate: where it was `found` (manifest, cluster, nowhere, Unknown), and whether it is Ready.

    `ready` is "True", "False" or "Unknown".
    """

    reference: str
    type: str
    found: str
    ready: str
    message: str


class IssuerPlanner:
    """Looks at issuers.

    Args:
        world: The manifest and the cluster.
    """

    def __init__(self, world: World) -> None:
        self._world = world

    def problems(self) -> list[str]:
        """What is wrong with the issuers of the manifest, whether anything uses them or not."""
        problems = []
        for key, body in self._world.manifest.issuers.items():
            try:
                parse_issuer({"kind": key.kind, **body})
            except InvalidSpec as fault:
                problems.append(f"{key}: {fault.message}")
        return problems

    def plan(self, spec: CertificateSpec, namespace: str) -> tuple[IssuerPlan, Issuer | None]:
        """The issuer, of the manifest if it is there; whether it is Ready only the cluster knows."""
        key = issuer_key(spec.issuer_ref.kind, namespace, spec.issuer_ref.name)
        reference, own = f"{key.kind}/{key.name}", self._world.manifest.issuers.get(key)
        live, unseen = None, ""
        try:
            # A kind that is none of ours is a problem of the spec, and said as such.
            live = self._world.issuer(key) if key.kind in {ISSUER, CLUSTER_ISSUER} else None
        except (Unseen, InvalidSpec) as fault:
            unseen = fault.message
        body, found = own or live, "manifest" if own else "cluster"
        if body is None:
            message = "it is neither in the manifest nor in the cluster; create it, or mend spec.issuerRef"
            if unseen:
                return IssuerPlan(reference, "", UNKNOWN, UNKNOWN, unseen), None
            return IssuerPlan(reference, "", "nowhere", "False", message), None
        try:
            issuer = parse_issuer({"kind": key.kind, **body})
            problem = self._ca_problem(issuer)
        except InvalidSpec as fault:
            return IssuerPlan(reference, "", found, "False", fault.message), None
        state = IssuerSummary.of(key, live)
        ready, message = state.ready, state.message
        if problem:
            ready, message = "False", problem
        elif live is None or (own and not _within(own.get("spec"), live.get("spec"))):
            ready, message = UNKNOWN, "it is not applied as it stands yet"
        return IssuerPlan(reference, issuer.type, found, ready, message), issuer

    def _ca_problem(self, issuer: Issuer) -> str:
        """What is missing of a CA issuer's Secret; another Certificate of the manifest may be going to make it."""
        if issuer.ca is None:
            return ""
        namespace, name = self._world.issuer_secret_namespace(issuer.key), issuer.ca.secret_name
        bodies = (body for key, body in self._world.manifest.certificates.items() if key.namespace == namespace)
        if any(isinstance(spec := body.get("spec"), dict) and spec.get("secretName") == name for body in bodies):
            return ""
        try:
            self._world.issuer_value(issuer.key, name, "tls.key")
        except Unseen:
            return ""
        except InvalidSpec as fault:
            return fault.message
        return ""


def _within(part: object, whole: object) -> bool:
    """Whether the whole has all of the part; what it has beside are defaults that the API server filled in."""
    if isinstance(part, dict) and isinstance(whole, dict):
        return all(_within(value, whole.get(key)) for key, value in part.items())
    if isinstance(part, list) and isinstance(whole, list):
        return len(part) == len(whole) and all(map(_within, part, whole))
    return part == whole

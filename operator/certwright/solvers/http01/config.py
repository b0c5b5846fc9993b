"""`http01` of a solver, read once: which objects are made, and how the answer is looked for. No I/O."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from certwright.errors import InvalidSpec
from certwright.resources.values import parse_duration
from certwright.solvers.http01.check.looking import Policy

if TYPE_CHECKING:
    from collections.abc import Mapping

    from certwright.resources.meta import Meta
    from certwright.resources.names import Names
    from certwright.resources.reading import Fields

WAYS = ("ingress", "gatewayHTTPRoute", "webroot")
POD_FIELDS = (
    "nodeSelector",
    "affinity",
    "tolerations",
    "priorityClassName",
    "serviceAccountName",
    "imagePullSecrets",
    "securityContext",
    "resources",
)
"""What `podTemplate.spec` may change."""
HEADERS = ("Host", "X-Forwarded-Host", "Forwarded")
DEFAULT_GRACE = timedelta(seconds=30)
DEFAULT_TYPE = "NodePort"


@dataclass(frozen=True, slots=True)
class Template:
    """Labels, annotations and, of a pod, parts of its spec that are put over ours."""

    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    spec: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Http01Config:
    """`spec.acme.solvers[i].http01` with its defaults.

    Args:
        way: One of WAYS.
        path: Where it stands in the issuer, for messages.
        ingress_class_name: `spec.ingressClassName` of the Ingress that is made.
        ingress_class: Its annotation kubernetes.io/ingress.class.
        ingress_name: An existing Ingress whose rules are added to.
        ingress: Changes to the Ingress that is made.
        parents: `parentRefs` of the HTTPRoutes that are made.
        route_labels: Their labels.
        claim: PersistentVolumeClaim of the webroot.
        folder: The web server's root within it.
        service_type: Of the Service in front of the pod.
        pod: Changes to the pod.
        proxy_header: Header that carries the host name.
        delay: From presenting to the first check.
        policy: What follows when the answer is not seen.
        grace: How long Warn waits.
    """

    way: str
    path: str
    ingress_class_name: str = ""
    ingress_class: str = ""
    ingress_name: str = ""
    ingress: Template = Template()
    parents: tuple[Mapping[str, Any], ...] = ()
    route_labels: Mapping[str, str] = field(default_factory=dict)
    claim: str = ""
    folder: str = ""
    service_type: str = DEFAULT_TYPE
    pod: Template = Template()
    proxy_header: str = "Host"
    delay: timedelta = timedelta(0)
    policy: Policy = Policy.WARN
    grace: timedelta = DEFAULT_GRACE

    @classmethod
    def of(cls, config: Fields, certificate: Meta, names: Names) -> Http01Config:
        """Read it.

        Args:
            config: `http01` of the solver.
            certificate: Whose annotations may name another Ingress or Gateway.
            names: Spells them.

        Raises:
            InvalidSpec: Naming the field that is wrong.
        """
        ways = [way for way in WAYS if config.body.get(way) is not None]
        if len(ways) != 1:
            raise InvalidSpec(f"{config.path}: exactly one of {', '.join(WAYS)} must be set")
        part, check = config.part(ways[0]), config.part("check")
        header, policy = config.text("proxyHeader") or "Host", check.text("policy") or Policy.WARN
        if header not in HEADERS:
            raise InvalidSpec(f"{config.at('proxyHeader')}: {header[:40]!r} must be one of {', '.join(HEADERS)}")
        if policy not in set(Policy):
            raise InvalidSpec(f"{check.at('policy')}: {policy[:40]!r} must be one of {', '.join(Policy)}")
        service_type = part.text("serviceType") or DEFAULT_TYPE
        if service_type not in {"NodePort", "ClusterIP"}:
            raise InvalidSpec(f"{part.at('serviceType')}: {service_type[:40]!r} must be NodePort or ClusterIP")
        pod = part.part("podTemplate")
        return cls(
            way=ways[0],
            path=config.path,
            **_ingress(part, certificate, names) if ways[0] == "ingress" else {},
            **_gateway(part, certificate, names) if ways[0] == "gatewayHTTPRoute" else {},
            **_webroot(part) if ways[0] == "webroot" else {},
            service_type=service_type,
            pod=_template(pod, {key: pod.part("spec").body[key] for key in POD_FIELDS if key in pod.part("spec")}),
            proxy_header=header,
            delay=_seconds(config, "delay", timedelta(0)),
            policy=Policy(policy),
            grace=_seconds(check, "grace", DEFAULT_GRACE),
        )

    def summary(self) -> str:
        """How the answer is served, in words."""
        if self.way == "webroot":
            return f"the web server of PersistentVolumeClaim {self.claim}, into which a pod writes the file"
        if self.way == "gatewayHTTPRoute":
            gateways = (f"{parent.get('namespace', '')}/{parent['name']}".lstrip("/") for parent in self.parents)
            return f"a pod behind Gateway {', '.join(gateways)}"
        if self.ingress_name:
            return f"a pod behind the existing Ingress {self.ingress_name}"
        named = self.ingress_class_name or self.ingress_class
        return f"a pod behind an Ingress of {f'class {named}' if named else 'the default class'}"


def _ingress(part: Fields, certificate: Meta, names: Names) -> dict[str, Any]:
    """Which Ingress; an annotation of the Certificate wins over the issuer's own fields."""
    fields = ("ingressClassName", "class", "name")
    override = {
        name: certificate.annotations.get(names.acme_annotation(f"http01-override-ingress-{name.lower()}"), "")
        for name in fields
    }
    where, chosen = part.path, {name: part.text(name) for name in fields}
    if any(override.values()):
        where, chosen = f"the annotations {names.acme_annotation('http01-override-ingress-…')}", override
    given = [name for name, value in chosen.items() if value]
    if len(given) > 1:
        raise InvalidSpec(f"{where}: at most one of {', '.join(fields)} may be set, not {' and '.join(given)}")
    return {
        "ingress_class_name": chosen["ingressClassName"],
        "ingress_class": chosen["class"],
        "ingress_name": chosen["name"],
        "ingress": _template(part.part("ingressTemplate")),
    }


def _gateway(part: Fields, certificate: Meta, names: Names) -> dict[str, Any]:
    """Which Gateways; annotations of the Certificate name one where the issuer names none."""
    parents = tuple(parent.body for parent in part.parts("parentRefs"))
    said = {
        name: certificate.annotations.get(names.acme_annotation(f"http01-parentref{name}"), "")
        for name in ("name", "kind", "namespace")
    }
    if said["name"]:
        parents = ({name: value for name, value in said.items() if value},)
    if not parents:
        raise InvalidSpec(
            f"{part.at('parentRefs')}: missing; name the Gateway here, or by the Certificate's annotation "
            f"{names.acme_annotation('http01-parentrefname')}"
        )
    for index, parent in enumerate(parents):
        if not parent.get("name"):
            raise InvalidSpec(f"{part.at('parentRefs')}[{index}].name: missing; name the Gateway")
    return {"parents": parents, "route_labels": part.table("labels")}


def _webroot(part: Fields) -> dict[str, Any]:
    claim, folder = part.text("claimName"), part.text("path").strip("/")
    if not claim:
        raise InvalidSpec(f"{part.at('claimName')}: missing; name the PersistentVolumeClaim that the web server serves")
    if ".." in folder.split("/"):
        raise InvalidSpec(f"{part.at('path')}: must be a folder within the volume, without ..")
    return {"claim": claim, "folder": folder}


def _template(part: Fields, spec: Mapping[str, Any] | None = None) -> Template:
    meta = part.part("metadata")
    return Template(meta.table("labels"), meta.table("annotations"), spec or {})


def _seconds(part: Fields, name: str, default: timedelta) -> timedelta:
    text = part.text(name)
    value = parse_duration(text, part.at(name)) if text else default
    if value < timedelta(0):
        raise InvalidSpec(f"{part.at(name)}: must not be negative")
    return value

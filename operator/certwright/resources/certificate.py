"""A Certificate as the operator sees it: its spec with defaults filled in, and what is read back of its status."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from certwright.resources.conditions import Condition
from certwright.resources.meta import Meta, SecretRef
from certwright.resources.names import CERTIFICATE, ISSUER, ObjectKey
from certwright.resources.order import OrderJournal
from certwright.resources.other_names import (
    NO_CONSTRAINTS,
    NameConstraints,
    OtherName,
    parse_name_constraints,
    parse_other_names,
)
from certwright.resources.outputs import NO_OUTPUTS, Outputs, parse_outputs
from certwright.resources.reading import Fields
from certwright.resources.renewal import AS_USUAL, Renewal, parse_renewal
from certwright.resources.values import parse_duration, parse_time

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT_DURATION = timedelta(hours=2160)
DEFAULT_USAGES = ("digital signature", "key encipherment")
DEFAULT_SIZES = {"RSA": 2048, "ECDSA": 256, "Ed25519": 0}
SUBJECT_FIELDS = (
    "organizations",
    "countries",
    "organizationalUnits",
    "localities",
    "provinces",
    "streetAddresses",
    "postalCodes",
)


@dataclass(frozen=True, slots=True)
class IssuerRef:
    """`spec.issuerRef` with its defaults; `group` may be empty, which means our own."""

    name: str
    kind: str = ISSUER
    group: str = ""


@dataclass(frozen=True, slots=True)
class Subject:
    """`spec.subject`: each list is one attribute type of the distinguished name."""

    organizations: tuple[str, ...] = ()
    countries: tuple[str, ...] = ()
    organizationalUnits: tuple[str, ...] = ()  # noqa: N815 - the API's own spelling
    localities: tuple[str, ...] = ()
    provinces: tuple[str, ...] = ()
    streetAddresses: tuple[str, ...] = ()  # noqa: N815
    postalCodes: tuple[str, ...] = ()  # noqa: N815
    serialNumber: str = ""  # noqa: N815


@dataclass(frozen=True, slots=True)
class PrivateKeySpec:
    """`spec.privateKey`; `size` is in bits and 0 for Ed25519, which has one size only.

    Of a key that is taken from a Secret, `secret_ref`, an empty algorithm and a size of 0 mean whatever it has.
    """

    algorithm: str = "RSA"
    size: int = 2048
    encoding: str = "PKCS1"
    rotation_policy: str = "Always"
    secret_ref: SecretRef | None = None


@dataclass(frozen=True, slots=True)
class CertificateSpec:
    """`spec` of a Certificate with the defaults of the API filled in."""

    secret_name: str
    issuer_ref: IssuerRef
    common_name: str = ""
    dns_names: tuple[str, ...] = ()
    ip_addresses: tuple[str, ...] = ()
    uris: tuple[str, ...] = ()
    email_addresses: tuple[str, ...] = ()
    other_names: tuple[OtherName, ...] = ()
    literal_subject: str = ""
    subject: Subject = Subject()
    duration: timedelta = DEFAULT_DURATION
    duration_set: bool = False
    renew_before: timedelta | None = None
    renew_before_percentage: int | None = None
    renewal: Renewal = AS_USUAL
    is_ca: bool = False
    usages: tuple[str, ...] = DEFAULT_USAGES
    encode_usages: bool = True
    revision_history_limit: int | None = None
    name_constraints: NameConstraints = NO_CONSTRAINTS
    must_staple: bool = False
    signature_algorithm: str = ""
    private_key: PrivateKeySpec = PrivateKeySpec()
    csr_ref: SecretRef | None = None
    outputs: Outputs = NO_OUTPUTS
    secret_labels: Mapping[str, str] = None  # type: ignore[assignment] # filled in by __post_init__
    secret_annotations: Mapping[str, str] = None  # type: ignore[assignment]
    unsupported: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("secret_labels", "secret_annotations"):
            if getattr(self, name) is None:
                object.__setattr__(self, name, {})


@dataclass(frozen=True, slots=True)
class CertificateStatus:
    """What earlier reconciles left in `status`; `raw` is the whole of it, for comparing."""

    raw: Mapping[str, Any]
    conditions: tuple[Condition, ...] = ()
    order: OrderJournal | None = None
    revision: int = 0
    failed_attempts: int = 0
    last_failure_time: datetime | None = None
    next_key_secret: str = ""

    def condition(self, kind: str) -> Condition | None:
        """The condition of that type, or None."""
        return next((condition for condition in self.conditions if condition.type == kind), None)


@dataclass(frozen=True, slots=True)
class Certificate:
    """A Certificate object."""

    meta: Meta
    spec: CertificateSpec
    status: CertificateStatus

    @property
    def key(self) -> ObjectKey:
        """Its key in the work queue."""
        return ObjectKey(CERTIFICATE, self.meta.namespace, self.meta.name)


# Accepted by the schema and not implemented yet: refused by a condition, never silently ignored. A field set to its
# neutral value asks for nothing, so it is let through.
LATER_FIELDS: Mapping[str, tuple[object, ...]] = {
    "revokeOnDelete": (False,),
    "restart": ([],),
    "copies": ({},),
    "fallbackIssuerRefs": ([],),
}


def parse_spec(body: Mapping[str, Any]) -> CertificateSpec:
    """Read `spec` from a Certificate's body.

    Raises:
        InvalidSpec: When a field has the wrong type or notation.
    """
    spec = Fields(body.get("spec"), "spec")
    issuer, template = spec.part("issuerRef"), spec.part("secretTemplate")
    subject = spec.part("subject")
    return CertificateSpec(
        secret_name=spec.text("secretName"),
        issuer_ref=IssuerRef(issuer.text("name"), issuer.text("kind") or ISSUER, issuer.text("group")),
        common_name=spec.text("commonName"),
        dns_names=spec.texts("dnsNames"),
        ip_addresses=spec.texts("ipAddresses"),
        uris=spec.texts("uris"),
        email_addresses=spec.texts("emailAddresses"),
        other_names=parse_other_names(spec),
        literal_subject=spec.text("literalSubject"),
        subject=Subject(
            **{name: subject.texts(name) for name in SUBJECT_FIELDS}, serialNumber=subject.text("serialNumber")
        ),
        duration=_duration(spec, "duration") if "duration" in spec else DEFAULT_DURATION,
        duration_set="duration" in spec,
        renew_before=_duration(spec, "renewBefore") if "renewBefore" in spec else None,
        renew_before_percentage=spec.number("renewBeforePercentage"),
        renewal=parse_renewal(spec),
        is_ca=spec.flag("isCA"),
        usages=spec.texts("usages") or DEFAULT_USAGES,
        encode_usages=spec.flag("encodeUsagesInRequest", default=True),
        revision_history_limit=spec.number("revisionHistoryLimit"),
        name_constraints=parse_name_constraints(spec),
        must_staple=spec.flag("mustStaple"),
        signature_algorithm=spec.text("signatureAlgorithm"),
        private_key=_private_key(spec.part("privateKey")),
        csr_ref=SecretRef.of(spec.part("csrSecretRef"), default_key="tls.csr"),
        outputs=parse_outputs(spec),
        secret_labels=template.table("labels"),
        secret_annotations=template.table("annotations"),
        unsupported=tuple(
            f"spec.{name}" for name, neutral in LATER_FIELDS.items() if name in spec and spec.body[name] not in neutral
        ),
    )


def _private_key(key: Fields) -> PrivateKeySpec:
    taken = SecretRef.of(key.part("secretRef"), default_key="tls.key")
    algorithm = key.text("algorithm") or ("" if taken else "RSA")
    return PrivateKeySpec(
        algorithm=algorithm,
        size=key.number("size") or (0 if taken else DEFAULT_SIZES.get(algorithm, 0)),
        encoding=key.text("encoding") or "PKCS1",
        rotation_policy=key.text("rotationPolicy") or "Always",
        secret_ref=taken,
    )


def parse_status(body: Mapping[str, Any]) -> CertificateStatus:
    """Read `status`; what cannot be read counts as absent, because a status may be anybody's."""
    raw = body.get("status")
    if not isinstance(raw, dict):
        return CertificateStatus(raw={})

    def number(name: str) -> int:
        value = raw.get(name)
        return value if isinstance(value, int) else 0

    conditions = raw.get("conditions")
    return CertificateStatus(
        raw=raw,
        conditions=tuple(Condition.of(item) for item in conditions if isinstance(item, dict))
        if isinstance(conditions, list)
        else (),
        order=OrderJournal.of(raw.get("order")),
        revision=number("revision"),
        failed_attempts=number("failedIssuanceAttempts"),
        last_failure_time=parse_time(raw.get("lastFailureTime")),
        next_key_secret=str(raw.get("nextPrivateKeySecretName") or ""),
    )


def parse_certificate(body: Mapping[str, Any]) -> Certificate:
    """Read a whole Certificate.

    Raises:
        InvalidSpec: When a field of its spec has the wrong type or notation.
    """
    return Certificate(meta=Meta.of(body), spec=parse_spec(body), status=parse_status(body))


def _duration(fields: Fields, name: str) -> timedelta:
    return parse_duration(fields.text(name), fields.at(name))

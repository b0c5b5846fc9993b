"""An Issuer or ClusterIssuer as the operator sees it."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from certwright.errors import InvalidSpec
from certwright.resources.conditions import Condition
from certwright.resources.meta import Meta, SecretRef
from certwright.resources.names import CLUSTER_ISSUER, ISSUER, ObjectKey
from certwright.resources.reading import Fields
from certwright.resources.values import parse_duration

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import timedelta

CHALLENGES = {"dns01": "dns-01", "http01": "http-01", "tlsALPN01": "tls-alpn-01"}
DEFAULT_SERVER = "letsencrypt"
ISSUER_TYPES = ("acme", "ca", "selfSigned")
LATER_TYPES = ("vault", "venafi")
LATER_ACME_FIELDS: Mapping[str, tuple[object, ...]] = {
    "preferredChain": ("",),
    "enableDurationFeature": (False,),
    "caBundlePolicy": ("Replace",),
    "caBundleSecretRef": ({},),
    "caBundleConfigMapRef": ({},),
    "serverName": ("",),
    "timeouts": ({},),
    "requestsPerSecond": (),
    "deactivateAuthorizations": (False,),
    "profile": ("",),
    "renewalInformation": ("Disabled",),
    "renewalInformationSource": ("None",),
}
"""Accepted by the schema, not implemented yet, with the values that ask for nothing."""


@dataclass(frozen=True, slots=True)
class Selector:
    """`solvers[].selector`: empty means every name."""

    match_labels: Mapping[str, str]
    dns_names: tuple[str, ...]
    dns_zones: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SolverSpec:
    """One entry of `spec.acme.solvers`.

    Args:
        challenge: The ACME challenge type.
        config: The part below the challenge's name.
        selector: Which names it is for.
        wait: `waitInsteadOfSelfCheck`: how long to wait in place of looking; None looks.
    """

    challenge: str
    config: Fields
    selector: Selector
    wait: timedelta | None = None


@dataclass(frozen=True, slots=True)
class ExternalAccount:
    """`spec.acme.externalAccountBinding` (RFC 8555 section 7.3.4)."""

    key_id: str
    key_ref: SecretRef


@dataclass(frozen=True, slots=True)
class AcmeSpec:
    """`spec.acme` with its defaults."""

    server: str
    email: str
    account_key: SecretRef
    key_algorithm: str
    key_size: int
    external_account: ExternalAccount | None
    terms_agreed: bool
    generate_key: bool
    ca_bundle: bytes
    skip_tls_verify: bool
    allow_http: bool
    nameservers: tuple[str, ...]
    solvers: tuple[SolverSpec, ...]


@dataclass(frozen=True, slots=True)
class CaSpec:
    """`spec.ca`."""

    secret_name: str
    crl_distribution_points: tuple[str, ...]
    ocsp_servers: tuple[str, ...]
    issuing_certificate_urls: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SelfSignedSpec:
    """`spec.selfSigned`."""

    crl_distribution_points: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Issuer:
    """An Issuer or ClusterIssuer; exactly one of `acme`, `ca` and `self_signed` is set."""

    key: ObjectKey
    meta: Meta
    acme: AcmeSpec | None = None
    ca: CaSpec | None = None
    self_signed: SelfSignedSpec | None = None
    conditions: tuple[Condition, ...] = ()
    account: Mapping[str, str] = field(default_factory=dict)

    @property
    def type(self) -> str:
        """`acme`, `ca` or `selfSigned`."""
        return "acme" if self.acme else "ca" if self.ca else "selfSigned"

    @property
    def reference(self) -> str:
        """`Kind/name`, as the journal and messages call it."""
        return f"{self.key.kind}/{self.key.name}"


def issuer_key(kind: str, namespace: str, name: str) -> ObjectKey:
    """The key of an issuer that an object of `namespace` refers to."""
    return ObjectKey(kind, "" if kind == CLUSTER_ISSUER else namespace, name)


def parse_issuer(body: Mapping[str, Any]) -> Issuer:
    """Read a whole Issuer or ClusterIssuer.

    Raises:
        InvalidSpec: When a field has the wrong type, a needed one is missing, or one asks for what is not there yet.
    """
    meta = Meta.of(body)
    spec = Fields(body.get("spec"), "spec")
    if spec.parts("allow"):
        raise InvalidSpec("spec.allow: this version does not support it; remove the field", reason="NotSupported")
    kinds = [name for name in (*ISSUER_TYPES, *LATER_TYPES) if name in spec]
    if len(kinds) != 1:
        raise InvalidSpec(
            f"spec: exactly one of {', '.join(ISSUER_TYPES)} must be set, not {' and '.join(kinds) or 'none'}"
        )
    if kinds[0] in LATER_TYPES:
        raise InvalidSpec(
            f"spec.{kinds[0]}: this kind of issuer is not supported; use acme, ca or selfSigned", reason="NotSupported"
        )
    status = body.get("status") if isinstance(body.get("status"), dict) else {}
    conditions, account = (status or {}).get("conditions"), (status or {}).get("acme")
    return Issuer(
        key=issuer_key(str(body.get("kind") or ISSUER), meta.namespace, meta.name),
        meta=meta,
        acme=_acme(spec.part("acme")) if kinds[0] == "acme" else None,
        ca=_ca(spec.part("ca")) if kinds[0] == "ca" else None,
        self_signed=SelfSignedSpec(spec.part("selfSigned").texts("crlDistributionPoints"))
        if kinds[0] == "selfSigned"
        else None,
        conditions=tuple(Condition.of(item) for item in conditions or () if isinstance(item, dict)),
        account={str(key): str(value) for key, value in account.items()} if isinstance(account, dict) else {},
    )


def _acme(spec: Fields) -> AcmeSpec:
    for name, neutral in LATER_ACME_FIELDS.items():
        if name in spec and spec.body[name] not in neutral:
            raise InvalidSpec(
                f"{spec.at(name)}: this version does not support it; remove the field", reason="NotSupported"
            )
    account_key = SecretRef.of(spec.part("privateKeySecretRef"), default_key="tls.key")
    if account_key is None or not account_key.name:
        raise InvalidSpec("spec.acme.privateKeySecretRef.name: missing; name the Secret for the account's private key")
    binding, key = spec.part("externalAccountBinding"), spec.part("privateKey")
    external = None
    if binding:
        reference = SecretRef.of(binding.part("keySecretRef"), default_key="secret")
        if not binding.text("keyID") or reference is None or not reference.name:
            raise InvalidSpec(f"{binding.path}: keyID and keySecretRef.name are both needed; the CA hands them out")
        external = ExternalAccount(binding.text("keyID"), reference)
    algorithm = key.text("algorithm") or "ECDSA"
    bundle = spec.text("caBundle")
    try:
        ca_bundle = base64.b64decode(bundle, validate=True)
    except (binascii.Error, ValueError):
        raise InvalidSpec("spec.acme.caBundle: is not base64; encode the PEM certificates with base64 -w0") from None
    return AcmeSpec(
        server=spec.text("server") or DEFAULT_SERVER,
        email=spec.text("email"),
        account_key=account_key,
        key_algorithm=algorithm,
        key_size=key.number("size") or {"RSA": 2048}.get(algorithm, 256),
        external_account=external,
        terms_agreed=spec.flag("termsOfServiceAgreed", default=True),
        generate_key=not spec.flag("disableAccountKeyGeneration"),
        ca_bundle=ca_bundle,
        skip_tls_verify=spec.flag("skipTLSVerify"),
        allow_http=spec.flag("allowInsecureHTTP"),
        nameservers=spec.texts("nameservers"),
        solvers=tuple(_solver(part) for part in spec.parts("solvers")),
    )


def _solver(spec: Fields) -> SolverSpec:
    kinds = [name for name in CHALLENGES if name in spec]
    if len(kinds) != 1:
        raise InvalidSpec(
            f"{spec.path}: exactly one of {', '.join(CHALLENGES)} must be set, not {' and '.join(kinds) or 'none'}"
        )
    selector, wait = spec.part("selector"), spec.text("waitInsteadOfSelfCheck")
    return SolverSpec(
        challenge=CHALLENGES[kinds[0]],
        config=spec.part(kinds[0]),
        selector=Selector(selector.table("matchLabels"), selector.texts("dnsNames"), selector.texts("dnsZones")),
        wait=parse_duration(wait, spec.at("waitInsteadOfSelfCheck")) if wait else None,
    )


def _ca(spec: Fields) -> CaSpec:
    if not spec.text("secretName"):
        raise InvalidSpec("spec.ca.secretName: missing; name the Secret that holds the CA's certificate and key")
    return CaSpec(
        spec.text("secretName"),
        spec.texts("crlDistributionPoints"),
        spec.texts("ocspServers"),
        spec.texts("issuingCertificateURLs"),
    )

"""What would happen to each Certificate of a manifest: found out with the operator's own rules, and nothing touched."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from certwright.cli.issuer_plan import UNKNOWN, IssuerPlan, IssuerPlanner
from certwright.cli.world import Unseen, World
from certwright.core.desired import drift, stamped_digest
from certwright.core.observation import IssuerState, Observation
from certwright.core.ownership import owner_of
from certwright.core.reasons import due
from certwright.core.renewal import SPREAD, allowed_time, renewal_time, usual_time
from certwright.core.spread import fraction
from certwright.core.validation import validate, validate_for_acme
from certwright.errors import InvalidSpec
from certwright.issuers.asking import ordered_names
from certwright.pki.certificate import CertificateFacts
from certwright.reconcile.views import secret_view
from certwright.resources.certificate import Certificate, Subject, parse_spec, parse_status
from certwright.resources.issuer import issuer_key
from certwright.resources.meta import Meta
from certwright.resources.values import format_duration

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from certwright.cli.proofs import Proof, Prover
    from certwright.core.observation import SecretView
    from certwright.resources.certificate import CertificateSpec
    from certwright.resources.issuer import Issuer
    from certwright.resources.names import Names, ObjectKey


@dataclass(frozen=True, slots=True)
class SecretPlan:
    """The TLS Secret, and what would happen to it: `action` is Create, Keep, Repair, Reissue or Unknown."""

    name: str
    action: str
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class CertificatePlan:
    """What would happen to one Certificate.

    Args:
        namespace: Its namespace.
        name: Its name.
        problems: What stands in the way.
        notes: What could not be looked at in a cluster that is there.
        issuer: None where the spec cannot be read.
        key: The private key, in words.
        proofs: One a name; none for issuers that prove nothing.
        secret: None where the spec cannot be read.
        renewal_earliest: When it would be renewed; the spread of new certificates is not known before.
        renewal_latest: Likewise.
    """

    namespace: str
    name: str
    problems: tuple[str, ...]
    notes: tuple[str, ...]
    issuer: IssuerPlan | None = None
    key: str = ""
    proofs: tuple[Proof, ...] = ()
    secret: SecretPlan | None = None
    renewal_earliest: datetime | None = None
    renewal_latest: datetime | None = None


class Planner:
    """Plans the Certificates of one manifest.

    Args:
        world: The manifest and the cluster.
        prover: Plans the proofs.
        names: Spells labels and annotations.
        now: The moment, UTC.
    """

    def __init__(self, world: World, prover: Prover, names: Names, now: datetime) -> None:
        self._world = world
        self._issuers = IssuerPlanner(world)
        self._prover = prover
        self._names = names
        self._now = now

    def plan(self, key: ObjectKey, body: Mapping[str, Any]) -> CertificatePlan:
        """What would happen to one Certificate of the manifest."""
        problems: list[str] = []
        notes: list[str] = []
        try:
            spec, meta = parse_spec(body), Meta.of(body)
        except InvalidSpec as fault:
            return CertificatePlan(key.namespace, key.name, (fault.message,), ())
        issuer_plan, issuer = self._issuers.plan(spec, key.namespace)
        problems += self._spec_problems(spec, issuer)
        if issuer_plan.ready == "False":
            problems.append(f"{issuer_plan.reference}: {issuer_plan.message}")
        proofs: list[Proof] = []
        if issuer and issuer.acme and not problems:
            notes += ["the names are in the request that csrSecretRef names"] if spec.csr_ref else []
            proofs = self._prover.plan(issuer, issuer.acme, ordered_names(spec), meta)
            problems += [f"{proof.name}: {proof.problem}" for proof in proofs if proof.problem]
            notes += dict.fromkeys(proof.note for proof in proofs if proof.note)
        state = IssuerState(issuer_key("", "", ""), type=issuer.type if issuer else "")
        secret, renewal = SecretPlan(spec.secret_name, UNKNOWN, "", ""), self._renewal(spec, "")
        try:
            certificate = self._existing(key, meta, spec)
            view = self._secret(key.namespace, spec.secret_name)
            rival = self._rival(certificate, view)
            problems += rival
            # Whether the Secret is to go with the Certificate is the operator's setting, which nobody here knows.
            owned = view is not None and certificate.meta.uid in view.owner_uids
            observation = Observation(certificate, view, state, owner_wanted=owned)
            secret = _secret_plan(observation, self._names, self._now)
            if rival:
                secret = SecretPlan(spec.secret_name, "Keep", "IncorrectCertificate", "it is another Certificate's")
            kept = view.facts.certificate if view and secret.action in {"Keep", "Repair"} else None
            renewal = self._renewal(spec, certificate.meta.uid, kept)
        except Unseen as fault:
            notes.append(f"Secret {spec.secret_name}: {fault.message}")
        except InvalidSpec as fault:
            problems += [fault.message] if fault.message not in problems else []
        return CertificatePlan(
            namespace=key.namespace,
            name=key.name,
            problems=tuple(problems),
            notes=tuple(notes) if self._world.has_cluster else (),
            issuer=issuer_plan,
            key=_key(spec),
            proofs=tuple(proofs),
            secret=secret,
            renewal_earliest=None if problems else renewal[0],
            renewal_latest=None if problems else renewal[1],
        )

    def _spec_problems(self, spec: CertificateSpec, issuer: Issuer | None) -> list[str]:
        """What the operator would refuse the spec for; it names one field at a time, too."""
        try:
            validate(spec, self._names)
            if issuer and issuer.acme:
                validate_for_acme(spec)
            stamped_digest(spec)
        except InvalidSpec as fault:
            return [fault.message]
        return []

    def _renewal(
        self, spec: CertificateSpec, uid: str, kept: CertificateFacts | None = None
    ) -> tuple[datetime | None, datetime | None]:
        """Earliest and latest moment, of the certificate that is kept or else of one issued now; None for never."""
        facts = kept or _new_certificate(self._now, spec)
        moment = renewal_time(spec, facts, uid)
        if kept or uid or moment is None:
            return moment, moment
        latest = usual_time(spec, facts, uid) + spec.duration * SPREAD * fraction(uid, "renewal")
        earliest = latest - spec.duration * SPREAD
        return allowed_time(spec, facts, earliest, uid), allowed_time(spec, facts, latest, uid)

    def _existing(self, key: ObjectKey, meta: Meta, spec: CertificateSpec) -> Certificate:
        """The Certificate as it would be: the manifest's spec, with the cluster's uid and status where it exists."""
        live = self._world.certificate(key)
        return Certificate(Meta.of(live) if live else meta, spec, parse_status(live or {}))

    def _secret(self, namespace: str, name: str) -> SecretView | None:
        secret = self._world.secret(namespace, name)
        return secret_view(secret) if secret else None

    def _rival(self, certificate: Certificate, view: SecretView | None) -> list[str]:
        """That another Certificate has the Secret, if one does."""
        namespace, name = certificate.key.namespace, certificate.spec.secret_name
        bodies = {Meta.of(body).name: body for body in self._world.neighbours(namespace)}
        for key, body in self._world.manifest.certificates.items():
            if key.namespace == namespace:
                created = (bodies.get(key.name) or {}).get("metadata") or body["metadata"]
                bodies[key.name] = {**body, "metadata": created}
        claims = [
            (other, Meta.of(body).created)
            for other, body in bodies.items()
            if isinstance(spec := body.get("spec"), dict) and spec.get("secretName") == name
        ]
        written_for = view.annotations.get(self._names.certificate_name, "") if view else ""
        owner = owner_of(claims, written_for)
        if owner == certificate.meta.name:
            return []
        return [f"Secret {name} belongs to Certificate {owner}; give one of the two another spec.secretName"]


def _secret_plan(observation: Observation, names: Names, now: datetime) -> SecretPlan:
    name = observation.certificate.spec.secret_name
    reason = due(observation, names, now)
    if reason:
        action = "Reissue" if observation.secret else "Create"
        return SecretPlan(name, action, reason.word, reason.message)
    worn = drift(observation, names)
    if worn:
        return SecretPlan(name, "Repair", worn.word, worn.message)
    return SecretPlan(name, "Keep", "UpToDate", "its certificate is what the spec asks for")


def _key(spec: CertificateSpec) -> str:
    key = spec.private_key
    if spec.csr_ref:
        return f"of the request in Secret {spec.csr_ref.name}, for {format_duration(spec.duration)}"
    if key.secret_ref:
        source = f"from Secret {key.secret_ref.name}, {key.secret_ref.key}"
        return f"{source}, {key.encoding}, for {format_duration(spec.duration)}"
    size = f" {key.size}" if key.size else ""
    kept = "made anew with each certificate" if key.rotation_policy == "Always" else "kept at renewals"
    return f"{key.algorithm}{size}, {key.encoding}, {kept}, for {format_duration(spec.duration)}"


def _new_certificate(now: datetime, spec: CertificateSpec) -> CertificateFacts:
    """A certificate of the length that was asked for, issued now; only its dates mean anything."""
    return CertificateFacts(
        serial="",
        not_before=now,
        not_after=now + spec.duration,
        common_name="",
        subject=Subject(),
        dns_names=(),
        ip_addresses=(),
        uris=(),
        emails=(),
        is_ca=False,
        usages=(),
        public_key_digest="",
        issuer="",
    )

"""Why a new certificate is needed: the reasons in the order in which they are looked at; the first one counts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from certwright.core.desired import DIGEST_VERSION, stamped_digest
from certwright.core.renewal import renewal_time
from certwright.core.step import Reason
from certwright.pki.difference import describe_difference
from certwright.pki.keys import mismatch
from certwright.pki.temporary import is_temporary
from certwright.resources.conditions import ISSUING
from certwright.resources.renewal import DISABLED
from certwright.resources.values import format_time

if TYPE_CHECKING:
    from datetime import datetime

    from certwright.core.observation import Observation
    from certwright.pki.secret import SecretFacts
    from certwright.resources.certificate import Certificate, CertificateSpec
    from certwright.resources.names import Names

MANUAL = "ManuallyTriggered"


def unusable(observation: Observation, names: Names) -> Reason | None:
    """Why the Secret does not serve the Certificate as it is; None when it does. Does not look at dates."""
    spec, secret = observation.certificate.spec, observation.secret
    if secret is None:
        return Reason("DoesNotExist", f"Secret {spec.secret_name} does not exist yet")
    return _no_pair(spec, secret.facts) or _written_for_another(observation, names) or _not_as_asked(observation, names)


def _no_pair(spec: CertificateSpec, facts: SecretFacts) -> Reason | None:
    """What is wrong with key and certificate; where somebody else has the key, with the certificate alone."""
    has_key = facts.has_key or spec.csr_ref is not None
    if not has_key or not facts.has_certificate:
        missing = " and ".join(
            word for word, there in (("tls.key", has_key), ("tls.crt", facts.has_certificate)) if not there
        )
        return Reason("MissingData", f"Secret {spec.secret_name} has no {missing}")
    if spec.csr_ref and facts.certificate:
        return None
    if facts.certificate is None or facts.key is None:
        return Reason("InvalidKeyPair", f"Secret {spec.secret_name}: {facts.problem or 'it cannot be read'}")
    if not facts.key_matches_certificate:
        return Reason(
            "InvalidKeyPair", f"Secret {spec.secret_name}: tls.key is not the key of the certificate in tls.crt"
        )
    return None


def _written_for_another(observation: Observation, names: Names) -> Reason | None:
    """Who the Secret says it was written for, where it says so; empty and default values are equal."""
    spec, secret = observation.certificate.spec, observation.secret
    if secret is None or secret.facts.certificate is None:
        return None  # pragma: no cover - `unusable` has looked
    annotations, issuer = secret.annotations, spec.issuer_ref
    expected = (
        (names.issuer_name, issuer.name, ""),
        (names.issuer_kind, issuer.kind, "Issuer"),
        (names.issuer_group, issuer.group or names.group, names.group),
    )
    if is_temporary(secret.facts.certificate) and names.issuer_name not in annotations:
        return Reason("IncorrectIssuer", f"Secret {spec.secret_name} holds a temporary certificate for the time being")
    for key, want, default in expected:
        have = annotations.get(key) or default
        if have != want:
            return Reason(
                "IncorrectIssuer", f"Secret {spec.secret_name} was issued by {have or 'nobody'}, not by {want}"
            )
    written_for = annotations.get(names.certificate_name)
    if written_for and written_for != observation.certificate.meta.name:
        return Reason("IncorrectCertificate", f"Secret {spec.secret_name} was written for Certificate {written_for}")
    return None


def _not_as_asked(observation: Observation, names: Names) -> Reason | None:
    """What of the request changed since the certificate was issued."""
    spec, secret = observation.certificate.spec, observation.secret
    if secret is None or secret.facts.certificate is None:
        return None  # pragma: no cover - `unusable` has looked
    wrong_key = mismatch(spec.private_key, secret.facts.key) if secret.facts.key and not spec.csr_ref else None
    if wrong_key:
        return Reason("SecretMismatch", f"spec.privateKey changed: {wrong_key}")
    public_ca = observation.issuer.type in {"acme", ""}
    difference = describe_difference(spec, secret.facts.certificate, fuzzy=public_ca)
    if difference:
        return Reason("RequestChanged", f"the certificate is not what the spec asks for: {difference}")
    stamp = secret.annotations.get(names.request_digest, "")
    if stamp.startswith(f"{DIGEST_VERSION}.") and stamp != stamped_digest(spec):
        return Reason("RequestChanged", "the spec asks for something else than when the certificate was issued")
    return None


def due(observation: Observation, names: Names, now: datetime) -> Reason | None:
    """Why a certificate is to be issued now; None when what is there will do."""
    bad = unusable(observation, names)
    if bad:
        return bad
    certificate, secret = observation.certificate, observation.secret
    facts = secret.facts.certificate if secret else None
    if facts is not None:  # pragma: no branch - `unusable` has looked
        moment = renewal_time(certificate.spec, facts, certificate.meta.uid)
        if moment and now >= moment:
            return Reason(
                "Renewing", f"renewal is due since {format_time(moment)}; it expires at {format_time(facts.not_after)}"
            )
    if asked_by_hand(certificate):
        return Reason(MANUAL, "a new certificate was asked for by hand")
    return None


def asked_by_hand(certificate: Certificate) -> bool:
    """Whether somebody set the Issuing condition to ask for a new certificate."""
    asked = certificate.status.condition(ISSUING)
    return asked is not None and asked.status == "True" and asked.reason == MANUAL


def not_ready(observation: Observation, names: Names, now: datetime) -> Reason | None:
    """Why the Certificate is not Ready; None when the Secret holds a certificate that serves."""
    bad = unusable(observation, names)
    if bad:
        return bad
    facts = observation.secret.facts.certificate if observation.secret else None
    if facts is not None and now >= facts.not_after:
        text = f"the certificate expired at {format_time(facts.not_after)}"
        if observation.certificate.spec.renewal.policy == DISABLED:
            text += "; spec.renewal.policy is Disabled, so ask for a new one by hand, or change it"
        return Reason("Expired", text)
    return None

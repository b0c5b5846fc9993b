"""What the TLS Secret of a Certificate must look like beside its data, and what differs from that."""

from __future__ import annotations

from typing import TYPE_CHECKING

from certwright.core.step import Reason
from certwright.pki.annotations import secret_annotations
from certwright.pki.difference import request_digest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from certwright.core.observation import Observation, SecretView
    from certwright.pki.certificate import CertificateFacts
    from certwright.pki.secret import SecretFacts
    from certwright.resources.certificate import CertificateSpec
    from certwright.resources.names import Names

    Tables = Mapping[str, Mapping[str, str]]

DIGEST_VERSION = "1"


def stamped_digest(spec: CertificateSpec) -> str:
    """The digest of a request as the Secret carries it; the version keeps a new way to digest from renewing a fleet."""
    return f"{DIGEST_VERSION}.{request_digest(spec)}"


def secret_labels(spec: CertificateSpec, names: Names) -> dict[str, str]:
    """Labels of the TLS Secret: the template's, and the one it is watched by."""
    return {**spec.secret_labels, names.watched_label: "true"}


def temporary_annotation_set(
    certificate_name: str, spec: CertificateSpec, names: Names, facts: CertificateFacts
) -> dict[str, str]:
    """Annotations of the TLS Secret with a temporary certificate: no issuer, so that nobody takes it for the real one.

    Args:
        certificate_name: As for `secret_annotation_set`.
        spec: As there.
        names: As there.
        facts: As there.
    """
    ours = {names.annotation(word): value for word, value in secret_annotations(facts).items()}
    return {**spec.secret_annotations, **ours, names.certificate_name: certificate_name}


def secret_annotation_set(
    certificate_name: str, spec: CertificateSpec, names: Names, facts: CertificateFacts
) -> dict[str, str]:
    """Annotations of the TLS Secret: the template's, then ours, which win.

    Args:
        certificate_name: The Certificate it belongs to.
        spec: Its spec.
        names: Spells the annotations.
        facts: The certificate in the Secret.
    """
    issuer = spec.issuer_ref
    return {
        **temporary_annotation_set(certificate_name, spec, names, facts),
        names.issuer_name: issuer.name,
        names.issuer_kind: issuer.kind,
        names.issuer_group: issuer.group or names.group,
    }


def drift(observation: Observation, names: Names) -> Reason | None:
    """What of the Secret's metadata, encoding or further entries has to be written anew; None when nothing has.

    Called for a Secret whose certificate is as wanted, so `facts.certificate` is there.
    """
    certificate, secret = observation.certificate, observation.secret
    if secret is None or secret.facts.certificate is None:
        return None
    if secret.facts.key is None and not certificate.spec.csr_ref:
        return None
    spec = certificate.spec
    wanted = {
        "labels": secret_labels(spec, names),
        "annotations": secret_annotation_set(certificate.meta.name, spec, names, secret.facts.certificate),
    }
    said = (
        _metadata_drift(wanted, names, secret)
        or _no_longer_wanted(wanted, spec, names, secret)
        or _data_drift(spec, secret.facts)
    )
    if said is None and observation.owner_wanted != (certificate.meta.uid in secret.owner_uids):
        said = "the Secret's owner reference is not as the operator's settings want it"
    return Reason("SecretDrift", said) if said else None


def _metadata_drift(wanted: Tables, names: Names, secret: SecretView) -> str | None:
    have = {"labels": secret.labels, "annotations": secret.annotations}
    for kind, values in wanted.items():
        for key, value in values.items():
            if have[kind].get(key) != value and not _same_issuer_group(names, key, have[kind].get(key), value):
                return f"the Secret's {kind[:-1]} {key} is not as wanted"
    return None


def _no_longer_wanted(wanted: Tables, spec: CertificateSpec, names: Names, secret: SecretView) -> str | None:
    """What we have written and the spec does not ask for any more."""
    keep = {f"{kind}/{key}" for kind, values in wanted.items() for key in values}
    keep.add(f"annotations/{names.request_digest}")
    if spec.outputs.keystores:
        keep.add(f"annotations/{names.keystore_stamps}")
    keep |= {f"data/{entry}" for entry in spec.outputs.entries(has_ca=secret.facts.has_ca)}
    for key in sorted(secret.owned - keep):
        if _present(secret, key):
            return f"the Secret's {key} is no longer wanted"
    return None


def _data_drift(spec: CertificateSpec, facts: SecretFacts) -> str | None:
    """What of the data has another form than is wanted; what is in keystores cannot be seen here."""
    encoding = spec.private_key.encoding
    key = facts.key if spec.csr_ref is None else None
    if key and key.encoding != encoding and key.algorithm != "Ed25519":
        return f"the key's encoding is {key.encoding}, not {encoding}"
    entries = spec.outputs.entries(has_ca=facts.has_ca)
    if missing := entries.difference(facts.extras):
        return f"the Secret lacks {', '.join(sorted(missing))}"
    if worn := entries.intersection(facts.worn):
        return f"the Secret's {', '.join(sorted(worn))} does not follow from its key and chain"
    return None


def _same_issuer_group(names: Names, key: str, have: str | None, want: str) -> bool:
    """An empty group and our own mean the same, whoever wrote it."""
    return key == names.issuer_group and have == "" and want == names.group


def _present(secret: SecretView, owned: str) -> bool:
    kind, _, key = owned.partition("/")
    if kind == "data":
        return key in secret.facts.extras
    return key in (secret.labels if kind == "labels" else secret.annotations)

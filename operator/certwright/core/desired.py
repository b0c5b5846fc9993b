"""What the TLS Secret of a Certificate must look like beside its data, and what differs from that."""

from __future__ import annotations

from typing import TYPE_CHECKING

from certwright.core.step import Reason
from certwright.pki.annotations import secret_annotations
from certwright.pki.difference import request_digest

if TYPE_CHECKING:
    from certwright.core.observation import Observation, SecretView
    from certwright.pki.certificate import CertificateFacts
    from certwright.resources.certificate import CertificateSpec
    from certwright.resources.names import Names

DIGEST_VERSION = "1"


def stamped_digest(spec: CertificateSpec) -> str:
    """The digest of a request as the Secret carries it; the version keeps a new way to digest from renewing a fleet."""
    return f"{DIGEST_VERSION}.{request_digest(spec)}"


def secret_labels(spec: CertificateSpec, names: Names) -> dict[str, str]:
    """Labels of the TLS Secret: the template's, and the one it is watched by."""
    return {**spec.secret_labels, names.watched_label: "true"}


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
    ours = {names.annotation(word): value for word, value in secret_annotations(facts).items()}
    issuer = spec.issuer_ref
    return {
        **spec.secret_annotations,
        **ours,
        names.certificate_name: certificate_name,
        names.issuer_name: issuer.name,
        names.issuer_kind: issuer.kind,
        names.issuer_group: issuer.group or names.group,
    }


def drift(observation: Observation, names: Names) -> Reason | None:
    """What of the Secret's metadata or encoding has to be written anew; None when nothing has.

    Called for a Secret whose certificate is as wanted, so `facts.certificate` is there.
    """
    spec, meta, secret = observation.certificate.spec, observation.certificate.meta, observation.secret
    if secret is None or secret.facts.certificate is None or secret.facts.key is None:
        return None
    facts = secret.facts
    wanted = {
        "labels": secret_labels(spec, names),
        "annotations": secret_annotation_set(meta.name, spec, names, secret.facts.certificate),
    }
    have = {"labels": secret.labels, "annotations": secret.annotations}
    for kind, values in wanted.items():
        for key, value in values.items():
            if have[kind].get(key) != value and not _same_issuer_group(names, key, have[kind].get(key), value):
                return Reason("SecretDrift", f"the Secret's {kind[:-1]} {key} is not as wanted")
    template = {f"{kind}/{key}" for kind, values in wanted.items() for key in values}
    keep = {f"annotations/{names.annotation('request-digest')}"}
    for key in sorted(secret.owned - template - keep):
        if _present(secret, key):
            return Reason("SecretDrift", f"the Secret's {key} is no longer wanted")
    encoding = spec.private_key.encoding
    if facts.key and facts.key.encoding != encoding and facts.key.algorithm != "Ed25519":
        return Reason("SecretDrift", f"the key's encoding is {facts.key.encoding}, not {encoding}")
    if observation.owner_wanted != (meta.uid in secret.owner_uids):
        return Reason("SecretDrift", "the Secret's owner reference is not as the operator's settings want it")
    return None


def _same_issuer_group(names: Names, key: str, have: str | None, want: str) -> bool:
    """An empty group and our own mean the same, whoever wrote it."""
    return key == names.issuer_group and have == "" and want == names.group


def _present(secret: SecretView, owned: str) -> bool:
    kind, _, key = owned.partition("/")
    return key in (secret.labels if kind == "labels" else secret.annotations)

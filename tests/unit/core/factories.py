"""Certificates, Secrets and observations for tests: each call says only what differs from one that is Ready."""

import dataclasses
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from certwright.core.desired import secret_annotation_set, secret_labels, stamped_digest
from certwright.core.observation import IssuerState, Observation, SecretView
from certwright.core.status import waiting
from certwright.core.step import Wait
from certwright.pki import keys, signing
from certwright.pki.secret import SecretFacts, read_tls_secret, tls_secret_data
from certwright.resources.certificate import Certificate, CertificateSpec, parse_certificate, parse_spec
from certwright.resources.names import ISSUER, Names, ObjectKey
from certwright.resources.order import ChallengeState, IdentifierJournal, OrderJournal, Record
from certwright.resources.values import format_time

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
NAMES = Names()
UID = "4b1e7c0a-0000-4000-8000-000000000001"
NAMESPACE = "shop"
SPEC: dict[str, Any] = {
    "secretName": "web-tls",
    "issuerRef": {"name": "ca"},
    "dnsNames": ["web.example.com"],
    "privateKey": {"algorithm": "ECDSA"},
}
READY_ISSUER = IssuerState(ObjectKey(ISSUER, NAMESPACE, "ca"), type="ca", ready=True)
AWAY_ISSUER = IssuerState(
    ObjectKey(ISSUER, NAMESPACE, "ca"), reason="IssuerNotFound", message="Issuer ca does not exist; create it"
)


def spec_body(**changes: Any) -> dict[str, Any]:
    """The spec with some fields changed; None takes a field away."""
    return {name: value for name, value in {**SPEC, **changes}.items() if value is not None}


def make_spec(**changes: Any) -> CertificateSpec:
    return parse_spec({"spec": spec_body(**changes)})


def make_body(*, name: str = "web", status: Mapping[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    meta = {"name": name, "namespace": NAMESPACE, "uid": UID, "generation": 3, "resourceVersion": "7"}
    return {"metadata": meta, "spec": spec_body(**changes), "status": dict(status or {})}


def make_certificate(*, name: str = "web", status: Mapping[str, Any] | None = None, **changes: Any) -> Certificate:
    return parse_certificate(make_body(name=name, status=status, **changes))


@lru_cache(maxsize=16)
def a_key(algorithm: str = "ECDSA", size: int = 256) -> keys.PrivateKey:
    """Keys are slow to make and nothing here depends on their being different."""
    return keys.generate(dataclasses.replace(make_spec().private_key, algorithm=algorithm, size=size))


def data_for(spec: CertificateSpec, *, begin: datetime, lifetime: timedelta | None = None) -> dict[str, bytes]:
    """The data of the Secret that a spec asks for, signed by its own key."""
    key = a_key(spec.private_key.algorithm, spec.private_key.size)
    asked = dataclasses.replace(spec, duration=lifetime or spec.duration)
    bundle = signing.self_sign(asked, key, now=begin)
    return tls_secret_data(spec, key, chain_pem=bundle.chain_pem, ca_pem=bundle.ca_pem)


def make_view(
    certificate: Certificate,
    *,
    data: Mapping[str, bytes] | None = None,
    begin: datetime = NOW,
    lifetime: timedelta | None = None,
) -> SecretView:
    """The Secret as the operator would have written it for a Certificate at `begin`."""
    spec = certificate.spec
    facts = read_tls_secret(data_for(spec, begin=begin, lifetime=lifetime) if data is None else data)
    annotations = {}
    if facts.certificate:
        annotations = secret_annotation_set(certificate.meta.name, spec, NAMES, facts.certificate)
        annotations[NAMES.annotation("request-digest")] = stamped_digest(spec)
    labels = secret_labels(spec, NAMES)
    owned = {f"labels/{key}" for key in labels} | {f"annotations/{key}" for key in annotations}
    return SecretView(
        name=spec.secret_name,
        uid="secret-uid",
        resource_version="11",
        type="kubernetes.io/tls",
        labels=labels,
        annotations=annotations,
        facts=facts,
        owned=frozenset(owned),
    )


def annotated(view: SecretView, **words: str | None) -> SecretView:
    """The view with some of our annotations changed, by last part with _ for -; None takes one away."""
    changed = {NAMES.annotation(word.replace("_", "-")): value for word, value in words.items()}
    annotations = {**view.annotations, **changed}
    return dataclasses.replace(
        view, annotations={key: value for key, value in annotations.items() if value is not None}
    )


def with_facts(view: SecretView, **changes: Any) -> SecretView:
    facts: SecretFacts = dataclasses.replace(view.facts, **changes)
    return dataclasses.replace(view, facts=facts)


def journal(spec: CertificateSpec | None = None, **changes: Any) -> OrderJournal:
    """The journal of an order for a spec at READY_ISSUER."""
    record = Record("_acme-challenge.web.example.com.", "example.com.", "rfc2136", "value")
    order = OrderJournal(
        issuer="Issuer/ca",
        url="https://ca.test/order/1",
        state="pending",
        request=stamped_digest(spec or make_spec()),
        identifiers=(IdentifierJournal("web.example.com", "dns-01", ChallengeState.PRESENTED, record),),
    )
    return dataclasses.replace(order, **changes)


def condition(kind: str, status: str, reason: str, message: str = "as told") -> dict[str, Any]:
    return {
        "type": kind,
        "status": status,
        "reason": reason,
        "message": message,
        "lastTransitionTime": format_time(NOW - timedelta(hours=1)),
        "observedGeneration": 3,
    }


BY_HAND = condition("Issuing", "True", "ManuallyTriggered")


def failure(
    *, attempts: int = 1, at: datetime = NOW, request: str | None = None, message: str = "the CA said no"
) -> dict[str, Any]:
    """Status fields of a Certificate whose last attempts were refused."""
    digest = stamped_digest(make_spec()) if request is None else request
    return {
        "failedIssuanceAttempts": attempts,
        "lastFailureTime": format_time(at),
        "lastFailure": {"time": format_time(at), "reason": "CAARefused", "message": message, "request": digest},
    }


def observe(
    *,
    status: Mapping[str, Any] | None = None,
    view: SecretView | None = None,
    no_secret: bool = False,
    issuer: IssuerState = READY_ISSUER,
    spec: Mapping[str, Any] | None = None,
    created: datetime | None = None,
    **changes: Any,
) -> Observation:
    """An observation; with nothing said, of a Certificate whose Secret was issued just now and is as wanted."""
    certificate = make_certificate(status=status, **(spec or {}))
    certificate = dataclasses.replace(certificate, meta=dataclasses.replace(certificate.meta, created=created))
    secret = None if no_secret else view or make_view(certificate)
    return Observation(certificate=certificate, secret=secret, issuer=issuer, **changes)


def settled_status(observation: Observation) -> dict[str, Any]:
    """What `status` is once a Certificate is Ready and at rest."""
    return waiting(observation, Wait(until=None, ready=None), NOW)

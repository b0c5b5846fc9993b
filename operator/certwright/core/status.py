"""What the status says: built whole from an observation, compared with what is there, written only if it differs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from certwright.core.desired import stamped_digest
from certwright.core.reasons import MANUAL, not_ready
from certwright.core.renewal import renewal_time
from certwright.core.step import Reason
from certwright.pki.temporary import is_temporary
from certwright.resources.conditions import ISSUING, READY, STALLED, Condition, merge
from certwright.resources.values import clip, format_time

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from certwright.core.observation import Observation
    from certwright.core.step import Wait
    from certwright.errors import CertwrightError
    from certwright.resources.certificate import CertificateStatus
    from certwright.resources.meta import Meta
    from certwright.resources.names import Names
    from certwright.resources.order import OrderJournal

ALL_IS_WELL = Reason("Ready", "Certificate is up to date and has not expired")
FAILURE_FIELDS = ("lastFailure", "lastFailureTime", "failedIssuanceAttempts")
ORDER_FIELDS = ("order", "nextPrivateKeySecretName")
COME_BY_THEMSELVES = ("IssuerNotFound", "IssuerNotReady", "SecretNotFound", "KeystorePasswordSecretNotFound")
"""Reasons why nothing goes on that end when another object comes, which is often applied in one go with this one."""


def waiting(observation: Observation, step: Wait, now: datetime) -> dict[str, Any]:
    """The status of a Certificate for which nothing can be done now.

    Args:
        observation: As the step was decided from.
        step: Says what the conditions say.
        now: The moment for conditions that change.
    """
    status = _base(observation)
    ready = step.ready
    if ready and step.issuing and step.issuing.word != ready.word:
        ready = Reason(ready.word, f"{ready.message}: {step.issuing.message}")
    if step.issuing is None and step.ready is None:
        _drop(status, *ORDER_FIELDS)
    return _with_conditions(observation, status, ready, step.issuing, going_on=False, now=now)


def issued(observation: Observation, now: datetime) -> dict[str, Any]:
    """The status after a certificate was stored: `observation` already has the new Secret."""
    status = _base(observation)
    _drop(status, *ORDER_FIELDS, *FAILURE_FIELDS)
    status["revision"] = observation.certificate.status.revision + 1
    return _with_conditions(observation, status, None, None, going_on=False, now=now)


def ordering(
    observation: Observation,
    names: Names,
    *,
    reason: Reason,
    order: OrderJournal | None,
    next_key_secret: str,
    now: datetime,
) -> dict[str, Any]:
    """The status while an issuance goes on.

    Args:
        observation: As the step was decided from.
        names: Spells labels and annotations.
        reason: What the Issuing condition says.
        order: The journal; None for an issuer that needs none.
        next_key_secret: Name of the Secret for the next private key; empty when none is used.
        now: The moment for conditions that change.
    """
    status = _base(observation)
    if order:
        status["order"] = order.body()
    if next_key_secret:
        status["nextPrivateKeySecretName"] = next_key_secret
    ready = not_ready(observation, names, now)
    if ready:
        progress = "one is being issued" if reason.message == ready.message else reason.message
        ready = Reason(ready.word, f"{ready.message}; {progress}")
    return _with_conditions(observation, status, ready, reason, going_on=True, now=now)


def refused(meta: Meta, status: CertificateStatus, fault: CertwrightError, now: datetime) -> dict[str, Any]:
    """The status of a Certificate whose spec cannot even be read."""
    kinds = {READY: "False", STALLED: "True"}
    conditions = [Condition(kind, word, fault.reason, fault.message, meta.generation) for kind, word in kinds.items()]
    return {**status.raw, "conditions": merge(status.conditions, conditions, drop=(ISSUING,), now=now)}


def failed(observation: Observation, names: Names, fault: CertwrightError, now: datetime) -> dict[str, Any]:
    """The status after an attempt that the CA, or an issuer, refused: counted, and waited for by the backoff."""
    status = _base(observation)
    _drop(status, "order")
    problem = getattr(fault, "problem", None)
    status["failedIssuanceAttempts"] = observation.certificate.status.failed_attempts + 1
    status["lastFailureTime"] = format_time(now)
    status["lastFailure"] = {
        "time": format_time(now),
        "issuer": f"{observation.issuer.key.kind}/{observation.issuer.key.name}",
        "reason": fault.reason,
        "message": clip(fault.message),
        "request": stamped_digest(observation.certificate.spec),
        **({"problem": _bounded(problem)} if problem else {}),
    }
    ready = not_ready(observation, names, now)
    if ready:
        ready = Reason(ready.word, f"{ready.message}: {fault.message}")
    return _with_conditions(observation, status, ready, Reason(fault.reason, fault.message), going_on=False, now=now)


def patch(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """The merge patch (RFC 7396) that makes `old` into `new`; empty when they are equal."""
    changes: dict[str, Any] = {key: None for key in old if key not in new}
    for key, value in new.items():
        before = old.get(key)
        if isinstance(value, dict) and isinstance(before, dict):
            inner = patch(before, value)
            if inner:
                changes[key] = inner
        elif value != before or key not in old:
            changes[key] = value
    return changes


def _base(observation: Observation) -> dict[str, Any]:
    """What is there, with the certificate's dates as they are now."""
    certificate, secret = observation.certificate, observation.secret
    status = dict(certificate.status.raw)
    whole = secret and (secret.facts.key_matches_certificate or certificate.spec.csr_ref)
    facts = secret.facts.certificate if secret and whole else None
    if facts is None or is_temporary(facts):
        _drop(status, "notBefore", "notAfter", "renewalTime")
        return status
    status["notBefore"] = format_time(facts.not_before)
    status["notAfter"] = format_time(facts.not_after)
    moment = renewal_time(certificate.spec, facts, certificate.meta.uid)
    _drop(status, "renewalTime")
    if moment:
        status["renewalTime"] = format_time(moment)
    status["revision"] = max(certificate.status.revision, 1)
    return status


def _with_conditions(
    observation: Observation,
    status: dict[str, Any],
    ready: Reason | None,
    issuing: Reason | None,
    *,
    going_on: bool,
    now: datetime,
) -> dict[str, Any]:
    """The status with both conditions; a renewal asked for by hand stays asked for until it is done."""
    certificate = observation.certificate
    generation = certificate.meta.generation
    said = ready or ALL_IS_WELL
    conditions = [Condition(READY, "False" if ready else "True", said.word, said.message, generation)]
    active = going_on or (issuing is not None and issuing.word == MANUAL)
    if issuing:
        conditions.append(Condition(ISSUING, "True" if active else "False", issuing.word, issuing.message, generation))
    obstacle = None if active or ready is None else issuing or ready
    if obstacle and obstacle.word not in COME_BY_THEMSELVES:
        conditions.append(Condition(STALLED, "True", obstacle.word, obstacle.message, generation))
    drop = {ISSUING, STALLED} - {condition.type for condition in conditions}
    status["conditions"] = merge(certificate.status.conditions, conditions, drop=drop, now=now)
    return status


def _drop(status: dict[str, Any], *fields: str) -> None:
    for name in fields:
        status.pop(name, None)


def _bounded(problem: Mapping[str, Any]) -> dict[str, Any]:
    """A CA's problem document with its texts cut and ten subproblems at most."""
    body = {
        key: clip(value) if isinstance(value, str) else value for key, value in problem.items() if key != "subproblems"
    }
    subproblems = problem.get("subproblems")
    if isinstance(subproblems, list) and subproblems:
        body["subproblems"] = [_bounded(item) for item in subproblems[:10] if isinstance(item, dict)]
    return body

"""The decision: from what was observed, the one next step. Pure: every situation is a row of a table in its tests.

spec wrong, or another Certificate owns the Secret   Wait, after the order under way is abandoned
order under way, for what the spec asks              Advance
order under way, for something else                  Abandon
certificate there and not due                        Abandon what is left, Repair, Inspect, or Wait for the renewal
certificate wanted                                   Wait for the issuer or the backoff, or Issue
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from certwright.core import backoff
from certwright.core.desired import drift, stamped_digest
from certwright.core.reasons import MANUAL, asked_by_hand, due, not_ready
from certwright.core.renewal import renewal_time
from certwright.core.step import Abandon, Advance, Inspect, Issue, Reason, Repair, Step, Wait
from certwright.core.validation import validate, validate_for_acme
from certwright.errors import InvalidSpec
from certwright.resources.conditions import ISSUING
from certwright.resources.values import format_time

if TYPE_CHECKING:
    from datetime import datetime

    from certwright.core.observation import Observation
    from certwright.resources.certificate import CertificateStatus
    from certwright.resources.names import Names

SETTLING = timedelta(seconds=3)
"""How long a new Certificate's issuer may be unready without a word: the two are often applied in one go."""
RIVAL_CHECK = timedelta(minutes=3)
"""How often a Certificate that may not write its Secret looks again."""


def decide(observation: Observation, names: Names, now: datetime) -> Step:
    """The next step for one Certificate.

    Args:
        observation: All that bears on it, observed at `now`.
        names: Spells labels and annotations.
        now: The moment, UTC.
    """
    certificate = observation.certificate
    order = certificate.status.order
    refusal = _refusal(observation, names)
    if refusal:
        if order:
            return Abandon(refusal)
        retry = now + RIVAL_CHECK if observation.rival else None
        return Wait(until=retry, ready=refusal)
    if order:
        return _with_order(observation, names, now)
    reason = due(observation, names, now)
    if reason is None:
        return _settled(observation, names, now)
    return _blocked(observation, names, now) or Issue(reason)


def _refusal(observation: Observation, names: Names) -> Reason | None:
    """Why nothing may be issued for this Certificate as it stands."""
    try:
        validate(observation.certificate.spec, names)
        if observation.issuer.type == "acme":
            validate_for_acme(observation.certificate.spec)
    except InvalidSpec as fault:
        return Reason(fault.reason, fault.message)
    if observation.rival:
        return Reason(
            "IncorrectCertificate",
            f"Secret {observation.certificate.spec.secret_name} belongs to Certificate {observation.rival}; "
            "give one of the two another spec.secretName",
        )
    return None


def _with_order(observation: Observation, names: Names, now: datetime) -> Step:
    status, issuer = observation.certificate.status, observation.issuer
    order = status.order
    if order is None or order.request != stamped_digest(observation.certificate.spec):
        return Abandon(Reason("RequestChanged", "the spec changed while the order was under way"))
    if order.issuer != f"{issuer.key.kind}/{issuer.key.name}":
        return Abandon(Reason("IncorrectIssuer", "spec.issuerRef changed while the order was under way"))
    issuing = status.condition(ISSUING)
    reason = Reason(issuing.reason, issuing.message) if issuing else Reason("Issuing", "an order is under way")
    if not issuer.ready:
        return Wait(now + backoff.MISTAKE, not_ready(observation, names, now), Reason(issuer.reason, issuer.message))
    if order.waiting_until and now < order.waiting_until:
        return Wait(order.waiting_until, not_ready(observation, names, now), reason, quiet=True)
    return Advance(reason)


def _settled(observation: Observation, names: Names, now: datetime) -> Step:
    """The certificate is there and not due."""
    certificate, secret = observation.certificate, observation.secret
    if certificate.status.next_key_secret:
        return Abandon(Reason("NotNeeded", "the certificate is there; what is left of another issuance goes"))
    if secret is None or secret.facts.certificate is None:  # pragma: no cover - `due` would have said so
        return Wait(until=None, ready=None)
    worn = drift(observation, names)
    if worn:
        return Repair(worn)
    facts = secret.facts.certificate
    moment = renewal_time(certificate.spec, facts, certificate.meta.uid) or facts.not_after
    if moment <= now:  # it has expired, and is not to be renewed
        return Wait(until=None, ready=not_ready(observation, names, now))
    return _with_keystores(observation, moment, now)


def _with_keystores(observation: Observation, moment: datetime, now: datetime) -> Step:
    """Wait for a moment, or until the keystores are to be looked at again; no further where they are worn."""
    if not observation.certificate.spec.outputs.keystores:
        return Wait(until=moment, ready=None)
    view = observation.keystores
    if view is None or now >= view.until:
        return Inspect()
    if view.worn:
        return Repair(Reason("SecretDrift", f"{view.worn} is not what key, certificates, password and spec make it"))
    return Wait(until=min(moment, view.until), ready=None)


def _blocked(observation: Observation, names: Names, now: datetime) -> Wait | None:
    """What keeps a wanted issuance from starting; None when nothing does."""
    certificate, issuer = observation.certificate, observation.issuer
    ready = not_ready(observation, names, now)
    by_hand = asked_by_hand(certificate)  # also where the reason is another one: whoever asks does not want to wait
    if not issuer.ready:
        created = certificate.meta.created
        if created and now < created + SETTLING and not certificate.status.raw:
            return Wait(created + SETTLING, ready, quiet=True)
        word = MANUAL if by_hand else issuer.reason
        return Wait(now + backoff.MISTAKE, ready, Reason(word, issuer.message))
    status = certificate.status
    if status.failed_attempts and status.last_failure_time and not by_hand:
        failure = _last_failure(status)
        same = failure.get("request", "") in {"", stamped_digest(certificate.spec)}
        until = backoff.after_refusal(status.last_failure_time, status.failed_attempts, certificate.meta.uid)
        if same and now < until:
            text = failure.get("message", "the last attempt failed")
            message = f"{text}; tried again at {format_time(until)}, or at once by `certwright renew`"
            return Wait(until, ready, Reason(failure.get("reason", "Failed"), message))
    return None


def _last_failure(status: CertificateStatus) -> dict[str, str]:
    """The texts of `status.lastFailure`; a status may be anybody's, so what is no text counts as absent."""
    failure = status.raw.get("lastFailure")
    items = failure.items() if isinstance(failure, dict) else ()
    return {key: value for key, value in items if isinstance(value, str) and value}

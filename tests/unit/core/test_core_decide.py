import dataclasses
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from certwright.core import backoff, status
from certwright.core.decide import RIVAL_CHECK, SETTLING, decide
from certwright.core.desired import stamped_digest
from certwright.core.observation import KeystoreView, Observation
from certwright.core.reasons import due
from certwright.core.renewal import renewal_time
from certwright.core.step import Abandon, Advance, Inspect, Issue, Repair, Step, Wait
from certwright.errors import InvalidSpec
from certwright.resources.certificate import parse_status
from unit.core.factories import (
    AWAY_ISSUER,
    BY_HAND,
    NAMES,
    NOW,
    READY_ISSUER,
    UID,
    annotated,
    condition,
    data_for,
    failure,
    journal,
    make_certificate,
    make_spec,
    make_view,
    observe,
    settled_status,
    with_facts,
)

MONTH = timedelta(days=30)
LONG_AGO = NOW - timedelta(days=80)
READY_VIEW = make_view(make_certificate())
OLD_VIEW = make_view(make_certificate(), begin=LONG_AGO)
DEAD_VIEW = make_view(make_certificate(), begin=NOW - timedelta(days=91))
OTHER_KEY = {**data_for(make_spec(), begin=NOW), "tls.key": data_for(
    make_spec(privateKey={"algorithm": "ECDSA", "size": 384}), begin=NOW)["tls.key"]}  # fmt: skip
ACME_ISSUER = dataclasses.replace(READY_ISSUER, type="acme")


def ordered(**changes: Any) -> dict[str, Any]:
    return {"order": journal(**changes).body()}


REASONS = {
    "there is no Secret": (observe(no_secret=True), "DoesNotExist"),
    "the Secret is empty": (observe(view=make_view(make_certificate(), data={})), "MissingData"),
    "the Secret lacks the key": (observe(view=with_facts(READY_VIEW, has_key=False)), "MissingData"),
    "the Secret lacks the certificate": (observe(view=with_facts(READY_VIEW, has_certificate=False)), "MissingData"),
    "the key cannot be read": (
        observe(view=make_view(make_certificate(), data={**data_for(make_spec(), begin=NOW), "tls.key": b"x"})),
        "InvalidKeyPair",
    ),
    "the certificate cannot be read": (
        observe(view=make_view(make_certificate(), data={**data_for(make_spec(), begin=NOW), "tls.crt": b"x"})),
        "InvalidKeyPair",
    ),
    "nobody knows why it cannot be read": (
        observe(view=with_facts(READY_VIEW, key=None, problem=None)),
        "InvalidKeyPair",
    ),
    "the key is another certificate's": (observe(view=make_view(make_certificate(), data=OTHER_KEY)), "InvalidKeyPair"),
    "it was issued by another issuer": (observe(view=annotated(READY_VIEW, issuer_name="old")), "IncorrectIssuer"),
    "it was issued by nobody": (observe(view=annotated(READY_VIEW, issuer_name=None)), "IncorrectIssuer"),
    "it was issued by an issuer of another kind": (
        observe(view=annotated(READY_VIEW, issuer_kind="ClusterIssuer")),
        "IncorrectIssuer",
    ),
    "it was issued by an issuer of another group": (
        observe(view=annotated(READY_VIEW, issuer_group="other.example")),
        "IncorrectIssuer",
    ),
    "it was written for another Certificate": (
        observe(view=annotated(READY_VIEW, certificate_name="other")),
        "IncorrectCertificate",
    ),
    "the spec wants another key size": (
        observe(view=READY_VIEW, spec={"privateKey": {"algorithm": "ECDSA", "size": 384}}),
        "SecretMismatch",
    ),
    "the spec wants another key algorithm": (
        observe(view=READY_VIEW, spec={"privateKey": {"algorithm": "Ed25519"}}),
        "SecretMismatch",
    ),
    "the spec has one more name": (
        observe(view=READY_VIEW, spec={"dnsNames": ["web.example.com", "www.example.com"]}),
        "RequestChanged",
    ),
    "the spec has one more name and the CA is a public one": (
        observe(view=READY_VIEW, issuer=ACME_ISSUER, spec={"dnsNames": ["web.example.com", "www.example.com"]}),
        "RequestChanged",
    ),
    "the spec has another duration, which a certificate does not tell": (
        observe(view=READY_VIEW, spec={"duration": "100h"}),
        "RequestChanged",
    ),
    "the renewal is due": (observe(view=OLD_VIEW), "Renewing"),
    "the certificate has expired": (observe(view=DEAD_VIEW), "Renewing"),
    "it was asked for by hand": (observe(status={"conditions": [BY_HAND]}), "ManuallyTriggered"),
}


@pytest.mark.parametrize(("observation", "word"), REASONS.values(), ids=REASONS)
def test_a_new_certificate_is_issued_because(observation: Observation, word: str) -> None:
    step = decide(observation, NAMES, NOW)
    assert isinstance(step, Issue)
    assert step.reason.word == word
    assert step.reason == due(observation, NAMES, NOW)


KEEPS = {
    "all is as wanted": observe(),
    "the Secret says nothing of issuer kind and group, which means the defaults": observe(
        view=dataclasses.replace(annotated(READY_VIEW, issuer_group=""), owned=frozenset())
    ),
    "the digest was made in a way that is not known any more": observe(
        view=annotated(READY_VIEW, request_digest="0.x")
    ),
    "there is no digest": observe(view=annotated(READY_VIEW, request_digest=None)),
    "a public CA dropped what it does not prove": observe(
        issuer=ACME_ISSUER,
        view=annotated(READY_VIEW, request_digest=None),
        spec={"usages": ["server auth"]},
    ),
    "somebody asked by hand and took it back": observe(
        status={"conditions": [condition("Issuing", "False", "ManuallyTriggered")]}
    ),
    "somebody else set the Issuing condition": observe(status={"conditions": [condition("Issuing", "True", "Other")]}),
    "the issuer is gone": observe(issuer=AWAY_ISSUER),
    "names are in another order and case": observe(
        view=make_view(make_certificate(dnsNames=["b.example.com", "A.example.com"])),
        spec={"dnsNames": ["a.example.com", "b.example.com"]},
    ),
}


@pytest.mark.parametrize("observation", KEEPS.values(), ids=KEEPS)
def test_no_new_certificate_is_issued_when(observation: Observation) -> None:
    assert due(observation, NAMES, NOW) is None
    step = decide(observation, NAMES, NOW)
    if isinstance(step, Repair):  # of an annotation that a test changed
        return
    assert step == Wait(
        until=renewal_time(observation.certificate.spec, observation.secret.facts.certificate, UID), ready=None
    )


def test_an_encoding_alone_is_repaired_and_not_issued_anew() -> None:
    step = decide(
        observe(view=READY_VIEW, spec={"privateKey": {"algorithm": "ECDSA", "encoding": "PKCS8"}}), NAMES, NOW
    )
    assert isinstance(step, Repair)


def test_what_is_left_of_an_issuance_goes_before_anything_is_repaired() -> None:
    view = dataclasses.replace(READY_VIEW, labels={})
    left = decide(observe(view=view, status={"nextPrivateKeySecretName": "web-next"}), NAMES, NOW)
    assert isinstance(left, Abandon)
    assert isinstance(decide(observe(view=view), NAMES, NOW), Repair)


def test_a_renewal_is_waited_for_to_the_second() -> None:
    moment = renewal_time(make_spec(), READY_VIEW.facts.certificate, UID)
    assert decide(observe(), NAMES, moment - timedelta(seconds=1)) == Wait(until=moment, ready=None)
    assert isinstance(decide(observe(), NAMES, moment), Issue)


STORES = {"keystores": {"pkcs12": {"create": True, "password": "changeit"}}}
STORED = with_facts(READY_VIEW, extras=("keystore.p12", "truststore.p12"))


@pytest.mark.parametrize(
    ("view", "step"),
    [
        (None, Inspect()),
        (KeystoreView("", NOW), Inspect()),
        (KeystoreView("keystore.p12", NOW), Inspect()),
        (KeystoreView("", NOW + timedelta(hours=1)), Wait(until=NOW + timedelta(hours=1), ready=None)),
    ],
    ids=["never opened", "opened long ago", "opened long ago and worn", "opened just now"],
)
def test_keystores_are_opened_from_time_to_time(view: KeystoreView | None, step: Step) -> None:
    assert decide(observe(view=STORED, spec=STORES, keystores=view), NAMES, NOW) == step


def test_keystores_that_are_worn_are_made_anew() -> None:
    view = KeystoreView("keystore.p12", NOW + timedelta(hours=1))
    step = decide(observe(view=STORED, spec=STORES, keystores=view), NAMES, NOW)
    assert isinstance(step, Repair)
    assert step.reason.message == "keystore.p12 is not what key, certificates, password and spec make it"


def test_keystores_are_opened_no_later_than_the_renewal() -> None:
    facts = STORED.facts.certificate
    assert facts
    moment = renewal_time(make_spec(), facts, UID)
    view = KeystoreView("", moment + timedelta(minutes=1))
    found = decide(observe(view=STORED, spec=STORES, keystores=view), NAMES, moment - timedelta(minutes=1))
    assert found == Wait(until=moment, ready=None)


NEVER = {"renewal": {"policy": "Disabled"}}


def test_what_is_never_renewed_is_told_when_it_expires() -> None:
    facts = READY_VIEW.facts.certificate
    assert facts
    assert decide(observe(view=READY_VIEW, spec=NEVER), NAMES, NOW) == Wait(until=facts.not_after, ready=None)
    step = decide(observe(view=DEAD_VIEW, spec=NEVER), NAMES, NOW)
    assert isinstance(step, Wait)
    assert (step.until, step.issuing) == (None, None)
    assert step.ready
    assert step.ready.word == "Expired"


def test_a_window_is_waited_for() -> None:
    spec = {"renewal": {"windows": [{"cron": "0 2 * * 6", "windowDuration": "4h"}]}}
    facts = READY_VIEW.facts.certificate
    assert facts
    moment = renewal_time(make_spec(**spec), facts, UID)
    assert moment
    assert (moment.weekday(), moment.hour) == (5, 2)
    assert decide(observe(view=READY_VIEW, spec=spec), NAMES, moment - timedelta(seconds=1)) == Wait(moment, None)
    assert isinstance(decide(observe(view=READY_VIEW, spec=spec), NAMES, moment), Issue)


REFUSED = {
    "the spec is wrong": (observe(spec={"dnsNames": ["a..b"]}), "InvalidSpec", None),
    "an ACME CA is asked for what it cannot certify": (
        observe(issuer=ACME_ISSUER, spec={"uris": ["spiffe://cluster/ns/x"]}),
        "InvalidSpec",
        None,
    ),
    "a field is not supported yet": (observe(spec={"copies": {"namespaces": ["x"]}}), "NotSupported", None),
    "another Certificate owns the Secret": (observe(rival="older"), "IncorrectCertificate", NOW + RIVAL_CHECK),
}


@pytest.mark.parametrize(("observation", "word", "until"), REFUSED.values(), ids=REFUSED)
def test_nothing_is_done_when(observation: Observation, word: str, until: datetime | None) -> None:
    step = decide(observation, NAMES, NOW)
    assert isinstance(step, Wait)
    assert (step.until, step.ready and step.ready.word, step.issuing) == (until, word, None)
    with_order = dataclasses.replace(observation.certificate, status=parse_status({"status": ordered()}))
    abandoned = decide(dataclasses.replace(observation, certificate=with_order), NAMES, NOW)
    assert abandoned == Abandon(step.ready)


ORDERS = {
    "it is for what the spec asks": (observe(no_secret=True, status=ordered()), Advance, "Issuing"),
    "the status says why": (
        observe(no_secret=True, status={**ordered(), "conditions": [condition("Issuing", "True", "Renewing")]}),
        Advance,
        "Renewing",
    ),
    "its wait is over": (observe(status=ordered(waiting_until=NOW)), Advance, "Issuing"),
    "the certificate became good meanwhile": (observe(status=ordered()), Advance, "Issuing"),
    "the spec changed": (
        observe(status=ordered(), spec={"dnsNames": ["other.example.com"]}),
        Abandon,
        "RequestChanged",
    ),
    "its journal has no digest": (observe(status=ordered(request="")), Abandon, "RequestChanged"),
    "another issuer is named": (observe(status=ordered(issuer="ClusterIssuer/ca")), Abandon, "IncorrectIssuer"),
}


@pytest.mark.parametrize(("observation", "kind", "word"), ORDERS.values(), ids=ORDERS)
def test_an_order_under_way_when(observation: Observation, kind: type, word: str) -> None:
    step = decide(observation, NAMES, NOW)
    assert isinstance(step, kind)
    assert step.reason.word == word  # type: ignore[union-attr]


def test_an_order_waits_as_long_as_it_was_told_to() -> None:
    later = NOW + timedelta(minutes=30)
    step = decide(observe(no_secret=True, status=ordered(waiting_until=later)), NAMES, NOW)
    assert isinstance(step, Wait)
    assert step.until == later
    assert (step.ready and step.ready.word, step.issuing and step.issuing.word) == ("DoesNotExist", "Issuing")


def test_an_order_waits_for_an_issuer_that_is_away() -> None:
    step = decide(observe(status=ordered(), issuer=AWAY_ISSUER), NAMES, NOW)
    assert isinstance(step, Wait)
    assert step.until == NOW + backoff.MISTAKE
    assert (step.ready, step.issuing and step.issuing.word) == (None, "IssuerNotFound")


def test_an_issuer_that_is_applied_together_with_its_certificate_is_given_a_moment() -> None:
    observation = observe(no_secret=True, issuer=AWAY_ISSUER, created=NOW)
    early = decide(observation, NAMES, NOW + SETTLING / 2)
    assert isinstance(early, Wait)
    assert (early.until, early.quiet, early.issuing) == (NOW + SETTLING, True, None)
    late = decide(observation, NAMES, NOW + SETTLING)
    assert isinstance(late, Wait)
    assert (late.quiet, late.issuing and late.issuing.word) == (False, "IssuerNotFound")


FIRST_RETRY = backoff.after_refusal(NOW, 1, UID)
HELD = {
    "the issuer is away": (
        observe(no_secret=True, issuer=AWAY_ISSUER), NOW, NOW + backoff.MISTAKE, "IssuerNotFound", AWAY_ISSUER.message,
    ),
    "the issuer is away and it was asked for by hand": (
        observe(issuer=AWAY_ISSUER, status={"conditions": [BY_HAND]}),
        NOW, NOW + backoff.MISTAKE, "ManuallyTriggered", AWAY_ISSUER.message,
    ),
    "the CA refused just now": (
        observe(no_secret=True, status=failure()), NOW, FIRST_RETRY, "CAARefused", "the CA said no; tried again at",
    ),
    "the CA refused, and the process was restarted just before the retry": (
        observe(no_secret=True, status=failure()),
        FIRST_RETRY - timedelta(seconds=1), FIRST_RETRY, "CAARefused", "at once by `certwright renew`",
    ),
    "the CA refused for the third time": (
        observe(no_secret=True, status=failure(attempts=3)),
        NOW + timedelta(hours=1), backoff.after_refusal(NOW, 3, UID), "CAARefused", "the CA said no",
    ),
    "an attempt failed whose request was not noted": (
        observe(no_secret=True, status=failure(request="")), NOW, FIRST_RETRY, "CAARefused", "the CA said no",
    ),
    "an attempt failed and nothing more is known": (
        observe(no_secret=True, status={k: v for k, v in failure().items() if k != "lastFailure"}),
        NOW, FIRST_RETRY, "Failed", "the last attempt failed",
    ),
    "an attempt failed and somebody wrote nonsense about it": (
        observe(no_secret=True, status={**failure(), "lastFailure": "nonsense"}),
        NOW, FIRST_RETRY, "Failed", "the last attempt failed",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("observation", "now", "until", "word", "message"), HELD.values(), ids=HELD)
def test_a_wanted_issuance_waits_when(
    observation: Observation, now: datetime, until: datetime, word: str, message: str
) -> None:
    step = decide(observation, NAMES, now)
    assert isinstance(step, Wait)
    assert step.until == until
    assert step.issuing is not None
    assert step.issuing.word == word
    assert message in step.issuing.message


GOES_ON = {
    "the backoff is over": (observe(no_secret=True, status=failure()), FIRST_RETRY),
    "the spec was edited since the failure": (observe(no_secret=True, status=failure(request="1.other")), NOW),
    "it is asked for by hand and the certificate is good": (
        observe(status={**failure(), "conditions": [BY_HAND]}), NOW,
    ),
    "it is asked for by hand and there is no certificate yet": (
        observe(no_secret=True, status={**failure(), "conditions": [BY_HAND]}), NOW,
    ),
    "it is asked for by hand and the renewal failed": (
        observe(view=OLD_VIEW, status={**failure(), "conditions": [BY_HAND]}), NOW,
    ),
    "the time of the failure is not known": (
        observe(no_secret=True, status={"failedIssuanceAttempts": 4}), NOW,
    ),
}  # fmt: skip


@pytest.mark.parametrize(("observation", "now"), GOES_ON.values(), ids=GOES_ON)
def test_a_failed_issuance_is_tried_again_at_once_when(observation: Observation, now: datetime) -> None:
    assert isinstance(decide(observation, NAMES, now), Issue)


VIEWS = [
    None,
    READY_VIEW,
    OLD_VIEW,
    DEAD_VIEW,
    make_view(make_certificate(), data={}),
    make_view(make_certificate(), data=OTHER_KEY),
    with_facts(READY_VIEW, certificate=None),
    dataclasses.replace(READY_VIEW, labels={}, annotations={}),
    annotated(READY_VIEW, certificate_name="other"),
]
SPECS: list[dict[str, Any]] = [
    {},
    {"dnsNames": []},
    {"dnsNames": ["a..b"]},
    {"usages": ["flying"]},
    {"usages": ["encipher only"]},
    {"dnsNames": None, "ipAddresses": ["fe80::1%eth0"]},
    {"subject": {"countries": ["Atlantis"]}},
    {"commonName": "x" * 65},
    {"privateKey": {"algorithm": "Ed25519"}},
    {"secretTemplate": {"labels": {"team": "a"}}},
]
LEFT: list[dict[str, Any]] = [
    {},
    failure(),
    failure(attempts=-3),
    failure(attempts=10**9),
    {**failure(), "lastFailure": ["nonsense"]},
    {**failure(), "lastFailure": {"reason": 5, "message": ["x"], "request": {}}},
    ordered(),
    ordered(waiting_until=NOW + timedelta(hours=1)),
    ordered(issuer="Issuer/other"),
]
CONDITIONS = [
    [],
    [BY_HAND],
    [condition("Ready", "True", "Ready"), condition("Issuing", "False", "Failed", "x" * 1000)],
    [condition("Theirs", "Unknown", "Because")],
]


observations = st.builds(
    lambda spec, left, conditions, view, **rest: observe(
        spec=spec, status={**left, "conditions": conditions}, view=view, no_secret=view is None, **rest
    ),
    st.sampled_from(SPECS),
    st.sampled_from(LEFT),
    st.sampled_from(CONDITIONS),
    st.sampled_from(VIEWS),
    issuer=st.sampled_from([READY_ISSUER, ACME_ISSUER, AWAY_ISSUER]),
    rival=st.sampled_from(["", "older"]),
    owner_wanted=st.booleans(),
)
moments = st.integers(-200, 200).map(lambda days: NOW + timedelta(days=days))


@settings(max_examples=300)
@given(observations, moments)
def test_every_situation_has_a_step(observation: Observation, now: datetime) -> None:
    step = decide(observation, NAMES, now)
    assert isinstance(step, Issue | Advance | Abandon | Repair | Wait)
    if isinstance(step, Wait) and step.until is not None:
        assert step.until >= now


@settings(max_examples=300)
@given(observations, moments)
def test_a_status_that_was_written_is_not_written_again(observation: Observation, now: datetime) -> None:
    step = decide(observation, NAMES, now)
    if not isinstance(step, Wait):
        return
    written = status.waiting(observation, step, now)
    certificate = dataclasses.replace(observation.certificate, status=parse_status({"status": written}))
    after = dataclasses.replace(observation, certificate=certificate)
    later = now + timedelta(milliseconds=1)
    again = decide(after, NAMES, later)
    assert isinstance(again, Wait)
    assert (again.ready, again.issuing and again.issuing.word) == (step.ready, step.issuing and step.issuing.word)
    assert status.patch(written, status.waiting(after, again, later)) == {}


def test_a_certificate_at_rest_needs_no_write() -> None:
    observation = observe()
    written = settled_status(observation)
    after = observe(status=written, view=observation.secret)
    step = decide(after, NAMES, NOW + MONTH)
    assert isinstance(step, Wait)
    assert status.patch(written, status.waiting(after, step, NOW + MONTH)) == {}


def test_a_failure_is_waited_out_from_what_status_says() -> None:
    """What `failed` writes is all that the backoff needs: nothing is lost with the process."""
    observation = observe(no_secret=True)
    written = status.failed(observation, NAMES, InvalidSpec("no", reason="BadCSR"), NOW)
    step = decide(observe(no_secret=True, status=written), NAMES, NOW + timedelta(seconds=5))
    assert isinstance(step, Wait)
    assert step.until == FIRST_RETRY
    assert written["lastFailure"]["request"] == stamped_digest(make_spec())

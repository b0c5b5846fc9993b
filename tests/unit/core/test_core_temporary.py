"""When something is served by while the real certificate is on its way, and what it counts for."""

import dataclasses
from typing import Any

import pytest

from certwright.core import status
from certwright.core.decide import decide
from certwright.core.desired import temporary_annotation_set
from certwright.core.observation import Observation, SecretView
from certwright.core.reasons import due
from certwright.core.step import Advance, Issue, Wait
from certwright.core.temporary import temporary_wanted
from certwright.pki.secret import tls_secret_data
from certwright.pki.temporary import temporary_chain
from unit.core.factories import NAMES, NOW, a_key, annotated, journal, make_certificate, make_view, observe, with_facts

ASKED = {NAMES.issue_temporary: "true"}
ORDERED: dict[str, Any] = {"order": journal().body(), "nextPrivateKeySecretName": "web-next"}
CERTIFICATE = make_certificate()
REAL = make_view(CERTIFICATE)


def temporary() -> SecretView:
    """The Secret with a temporary certificate, as the operator writes it."""
    chain = temporary_chain(CERTIFICATE.spec, a_key(), now=NOW)
    view = make_view(CERTIFICATE, data=tls_secret_data(CERTIFICATE.spec, a_key(), chain_pem=chain))
    facts = view.facts.certificate
    assert facts
    return dataclasses.replace(view, annotations=temporary_annotation_set("web", CERTIFICATE.spec, NAMES, facts))


def asking(annotations: dict[str, str] | None = None, **rest: Any) -> Observation:
    observation = observe(**{"status": ORDERED, **rest})
    meta = dataclasses.replace(observation.certificate.meta, annotations=ASKED if annotations is None else annotations)
    return dataclasses.replace(observation, certificate=dataclasses.replace(observation.certificate, meta=meta))


WANTED = {
    "there is no Secret": (asking(no_secret=True), True),
    "the Secret is empty": (asking(view=make_view(CERTIFICATE, data={})), True),
    "key and certificate do not belong together": (
        asking(view=with_facts(REAL, key_matches_certificate=False)),
        True,
    ),
    "nobody asked": (asking({}, no_secret=True), False),
    "somebody asked for something else": (asking({NAMES.issue_temporary: "yes"}, no_secret=True), False),
    "no order is under way": (asking(status={}, no_secret=True), False),
    "the certificate is another issuer's": (asking(view=annotated(REAL, issuer_name="old")), False),
    "there is a temporary one": (asking(view=temporary()), False),
}


@pytest.mark.parametrize(("observation", "wanted"), WANTED.values(), ids=WANTED)
def test_a_temporary_certificate_is_wanted_when(observation: Observation, wanted: bool) -> None:  # noqa: FBT001
    assert temporary_wanted(observation, NAMES) is wanted


def test_it_is_not_taken_for_the_real_one() -> None:
    reason = due(observe(view=temporary()), NAMES, NOW)
    assert reason
    assert (reason.word, reason.message) == (
        "IncorrectIssuer", "Secret web-tls holds a temporary certificate for the time being",
    )  # fmt: skip
    assert isinstance(decide(observe(view=temporary()), NAMES, NOW), Issue)
    assert isinstance(decide(observe(view=temporary(), status=ORDERED), NAMES, NOW), Advance)


def test_one_that_bears_the_issuer_s_name_is_the_issuer_s() -> None:
    """Whatever its CA is called."""
    view = dataclasses.replace(temporary(), annotations=REAL.annotations)
    reason = due(observe(view=view), NAMES, NOW)
    assert reason is None or reason.word != "IncorrectIssuer"


def test_its_dates_are_not_told() -> None:
    body = status.waiting(observe(view=temporary(), status=ORDERED), Wait(until=None, ready=None), NOW)
    assert not {"notBefore", "notAfter", "renewalTime", "revision"} & set(body)

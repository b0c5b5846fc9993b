"""A Certificate whose request somebody else made: its key is not ours, and its names are the request's."""

import dataclasses
from typing import Any

import pytest

from certwright.core import status
from certwright.core.decide import decide
from certwright.core.desired import drift
from certwright.core.observation import Observation, SecretView
from certwright.core.reasons import due, unusable
from certwright.core.step import Wait
from certwright.core.temporary import temporary_wanted
from unit.core.factories import NAMES, NOW, data_for, journal, make_certificate, make_spec, make_view, observe

NAMED: dict[str, Any] = {"csrSecretRef": {"name": "request"}, "dnsNames": None, "privateKey": None}
CERTIFICATE = make_certificate(**NAMED)
ISSUED = {"tls.crt": data_for(make_spec(), begin=NOW)["tls.crt"]}
"""A certificate for a name and a key that the spec says nothing of, and no key."""


def view(data: dict[str, bytes] | None = None) -> SecretView:
    return make_view(CERTIFICATE, data=ISSUED if data is None else data)


def seen(view: SecretView | None, **spec: Any) -> Observation:
    return observe(view=view, no_secret=view is None, spec={**NAMED, **spec})


def test_a_certificate_alone_is_all_there_is() -> None:
    observation = seen(view())
    assert unusable(observation, NAMES) is None
    assert drift(observation, NAMES) is None
    assert isinstance(decide(observation, NAMES, NOW), Wait)
    body = status.waiting(observation, Wait(until=None, ready=None), NOW)
    assert {"notBefore", "notAfter", "renewalTime"} <= set(body)


def test_somebody_else_s_key_beside_it_is_no_matter() -> None:
    """Whether it is the right one is theirs to know."""
    for name in ("tls.key", "other"):
        other = data_for(make_spec(privateKey={"algorithm": "ECDSA", "size": 384}), begin=NOW)["tls.key"]
        observation = seen(view({**ISSUED, name: other}))
        assert unusable(observation, NAMES) is None
        assert drift(observation, NAMES) is None


REASONS = {
    "there is no Secret": (seen(None), "DoesNotExist"),
    "there is no certificate": (seen(view({"tls.key": b"x"})), "MissingData"),
    "the certificate cannot be read": (seen(view({"tls.crt": b"x"})), "InvalidKeyPair"),
    "another request is named": (seen(view(), csrSecretRef={"name": "other"}), "RequestChanged"),
    "other usages are asked for": (seen(view(), usages=["server auth"]), "RequestChanged"),
    "a CA is asked for": (seen(view(), isCA=True), "RequestChanged"),
    "a key of ours is wanted": (observe(view=view()), "MissingData"),
}


@pytest.mark.parametrize(("observation", "word"), REASONS.values(), ids=REASONS)
def test_a_new_certificate_is_issued_because(observation: Observation, word: str) -> None:
    reason = due(observation, NAMES, NOW)
    assert reason
    assert reason.word == word


def test_what_a_public_ca_grants_is_not_compared() -> None:
    acme = dataclasses.replace(seen(view()).issuer, type="acme")
    stampless = {key: value for key, value in view().annotations.items() if key != NAMES.request_digest}
    found = dataclasses.replace(view(), annotations=stampless)
    assert due(observe(view=found, issuer=acme, spec={**NAMED, "usages": ["server auth"]}), NAMES, NOW) is None


def test_a_label_is_repaired_and_an_encoding_is_not_ours() -> None:
    worn = drift(seen(dataclasses.replace(view(), labels={})), NAMES)
    assert worn
    assert "label" in worn.message
    other = data_for(make_spec(), begin=NOW)["tls.key"]
    assert drift(seen(view({**ISSUED, "tls.key": other}), privateKey={"encoding": "PKCS8"}), NAMES) is None


def test_no_temporary_certificate_can_be_made() -> None:
    observation = observe(no_secret=True, spec=NAMED, status={"order": journal().body()})
    meta = dataclasses.replace(observation.certificate.meta, annotations={NAMES.issue_temporary: "true"})
    certificate = dataclasses.replace(observation.certificate, meta=meta)
    assert not temporary_wanted(dataclasses.replace(observation, certificate=certificate), NAMES)

import copy
import dataclasses
import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from certwright.core import status
from certwright.core.reasons import not_ready
from certwright.core.renewal import renewal_time
from certwright.core.step import Reason, Wait
from certwright.errors import ChallengeFailed, InvalidSpec, Terminal
from certwright.resources.values import format_time
from unit.core.factories import (
    BY_HAND,
    NAMES,
    NOW,
    UID,
    condition,
    failure,
    journal,
    make_certificate,
    make_spec,
    make_view,
    observe,
    with_facts,
)

THEIRS = condition("Theirs", "Unknown", "Because")
LATER = NOW + timedelta(days=1)


def conditions(body: dict[str, Any]) -> dict[str, tuple[str, str]]:
    return {item["type"]: (item["status"], item["reason"]) for item in body["conditions"]}


def test_what_is_never_renewed_tells_no_time_of_renewal() -> None:
    observation = observe(spec={"renewal": {"policy": "Disabled"}}, status={"renewalTime": format_time(LATER)})
    body = status.waiting(observation, Wait(until=None, ready=None), LATER)
    assert "renewalTime" not in body
    assert status.patch(observation.certificate.status.raw, body)["renewalTime"] is None


def test_a_certificate_at_rest_tells_its_dates_and_nothing_of_the_order() -> None:
    observation = observe(
        status={"order": journal().body(), "nextPrivateKeySecretName": "x", **failure(), "conditions": [THEIRS]}
    )
    body = status.waiting(observation, Wait(until=None, ready=None), LATER)
    facts = observation.secret.facts.certificate
    assert (body["notBefore"], body["notAfter"]) == (format_time(facts.not_before), format_time(facts.not_after))
    assert body["renewalTime"] == format_time(renewal_time(make_spec(), facts, UID))
    assert body["revision"] == 1
    assert not {"order", "nextPrivateKeySecretName"} & set(body)
    assert body["failedIssuanceAttempts"] == 1, "only a success forgets failures"
    assert conditions(body) == {"Theirs": ("Unknown", "Because"), "Ready": ("True", "Ready")}
    ready = next(item for item in body["conditions"] if item["type"] == "Ready")
    assert (ready["observedGeneration"], ready["lastTransitionTime"]) == (3, format_time(LATER))
    assert ready["message"] == "Certificate is up to date and has not expired"


def test_dates_of_a_certificate_that_does_not_serve_are_not_told() -> None:
    left = {"notBefore": "x", "notAfter": "x", "renewalTime": "x", "revision": 4}
    view = with_facts(make_view(make_certificate()), key_matches_certificate=False)
    for observation in (observe(status=left, no_secret=True), observe(status=left, view=view)):
        body = status.waiting(observation, Wait(None, Reason("DoesNotExist", "there is none")), NOW)
        assert body == {"revision": 4, "conditions": body["conditions"]}
        assert conditions(body) == {"Ready": ("False", "DoesNotExist"), "Stalled": ("True", "DoesNotExist")}


WAITS = {
    "a certificate is wanted and the issuer is away": (
        Wait(None, Reason("DoesNotExist", "there is none"), Reason("IssuerNotFound", "create it")),
        {"Ready": ("False", "DoesNotExist"), "Issuing": ("False", "IssuerNotFound")},
        "there is none: create it",
    ),
    "both say the same": (
        Wait(None, Reason("Expired", "long ago"), Reason("Expired", "and more")),
        {"Ready": ("False", "Expired"), "Issuing": ("False", "Expired"), "Stalled": ("True", "Expired")},
        "long ago",
    ),
    "a renewal by hand has to wait": (
        Wait(None, None, Reason("ManuallyTriggered", "create it")),
        {"Ready": ("True", "Ready"), "Issuing": ("True", "ManuallyTriggered")},
        status.ALL_IS_WELL.message,
    ),
}


@pytest.mark.parametrize(("step", "wanted", "message"), WAITS.values(), ids=WAITS)
def test_waiting_when(step: Wait, wanted: dict[str, tuple[str, str]], message: str) -> None:
    body = status.waiting(observe(no_secret=True, status={"order": journal().body()}), step, NOW)
    assert conditions(body) == wanted
    assert next(item["message"] for item in body["conditions"] if item["type"] == "Ready") == message
    assert "order" in body


def test_a_stored_certificate_ends_the_story() -> None:
    observation = observe(
        status={**failure(), "order": journal().body(), "nextPrivateKeySecretName": "x", "revision": 4,
                "conditions": [BY_HAND, THEIRS]}
    )  # fmt: skip
    body = status.issued(observation, NOW)
    assert set(body) == {"notBefore", "notAfter", "renewalTime", "revision", "conditions"}
    assert body["revision"] == 5
    assert conditions(body) == {"Theirs": ("Unknown", "Because"), "Ready": ("True", "Ready")}


STALLED = condition("Stalled", "True", "CAARefused")


@pytest.mark.parametrize(
    ("ready", "issuing"),
    [
        (None, None),
        (None, Reason("CAARefused", "no")),
        (Reason("DoesNotExist", "none"), Reason("IssuerNotReady", "wait")),
        (Reason("DoesNotExist", "none"), Reason("ManuallyTriggered", "asked for")),
    ],
    ids=["at rest", "a renewal is refused", "something else must come first", "asked for by hand"],
)
def test_what_waiting_may_help_is_not_stalled(ready: Reason | None, issuing: Reason | None) -> None:
    observation = observe(no_secret=ready is not None, status={"conditions": [STALLED]})
    assert "Stalled" not in conditions(status.waiting(observation, Wait(None, ready, issuing), NOW))


def test_what_is_stalled_is_no_longer_when_it_goes_on() -> None:
    observation = observe(no_secret=True, status={"conditions": [STALLED]})
    going_on = status.ordering(
        observation, NAMES, reason=Reason("DoesNotExist", "0 of 1"), order=None, next_key_secret="", now=NOW
    )
    for body in (going_on, status.issued(observation, NOW)):
        assert "Stalled" not in conditions(body)


def test_the_first_certificate_is_revision_one() -> None:
    assert status.issued(observe(), NOW)["revision"] == 1


def test_an_order_under_way_is_told() -> None:
    body = status.ordering(
        observe(no_secret=True), NAMES, reason=Reason("DoesNotExist", "0 of 1"), order=journal(),
        next_key_secret="web-next", now=NOW,
    )  # fmt: skip
    assert body["order"] == journal().body()
    assert body["nextPrivateKeySecretName"] == "web-next"
    assert conditions(body) == {"Ready": ("False", "DoesNotExist"), "Issuing": ("True", "DoesNotExist")}
    assert body["conditions"][0]["message"].endswith("; 0 of 1")


def test_a_renewal_under_way_leaves_the_certificate_ready() -> None:
    body = status.ordering(observe(), NAMES, reason=Reason("Renewing", "x"), order=None, next_key_secret="", now=NOW)
    assert conditions(body) == {"Ready": ("True", "Ready"), "Issuing": ("True", "Renewing")}
    assert not {"order", "nextPrivateKeySecretName"} & set(body)


def test_a_spec_that_cannot_be_read_is_told() -> None:
    certificate = make_certificate(status={"revision": 2, "conditions": [BY_HAND, THEIRS]})
    body = status.refused(certificate.meta, certificate.status, InvalidSpec("spec.x: no"), NOW)
    assert body["revision"] == 2
    wrong = "InvalidSpec"
    assert conditions(body) == {
        "Theirs": ("Unknown", "Because"),
        "Ready": ("False", wrong),
        "Stalled": ("True", wrong),
    }


def test_a_failure_is_counted_and_kept_with_the_cas_words() -> None:
    problem = {
        "type": "urn:ietf:params:acme:error:caa",
        "detail": "d" * 1000,
        "status": 403,
        "subproblems": [{"detail": "e" * 1000, "identifier": {"value": "a"}}] * 20 + ["nonsense"],
    }
    observation = observe(no_secret=True, status={"order": journal().body(), "failedIssuanceAttempts": 2})
    fault = ChallengeFailed("m" * 1000, reason="CAARefused", problem=problem)
    body = status.failed(observation, NAMES, fault, NOW)
    assert body["failedIssuanceAttempts"] == 3
    assert body["lastFailureTime"] == body["lastFailure"]["time"] == format_time(NOW)
    assert (body["lastFailure"]["issuer"], body["lastFailure"]["reason"]) == ("Issuer/ca", "CAARefused")
    assert "order" not in body
    kept = body["lastFailure"]["problem"]
    assert (kept["type"], kept["status"], len(kept["subproblems"])) == (problem["type"], 403, 10)
    assert conditions(body) == {
        "Ready": ("False", "DoesNotExist"),
        "Issuing": ("False", "CAARefused"),
        "Stalled": ("True", "CAARefused"),
    }
    assert len(json.dumps(body)) < 8000


@pytest.mark.parametrize("subproblems", [None, [], "nonsense"])
def test_a_failure_without_subproblems(subproblems: object) -> None:
    fault = ChallengeFailed("no", problem={"detail": "x", "subproblems": subproblems})
    assert status.failed(observe(), NAMES, fault, NOW)["lastFailure"]["problem"] == {"detail": "x"}


def test_a_failed_renewal_leaves_the_certificate_ready_and_has_no_problem_document() -> None:
    body = status.failed(observe(), NAMES, Terminal("no"), NOW)
    assert "problem" not in body["lastFailure"]
    assert conditions(body) == {"Ready": ("True", "Ready"), "Issuing": ("False", "Failed")}


def test_a_status_leaves_what_it_was_made_from_alone() -> None:
    observation = observe(status={"order": journal().body(), "conditions": [THEIRS]})
    before = copy.deepcopy(observation.certificate.status.raw)
    status.issued(observation, NOW)
    status.failed(observation, NAMES, Terminal("no"), NOW)
    assert observation.certificate.status.raw == before
    assert dataclasses.replace(observation) == observation


# JSON without null: a merge patch cannot write one, and no status of ours holds one.
values = st.recursive(
    st.booleans() | st.integers(2, 9) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)
objects = st.dictionaries(st.sampled_from("abcd"), values, max_size=4)


def merge_patch(target: object, changes: object) -> object:
    """RFC 7396 section 2, as it is written there."""
    if not isinstance(changes, dict):
        return changes
    merged: dict[str, Any] = dict(target) if isinstance(target, dict) else {}
    for name, value in changes.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = merge_patch(merged.get(name), value)
    return merged


@given(objects, objects)
def test_a_patch_makes_the_old_the_new(old: dict[str, Any], new: dict[str, Any]) -> None:
    changes = status.patch(old, new)
    assert merge_patch(old, changes) == new
    assert (changes == {}) == (old == new)
    assert status.patch(new, new) == {}


def test_what_was_just_begun_says_so() -> None:
    observation = observe(no_secret=True)
    began = not_ready(observation, NAMES, NOW)
    assert began is not None
    body = status.ordering(observation, NAMES, reason=began, order=None, next_key_secret="", now=NOW)
    assert body["conditions"][0]["message"] == f"{began.message}; one is being issued"

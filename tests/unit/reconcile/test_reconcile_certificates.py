import dataclasses
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import structlog

from certwright.core import backoff
from certwright.errors import CertwrightError, ChallengeFailed, InvalidSpec, Retryable, Terminal, Throttled
from certwright.issuers.base import OrderLost, Pending, Request
from certwright.reconcile.certificates import utc_now
from unit.reconcile.fake_kube import FakeKube, Killed
from unit.reconcile.operating import START, WEB, Operator, certificate_body, issuer_body, operator

HOUR = timedelta(hours=1)
GOOD = {"Ready": ("True", "Ready")}
BY_HAND = {"type": "Issuing", "status": "True", "reason": "ManuallyTriggered", "message": "please",
           "lastTransitionTime": "2026-11-23T12:00:00Z"}  # fmt: skip


def ask_by_hand(kube: FakeKube) -> None:
    body = kube.get("certificates", "web")
    assert body is not None
    others = [item for item in body["status"]["conditions"] if item["type"] != "Issuing"]
    kube.put("certificates", {**body, "status": {**body["status"], "conditions": [*others, BY_HAND]}})


def serial(kube: FakeKube) -> str:
    secret = kube.get("secrets", "web-tls")
    assert secret is not None
    return str(secret["data"]["tls.crt"])


def test_a_first_certificate_costs_six_writes() -> None:
    it = operator()
    wait = it.settle()
    assert wait is not None
    assert wait > 30 * 24 * 3600
    assert it.conditions() == GOOD
    assert it.kube.writes == [
        "patch certificates/status shop/web",
        "create secrets shop",
        "patch secrets shop/web-tls",
        "delete secrets shop/"
        + it.kube.names.next_key_secret("web", it.kube.get("certificates", "web")["metadata"]["uid"]),
        "patch certificates/status shop/web",
        "create events shop",
    ]
    assert it.status()["revision"] == 1
    assert set(it.status()) == {"conditions", "notBefore", "notAfter", "renewalTime", "revision"}
    assert it.events() == [("Normal", "Issued")]
    assert not it.world.records
    assert len(it.world.orders) == 1
    assert [body["metadata"]["name"] for body in it.kube.all("secrets")] == ["web-tls"]


def test_a_certificate_from_an_issuer_that_signs_at_once_costs_three_writes() -> None:
    it = operator(issuer=issuer_body({"selfSigned": {}}))
    it.settle()
    assert it.conditions() == GOOD
    assert it.kube.writes == [
        "patch secrets shop/web-tls", "patch certificates/status shop/web", "create events shop",
    ]  # fmt: skip


def test_looking_again_writes_nothing_and_asks_nobody() -> None:
    it = operator()
    it.settle()
    writes, reads = list(it.kube.writes), list(it.kube.reads)
    for _ in range(3):
        it.now += HOUR
        it.reconcile()
    again = Operator(it.kube, it.world, now=it.now)
    again.reconcile()
    assert (it.kube.writes, it.kube.reads) == (writes, reads)


def test_a_renewal_keeps_the_certificate_ready_all_along() -> None:
    it = operator()
    it.settle()
    old = serial(it.kube)
    it.now += timedelta(days=61)
    seen = set()
    while it.status()["revision"] == 1:
        it.now += timedelta(seconds=it.reconcile() or 0)
        seen.add(it.conditions()["Ready"])
    assert seen == {("True", "Ready")}
    assert serial(it.kube) != old
    assert it.events() == [("Normal", "Issued")] * 2, "one Event a certificate: that it is issued again is no repeat"
    assert [event["count"] for event in it.kube.all("events")] == [1, 1]


def test_a_renewal_by_hand() -> None:
    it = operator()
    it.settle()
    old = serial(it.kube)
    ask_by_hand(it.kube)
    it.settle()
    assert serial(it.kube) != old
    assert it.conditions() == GOOD
    assert it.status()["revision"] == 2


def test_a_change_of_metadata_is_repaired_by_one_write() -> None:
    it = operator()
    it.settle()
    secret, writes = it.kube.get("secrets", "web-tls"), len(it.kube.writes)
    assert secret is not None
    meta = secret["metadata"]
    labels = {**meta["labels"], "theirs": "x"}
    annotations = {k: v for k, v in meta["annotations"].items() if "alt-names" not in k} | {"theirs": "y"}
    it.kube.put("secrets", {**secret, "data": {**secret["data"], "theirs": "eA=="},
                            "metadata": {**meta, "labels": labels, "annotations": annotations}})  # fmt: skip
    it.settle()
    repaired = it.kube.get("secrets", "web-tls")
    assert repaired is not None
    assert it.kube.writes[writes:] == ["patch secrets shop/web-tls"]
    assert repaired["metadata"]["annotations"]["certwright.dev/alt-names"] == "web.example.com"
    assert (repaired["metadata"]["labels"]["theirs"], repaired["data"]["theirs"]) == ("x", "eA==")
    assert repaired["data"]["tls.crt"] == secret["data"]["tls.crt"]


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"secretTemplate": {"labels": {"team": "a"}}}, "labels"),
        ({"secretTemplate": {"annotations": {"x/y": "a"}}}, "annotations"),
        ({"privateKey": {"algorithm": "ECDSA", "encoding": "PKCS8"}}, "data"),
    ],
    ids=["a label of the template", "an annotation of the template", "the encoding of the key"],
)
def test_what_a_spec_changes_without_a_new_certificate(changes: dict[str, Any], part: str) -> None:
    it = operator()
    it.settle()
    old, orders = it.kube.get("secrets", "web-tls"), len(it.world.orders)
    for spec in (changes, {}):
        it.kube.put("certificates", {**certificate_body(**spec), "status": it.status()})
        it.settle()
        new = it.kube.get("secrets", "web-tls")
        assert old is not None
        assert new is not None
        changed = {p for p in ("labels", "annotations") if new["metadata"][p] != old["metadata"][p]}
        changed |= {"data"} if new["data"] != old["data"] else set()
        assert changed == ({part} if spec else set())
        assert (new["data"]["tls.crt"], len(it.world.orders)) == (old["data"]["tls.crt"], orders)
        assert it.conditions() == GOOD


def test_a_secret_that_was_deleted_comes_back() -> None:
    it = operator()
    it.settle()
    it.kube.remove("secrets", "web-tls")
    it.settle()
    assert it.conditions() == GOOD
    assert len(it.world.orders) == 2


def test_an_opaque_secret_that_nobody_watches_keeps_its_type_even_after_a_restart() -> None:
    it = operator()
    it.kube.put("secrets", {"metadata": {"namespace": "shop", "name": "web-tls"}, "type": "Opaque", "data": {}})
    it.reconcile()
    assert it.status()["order"]
    again = Operator(it.kube, it.world, now=it.now)
    again.settle()
    secret = it.kube.get("secrets", "web-tls")
    assert secret is not None
    assert (secret["type"], again.conditions()) == ("Opaque", GOOD)


FAULTS: dict[str, tuple[CertwrightError, str, str, float]] = {
    "the CA says no": (
        ChallengeFailed("CAA forbids it", reason="CAARefused", problem={"type": "caa"}), "False", "CAARefused", 60.0,
    ),
    "a person must act": (Terminal("the account is closed", reason="AccountClosed"), "False", "AccountClosed", 60.0),
    "only a change mends it": (InvalidSpec("no such Secret", reason="SecretNotFound"), "False", "SecretNotFound", 5.0),
    "a limit was met": (Throttled("300 orders", until=START + HOUR), "True", "RateLimited", 3600.0),
}  # fmt: skip


@pytest.mark.parametrize(("fault", "issuing", "reason", "seconds"), FAULTS.values(), ids=FAULTS)
def test_a_fault_is_told_once_and_waited_for(fault: CertwrightError, issuing: str, reason: str, seconds: float) -> None:
    it = operator()
    it.ca.script = [fault]
    wait = it.reconcile()
    assert wait is not None
    assert seconds <= wait <= seconds * 1.25
    stalled = {} if issuing == "True" or reason == "SecretNotFound" else {"Stalled": ("True", reason)}
    assert it.conditions() == {"Ready": ("False", "DoesNotExist"), "Issuing": (issuing, reason), **stalled}
    assert fault.message in it.message("Issuing")
    assert it.events() == [("Warning", reason)]
    assert it.kube.writes == ["create events shop", "patch certificates/status shop/web"]
    again = Operator(it.kube, it.world, now=it.now + timedelta(seconds=1))
    again.ca.script = [fault]
    later = again.reconcile()
    assert later is not None
    assert it.kube.writes[2:] == [], "the same fault again is no news"


def test_a_refusal_is_kept_with_the_cas_words_and_waited_for_across_restarts() -> None:
    it = operator()
    problem = {"type": "urn:ietf:params:acme:error:caa", "detail": "CAA forbids it"}
    it.ca.script = [ChallengeFailed("no", reason="CAARefused", problem=problem)]
    it.reconcile()
    assert it.status()["lastFailure"]["problem"] == problem
    assert it.status()["failedIssuanceAttempts"] == 1
    again = Operator(it.kube, it.world, now=it.now + timedelta(seconds=30))
    assert again.reconcile() == pytest.approx((backoff.after_refusal(START, 1, uid(it)) - again.now).total_seconds())
    assert again.ca.calls == 0
    again.settle()
    assert again.conditions() == GOOD
    assert not {"lastFailure", "failedIssuanceAttempts", "lastFailureTime"} & set(again.status())


def uid(it: Operator) -> str:
    body = it.kube.get("certificates", "web")
    assert body is not None
    return str(body["metadata"]["uid"])


def test_a_refusal_ends_the_order_with_all_its_traces() -> None:
    it = operator()
    it.reconcile()
    assert it.world.records
    it.ca.script = [ChallengeFailed("no")]
    it.reconcile()
    assert not it.world.records
    assert "order" not in it.status()


def test_a_renewal_by_hand_does_not_wait_for_the_backoff() -> None:
    it = operator()
    it.ca.script = [ChallengeFailed("no")]
    it.reconcile()
    ask_by_hand(it.kube)
    it.settle(patience=30)
    assert it.conditions() == GOOD


def test_an_edit_does_not_wait_for_the_backoff() -> None:
    it = operator()
    it.ca.script = [ChallengeFailed("no")]
    it.reconcile()
    it.kube.put("certificates", {**certificate_body(dnsNames=["other.example.com"]), "status": it.status()})
    it.settle(patience=30)
    assert it.conditions() == GOOD


def test_a_hiccup_is_told_only_when_it_lasts() -> None:
    it = operator()
    it.ca.script = [Retryable("no route to the CA", reason="NetworkError") for _ in range(5)]
    waits = []
    for _ in range(5):
        waits.append(it.reconcile())
        it.now += timedelta(seconds=waits[-1] or 0)
        if len(waits) == 2:
            assert it.kube.writes == []
    assert waits == sorted(waits)
    assert it.kube.writes == ["create events shop", "patch certificates/status shop/web"]
    assert it.conditions()["Issuing"] == ("True", "NetworkError")
    it.settle()
    assert it.conditions() == GOOD


def test_a_wait_that_the_ca_asked_for_is_kept_in_the_journal() -> None:
    it = operator()
    it.reconcile()
    it.ca.script = [Throttled("later", until=it.now + HOUR)]
    it.reconcile()
    assert it.status()["order"]["waitingUntil"] == "2026-11-23T13:00:00Z"
    again = Operator(it.kube, it.world, now=it.now)
    calls = again.ca.calls
    assert again.settle(patience=60) == pytest.approx(3600, abs=5)
    assert again.ca.calls == calls
    again.settle()
    assert again.conditions() == GOOD


def test_an_account_that_is_lost_wakes_its_issuer() -> None:
    it = operator()
    it.ca.script = [Retryable("it is registered anew", reason="AccountDoesNotExist")]
    it.reconcile()
    assert [str(key) for key in it.woken] == ["Issuer/shop/it"]


def test_an_order_that_is_lost_is_ordered_anew_at_once() -> None:
    it = operator()
    it.reconcile()
    it.world.orders.clear()
    it.settle()
    assert it.conditions() == GOOD
    assert not {value for value in it.world.records if "order/0" not in value}


def test_a_long_wait_is_told_and_a_short_one_is_not() -> None:
    it = operator()
    it.reconcile()
    order = it.cache.certificate_json(WEB)
    assert order is not None
    writes = len(it.kube.writes)

    def told(*, lasting: bool) -> Callable[[Request], Pending]:
        return lambda request: Pending(
            dataclasses.replace(request.certificate.status.order, state="processing"), 5.0, "1 of 2", lasting=lasting
        )

    it.ca.script = [told(lasting=False), told(lasting=True), told(lasting=True)]
    assert [it.reconcile(), it.reconcile(), it.reconcile()] == [5.0, 5.0, 5.0]
    assert it.kube.writes[writes:] == ["patch certificates/status shop/web"]
    assert it.message("Issuing") == "1 of 2"


ABANDONED: dict[str, dict[str, Any]] = {
    "a name was added": {"dnsNames": ["web.example.com", "www.example.com"]},
    "the spec became wrong": {"dnsNames": ["a..b"]},
    "the issuer changed": {"issuerRef": {"name": "other"}},
}


@pytest.mark.parametrize("changes", ABANDONED.values(), ids=ABANDONED)
def test_an_order_is_abandoned_without_traces_when(changes: dict[str, Any]) -> None:
    it = operator()
    it.kube.put("issuers", {**issuer_body(), "metadata": {"namespace": "shop", "name": "other"}})
    it.reconcile()
    assert it.world.records
    it.kube.put("certificates", {**certificate_body(**changes), "status": it.status()})
    it.settle()
    assert not it.world.records
    assert "order" not in it.status()
    assert (it.conditions() == GOOD) == ("a..b" not in str(changes))


def test_records_that_cannot_be_removed_do_not_block_for_ever() -> None:
    it = operator()
    it.reconcile()
    it.ca.clean_up = [Retryable("the zone is away") for _ in range(30)]
    it.settle(rounds=60)
    assert it.conditions() == GOOD
    assert ("Warning", "CleanUpFailed") in it.events()


def test_a_certificate_that_is_deleted_mid_order_leaves_nothing() -> None:
    it = operator()
    it.reconcile()
    assert it.world.records
    it.ca.clean_up = [Retryable("the zone is away")]
    it.kube.remove("certificates", "web")
    assert it.settle() is None
    assert not it.world.records


def test_a_certificate_that_is_deleted_mid_order_and_made_anew_leaves_nothing() -> None:
    it = operator()
    it.reconcile()
    it.kube.remove("certificates", "web")
    it.kube.put("certificates", certificate_body())
    it.settle()
    assert it.conditions() == GOOD
    assert not it.world.records


def test_a_certificate_that_is_being_deleted_is_left_alone() -> None:
    body = certificate_body()
    body["metadata"]["deletionTimestamp"] = "2026-11-23T12:00:00Z"
    it = operator(certificate=body)
    assert it.reconcile() is None
    assert it.kube.writes == []


@pytest.mark.parametrize(("wanted", "left"), [(False, ["web-tls"]), (True, [])], ids=["keeps", "takes"])
def test_deleting_a_certificate(wanted: bool, left: list[str]) -> None:  # noqa: FBT001 - a row
    it = operator()
    it = Operator(it.kube, it.world, owner_reference=wanted)
    it.settle()
    it.kube.remove("certificates", "web")
    it.settle()
    assert [body["metadata"]["name"] for body in it.kube.all("secrets")] == left


def test_the_setting_adds_and_removes_the_owner_without_a_new_certificate() -> None:
    it = operator()
    it.settle()
    for wanted in (True, False):
        it = Operator(it.kube, it.world, owner_reference=wanted, now=it.now)
        it.settle()
        secret = it.kube.get("secrets", "web-tls")
        assert secret is not None
        assert bool(secret["metadata"]["ownerReferences"]) == wanted
    assert len(it.world.orders) == 1


MISTAKES: dict[str, tuple[dict[str, Any], str]] = {
    "a name that is none": ({"dnsNames": ["a..b"]}, "spec.dnsNames[0]:"),
    "a field of the wrong type": ({"dnsNames": "a"}, "spec.dnsNames: must be a list"),
    "a Secret that cannot be named so": ({"secretName": "Web_TLS"}, "spec.secretName: 'Web_TLS' is not a name"),
    "no Secret": ({"secretName": ""}, "spec.secretName: missing"),
}


@pytest.mark.parametrize(("changes", "message"), MISTAKES.values(), ids=MISTAKES)
def test_a_wrong_spec_is_told_and_mended_by_an_edit(changes: dict[str, Any], message: str) -> None:
    it = operator(certificate=certificate_body(**changes))
    it.settle()
    assert it.conditions() == {"Ready": ("False", "InvalidSpec"), "Stalled": ("True", "InvalidSpec")}
    assert it.message("Ready").startswith(message)
    writes = len(it.kube.writes)
    it.reconcile()
    assert len(it.kube.writes) == writes
    it.kube.put("certificates", {**certificate_body(), "status": it.status()})
    it.settle()
    assert it.conditions() == GOOD


def test_two_certificates_with_one_secret_do_not_fight() -> None:
    it = operator()
    it.settle()
    it.kube.put("certificates", certificate_body("rival", dnsNames=["rival.example.com"]))
    rival = dataclasses.replace(WEB, name="rival")
    wait = it.settle(rival, patience=100)
    assert wait == pytest.approx(180)
    taken = "IncorrectCertificate"
    assert it.conditions("rival") == {"Ready": ("False", taken), "Stalled": ("True", taken)}
    assert "belongs to Certificate web" in it.message("Ready", "rival")
    old = serial(it.kube)
    it.settle()
    assert serial(it.kube) == old
    it.kube.remove("certificates", "web")
    it.settle(rival)
    assert it.conditions("rival") == GOOD


def test_an_issuer_that_is_not_there_is_told_and_waited_for() -> None:
    it = operator()
    it.kube.remove("issuers", "it")
    it.reconcile()
    assert it.conditions()["Issuing"] == ("False", "IssuerNotFound")
    assert it.events() == [("Warning", "IssuerNotFound")]
    it.kube.put("issuers", issuer_body(status={}))
    it.reconcile()
    assert it.conditions()["Issuing"] == ("False", "IssuerNotReady")
    it.kube.put("issuers", issuer_body({"vault": {}}))
    it.reconcile()
    assert "spec.vault" in it.message("Issuing")
    it.kube.put("issuers", issuer_body())
    assert WEB in it.queued
    it.settle()
    assert it.conditions() == GOOD


def test_somebody_elses_write_in_between_is_observed_anew() -> None:
    it = operator()
    written: list[str] = []

    def interfere(method: str, path: str) -> None:
        if method == "PATCH" and path.endswith("/status") and len(written) < 3:
            written.append(path)
            body = it.kube.get("certificates", "web")
            assert body is not None
            it.kube.put("certificates", {**body, "metadata": {**body["metadata"], "labels": {"n": str(len(written))}}})

    it.kube.before = interfere
    it.settle()
    assert len(written) == 3
    assert it.conditions() == GOOD
    assert not it.world.records


def test_a_certificate_that_vanishes_under_our_hands_is_forgotten() -> None:
    it = operator()

    def vanish(method: str, path: str) -> None:
        if method == "PATCH" and path.endswith("web-tls"):
            it.kube.before = lambda *_: None
            it.kube.remove("certificates", "web")

    it.kube.before = vanish
    assert it.settle() is None
    assert not it.world.records


@pytest.mark.parametrize("code", [409, 429, 500, 503, 504])
def test_the_api_server_fails_at_each_request_once(code: int) -> None:
    probe = operator()
    probe.settle()
    for nth in range(len(probe.kube.writes) + len(probe.kube.reads)):
        it = operator()
        count = 0

        def fail(method: str, path: str) -> None:
            nonlocal count
            count += 1
            if count == nth + 1:  # noqa: B023 - called within this turn
                if code == 429:  # the real client counts from its own clock
                    raise Throttled("overloaded", until=it.now + timedelta(seconds=1))  # noqa: B023
                raise it.kube.refuse(method, path, code, "Conflict" if code == 409 else "")  # noqa: B023

        it.kube.before = fail
        it.settle()
        assert it.conditions() == GOOD
        assert not it.world.records
        assert [body["metadata"]["name"] for body in it.kube.all("secrets")] == ["web-tls"]


def effects_until_ready(*, before: bool) -> int:
    count = 0

    def one(*_: object) -> None:
        nonlocal count
        count += 1

    it = operator()
    it.world.effect = one
    if before:
        it.kube.before = lambda method, _: one() if method != "GET" else None
    else:
        it.kube.after = one
    it.settle()
    return count


@pytest.mark.parametrize("before", [True, False], ids=["before each write", "after each effect"])
def test_a_crash(before: bool) -> None:  # noqa: FBT001 - a row
    total = effects_until_ready(before=before)
    assert total >= 10
    for nth in range(1, total + 1):
        it = operator()
        count = 0

        def die(*_: object) -> None:
            nonlocal count
            count += 1
            if count == nth:  # noqa: B023 - called within this turn
                raise Killed

        it.world.effect = die
        if before:
            it.kube.before = lambda method, _: die() if method != "GET" else None
        else:
            it.kube.after = die
        with pytest.raises(Killed):
            it.settle()
        it.kube.before = it.kube.after = lambda *_: None
        it.world.effect = lambda _: None
        again = Operator(it.kube, it.world, now=it.now + timedelta(seconds=1))
        again.settle()
        assert again.conditions() == GOOD, nth
        assert not it.world.records, nth
        assert len(it.world.orders) <= 2, nth
        assert [body["metadata"]["name"] for body in it.kube.all("secrets")] == ["web-tls"], nth
        assert set(again.status()) == {"conditions", "notBefore", "notAfter", "renewalTime", "revision"}, nth
        writes = len(it.kube.writes)
        Operator(it.kube, it.world, now=again.now).reconcile()
        assert len(it.kube.writes) == writes, nth


def test_an_order_lost_without_end_does_not_flood_the_ca() -> None:
    it = operator()
    it.ca.script = [OrderLost("gone") for _ in range(500)]
    it.reconcile()
    assert it.ca.calls == 1
    it.ca.calls = 0
    started = it.now
    while it.now - started < HOUR:
        it.now += timedelta(seconds=it.reconcile() or 0)
    assert it.ca.calls < 30


def refusing(it: Operator, verb: str, part: str, code: int, *, times: int = 1, **details: Any) -> None:
    """Let the API server refuse some requests."""
    left = [None] * times

    def fail(method: str, path: str) -> None:
        if left and method == verb and part in path:
            left.pop()
            raise it.kube.refuse(method, path, code, **details)

    it.kube.before = fail


def test_an_event_that_cannot_be_written_stops_nothing() -> None:
    it = operator()
    refusing(it, "POST", "events", 403, times=99)
    it.settle()
    assert it.conditions() == GOOD
    assert it.events() == []


def test_a_template_that_the_api_server_refuses_leaves_the_certificate_ready() -> None:
    it = operator()
    it.settle()
    it.kube.put("certificates", {**certificate_body(secretTemplate={"labels": {"a": "b c"}}), "status": it.status()})
    causes = [{"field": "metadata.labels", "message": "Invalid value"}]
    refusing(it, "PATCH", "web-tls", 422, times=2, causes=causes)
    assert it.reconcile() == 5.0
    assert it.conditions() == {"Ready": ("True", "Ready"), "Issuing": ("False", "InvalidSpec")}
    assert "metadata.labels: Invalid value" in it.message("Issuing")
    it.settle()
    assert it.conditions() == GOOD


def test_what_somebody_else_keeps_as_it_is_makes_no_storm_of_writes() -> None:
    it = operator()
    it.settle()
    secret, writes = it.kube.get("secrets", "web-tls"), len(it.kube.writes)
    assert secret is not None
    owners = [{"apiVersion": "certwright.dev/v1", "kind": "Certificate", "name": "web", "uid": uid(it)}]
    it.kube.put("secrets", {**secret, "metadata": {**secret["metadata"], "ownerReferences": owners}})
    assert it.reconcile() == 3600.0
    assert len(it.kube.writes) == writes + 1
    it.now += timedelta(days=61)
    it.settle(patience=3599)
    assert it.status()["revision"] == 2, "renewals go on"


def at_the_write_of_the_secret(it: Operator, act: Callable[[], None]) -> None:
    """Do something once, right after the operator has confirmed and before it reads the Secret to repair it."""
    reads: list[str] = []

    def look(method: str, path: str) -> None:
        if method == "GET" and path.endswith("web-tls"):
            reads.append(path)
            if len(reads) == 2:
                act()

    it.kube.before = look


def test_a_secret_that_vanishes_before_its_repair_is_issued_anew() -> None:
    it = operator()
    it.settle()
    it.kube.put("certificates", {**certificate_body(secretTemplate={"labels": {"a": "b"}}), "status": it.status()})
    at_the_write_of_the_secret(it, lambda: it.kube.remove("secrets", "web-tls"))
    it.settle()
    assert it.conditions() == GOOD
    assert len(it.world.orders) == 2


def test_a_secret_that_changes_before_its_repair_is_observed_anew() -> None:
    it = operator()
    it.settle()
    it.kube.put("certificates", {**certificate_body(secretTemplate={"labels": {"a": "b"}}), "status": it.status()})

    def interfere() -> None:
        secret = it.kube.get("secrets", "web-tls")
        assert secret is not None
        it.kube.put("secrets", {**secret, "data": {**secret["data"], "theirs": "eA=="}})

    at_the_write_of_the_secret(it, interfere)
    it.settle()
    repaired = it.kube.get("secrets", "web-tls")
    assert repaired is not None
    assert (repaired["metadata"]["labels"]["a"], repaired["data"]["theirs"]) == ("b", "eA==")
    assert len(it.world.orders) == 1


def test_a_secret_that_the_api_server_refuses_is_told() -> None:
    it = operator(issuer=issuer_body({"selfSigned": {}}))
    refusing(it, "PATCH", "web-tls", 422, causes=[{"field": "data", "message": "too long"}])
    assert it.reconcile() == 5.0
    wrong = ("False", "InvalidSpec")
    assert it.conditions() == {"Ready": ("False", "DoesNotExist"), "Issuing": wrong, "Stalled": ("True", "InvalidSpec")}
    it.settle()
    assert it.conditions() == GOOD


def test_a_wrong_spec_is_told_as_soon_as_the_api_server_answers() -> None:
    it = operator(certificate=certificate_body(dnsNames="a"))
    refusing(it, "PATCH", "status", 500)
    wait = it.reconcile()
    assert wait is not None
    assert 1.0 <= wait <= 1.25
    it.reconcile()
    assert it.conditions() == {"Ready": ("False", "InvalidSpec"), "Stalled": ("True", "InvalidSpec")}


def test_a_certificate_that_the_watch_has_not_told_of_as_deleted() -> None:
    it = operator(issuer=issuer_body({"selfSigned": {}}))
    it.kube.sink = lambda *_: None
    it.kube.remove("certificates", "web")
    assert it.settle() is None
    assert it.cache.certificate_json(WEB) is None
    assert it.kube.writes == []


def test_a_namespace_that_is_being_deleted_is_left_alone() -> None:
    it = operator(issuer=issuer_body({"selfSigned": {}}))
    refusing(it, "PATCH", "web-tls", 403, causes=[{"reason": "NamespaceTerminating"}])
    assert it.reconcile() is None
    assert it.kube.writes == []


@pytest.mark.parametrize("code", [409, 500])
def test_a_failure_that_cannot_be_written_is_counted_the_next_time(code: int) -> None:
    it = operator()
    it.ca.script = [ChallengeFailed("no"), ChallengeFailed("no")]
    refusing(it, "PATCH", "status", code)
    assert it.reconcile() is not None
    it.reconcile()
    assert it.status()["failedIssuanceAttempts"] == 1


def test_a_certificate_that_is_deleted_while_its_failure_is_written() -> None:
    it = operator()
    it.ca.script = [ChallengeFailed("no")]
    refusing(it, "PATCH", "status", 404, name="web")
    assert it.reconcile() is None


def test_a_failed_renewal_by_hand_is_over_and_the_certificate_stays_ready() -> None:
    it = operator()
    it.settle()
    ask_by_hand(it.kube)
    it.ca.script = [ChallengeFailed("no")]
    it.settle()
    assert it.conditions() == GOOD
    assert it.status()["failedIssuanceAttempts"] == 1
    assert ("Warning", "ChallengeFailed") in it.events()


def test_a_refusal_whose_records_cannot_be_removed_yet_is_told_later() -> None:
    it = operator()
    it.reconcile()
    it.ca.script = [ChallengeFailed("no"), ChallengeFailed("no")]
    it.ca.clean_up = [Retryable("the zone is away")]
    wait = it.reconcile()
    assert wait is not None
    assert wait < 10
    assert "failedIssuanceAttempts" not in it.status()
    it.now += timedelta(seconds=wait)
    it.reconcile()
    assert it.status()["failedIssuanceAttempts"] == 1
    assert not it.world.records


def test_an_order_whose_records_cannot_be_removed_yet_is_abandoned_later() -> None:
    it = operator()
    it.reconcile()
    it.world.orders.clear()
    it.ca.clean_up = [Retryable("the zone is away")]
    wait = it.reconcile()
    assert wait is not None
    assert wait < 10
    assert "order" in it.status()
    it.settle()
    assert it.conditions() == GOOD
    assert not it.world.records


def test_a_certificate_made_anew_waits_for_what_the_first_one_left() -> None:
    it = operator()
    it.reconcile()
    it.ca.clean_up = [Retryable("the zone is away")]
    it.kube.remove("certificates", "web")
    it.kube.put("certificates", certificate_body())
    wait = it.reconcile()
    assert wait is not None
    assert wait < 10
    assert it.world.records
    it.settle()
    assert it.conditions() == GOOD
    assert not it.world.records


def test_a_certificate_whose_spec_became_unreadable_leaves_no_fault_when_it_goes() -> None:
    it = operator()
    it.reconcile()
    it.kube.put("certificates", {**certificate_body(dnsNames="a"), "status": it.status()})
    it.reconcile()
    it.kube.remove("certificates", "web")
    assert it.settle() is None


def test_the_clock_of_a_reconciler_is_in_utc() -> None:
    assert utc_now().utcoffset() == timedelta(0)


def test_what_is_logged_of_a_certificate_carries_its_uid() -> None:
    it = operator()
    with structlog.testing.capture_logs(processors=[structlog.contextvars.merge_contextvars]) as lines:
        it.settle()
    body = it.kube.get("certificates", "web")
    assert body is not None
    uid = body["metadata"]["uid"]
    assert [line["uid"] for line in lines if line["event"].startswith("certificate stored")] == [uid]

from datetime import timedelta
from typing import Any

import pytest

from certwright.errors import CertwrightError, InvalidSpec, Retryable, Throttled
from certwright.issuers.base import Report
from unit.reconcile.operating import CA, START, WEB, Operator, issuer_body, operator

REPORT = Report("ACMEAccountRegistered", "registered", {"uri": "https://ca.test/acct/1"})


def ready(it: Operator) -> tuple[str, str]:
    body = it.kube.get("issuers", "it")
    assert body is not None
    found = [(item["status"], item["reason"]) for item in body["status"]["conditions"] if item["type"] == "Ready"]
    return found[0]


def stalled(it: Operator) -> bool:
    body = it.kube.get("issuers", "it")
    assert body is not None
    return any(item["type"] == "Stalled" for item in body["status"]["conditions"])


def fresh(status: dict[str, Any] | None = None) -> Operator:
    it = operator(issuer=issuer_body(status={} if status is None else status))
    it.ca.report = REPORT
    return it


def test_an_issuer_becomes_ready_by_one_write_and_wakes_its_certificates() -> None:
    it = fresh()
    assert it.reconcile(CA) is None
    assert ready(it) == ("True", "ACMEAccountRegistered")
    body = it.kube.get("issuers", "it")
    assert body is not None
    assert body["status"]["acme"] == {"uri": "https://ca.test/acct/1"}
    assert it.kube.writes == ["patch issuers/status shop/it"]
    assert WEB in it.queued
    assert it.reconcile(CA) is None
    assert len(it.kube.writes) == 1


def test_an_issuer_that_is_gone_needs_nothing() -> None:
    it = fresh()
    it.kube.remove("issuers", "it")
    assert it.reconcile(CA) is None
    assert it.kube.writes == []


MISTAKES: dict[str, tuple[CertwrightError | None, dict[str, Any] | None, str]] = {
    "a Secret is missing": (InvalidSpec("create it", reason="SecretNotFound"), None, "SecretNotFound"),
    "its spec is wrong": (None, {"vault": {}}, "NotSupported"),
}


@pytest.mark.parametrize(("fault", "spec", "reason"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_told_once_and_looked_at_again(
    fault: CertwrightError | None, spec: dict[str, Any] | None, reason: str
) -> None:
    it = operator(issuer=issuer_body(spec, status={}))
    it.ca.checks = [fault, fault] if fault else []
    assert it.reconcile(CA) == 5.0
    assert ready(it) == ("False", reason)
    assert stalled(it) == (reason != "SecretNotFound")
    assert it.events() == [("Warning", reason)]
    assert it.reconcile(CA) == 10.0
    assert it.kube.writes == ["create events shop", "patch issuers/status shop/it"]


def test_what_passes_by_itself_leaves_an_issuer_ready_at_first() -> None:
    it = operator()
    it.ca.checks = [Retryable("the CA is away", reason="NetworkError") for _ in range(2)]
    assert it.reconcile(CA) is not None
    assert it.kube.writes == []
    assert it.reconcile(CA) is not None
    assert ready(it) == ("False", "NetworkError")
    it.reconcile(CA)
    assert ready(it) == ("True", "IsReady")


def test_a_new_issuer_says_at_once_that_the_ca_is_away() -> None:
    it = fresh()
    it.ca.checks = [Retryable("the CA is away", reason="NetworkError")]
    it.reconcile(CA)
    assert ready(it) == ("False", "NetworkError")


def test_a_limit_is_waited_for() -> None:
    it = fresh()
    it.ca.checks = [Throttled("too many accounts", until=START + timedelta(hours=1))]
    assert it.reconcile(CA) == 3600.0


@pytest.mark.parametrize(("code", "wait"), [(409, 0.0), (404, None), (500, 1.0)])
def test_a_status_that_cannot_be_written(code: int, wait: float | None) -> None:
    it = fresh()

    def fail(method: str, path: str) -> None:
        if method == "PATCH":
            it.kube.before = lambda *_: None
            raise it.kube.refuse(method, path, code, name="it")

    it.kube.before = fail
    seconds = it.reconcile(CA)
    assert (seconds is None) == (wait is None)
    assert wait is None or wait <= (seconds or 0.0) <= wait * 1.25
    it.reconcile(CA)
    assert ready(it) == ("True", "ACMEAccountRegistered")


def test_an_edit_in_between_is_read_anew() -> None:
    it = fresh()

    def interfere(method: str, _: str) -> None:
        if method == "PATCH":
            it.kube.before = lambda *_: None
            it.kube.sink = lambda *_: None
            it.kube.put("issuers", {**issuer_body({"selfSigned": {}}, status={})})

    it.kube.before = interfere
    assert it.reconcile(CA) == 0.0
    assert it.reconcile(CA) is None
    assert ready(it) == ("True", "IsReady")


def test_an_edit_in_between_that_cannot_be_read_is_waited_for() -> None:
    it = fresh()

    def fail(method: str, path: str) -> None:
        raise it.kube.refuse(method, path, 409 if method == "PATCH" else 500)

    it.kube.before = fail
    seconds = it.reconcile(CA)
    assert seconds is not None
    assert 1.0 <= seconds <= 1.25
    it.kube.before = lambda *_: None
    it.reconcile(CA)
    assert ready(it) == ("True", "ACMEAccountRegistered")


def test_an_edit_in_between_by_a_deletion() -> None:
    it = fresh()

    def vanish(method: str, path: str) -> None:
        if method == "PATCH":
            it.kube.before = lambda *_: None
            it.kube.remove("issuers", "it")
            raise it.kube.refuse(method, path, 409)

    it.kube.before = vanish
    assert it.reconcile(CA) == 0.0
    assert it.reconcile(CA) is None


def test_an_issuer_that_was_stalled_and_is_mended_is_not_any_more() -> None:
    it = operator(issuer=issuer_body(status={}))
    it.ca.checks = [InvalidSpec("no CA", reason="InvalidCA"), Retryable("it is away"), Retryable("it is away")]
    it.reconcile(CA)
    assert stalled(it)
    it.reconcile(CA)
    it.reconcile(CA)
    assert (ready(it), stalled(it)) == (("False", "Unavailable"), False), "waiting may help here"
    it.reconcile(CA)
    assert (ready(it)[0], stalled(it)) == ("True", False)

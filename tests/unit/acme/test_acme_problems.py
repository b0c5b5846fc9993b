"""What follows from each problem a CA may report."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from certwright.acme.identifier import Identifier
from certwright.acme.problem_types import TYPES, URN, AccountDoesNotExist, AlreadyReplaced, Gone, OrderNotReady
from certwright.acme.problems import Problem, clip, fault_for
from certwright.errors import CertwrightError, ChallengeFailed, InvalidSpec, Retryable, Terminal, Throttled

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
URL = "https://ca.example/order/1"


def problem(code: str, **fields: Any) -> Problem:
    found = Problem.of({"type": URN + code, **fields})
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("code", "fault", "reason"),
    [
        ("accountDoesNotExist", AccountDoesNotExist, "AccountDoesNotExist"),
        ("alreadyReplaced", AlreadyReplaced, "AlreadyReplaced"),
        ("alreadyRevoked", Terminal, "AlreadyRevoked"),
        ("badCSR", Terminal, "BadCSR"),
        ("badNonce", Retryable, "BadNonce"),
        ("badPublicKey", Terminal, "BadPublicKey"),
        ("badRevocationReason", Terminal, "BadRevocationReason"),
        ("badSignatureAlgorithm", Terminal, "BadSignatureAlgorithm"),
        ("caa", ChallengeFailed, "CAARefused"),
        ("compound", ChallengeFailed, "Refused"),
        ("connection", ChallengeFailed, "ConnectionFailed"),
        ("dns", ChallengeFailed, "DNSFailed"),
        ("externalAccountRequired", InvalidSpec, "ExternalAccountRequired"),
        ("incorrectResponse", ChallengeFailed, "IncorrectResponse"),
        ("invalidContact", InvalidSpec, "InvalidContact"),
        ("invalidProfile", InvalidSpec, "InvalidProfile"),
        ("malformed", ChallengeFailed, "Malformed"),
        ("orderNotReady", OrderNotReady, "OrderNotReady"),
        ("rateLimited", Throttled, "RateLimited"),
        ("rejectedIdentifier", ChallengeFailed, "RejectedIdentifier"),
        ("serverInternal", Retryable, "ServerInternal"),
        ("tls", ChallengeFailed, "TLSFailed"),
        ("unauthorized", ChallengeFailed, "Unauthorized"),
        ("unsupportedContact", InvalidSpec, "UnsupportedContact"),
        ("unsupportedIdentifier", InvalidSpec, "UnsupportedIdentifier"),
        ("userActionRequired", Terminal, "UserActionRequired"),
        ("somethingNew", ChallengeFailed, "Refused"),
    ],
)
def test_each_type_has_its_class_and_reason(code: str, fault: type[CertwrightError], reason: str) -> None:
    found = fault_for(problem(code, detail="what the CA says"), now=NOW, status=403, asked=URL)
    assert type(found) is fault
    assert found.reason == reason
    assert "what the CA says" in found.message
    assert not found.message.endswith(".")


def test_the_table_is_tested_whole() -> None:
    mark = next(m for m in test_each_type_has_its_class_and_reason.pytestmark if m.name == "parametrize")
    assert {row[0] for row in mark.args[1]} - {"somethingNew"} == set(TYPES)


@pytest.mark.parametrize(
    ("status", "found", "fault", "reason"),
    [
        (404, Problem(), Gone, "NotFound"),
        (404, problem("malformed", detail="no such order"), Gone, "NotFound"),
        (404, problem("somethingNew"), Gone, "NotFound"),
        (404, problem("accountDoesNotExist"), AccountDoesNotExist, "AccountDoesNotExist"),
        (401, problem("unauthorized"), Terminal, "AccountNotValid"),
        (401, problem("accountDoesNotExist"), AccountDoesNotExist, "AccountDoesNotExist"),
        (403, Problem(), Retryable, "UnexpectedReply"),
        (302, Problem(), Retryable, "UnexpectedReply"),
        (429, Problem(), Throttled, "RateLimited"),
        (429, problem("malformed"), Throttled, "RateLimited"),
        (500, Problem(), Retryable, "Unavailable"),
        (500, problem("malformed"), Retryable, "Unavailable"),
        (503, problem("rateLimited"), Throttled, "RateLimited"),
        (504, Problem(), Retryable, "Unavailable"),
        (None, problem("caa", status=404), ChallengeFailed, "CAARefused"),
        (None, problem("unauthorized", status=401), ChallengeFailed, "Unauthorized"),
        (None, problem("serverInternal"), Retryable, "ServerInternal"),
        (None, Problem(), ChallengeFailed, "Refused"),
    ],
)
def test_the_status_counts_where_it_says_more(
    status: int | None, found: Problem, fault: type[CertwrightError], reason: str
) -> None:
    result = fault_for(found, now=NOW, status=status, asked=URL)
    assert (type(result), result.reason) == (fault, reason)


@pytest.mark.parametrize(
    ("found", "status", "retry_after", "wait"),
    [
        (problem("rateLimited"), 429, 7200.0, 7200),
        (problem("rateLimited"), 429, 0.0, 0),
        (problem("rateLimited"), 429, None, 3600),
        (problem("rateLimited"), None, None, 3600),
        (Problem(), 429, None, 60),
    ],
)
def test_a_limit_says_until_when(found: Problem, status: int | None, retry_after: float | None, wait: int) -> None:
    fault = fault_for(found, now=NOW, status=status, retry_after=retry_after)
    assert isinstance(fault, Throttled)
    assert fault.until == NOW + timedelta(seconds=wait)


def test_unauthorized_is_about_the_account_or_about_the_name() -> None:
    found = problem("unauthorized", detail="words")
    assert "does not allow the account" in fault_for(found, now=NOW, status=403).message
    assert "control of the name" in fault_for(found, now=NOW).message


def test_retry_after_goes_with_what_is_tried_again() -> None:
    for found, status in ((Problem(), 503), (Problem(), 403), (problem("orderNotReady"), 403)):
        fault = fault_for(found, now=NOW, status=status, retry_after=9.0)
        assert isinstance(fault, Retryable)
        assert fault.after == 9.0


def test_a_person_who_must_act_is_told_where() -> None:
    fault = fault_for(problem("userActionRequired", instance="https://ca.example/terms"), now=NOW, status=403)
    assert fault.message.endswith("https://ca.example/terms")


@pytest.mark.parametrize("code", ["compound", "rejectedIdentifier"])
def test_subproblems_are_kept_and_the_first_is_told(code: str) -> None:
    found = problem(
        code,
        detail="some names",
        subproblems=[
            {"type": URN + "caa", "detail": "CAA says no", "identifier": {"type": "dns", "value": "a.example"}},
            {"type": URN + "dns", "detail": "SERVFAIL", "identifier": {"type": "dns", "value": "b.example"}},
        ],
    )
    fault = fault_for(found, now=NOW, status=403)
    assert isinstance(fault, ChallengeFailed)
    assert fault.reason == ("CAARefused" if code == "compound" else "RejectedIdentifier")
    assert "a.example: CAA says no; and 1 more" in fault.message
    assert [item["identifier"]["value"] for item in fault.problem["subproblems"]] == ["a.example", "b.example"]


def test_a_document_goes_into_status_and_back() -> None:
    found = problem(
        "caa",
        detail="no",
        status=403,
        instance="https://ca.example/why",
        identifier={"type": "dns", "value": "a.example"},
        subproblems=[{"type": URN + "dns", "detail": "x"}],
    )
    assert found.identifier == Identifier("dns", "a.example")
    assert Problem.of(json.loads(json.dumps(found.body()))) == found


def test_what_is_kept_is_bounded() -> None:
    deep: dict[str, Any] = {"type": URN + "caa", "detail": "d" * 100_000}
    deep["subproblems"] = [{**deep, "subproblems": [deep]}] * 1000
    found = Problem.of({**deep, "type": "t" * 5000, "instance": "i" * 5000, "title": "t" * 5000})
    assert found is not None
    assert len(json.dumps(found.body())) < 10_000
    assert all(not item.subproblems for item in found.subproblems)


@pytest.mark.parametrize("code", [*TYPES, "somethingNew"])
@pytest.mark.parametrize("status", [None, 400, 401, 404, 429, 500])
def test_messages_fit_and_keep_what_to_do(code: str, status: int | None) -> None:
    found = problem(code, detail="long. " * 500, instance="https://ca.example/" + "x" * 500)
    fault = fault_for(found, now=NOW, status=status, asked="https://ca.example/" + "y" * 500)
    assert len(fault.message) <= 300
    assert "long. long" in fault.message or code == "userActionRequired"
    assert "; " in fault.message


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html><body>502 Bad Gateway</body></html>",
        b"{",
        b"[]",
        b"null",
        b'"text"',
        b"[" * 100_000,
        b"\xff\xfe",
        b'{"type": 5, "detail": ["x"], "status": "x", "subproblems": 7, "identifier": "x"}',
        b'{"subproblems": [1, null, "x"]}',
    ],
)
def test_any_body_can_be_read(body: bytes) -> None:
    assert Problem.read(body) == Problem()


def test_no_foreign_text_without_a_document() -> None:
    fault = fault_for(Problem.read(b"<html>secret page</html>"), now=NOW, status=403, asked=URL)
    assert "html" not in fault.message
    assert URL in fault.message


def test_no_control_characters_get_through() -> None:
    found = problem("caa", detail="one\ntwo\x1b[31m\u202ethree")
    assert found.detail == "one two [31m three"
    assert clip("a" * 400) == "a" * 299 + "…"
    assert clip("ab", 0) in {"", "…"}

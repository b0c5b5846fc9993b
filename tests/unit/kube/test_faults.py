"""Which answer of the API server becomes which fault, and what it says."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from certwright.errors import CertwrightError, Conflict, InvalidSpec, Retryable, Terminal, Throttled
from certwright.kube.faults import (
    AlreadyExists,
    Expired,
    Forbidden,
    NamespaceTerminating,
    NotFound,
    QuotaExceeded,
    Refusal,
    Unauthorized,
    UnknownResource,
    fault,
    parse_retry_after,
)
from certwright.kube.paths import Target

SECRETS = Target("", "secrets", "shop", "web")
STATUS = Target("certwright.dev", "certificates/status", "shop", "web")
ISSUERS = Target("certwright.dev", "clusterissuers", "", "")
RBAC = 'secrets "web" is forbidden: User "x" cannot get resource "secrets" in API group "" in the namespace "shop"'


def status(reason: str = "", message: str = "", **details: Any) -> dict[str, Any]:
    return {"kind": "Status", "reason": reason, "message": message, "details": details}


def causes(*items: tuple[str, str]) -> list[dict[str, str]]:
    return [{"field": name, "message": message} for name, message in items]


@pytest.mark.parametrize(
    ("code", "target", "body", "kind", "text"),
    [
        (401, SECRETS, {}, Unauthorized, "credentials"),
        (403, SECRETS, status("Forbidden", RBAC), Forbidden, "x may not get secrets in namespace shop; grant it by"),
        (
            403,
            ISSUERS,
            status("Forbidden", 'x is forbidden: User "x" cannot list resource "clusterissuers" in API group "g"'),
            Forbidden,
            "may not get clusterissuers of API group certwright.dev in the whole cluster",
        ),
        (403, SECRETS, status("Forbidden", "exceeded quota: q"), QuotaExceeded, "refused to get secrets shop/web: ex"),
        (
            403,
            SECRETS,
            status("Forbidden", "being terminated", causes=[{"reason": "NamespaceTerminating"}]),
            NamespaceTerminating,
            "namespace shop is being deleted",
        ),
        (404, SECRETS, status("NotFound", "", name="web", kind="secrets"), NotFound, "^secrets shop/web does not"),
        (404, SECRETS, status("NotFound", "", name="shop", kind="namespaces"), NotFound, "^namespace shop does not"),
        (404, STATUS, {}, UnknownResource, r"certificates\.certwright\.dev; install"),
        (409, SECRETS, status("AlreadyExists"), AlreadyExists, "exists already"),
        (409, STATUS, status("Conflict"), Conflict, "certificates/status shop/web was changed"),
        (410, ISSUERS, status("Expired"), Expired, "starts again"),
        (
            422,
            STATUS,
            status("Invalid", "long", causes=causes(("status.revision", "must be integer"), ("status.x", "no"))),
            InvalidSpec,
            "certificates/status shop/web: status.revision: must be integer; status.x: no$",
        ),
        (422, STATUS, status("Invalid", "only\n a  message"), InvalidSpec, ": only a message$"),
        (422, SECRETS, status("Invalid", "", causes=causes(("metadata.uid", "immutable"))), Conflict, "changed"),
        (422, SECRETS, status("", "", causes=causes(("data", 'bad "hi\\"dden" here'))), InvalidSpec, 'bad "…" here$'),
        (400, SECRETS, status("BadRequest", 'cannot decode "hidden"'), Terminal, 'cannot decode "…"$'),
        (405, STATUS, status("MethodNotAllowed", "no"), Terminal, "refused to get .*: no$"),
        (413, SECRETS, {}, Terminal, "HTTP status 413"),
        (429, SECRETS, {}, Throttled, "overloaded"),
        (500, SECRETS, status("InternalError", "etcd"), Retryable, "could not get secrets shop/web: etcd"),
        (503, SECRETS, {}, Retryable, "HTTP status 503"),
        (504, SECRETS, status("Timeout", "slow"), Retryable, "slow"),
    ],
)  # fmt: skip
def test_table(code: int, target: Target, body: dict[str, Any], kind: type[CertwrightError], text: str) -> None:
    with pytest.raises(kind, match=text) as raised:
        raise fault(Refusal("get", target, code, body))
    assert type(raised.value) is kind
    assert "hidden" not in raised.value.message
    assert not raised.value.message.endswith(".")


@pytest.mark.parametrize("details", [None, [], {"causes": {}}, {"causes": [1]}, {"name": 7}])
@pytest.mark.parametrize("code", [400, 403, 404, 409, 422, 429, 500])
def test_an_answer_of_another_shape_is_still_a_fault(code: int, details: Any) -> None:
    assert isinstance(fault(Refusal("get", SECRETS, code, {"details": details, "message": 3})), CertwrightError)


def test_texts_are_bounded() -> None:
    assert len(fault(Refusal("get", STATUS, 500, status("", "x" * 9000))).message) < 400


@pytest.mark.parametrize(
    ("header", "body", "low", "high"),
    [
        ("7", {}, 6, 7),
        ("", {"details": {"retryAfterSeconds": 9}}, 8, 9),
        ("2", {"details": {"retryAfterSeconds": 9}}, 1, 2),
        ("", {}, 0, 1),
        ("0", {}, 0, 1),
        ("soon", {}, 0, 1),
        ("999999", {}, 3598, 3600),
    ],
)
def test_throttled_until(header: str, body: dict[str, Any], low: float, high: float) -> None:
    error = fault(Refusal("get", SECRETS, 429, body, header))
    assert isinstance(error, Throttled)
    assert low <= (error.until - datetime.now(UTC)).total_seconds() <= high


def test_server_errors_pass_on_their_wait() -> None:
    assert [fault(Refusal("get", SECRETS, 503, {}, text)).after for text in ("", "4")] == [None, 4.0]


def test_retry_after_as_a_date() -> None:
    now = datetime.now(UTC)
    later = parse_retry_after(format_datetime(now + timedelta(seconds=60), usegmt=True))
    assert later
    assert 58 <= later <= 60
    assert parse_retry_after(format_datetime(now - timedelta(seconds=60), usegmt=True)) == 0
    assert parse_retry_after("Mon, 99 Foo 2026") is None

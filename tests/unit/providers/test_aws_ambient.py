"""The operator's own AWS keys, from each of the places where AWS puts them."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from certwright.errors import InvalidSpec, Retryable
from certwright.providers import aws_ambient, aws_login
from certwright.providers.aws_ambient import operators_keys
from unit.providers.fake_api import Answer, FakeApi, Request, Route

REGION = "eu-west-1"
ENDS = "2026-11-25T18:00:00Z"
KEYS = {"AccessKeyId": "ASIAX", "SecretAccessKey": "c2VjcmV0", "Token": "dG9rZW4", "Expiration": ENDS}
SESSION = "c2Vzc2lvbg=="
VARIABLES = (
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_ROLE_ARN",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    "AWS_EC2_METADATA_DISABLED",
)


class Metadata(FakeApi):
    """An instance's metadata service (IMDSv2) and, below /v1, the agent of EKS Pod Identity."""

    role = "node-role"
    agent_token = "pod-token"

    def routes(self) -> list[Route]:
        there = "/latest/meta-data/iam/security-credentials/"
        return [
            ("PUT", "/latest/api/token", self._session),
            ("GET", there, lambda _request: Answer(200, self.role) if self.role else self.unknown()),
            ("GET", f"{there}(.+)", lambda _request, name: self._keys(name == self.role)),
            ("GET", "/v1/credentials", lambda _request: self._keys(there=True)),
        ]

    def authorized(self, request: Request) -> bool:
        if request.path.startswith("/v1"):
            return request.headers.get("authorization") == self.agent_token
        return request.method == "PUT" or request.headers.get("x-aws-ec2-metadata-token") == SESSION

    def _session(self, request: Request) -> Answer:
        seconds = int(request.headers.get("x-aws-ec2-metadata-token-ttl-seconds", "0"))
        return Answer(200, SESSION) if 1 <= seconds <= 21600 else Answer(400, "bad")

    def _keys(self, there: bool) -> Answer:  # noqa: FBT001 - a test's helper
        return Answer(200, json.dumps(KEYS)) if there else self.unknown()


@pytest.fixture(autouse=True)
def _empty(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    operators_keys.cache_clear()
    yield
    operators_keys.cache_clear()


@pytest.fixture
def metadata(monkeypatch: pytest.MonkeyPatch) -> Iterator[Metadata]:
    with Metadata() as running:
        monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", running.url)
        # Neither service can be reached by a proxy.
        monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
        yield running


def test_from_the_environment(metadata: Metadata, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAX")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "t")
    assert operators_keys(REGION)() == aws_login.Keys("AKIAX", "s", "t")
    assert metadata.requests == []


@pytest.mark.parametrize("by_file", [False, True])
def test_from_the_containers_agent(
    metadata: Metadata, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *, by_file: bool
) -> None:
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{metadata.url}/v1/credentials")
    if by_file:
        (tmp_path / "token").write_text("pod-token\n")
        monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", str(tmp_path / "token"))
    else:
        monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", "pod-token")
    keys = operators_keys(REGION)()
    assert keys == aws_login.Keys("ASIAX", "c2VjcmV0", "dG9rZW4", datetime(2026, 11, 25, 18, tzinfo=UTC))
    assert "c2VjcmV0" not in repr(keys)
    assert "dG9rZW4" not in repr(keys)


def test_from_an_agent_beside_the_container(metadata: Metadata, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aws_ambient, "CONTAINER", metadata.url)
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/v1/credentials")
    monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", "pod-token")
    assert operators_keys(REGION)().access_key == "ASIAX"


def test_an_agent_that_refuses(metadata: Metadata, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{metadata.url}/v1/credentials")
    monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", "another-token")
    with pytest.raises(Retryable, match="the container's agent answers 401 when asked for credentials"):
        operators_keys(REGION)()


def test_a_token_file_that_is_not_there(metadata: Metadata, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{metadata.url}/v1/credentials")
    monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "/nowhere/token")
    with pytest.raises(InvalidSpec, match=r"AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE .*: /nowhere/token cannot be read"):
        operators_keys(REGION)()


def test_from_the_instance(metadata: Metadata) -> None:
    assert operators_keys(REGION)().access_key == "ASIAX"
    assert [request.method for request in metadata.requests] == ["PUT", "GET", "GET"]


@pytest.mark.parametrize("told", ["<html>", "[]", '{"AccessKeyId": "x"}', "null"])
def test_an_instance_that_gives_no_credentials(metadata: Metadata, told: str) -> None:
    metadata.override = lambda request: Answer(200, told) if request.path.endswith("node-role") else None
    with pytest.raises(Retryable, match="the instance's metadata service gives no credentials"):
        operators_keys(REGION)()


@pytest.mark.parametrize("role", ["../../user-data", "a b", "<html>"])
def test_a_role_of_the_instance_that_is_none(metadata: Metadata, role: str) -> None:
    metadata.role = role
    with pytest.raises(Retryable, match="names no role"):
        operators_keys(REGION)()


def _no_role(metadata: Metadata, _: pytest.MonkeyPatch) -> None:
    metadata.role = ""


def _not_for_pods(metadata: Metadata, _: pytest.MonkeyPatch) -> None:
    metadata.override = lambda _request: Answer(403, "")


def _turned_off(_: Metadata, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


def _elsewhere(_: Metadata, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://127.0.0.1:9")


@pytest.mark.parametrize("arranged", [_no_role, _not_for_pods, _turned_off, _elsewhere])
def test_from_nowhere(
    metadata: Metadata, monkeypatch: pytest.MonkeyPatch, arranged: Callable[[Metadata, pytest.MonkeyPatch], None]
) -> None:
    arranged(metadata, monkeypatch)
    with pytest.raises(InvalidSpec, match=r"no AWS credentials of its own: .*; give it some, or name") as caught:
        operators_keys(REGION)()
    assert caught.value.reason == "NoAmbientCredentials"


def test_a_role_of_the_environment_that_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", "/nowhere/token")
    monkeypatch.setenv("AWS_ROLE_ARN", "my-role")
    with pytest.raises(InvalidSpec, match="AWS_ROLE_ARN of the operator's environment: 'my-role' is not a role's ARN"):
        operators_keys(REGION)()
    monkeypatch.setenv("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/dns")
    with pytest.raises(InvalidSpec, match=r"AWS_WEB_IDENTITY_TOKEN_FILE .*: /nowhere/token cannot be read"):
        operators_keys(REGION)()


def test_keys_are_kept_until_shortly_before_their_end(metadata: Metadata, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [datetime(2026, 11, 25, 17, tzinfo=UTC)]
    monkeypatch.setattr(aws_login, "_now", lambda: now[0])
    keys = operators_keys(REGION)
    assert keys() is keys()
    assert operators_keys(REGION) is keys
    asked = len(metadata.requests)
    now[0] += timedelta(minutes=57)
    keys()
    assert len(metadata.requests) == asked
    now[0] += timedelta(minutes=2)
    keys()
    assert len(metadata.requests) == 2 * asked

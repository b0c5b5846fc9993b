"""What is handed to a webhook, and what becomes of its answers; integration/test_webhook_solvers.py has real ones."""

from collections.abc import Mapping
from typing import Any

import pytest

from certwright.errors import InvalidSpec, Retryable
from certwright.providers import registry
from certwright.providers.base import Identity, Provider
from certwright.resources.reading import Fields

AT = "spec.acme.solvers[0].dns01"
ZONE, NAME, VALUE = "example.com.", "_acme-challenge.www.example.com.", "a" * 43
CONFIG = {
    "host": "dns.example.com",
    "ttl": 60,
    "nested": {"list": [1, None, "x"]},
    "tokenRef": {"name": "t", "key": "k"},
}


def no_secrets(name: str, key: str) -> bytes:
    raise AssertionError(f"{name}/{key} is read: a webhook reads its Secrets itself")


class Calls:
    """Keeps what it is called with, and answers what it is told."""

    def __init__(self, response: object = None) -> None:
        self.calls: list[tuple[str, str, dict[str, Any]]] = []
        self.response = {"uid": "x", "success": True} if response is None else response

    def __call__(self, group: str, solver: str, payload: Mapping[str, Any]) -> Mapping[str, Any]:
        self.calls.append((group, solver, dict(payload)))
        return {**payload, "response": self.response}

    @property
    def requests(self) -> list[dict[str, Any]]:
        return [payload["request"] for _, _, payload in self.calls]


def refuse() -> None:
    raise InvalidSpec("not for Issuers")


def provider(calls: Calls, *, ambient: bool = False, **changes: object) -> Provider:
    webhook = {"groupName": "acme.example.com", "solverName": "mine", "config": CONFIG} | changes
    identity = Identity(
        webhook=calls, namespace="team-a", **({"ambient": lambda: None} if ambient else {"ambient": refuse})
    )
    return registry.build(
        Fields({"webhook": {k: v for k, v in webhook.items() if v is not None}}, AT), no_secrets, identity
    )[1]


def test_the_payload_is_what_the_protocol_says() -> None:
    calls = Calls()
    made = provider(calls)
    made.add_txt(ZONE, NAME, VALUE)
    made.remove_txt(ZONE, NAME, VALUE)
    for (group, solver, payload), action in zip(calls.calls, ("Present", "CleanUp"), strict=True):
        assert (group, solver) == ("acme.example.com", "mine")
        request = payload["request"]
        assert (payload["apiVersion"], payload["kind"]) == ("webhook.acme.cert-manager.io/v1alpha1", "ChallengePayload")
        assert request.pop("uid")
        assert request == {
            "action": action,
            "type": "dns-01",
            "dnsName": "www.example.com",
            "key": VALUE,
            "resourceNamespace": "team-a",
            "resolvedFQDN": NAME,
            "resolvedZone": ZONE,
            "allowAmbientCredentials": False,
            "config": CONFIG,
        }


def test_each_request_has_an_id_of_its_own() -> None:
    calls = Calls()
    made = provider(calls)
    made.add_txt(ZONE, NAME, VALUE)
    made.add_txt(ZONE, NAME, VALUE)
    first, second = (request["uid"] for request in calls.requests)
    assert first != second


@pytest.mark.parametrize("ambient", [True, False])
def test_ambient_credentials_are_for_whom_the_operator_says(ambient: bool) -> None:  # noqa: FBT001 - pytest's parameter
    calls = Calls()
    provider(calls, ambient=ambient).add_txt(ZONE, NAME, VALUE)
    assert calls.requests[0]["allowAmbientCredentials"] is ambient


@pytest.mark.parametrize("config", [{}, [], "text", 0, False, {"groupName": "other"}])
def test_any_config_goes_through_as_it_is(config: object) -> None:
    calls = Calls()
    provider(calls, config=config).add_txt(ZONE, NAME, VALUE)
    assert calls.requests[0]["config"] == config


def test_no_config_is_none() -> None:
    calls = Calls()
    provider(calls, config=None).add_txt(ZONE, NAME, VALUE)
    assert "config" not in calls.requests[0]


def test_the_end_of_a_cname_is_the_name_there_is() -> None:
    calls = Calls()
    provider(calls).add_txt("challenges.example.net.", "www.challenges.example.net.", VALUE)
    assert calls.requests[0]["dnsName"] == "www.challenges.example.net"
    assert calls.requests[0]["resolvedFQDN"] == "www.challenges.example.net."


@pytest.mark.parametrize("field", ["groupName", "solverName"])
def test_a_missing_name(field: str) -> None:
    with pytest.raises(InvalidSpec, match=rf"{field}: missing"):
        provider(Calls(), **{field: None})


def test_a_field_that_is_none() -> None:
    with pytest.raises(InvalidSpec, match="webhook has no such field"):
        provider(Calls(), secretName="x")


def test_without_a_cluster_it_says_so() -> None:
    made = registry.build(Fields({"webhook": {"groupName": "a.example.com", "solverName": "b"}}, AT), no_secrets)[1]
    assert made.find_zone(NAME) is None
    with pytest.raises(InvalidSpec):
        made.add_txt(ZONE, NAME, VALUE)


def test_a_refusal_has_the_solvers_words() -> None:
    calls = Calls(
        {"uid": "x", "success": False, "status": {"status": "Failed", "message": "zone example.com\nnot found"}}
    )
    with pytest.raises(Retryable) as caught:
        provider(calls).add_txt(ZONE, NAME, VALUE)
    assert caught.value.reason == "WebhookRefused"
    assert caught.value.message == (
        f"{AT}.webhook: the solver mine of acme.example.com cannot Present {NAME}: zone example.com not found; see the "
        "webhook's log"
    )


def test_long_words_are_cut_and_credentials_left_out() -> None:
    message = f"GET https://user:hunter22@dns.example.com/?token=abcdef123 failed: {'x' * 5000}"
    calls = Calls({"success": False, "status": {"message": message}})
    with pytest.raises(Retryable) as caught:
        provider(calls).remove_txt(ZONE, NAME, VALUE)
    assert len(caught.value.message) < 500
    assert "hunter22" not in caught.value.message
    assert "abcdef123" not in caught.value.message


def test_a_port_is_no_password() -> None:
    calls = Calls({"success": False, "status": {"message": "http://dns.example.com:8081/api answers 404"}})
    with pytest.raises(Retryable, match=r"http://dns\.example\.com:8081/api answers 404"):
        provider(calls).remove_txt(ZONE, NAME, VALUE)


@pytest.mark.parametrize("status", [None, {}, {"message": ""}, {"message": None}, "text", {"message": {"a": 1}}])
def test_a_refusal_without_words(status: object) -> None:
    with pytest.raises(Retryable, match=r"cannot Present .*; see the webhook's log"):
        provider(Calls({"success": False, "status": status})).add_txt(ZONE, NAME, VALUE)


@pytest.mark.parametrize("success", [None, "true", 1, "yes"])
def test_only_true_is_success(success: object) -> None:
    with pytest.raises(Retryable, match="cannot Present"):
        provider(Calls({"success": success})).add_txt(ZONE, NAME, VALUE)


@pytest.mark.parametrize("response", ["", "ok", [], 7, False])
def test_what_is_no_response(response: object) -> None:
    with pytest.raises(Retryable, match="does not speak cert-manager's webhook protocol") as caught:
        provider(Calls(response)).add_txt(ZONE, NAME, VALUE)
    assert caught.value.reason == "WebhookFault"

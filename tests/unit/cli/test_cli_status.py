"""`certwright status`: from objects to what is printed, and to the exit code."""

import json
from datetime import timedelta
from typing import Any

import pytest
import yaml
from fake_api import MISSING, NOW, READY, Body, FakeApi, Run, certificate, condition
from rich.console import Console

from certwright.cli import status as command
from certwright.cli.situation import UNSEEN, Situation
from certwright.errors import Retryable
from certwright.resources.values import format_time

DATES: Body = {
    "notBefore": format_time(NOW - timedelta(days=30, minutes=1)),
    "notAfter": format_time(NOW + timedelta(days=60, minutes=1)),
    "renewalTime": format_time(NOW + timedelta(days=30, minutes=1)),
    "revision": 3,
}
ORDER: Body = {
    "issuer": "Issuer/le",
    "url": "https://ca.test/order/1",
    "state": "pending",
    "request": "1.abc",
    "identifiers": [
        {"name": "example.test", "challenge": "dns-01", "state": "valid"},
        {
            "name": "*.example.test",
            "challenge": "dns-01",
            "state": "checking",
            "record": {
                "name": "_acme-challenge.example.test.",
                "zone": "example.test.",
                "provider": "rfc2136",
                "value": "the-value",
            },
            "verdict": {
                "summary": "3 of 4 addresses hold the record",
                "missing": [{"server": "ns2.example.test.", "address": "192.0.2.2", "answer": "NXDOMAIN"}],
                "action": "look at the zone transfer to ns2.example.test.",
            },
        },
    ],
}
ISSUER = {
    "metadata": {"namespace": "shop", "name": "le", "generation": 1},
    "status": {"conditions": [condition("Ready", "True", "Registered", "the account is there")]},
}


class TestTable:
    def test_all_ready_is_exit_code_0(self, api: FakeApi, run: Run) -> None:
        api.add("certificates", certificate(conditions=[READY], **DATES))
        done = run("status")
        header, row = done.stdout.splitlines()
        assert header.split() == ["NAMESPACE", "NAME", "READY", "ISSUER", "EXPIRES", "RENEWS", "SECRET"]
        assert row.split() == ["shop", "web", "True", "Issuer/le", "in", "60", "days", "in", "30", "days", "web-tls"]
        assert done.exit_code == 0

    def test_what_is_not_ready_is_explained_and_exit_code_4(self, api: FakeApi, run: Run) -> None:
        api.add("certificates", certificate(conditions=[READY], **DATES))
        api.add("certificates", certificate("api", conditions=[MISSING]))
        done = run("status")
        assert [line.split()[1] for line in done.stdout.splitlines()[1:3]] == ["api", "web"]
        assert "shop/api DoesNotExist:\n  Secret web-tls does not exist yet: the CA said no" in done.stdout
        assert done.exit_code == 4

    def test_namespaces(self, api: FakeApi, run: Run) -> None:
        for namespace in ("shop", "blog"):
            api.add("certificates", certificate(namespace=namespace, conditions=[READY], **DATES))
        assert "blog" not in run("status").stdout
        assert "shop" not in run("status", "-n", "blog").stdout
        assert {"blog", "shop"} <= set(run("status", "-A").stdout.split())
        assert run("status", "-n", "none").stdout == "no Certificates in namespace none\n"

    def test_json_and_yaml_are_the_same(self, api: FakeApi, run: Run) -> None:
        api.add("certificates", certificate(conditions=[READY], **DATES))
        (item,) = json.loads(run("status", "-o", "json").stdout)["items"]
        assert item["name"] == "web"
        assert item["notAfter"] == DATES["notAfter"]
        assert item["secretName"] == "web-tls"
        assert item["next"] == {"action": "it is renewed", "at": DATES["renewalTime"]}
        assert yaml.safe_load(run("status", "-o", "yaml").stdout) == {"items": [item]}

    def test_a_narrow_terminal_keeps_names_whole(self, api: FakeApi, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("COLUMNS", "72")
        api.add("certificates", certificate("a-name-of-some-length", conditions=[READY], **DATES))
        lines = run("status").stdout.splitlines()
        assert max(map(len, lines)) <= 72
        assert "a-name-of-some-length" in lines[1]


class TestTree:
    def test_what_answers_for_an_order(self, api: FakeApi, run: Run) -> None:
        made = [{"kind": "Pod", "name": "solver-1"}, {"kind": "Ingress", "name": "web", "shared": True}]
        api.add("certificates", certificate(conditions=[MISSING], order={**ORDER, "objects": made}))
        assert "answered by Pod solver-1, Ingress web (rules in it)" in run("status", "web").stdout

    def test_an_order_under_way(self, api: FakeApi, run: Run) -> None:
        issuing = condition("Issuing", "True", "DoesNotExist", "1 of 2 names are ready for the CA")
        api.add("certificates", certificate(conditions=[MISSING, issuing], order=ORDER))
        api.add("issuers", dict(ISSUER))
        done = run("status", "web")
        text = done.stdout
        for part in (
            "Certificate shop/web: not Ready",
            "Issuing True DoesNotExist: 1 of 2 names are ready for the CA",
            "issuer Issuer/le: Ready: the account is there",
            "order pending at Issuer/le: https://ca.test/order/1",
            "example.test dns-01 valid",
            "*.example.test dns-01 checking",
            "TXT _acme-challenge.example.test. = the-value (zone example.test., by rfc2136)",
            "3 of 4 addresses hold the record",
            "ns2.example.test. 192.0.2.2: NXDOMAIN",
            "next: *.example.test: look at the zone transfer to ns2.example.test.",
        ):
            assert part in text
        assert done.exit_code == 4

    def test_a_failure_with_its_problem(self, api: FakeApi, run: Run) -> None:
        issuing = condition("Issuing", "False", "CAARefused", "CAA forbids [it]; tried again later")
        failure = {
            "time": format_time(NOW - timedelta(minutes=5)),
            "issuer": "Issuer/le",
            "reason": "CAARefused",
            "message": "CAA forbids [it]",
            "problem": {
                "type": "urn:ietf:params:acme:error:compound",
                "detail": "several",
                "subproblems": [
                    {
                        "type": "urn:ietf:params:acme:error:caa",
                        "detail": "no",
                        "identifier": {"type": "dns", "value": "a.test"},
                    }
                ],
            },
        }
        body = certificate(
            conditions=[{**MISSING, "message": f"Secret web-tls does not exist yet: {issuing['message']}"}, issuing],
            lastFailure=failure,
            lastFailureTime=failure["time"],
            failedIssuanceAttempts=2,
        )
        api.add("certificates", body)
        api.add(
            "events",
            {
                "metadata": {"namespace": "shop", "name": "web.1"},
                "type": "Warning",
                "reason": "CAARefused",
                "message": "CAA forbids it",
                "count": 2,
                "lastTimestamp": failure["time"],
            },
        )
        text = run("status", "web").stdout
        assert "Ready False DoesNotExist: Secret web-tls does not exist yet (" in text
        assert text.count("CAA forbids [it]") == 1
        assert "number 2 in a row" in text
        assert "a.test: urn:ietf:params:acme:error:caa: no" in text
        assert "5 min ago: CAARefused CAA forbids it (2 times)" in text
        assert "issuer Issuer/le: missing: it does not exist; create it, or mend spec.issuerRef" in text
        # The second refusal in a row waits ten minutes and up to one more, of which five and some seconds are over.
        assert "next: it is tried again; at once by `certwright renew` when the cause is mended (" in text
        assert "UTC (in 4 min)" in text or "UTC (in 5 min)" in text

    def test_a_ready_one_says_when_it_is_renewed(self, api: FakeApi, run: Run) -> None:
        api.add("certificates", certificate(conditions=[READY], **DATES))
        done = run("status", "web", "-n", "shop")
        assert "Secret web-tls: certificate number 3" in done.stdout
        assert "next: it is renewed (" in done.stdout
        assert done.exit_code == 0

    def test_json_has_the_status_as_it_is(self, api: FakeApi, run: Run) -> None:
        body = api.add("certificates", certificate(conditions=[MISSING], order=ORDER))
        data = json.loads(run("status", "web", "-o", "json").stdout)
        assert data["status"] == body["status"]
        assert data["issuerReady"]["ready"] == "Missing"
        assert data["ready"] == "False"

    def test_one_that_is_not_there_is_one_line_and_exit_code_1(self, api: FakeApi, run: Run) -> None:
        assert api.objects == {}
        done = run("status", "web")
        assert (done.exit_code, done.stdout) == (1, "")
        assert done.stderr == "certwright: there is no Certificate web in namespace shop\n"

    def test_a_name_is_of_one_namespace(self, run: Run) -> None:
        assert run("status", "web", "-A").exit_code == 2


@pytest.mark.parametrize(
    ("status", "generation", "action"),
    [
        ({}, 1, UNSEEN),
        ({"conditions": [READY]}, 2, "the operator has not looked at the last change of the spec yet"),
        ({"conditions": [MISSING]}, 1, MISSING["message"]),
        (
            {"conditions": [MISSING, condition("Issuing", "False", "IssuerNotFound", "Issuer le does not exist")]},
            1,
            "Issuer le does not exist",
        ),
        (
            {"conditions": [READY, condition("Issuing", "True", "DNSUnavailable", "no resolver answered")]},
            1,
            "the operator goes on by itself: no resolver answered",
        ),
        (
            {"conditions": [MISSING], "order": {**ORDER, "waitingUntil": "2126-01-01T00:00:00Z"}},
            1,
            "it waits before it goes on with the order",
        ),
        (
            {"conditions": [MISSING], "order": {**ORDER, "identifiers": []}},
            1,
            "the operator goes on by itself: the order is under way",
        ),
        ({"conditions": [READY]}, 1, "nothing"),
    ],
)
def test_the_next_action(status: Body, generation: int, action: str) -> None:
    body = certificate(**status)
    body["metadata"]["generation"] = generation
    assert Situation.of(body, NOW).next.action.startswith(action)


def test_a_broken_object_is_shown_all_the_same(api: FakeApi, run: Run) -> None:
    body = certificate(conditions="none", order=5)
    body["spec"] = {"issuerRef": "le", "dnsNames": 5}
    api.add("certificates", body)
    assert UNSEEN in run("status").stdout


class TestTerminal:
    def render(self, body: Body, **options: Any) -> str:
        api = FakeApi()
        api.add("certificates", body)
        view = command.one(command_cluster(api), "shop", "web")
        screen = Console(width=60, markup=False, highlight=False, **options)
        with screen.capture() as captured:
            screen.print(view.render())
        return captured.get()

    def test_colours_are_for_terminals_only(self) -> None:
        body = certificate(conditions=[MISSING])
        assert "\x1b[31m" in self.render(body, force_terminal=True, color_system="standard")
        assert "\x1b[" not in self.render(body)

    def test_no_color_is_honoured(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("NO_COLOR", "1")
        assert "\x1b[31m" not in self.render(certificate(conditions=[MISSING]), force_terminal=True)

    def test_lines_fit_the_terminal(self) -> None:
        text = self.render(certificate(conditions=[{**MISSING, "message": "a long message " * 20}]))
        assert max(map(len, text.splitlines())) <= 60


def command_cluster(api: FakeApi) -> Any:
    from certwright.cli.cluster import Cluster  # noqa: PLC0415 - as the command does

    return Cluster(api, "shop")  # type: ignore[arg-type]


class TestWatch:
    def test_only_changes_are_printed_until_ctrl_c(
        self, api: FakeApi, run: Run, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        body = api.add("certificates", certificate(conditions=[MISSING]))

        left = iter(["nothing", "fault", "nothing", "ready"])

        def sleep(_: float) -> None:
            match next(left, None):
                case "fault":
                    api.faults.append(Retryable("the API server is away"))
                case "ready":
                    body["status"] = {"conditions": [READY], **DATES}
                case None:
                    raise KeyboardInterrupt

        monkeypatch.setattr("time.sleep", sleep)
        done = run("status", "--watch")
        assert done.exit_code == 130
        assert done.stdout.count("NAMESPACE") == 2
        assert done.stderr == "certwright: the API server is away; tried again\n"

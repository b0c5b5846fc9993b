"""`certwright renew`: what it writes, whom it asks, and how it waits."""

import pytest
from fake_api import MISSING, READY, Body, FakeApi, Run, certificate, condition

from certwright.errors import Conflict, Retryable

MANUAL = condition("Issuing", "True", "ManuallyTriggered", "a new certificate was asked for by hand")


def test_one_condition_is_written_and_the_others_stay(api: FakeApi, run: Run) -> None:
    other = condition("Theirs", "True", "Because", "of somebody else")
    api.add("certificates", certificate(conditions=[READY, other], revision=1))
    done = run("renew", "web")
    assert done.exit_code == 0
    ((target, body),) = api.writes
    assert target == "certificates/status shop/web"
    assert set(body["status"]) == {"conditions"}
    assert body["metadata"] == {"resourceVersion": "7"}
    assert body["status"]["conditions"][:2] == [READY, other]
    written = body["status"]["conditions"][2]
    assert (written["type"], written["status"], written["reason"]) == ("Issuing", "True", "ManuallyTriggered")
    assert written["observedGeneration"] == 1


def test_one_that_is_being_issued_is_left_alone(api: FakeApi, run: Run) -> None:
    api.add("certificates", certificate(conditions=[READY, MANUAL]))
    assert "shop/web: is being issued already" in run("renew", "web").stdout
    assert api.writes == []


def test_all_and_selected(api: FakeApi, run: Run) -> None:
    for name in ("web", "api"):
        api.add("certificates", certificate(name, conditions=[READY]))
    api.add("certificates", certificate("blog", namespace="blog", conditions=[READY]))
    assert run("renew", "-l", "app=api").exit_code == 0
    assert run("renew", "--all").exit_code == 0
    assert [target for target, _ in api.writes] == ["certificates/status shop/api", "certificates/status shop/web"]
    assert "no Certificates to renew in namespace none" in run("renew", "--all", "-n", "none").stderr


@pytest.mark.parametrize(
    "arguments", [(), ("web", "--all"), ("web", "-l", "a=b"), ("--all", "-l", "a=b"), ("web", "--timeout", "soon")]
)
def test_wrong_usage(api: FakeApi, run: Run, arguments: tuple[str, ...]) -> None:
    assert run("renew", *arguments).exit_code == 2
    assert api.writes == []


def test_a_change_by_somebody_else_is_read_again(api: FakeApi, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    api.add("certificates", certificate(conditions=[READY]))
    monkeypatch.setattr(api, "on_read", lambda: api.faults.append(Conflict("changed")) if not api.faults else None)
    done = run("renew", "web")
    assert (done.exit_code, done.stderr) == (1, "certwright: changed\n")
    assert api.writes == []


class TestWait:
    @pytest.fixture
    def body(self, api: FakeApi) -> Body:
        return api.add("certificates", certificate(conditions=[READY], revision=1, notAfter="2026-01-01T00:00:00Z"))

    def after_sleeping(self, monkeypatch: pytest.MonkeyPatch, body: Body, *statuses: object) -> None:
        """One status after each sleep."""
        left = iter(statuses)

        def sleep(_: float) -> None:
            status = next(left)
            if isinstance(status, BaseException):
                raise status
            body["status"] = status

        monkeypatch.setattr("time.sleep", sleep)

    def test_until_ready_with_the_new_revision(self, run: Run, body: Body, monkeypatch: pytest.MonkeyPatch) -> None:
        going_on = {"conditions": [READY, {**MANUAL, "message": "0 of 1 names proven"}], "revision": 1}
        ready = {"conditions": [READY], "revision": 2, "notAfter": "2026-04-01T00:00:00Z"}
        self.after_sleeping(monkeypatch, body, going_on, going_on, ready)
        done = run("renew", "web", "--wait")
        assert done.stdout.splitlines()[-2:] == [
            "shop/web: 0 of 1 names proven",
            "shop/web: Ready; certificate number 2, until 2026-04-01T00:00:00Z",
        ]
        assert done.exit_code == 0

    def test_a_failure_ends_it(self, run: Run, body: Body, monkeypatch: pytest.MonkeyPatch) -> None:
        failed = condition("Issuing", "False", "CAARefused", "CAA forbids it")
        self.after_sleeping(
            monkeypatch, body, {"conditions": [MISSING, failed], "revision": 1, "failedIssuanceAttempts": 1}
        )
        done = run("renew", "web", "--wait")
        assert "shop/web: FAILED CAARefused: CAA forbids it" in done.stdout
        assert done.exit_code == 4

    def test_the_time_is_up(self, run: Run, body: Body) -> None:
        assert body
        done = run("renew", "web", "--wait", "--timeout", "0s")
        assert done.exit_code == 4
        assert "1 of 1 not Ready after 0 s; the renewal goes on" in done.stderr

    def test_ctrl_c_stops_the_waiting_only(self, run: Run, body: Body, monkeypatch: pytest.MonkeyPatch) -> None:
        self.after_sleeping(monkeypatch, body, KeyboardInterrupt())
        done = run("renew", "web", "--wait")
        assert done.exit_code == 130
        assert "the renewal goes on without you" in done.stderr
        assert body["status"]["conditions"][-1]["reason"] == "ManuallyTriggered"

    def test_a_fault_that_passes_is_waited_out(
        self, api: FakeApi, run: Run, body: Body, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def sleep(_: float) -> None:
            if api.faults or body["status"]["revision"] == 2:
                return
            api.faults.append(Retryable("the API server is away"))
            body["status"] = {"conditions": [READY], "revision": 2}

        monkeypatch.setattr("time.sleep", sleep)
        done = run("renew", "web", "--wait")
        assert "shop/web: the API server is away" in done.stdout
        assert done.exit_code == 0

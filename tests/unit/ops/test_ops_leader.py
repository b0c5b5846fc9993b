"""The rules of the election, by a Lease in memory and a clock that is set by hand."""

import threading
from dataclasses import replace
from typing import Any

import pytest

from certwright.errors import Conflict, Retryable
from certwright.kube import leases
from certwright.kube.faults import NotFound
from certwright.kube.leases import Lease
from certwright.ops import leader as module
from certwright.ops.leader import Alone, Leader, Timing, host_identity


class Server:
    """The Lease, as the API server keeps it."""

    def __init__(self) -> None:
        self.lease: Lease | None = None
        self.down = False
        self.requests: list[str] = []

    def get(self, *_: Any, **__: Any) -> Lease | None:
        self.requests.append("get")
        if self.down:
            raise Retryable("down")
        return self.lease

    def put(self, *_: Any, lease: Lease, **__: Any) -> Lease:
        self.requests.append("put")
        if self.down:
            raise Retryable("down")
        there = self.lease.resource_version if self.lease else ""
        if lease.resource_version and not there:
            raise NotFound("gone")
        if lease.resource_version != there:
            raise Conflict("changed")
        self.lease = replace(lease, resource_version=str(int(there or 0) + 1))
        return self.lease


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    stub = Server()
    monkeypatch.setattr(leases, "get", stub.get)
    monkeypatch.setattr(leases, "put", stub.put)
    return stub


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1000.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    return now


def contestant(name: str, lost: list[str] | None = None) -> Leader:
    told = [] if lost is None else lost
    return Leader(
        kube=None,  # type: ignore[arg-type]
        namespace="ns",
        name="lead",
        identity=name,
        on_lost=lambda: told.append(name),
        timing=Timing(15, 10, 0.01),
    )


def test_the_first_leads_and_renews_by_one_request(server: Server, clock: list[float]) -> None:
    a = contestant("a")
    a._step()
    assert a.leading
    assert server.lease
    assert (server.lease.holder, server.lease.seconds, server.lease.transitions) == ("a", 15, 0)
    acquired = server.lease.acquired
    server.requests.clear()
    clock[0] += 2
    a._step()
    assert server.requests == ["put"]
    assert server.lease.acquired == acquired


def test_a_standby_waits_by_its_own_clock(server: Server, clock: list[float]) -> None:
    a, b = contestant("a"), contestant("b")
    a._step()
    for _ in range(20):  # a renews all the time; b never takes over, whatever the times in the Lease say
        clock[0] += 2
        a._step()
        b._step()
        assert (a.leading, b.leading) == (True, False)
    clock[0] += 14.9
    b._step()
    assert not b.leading
    clock[0] += 0.2
    b._step()
    assert b.leading
    assert not a.leading, "not even when its thread was frozen"
    assert server.lease
    assert (server.lease.holder, server.lease.transitions) == ("b", 1)


def test_the_duration_that_counts_is_the_holders(server: Server, clock: list[float]) -> None:
    server.lease = Lease("old", 60, "", "", 0, "1")
    a = contestant("a")
    a._step()
    clock[0] += 59
    a._step()
    assert not a.leading
    clock[0] += 2
    a._step()
    assert a.leading


@pytest.mark.parametrize("holder", ["", "a"])
def test_a_free_lease_and_ones_own_are_taken_at_once(server: Server, holder: str) -> None:
    server.lease = Lease(holder, 60, "x", "y", 3, "1")
    a = contestant("a")
    a._step()
    assert a.leading


def test_of_two_at_once_one_leads(server: Server) -> None:
    a, b = contestant("a"), contestant("b")
    b._observe(server.get())
    a._step()
    server.get = lambda *_, **__: None  # type: ignore[method-assign]
    b._overtaken(Conflict(""))
    assert (a.leading, b.leading) == (True, False)


def test_an_outage_is_survived_until_the_deadline(server: Server, clock: list[float]) -> None:
    a = contestant("a")
    a._step()
    server.down = True
    clock[0] += 9.9
    a._step()
    assert a.leading
    clock[0] += 0.2
    a._step()
    assert not a.leading


def test_a_lease_taken_by_another_is_given_up_at_once(server: Server) -> None:
    a = contestant("a")
    a._step()
    server.lease = Lease("thief", 15, "", "", 9, "77")
    a._step()
    assert not a.leading


def test_a_lease_changed_or_deleted_by_a_person_is_renewed(server: Server) -> None:
    a = contestant("a")
    a._step()
    assert server.lease
    server.lease = replace(server.lease, resource_version="50")
    a._step()
    a._step()
    assert a.leading
    assert server.lease.resource_version == "51"
    server.lease = None
    a._step()
    a._step()
    assert a.leading
    assert server.lease
    assert server.lease.holder == "a"


@pytest.mark.usefixtures("server")
def test_no_request_may_last_beyond_the_deadline(clock: list[float]) -> None:
    a = contestant("a")
    assert a._patience() == 5.0
    a._step()
    clock[0] += 8
    assert a._patience() == 2.0
    clock[0] += 9
    assert a._patience() == 0.2


def test_a_stop_frees_the_lease(server: Server) -> None:
    a = contestant("a")
    a.start()
    assert a.wait(5)
    assert a.alive
    a.stop()
    assert server.lease
    assert (server.lease.holder, server.lease.seconds) == ("", 1)
    assert not a.leading
    assert not a.alive


def test_a_stop_while_the_server_is_down(server: Server) -> None:
    a = contestant("a")
    a.start()
    assert a.wait(5)
    server.down = True
    a.stop()
    assert not a.leading


@pytest.mark.usefixtures("server")
def test_whatever_ends_the_thread_is_a_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threading, "excepthook", lambda _: None)
    lost: list[str] = []
    a = contestant("a", lost)
    a.start()
    assert a.wait(5)

    def fail(*_: Any, **__: Any) -> Any:
        raise BrokenPipeError

    monkeypatch.setattr(leases, "put", fail)
    a._thread.join(5)
    assert lost == ["a"]
    assert not a.leading


def test_the_loss_is_told_once(server: Server) -> None:
    lost: list[str] = []
    a = contestant("a", lost)
    a.start()
    assert a.wait(5)
    server.lease = Lease("thief", 15, "", "", 9, "777777")
    a._thread.join(5)
    assert lost == ["a"]


def test_without_an_election_one_leads() -> None:
    alone = Alone()
    alone.start()
    assert alone.wait()
    assert alone.leading
    alone.stop()


def test_identities_differ() -> None:
    assert host_identity() != host_identity()

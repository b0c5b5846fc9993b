"""Leader election between real processes at a real API server."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from certwright.errors import Conflict
from certwright.kube import leases
from certwright.kube.client import Kube
from certwright.ops.leader import Leader, Timing
from certwright.resources.names import Names
from cluster.environment import Environment

pytestmark = pytest.mark.cluster
PROGRAM = Path(__file__).with_name("leader_process.py")


class Contestant:
    """One process of an election."""

    def __init__(self, env: Environment, namespace: str, name: str) -> None:
        self.name = name
        command = [sys.executable, str(PROGRAM), str(env.kubeconfig), namespace, name]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    def line(self) -> str:
        assert self.process.stdout
        return self.process.stdout.readline().strip()


@pytest.fixture
def kube(env: Environment) -> Kube:
    return Kube(kubeconfig=str(env.kubeconfig), names=Names())


@pytest.fixture
def contestants(env: Environment, namespace: str) -> Iterator[list[Contestant]]:
    started: list[Contestant] = []
    first = Contestant(env, namespace, "first")
    started.append(first)
    assert first.line() == "leading"
    started.append(Contestant(env, namespace, "second"))
    yield started
    for contestant in started:
        contestant.process.kill()
        contestant.process.communicate()


def holder(kube: Kube, namespace: str) -> str:
    lease = leases.get(kube, namespace, "lead", timeout=5)
    return lease.holder if lease else ""


def test_one_leads_and_another_takes_over_when_it_is_killed(
    kube: Kube, namespace: str, contestants: list[Contestant]
) -> None:
    first, second = contestants
    time.sleep(5)
    assert holder(kube, namespace) == "first"
    killed = time.monotonic()
    first.process.kill()
    assert second.line() == "leading"
    assert 2.0 < time.monotonic() - killed < 8.0, "not before the Lease ran out, and soon after"
    lease = leases.get(kube, namespace, "lead", timeout=5)
    assert lease
    assert (lease.holder, lease.transitions) == ("second", 1)


def test_a_graceful_stop_hands_over_at_once(kube: Kube, namespace: str, contestants: list[Contestant]) -> None:
    first, second = contestants
    time.sleep(1.5)
    first.process.terminate()
    assert first.line() == "stopped"
    stopped = time.monotonic()
    assert second.line() == "leading"
    assert time.monotonic() - stopped < 2.0
    assert holder(kube, namespace) == "second"


def test_a_leader_whose_lease_was_taken_ends(kube: Kube, namespace: str, contestants: list[Contestant]) -> None:
    first, second = contestants
    second.process.kill()
    for _ in range(50):  # by another that heeds no rule; the leader may renew between our two requests
        lease = leases.get(kube, namespace, "lead", timeout=5)
        assert lease
        stolen = leases.Lease("thief", 60, "", "", 9, lease.resource_version)
        with suppress(Conflict):
            leases.put(kube, namespace, "lead", lease=stolen, timeout=5)
            break
    assert first.process.wait(10) == 3
    assert holder(kube, namespace) == "thief"


@pytest.mark.needs("outages")
def test_an_outage_ends_a_leader_before_another_may_lead(env: Environment, contestants: list[Contestant]) -> None:
    first, second = contestants
    control_plane = env.require("outages")
    control_plane.stop_apiserver()
    begin = time.monotonic()
    try:
        assert first.process.wait(10) == 3
        assert time.monotonic() - begin < 4.0, "the deadline is shorter than the Lease"
    finally:
        control_plane.start_apiserver()
    assert second.line() == "leading"


def test_a_deleted_lease_is_made_again(
    env: Environment, kube: Kube, namespace: str, contestants: list[Contestant]
) -> None:
    first, second = contestants
    second.process.kill()
    second.process.wait()
    env.kubectl("-n", namespace, "delete", "lease", "lead")
    for _ in range(40):
        if holder(kube, namespace) == "first":
            break
        time.sleep(0.1)
    assert first.process.poll() is None
    assert holder(kube, namespace) == "first"


def test_a_stop_before_leading_leaves_the_lease_alone(kube: Kube, namespace: str) -> None:
    timing = Timing(4.0, 2.5, 0.3)
    leaders = [
        Leader(kube=kube, namespace=namespace, name="lead", identity=name, timing=timing, on_lost=lambda: None)
        for name in ("a", "b")
    ]
    leaders[0].start()
    assert leaders[0].wait(5)
    leaders[1].start()
    time.sleep(1)
    assert not leaders[1].leading
    leaders[1].stop()
    assert leaders[0].leading
    assert holder(kube, namespace) == "a"
    leaders[0].stop()
    assert not leaders[0].leading
    assert holder(kube, namespace) == ""

"""A restart with a thousand Ready certificates: no write, no request to a CA, and soon nothing left to do."""

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from certwright.kube.client import Kube
from certwright.resources.names import Names
from cluster.manifests import certificate

pytestmark = [pytest.mark.cluster, pytest.mark.needs("audit")]
FLEET = 1000


@pytest.fixture
def fleet(counted: Any) -> Any:
    kube = Kube(kubeconfig=str(counted.env.kubeconfig), names=Names(), user_agent="fleet", pool_size=4)
    where = f"{kube.group_path}/namespaces/{counted.namespace}/certificates"
    wanted = [certificate(counted.namespace, f"c{n}", f"c{n}.example.test", issuer="ca") for n in range(FLEET)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda body: kube.request("POST", where, body=body), wanted))
    counted.wait_ready(timeout=200)
    return counted


def test_a_restart_of_a_fleet_writes_nothing(fleet: Any) -> None:
    fleet.writes(fleet.env.audit_mark())
    mark, pebble = fleet.env.audit_mark(), fleet.env.pebble.mark()
    fleet.operator.stop()
    fleet.operator.start()
    deadline = time.monotonic() + 30
    while _metric(fleet, 'certwright_reconciles_total{kind="Certificate",result="ok"}') < FLEET or _metric(
        fleet, "certwright_queue_depth"
    ):
        assert time.monotonic() < deadline, "it is still busy"
        time.sleep(0.2)
    assert fleet.writes(mark) == []
    assert fleet.env.pebble.requests(pebble) == []
    reads = [entry for entry in fleet.env.audit(mark) if entry.user_agent.startswith("certwright/")]
    assert len(reads) < FLEET / 10, "what is Ready is known from the lists, and not asked for one by one"


def _metric(fleet: Any, name: str) -> float:
    lines = [line for line in fleet.operator.metrics().splitlines() if line.startswith(name)]
    return float(lines[0].rpartition(" ")[2]) if lines else 0.0

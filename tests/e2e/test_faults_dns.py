"""Name servers that are away, and records of others: real BIND, real outages."""

from collections.abc import Iterator

import pytest
from waits import Holding, events, next_key_secrets, operator_writes, until, wait_condition, wait_order, wait_ready

from cluster.environment import Environment
from cluster.manifests import apply, certificate

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(90)]
ZONE = "example.test"


@pytest.fixture
def outage(env: Environment) -> Iterator[None]:
    """Whatever becomes of the test, BIND runs after it."""
    yield
    if not env.bind.process.running:
        env.bind.restart()


@pytest.mark.needs("audit")
@pytest.mark.usefixtures("outage")
def test_a_name_server_that_is_away_is_named_until_it_is_back(env: Environment, acme: str, holding: Holding) -> None:
    mark = env.audit_mark()
    with holding():
        apply(env, certificate(acme, "web", "away.example.test"))
        said = wait_condition(env, acme, "web", "Issuing", says="1 of 2 addresses", timeout=20)
        (identifier,) = wait_order(env, acme, "web")["identifiers"]

        assert "away.example.test" in said["message"]
        (missing,) = identifier["verdict"]["missing"]
        assert missing["server"] == "ns2.example.test."
        assert missing["address"] == env.bind.addresses[1]
        assert "ns2.example.test." in identifier["verdict"]["action"]
        assert env.bind.txt("_acme-challenge.away.example.test")

    wait_ready(env, acme, "web")
    assert not env.bind.txt("_acme-challenge.away.example.test")
    statuses = [write for write in operator_writes(env, mark, acme) if "certificates/status" in write]
    assert len(statuses) == 3, statuses  # the journal, the evidence once however often it was looked for, and the end


@pytest.mark.usefixtures("outage")
def test_all_name_servers_are_away_and_come_back(env: Environment, acme: str) -> None:
    env.bind.stop()
    apply(env, certificate(acme, "web", "outage.example.test"))
    said = wait_condition(env, acme, "web", "Issuing", reason="DNSUnavailable", timeout=60)
    assert env.bind.resolver in said["message"]
    assert [event["type"] for event in events(env, acme, "web")] == ["Warning"]

    env.bind.start()

    wait_ready(env, acme, "web", 60)


@pytest.mark.usefixtures("outage")
def test_all_name_servers_go_away_with_an_order_under_way(env: Environment, acme: str, holding: Holding) -> None:
    orders = env.pebble.mark()
    with holding():
        apply(env, certificate(acme, "web", "midway.example.test"))
        wait_order(env, acme, "web")
        until(lambda: env.bind.txt("_acme-challenge.midway.example.test"), 10, "the record is there")
        env.bind.stop()
        wait_condition(env, acme, "web", "Issuing", says="0 of 2 addresses", timeout=40)
        env.bind.start()

    wait_ready(env, acme, "web", 40)
    assert not env.bind.txt("_acme-challenge.midway.example.test")
    assert not next_key_secrets(env, acme)
    assert env.pebble.request_counts(orders)["POST /order-plz"] == 1


def test_records_of_others_at_the_same_name_are_left_alone(env: Environment, acme: str, holding: Holding) -> None:
    name, other = "_acme-challenge.shared.example.test", "somebody-elses-value"
    env.bind.update(ZONE, add=[(name, other)])
    with holding():
        apply(env, certificate(acme, "web", "shared.example.test", "*.shared.example.test"))
        wait_order(env, acme, "web")
        values = until(lambda: values if len(values := env.bind.txt(name)) == 3 else [], 10, "both values are there")
        assert other in values

    wait_ready(env, acme, "web")
    assert env.bind.txt(name) == [other]
    env.bind.update(ZONE, remove=[(name, other)])

"""The vendors' published rates, kept to for each account."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from certwright.errors import Throttled
from certwright.providers import api
from certwright.providers.rates import LONGEST_WAIT, PUBLISHED, Rate, Rates
from unit.providers.test_api import Echo, client, server

__all__ = ["server"]
HOST = "127.0.0.1"


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_an_account_has_a_rate_of_its_own() -> None:
    clock = Clock()
    rates = Rates({"api.test": Rate(2, 60.0)}, clock=clock)
    assert [rates.take("a", "api.test") for _ in range(3)] == [0.0, 0.0, 60.0]
    assert rates.take("b", "api.test") == 0.0
    assert [rates.take("a", "elsewhere.test") for _ in range(9)] == [0.0] * 9
    clock.now += 59.5
    assert rates.take("a", "api.test") == pytest.approx(0.5)
    clock.now += 0.5
    assert rates.take("a", "api.test") == 0.0


@given(st.integers(1, 5), st.floats(0.5, 10.0), st.lists(st.floats(0.0, 5.0), max_size=60))
def test_no_period_ever_sees_more(requests: int, seconds: float, pauses: list[float]) -> None:
    clock, sent = Clock(), []
    rates = Rates({"api.test": Rate(requests, seconds)}, clock=clock)
    for pause in pauses:
        clock.now += pause
        while wait := rates.take("a", "api.test"):
            clock.now += wait
        sent.append(clock.now)
    for number, moment in enumerate(sent):
        inside = [other for other in sent[: number + 1] if other + seconds > moment]
        assert len(inside) <= requests


def test_a_short_wait_is_waited_and_a_long_one_told(server: Echo, monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    clock = Clock()

    def sleep(wait: float) -> None:
        slept.append(wait)
        clock.now += wait

    monkeypatch.setattr(time, "sleep", sleep)
    monkeypatch.setattr(api, "_rates", Rates({HOST: Rate(2, 0.9)}, clock=clock))
    for _ in range(3):
        client(server.url).get("/x")
    assert slept == [pytest.approx(0.9)]

    monkeypatch.setattr(api, "_rates", Rates({HOST: Rate(1, LONGEST_WAIT * 60)}, clock=clock))
    client(server.url).get("/x")
    with pytest.raises(Throttled, match="takes no more requests of this account for now; asked again at"):
        client(server.url).get("/x")
    assert len(server.requests) == 4


def test_the_table_names_vendors_hosts() -> None:
    from certwright.providers import cloudflare, digitalocean, godaddy, hetzner, namecheap_api, vultr  # noqa: PLC0415

    urls = [module.URL for module in (cloudflare, digitalocean, godaddy, hetzner, namecheap_api, vultr)]
    assert {url.split("/")[2] for url in urls} == set(PUBLISHED) - {"route53.amazonaws.com"}

"""The nonce pool."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from certwright.acme.nonces import NoncePool, usable


def test_the_newest_comes_first() -> None:
    pool = NoncePool()
    for nonce in ("a", "b", "c"):
        pool.put(nonce)
    assert [pool.take() for _ in range(4)] == ["c", "b", "a", None]


def test_the_oldest_give_way() -> None:
    pool = NoncePool(size=2)
    for nonce in ("a", "b", "c"):
        pool.put(nonce)
    assert len(pool) == 2
    assert [pool.take(), pool.take(), pool.take()] == ["c", "b", None]


@pytest.mark.parametrize("nonce", [None, "", "a b", "a+b", "a\nb", "ä", "a" * 1025])
def test_what_is_no_nonce_is_dropped(nonce: str | None) -> None:
    pool = NoncePool()
    pool.put(nonce)
    assert usable(nonce) is None
    assert pool.take() is None


def test_no_nonce_is_given_twice() -> None:
    pool = NoncePool(size=10_000)

    def work(worker: int) -> list[str | None]:
        taken = []
        for number in range(500):
            pool.put(f"{worker}-{number}")
            taken.append(pool.take())
        return taken

    with ThreadPoolExecutor(8) as threads:
        taken = [nonce for nonces in threads.map(work, range(8)) for nonce in nonces]
    assert len(taken) == len(set(taken)) == 4000
    assert None not in taken

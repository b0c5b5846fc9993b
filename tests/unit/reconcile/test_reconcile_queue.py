import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from certwright.reconcile.instruments import Quiet
from certwright.reconcile.queue import LONGEST_WAIT, WorkQueue
from certwright.reconcile.workers import Workers
from certwright.resources.names import ObjectKey


def key(name: str) -> ObjectKey:
    return ObjectKey("Certificate", "shop", name)


A, B, C = key("a"), key("b"), key("c")


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def queue(clock: Clock) -> WorkQueue:
    return WorkQueue(clock)


def taken(queue: WorkQueue) -> list[ObjectKey]:
    """All that could be worked on now, in order."""
    found = []
    while not queue.idle() and queue.depth():
        item = queue.get()
        assert item is not None
        found.append(item)
        queue.done(item)
    return found


def test_a_key_is_queued_once(queue: WorkQueue) -> None:
    for item in (A, B, A, A):
        queue.add(item)
    assert queue.depth() == 2
    assert taken(queue) == [A, B]
    assert queue.idle()


def test_a_key_that_is_added_while_it_is_worked_on_comes_again_once(queue: WorkQueue) -> None:
    queue.add(A)
    assert queue.get() == A
    queue.add(A)
    queue.add(A)
    assert queue.depth() == 0
    assert not queue.idle()
    queue.done(A)
    assert taken(queue) == [A]


def test_waits_end_in_the_order_of_their_moments(queue: WorkQueue, clock: Clock) -> None:
    queue.add_after(A, 3)
    queue.add_after(B, 1)
    queue.add_after(C, 2)
    assert taken(queue) == []
    assert queue.idle()
    clock.now += 2
    assert taken(queue) == [B, C]
    clock.now += 1
    assert taken(queue) == [A]


def test_what_is_due_goes_before_what_was_just_added(queue: WorkQueue, clock: Clock) -> None:
    queue.add_after(A, 1)
    queue.add(B)
    clock.now += 1
    assert taken(queue) == [A, B]


def test_a_later_wait_replaces_an_earlier_one(queue: WorkQueue, clock: Clock) -> None:
    queue.add_after(A, 1)
    queue.add_after(A, 5)
    clock.now += 4
    assert taken(queue) == []
    clock.now += 1
    assert taken(queue) == [A]


def test_an_earlier_wait_replaces_a_later_one_and_comes_once(queue: WorkQueue, clock: Clock) -> None:
    queue.add_after(A, 5)
    queue.add_after(A, 1)
    clock.now += 10
    assert taken(queue) == [A]
    assert taken(queue) == []


def test_the_same_wait_twice_comes_once(queue: WorkQueue, clock: Clock) -> None:
    queue.add_after(A, 1)
    queue.add_after(A, 1)
    clock.now += 1
    assert taken(queue) == [A]


def test_a_key_that_was_handed_out_has_no_wait_left(queue: WorkQueue, clock: Clock) -> None:
    queue.add_after(A, 5)
    queue.add(A)
    assert taken(queue) == [A]
    clock.now += 10
    assert taken(queue) == []


def test_a_key_whose_time_comes_while_it_is_worked_on_comes_again(queue: WorkQueue, clock: Clock) -> None:
    queue.add(A)
    assert queue.get() == A
    queue.add_after(A, 0)
    clock.now += 1
    assert queue.idle() is False
    queue.done(A)
    assert taken(queue) == [A]


@pytest.mark.parametrize("seconds", [LONGEST_WAIT, 10 * LONGEST_WAIT, float("inf")])
def test_every_key_is_looked_at_now_and_then(queue: WorkQueue, clock: Clock, seconds: float) -> None:
    queue.add_after(A, seconds)
    clock.now += LONGEST_WAIT
    assert taken(queue) == [A]


def test_a_wait_of_less_than_nothing_is_over(queue: WorkQueue) -> None:
    queue.add_after(A, -5)
    assert queue.get() == A


def test_a_queue_that_is_closed_lets_everybody_go_home(queue: WorkQueue) -> None:
    got: list[ObjectKey | None] = []
    threads = [threading.Thread(target=lambda: got.append(queue.get())) for _ in range(3)]
    for thread in threads:
        thread.start()
    queue.close()
    for thread in threads:
        thread.join(5)
    queue.add(A)
    assert got == [None, None, None]
    assert queue.get() is None


def test_a_wait_that_is_shorter_wakes_who_waits_for_a_longer_one() -> None:
    queue = WorkQueue()
    queue.add_after(A, 3600)
    got: list[ObjectKey | None] = []
    thread = threading.Thread(target=lambda: got.append(queue.get()))
    thread.start()
    queue.add_after(B, 0.001)
    thread.join(5)
    assert got == [B]


@contextmanager
def running(workers: Workers) -> Iterator[None]:
    workers.start()
    try:
        yield
    finally:
        workers.stop(5)
        assert not any(thread.is_alive() for thread in workers._threads)


def test_no_key_is_ever_worked_on_twice_at_once_and_none_is_lost() -> None:
    queue, lock = WorkQueue(), threading.Lock()
    keys = [key(str(number)) for number in range(20)]
    active: set[ObjectKey] = set()
    wrong: list[ObjectKey] = []
    counts: Counter[ObjectKey] = Counter()
    enough = threading.Event()

    def handle(item: ObjectKey) -> float | None:
        with lock:
            if item in active:
                wrong.append(item)
            active.add(item)
            counts[item] += 1
            if all(counts[other] >= 60 for other in keys):
                enough.set()
        queue.add(keys[(counts[item] * 7) % 20])
        with lock:
            active.discard(item)
        return None if counts[item] % 3 else 0.0001

    with running(Workers(queue, handle, count=8, instruments=Quiet())):
        for _ in range(2000):
            for item in keys:
                queue.add(item)
            if enough.wait(0.001):
                break
        assert enough.is_set()
    assert wrong == []
    assert set(counts) == set(keys)


class Watching(Quiet):
    def __init__(self) -> None:
        self.results: list[tuple[str, str]] = []
        self.told = threading.Semaphore(0)

    def reconciled(self, kind: str, result: str, seconds: float) -> None:
        assert seconds >= 0
        self.results.append((kind, result))
        self.told.release()


def test_a_fault_of_ours_in_one_key_does_not_end_the_thread() -> None:
    queue, watching, handled = WorkQueue(), Watching(), []

    def handle(item: ObjectKey) -> float | None:
        handled.append(item)
        if item == A:
            raise KeyError("a fault of ours")
        return None

    workers = Workers(queue, handle, count=1, instruments=watching)
    assert not workers.alive()
    with running(workers):
        queue.add(A)
        queue.add(B)
        assert watching.told.acquire(timeout=5)
        assert watching.told.acquire(timeout=5)
        assert workers.alive()
    assert handled == [A, B]
    assert watching.results == [("Certificate", "error"), ("Certificate", "ok")]
    assert queue._due.keys() == {A}, "what failed is tried again"


def test_a_wait_is_queued_before_its_key_is_given_back() -> None:
    """The other way round, another worker's shorter wait for the same key could be replaced by this one."""

    class Noting(WorkQueue):
        def __init__(self) -> None:
            super().__init__()
            self.order: list[str] = []

        def add_after(self, key: ObjectKey, seconds: float) -> None:
            self.order.append("wait")
            super().add_after(key, seconds)

        def done(self, key: ObjectKey) -> None:
            self.order.append("done")
            super().done(key)

    queue, watching = Noting(), Watching()
    with running(Workers(queue, lambda _: 100.0, count=1, instruments=watching)):
        queue.add(A)
        assert watching.told.acquire(timeout=5)
    assert queue.order == ["wait", "done"]

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from certwright.core import backoff
from unit.core.factories import NOW, UID

REFUSALS = [(0, 1), (1, 1), (2, 10), (3, 100), (4, 1440), (5, 1440), (10**9, 1440), (-4, 1)]


@pytest.mark.parametrize(("attempts", "minutes"), REFUSALS)
def test_waits_after_a_refusal_grow_to_a_day(attempts: int, minutes: int) -> None:
    wait = backoff.after_refusal(NOW, attempts, UID) - NOW
    assert timedelta(minutes=minutes) <= wait < timedelta(minutes=minutes) * 1.1


def test_waits_after_a_refusal_are_the_same_after_a_restart_and_differ_by_uid() -> None:
    assert backoff.after_refusal(NOW, 2, UID) == backoff.after_refusal(NOW, 2, UID)
    assert backoff.after_refusal(NOW, 2, UID) != backoff.after_refusal(NOW, 2, "other")


@pytest.mark.parametrize(("attempts", "seconds"), [(1, 5), (2, 10), (3, 20), (7, 300), (5000, 300)])
def test_waits_after_a_mistake_double_to_five_minutes(attempts: int, seconds: float) -> None:
    assert backoff.after_mistake(attempts) == seconds


@pytest.mark.parametrize(("attempts", "seconds"), [(1, 1), (2, 2), (5, 16), (9, 256), (10, 300), (5000, 300)])
def test_waits_after_a_hiccup_double_to_five_minutes(attempts: int, seconds: float) -> None:
    assert seconds <= backoff.after_hiccup(attempts, UID) < seconds * 1.25


@given(st.integers(1, 100), st.text(), st.none() | st.floats(0, 10**6))
def test_a_wait_that_was_asked_for_is_never_undercut(attempts: int, uid: str, asked: float | None) -> None:
    assert backoff.after_hiccup(attempts, uid, asked) >= max(asked or 0, 1)

from datetime import UTC, datetime

from certwright.resources.conditions import Condition, merge

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
BEFORE = "2026-01-01T00:00:00Z"
READY = Condition("Ready", "True", "Ready", "all is well", 3, BEFORE)
THEIRS = Condition("Theirs", "Unknown", "Because", "theirs", 0, BEFORE)


def test_a_condition_is_read_as_it_was_written() -> None:
    assert Condition.of(READY.body()) == READY
    assert Condition.of(THEIRS.body()) == THEIRS
    assert "observedGeneration" not in THEIRS.body()
    assert "lastTransitionTime" not in Condition("A", "True", "B", "c").body()


def test_a_condition_that_is_anybodys() -> None:
    assert Condition.of({"observedGeneration": "3", "lastTransitionTime": None}) == Condition("", "Unknown", "", "")


def test_the_moment_of_change_moves_only_with_the_status() -> None:
    same = Condition("Ready", "True", "Other", "other words", 4)
    other = Condition("Ready", "False", "Expired", "no more", 4)
    (kept,) = merge([READY], [same], now=NOW)
    assert kept == {**same.body(), "lastTransitionTime": BEFORE}
    (moved,) = merge([READY], [other], now=NOW)
    assert moved == {**other.body(), "lastTransitionTime": "2026-11-23T12:00:00Z"}


def test_others_conditions_stay_where_they_are() -> None:
    issuing = Condition("Issuing", "True", "Renewing", "x", 3)
    merged = merge([THEIRS, READY], [issuing], drop=("Ready", "Nobodys"), now=NOW)
    assert [item["type"] for item in merged] == ["Theirs", "Issuing"]
    assert merged[0] == THEIRS.body()


def test_merging_what_is_there_changes_nothing() -> None:
    assert merge([THEIRS, READY], [READY], now=NOW) == [THEIRS.body(), READY.body()]


def test_a_long_message_is_cut_once() -> None:
    (once,) = merge([], [Condition("Ready", "False", "X", "m" * 1000)], now=NOW)
    (twice,) = merge([Condition.of(once)], [Condition.of(once)], now=NOW)
    assert len(once["message"]) == 600
    assert once == twice

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from certwright.errors import InvalidSpec
from certwright.resources.values import clip, format_duration, format_time, parse_duration, parse_time

DURATIONS = {
    "2160h": timedelta(days=90),
    "1h30m": timedelta(minutes=90),
    "1.5h": timedelta(minutes=90),
    ".5m": timedelta(seconds=30),
    "1.s": timedelta(seconds=1),
    "90s": timedelta(seconds=90),
    "1500ms": timedelta(seconds=1.5),
    "5us": timedelta(microseconds=5),
    "5µs": timedelta(microseconds=5),
    "5000ns": timedelta(microseconds=5),
    "1m1m": timedelta(minutes=2),
    "-1h": -timedelta(hours=1),
    "+1h": timedelta(hours=1),
    "0": timedelta(0),
    "0s": timedelta(0),
}


@pytest.mark.parametrize(("text", "value"), DURATIONS.items(), ids=DURATIONS)
def test_a_duration_in_the_notation_of_go(text: str, value: timedelta) -> None:
    assert parse_duration(text, "spec.duration") == value


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-",
        "90",
        "90d",
        "1 h",
        "h",
        "1h ",
        " 1h",
        "1h30",
        "+-1h",
        "--1h",
        "1e3h",
        "1,5h",
        "\u0661h",
        "1H",
        "x" * 10**5,
    ],
)
def test_what_is_no_duration_is_refused_with_its_field(text: str) -> None:
    with pytest.raises(InvalidSpec) as fault:
        parse_duration(text, "spec.duration")
    assert fault.value.message.startswith("spec.duration: ")
    assert len(fault.value.message) < 200


@pytest.mark.parametrize("text", ["9" * 20 + "h", "9" * 400 + "h"])
def test_a_duration_beyond_all_calendars(text: str) -> None:
    with pytest.raises(InvalidSpec, match=r"spec\.duration: .* is too long a duration"):
        parse_duration(text, "spec.duration")


@given(st.integers(0, 10**9))
def test_a_duration_is_read_as_it_was_written(seconds: int) -> None:
    value = timedelta(seconds=seconds)
    assert parse_duration(format_duration(value), "x") == value


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (timedelta(days=90), "2160h"),
        (timedelta(minutes=90), "1h30m"),
        (timedelta(seconds=45), "45s"),
        (timedelta(hours=1, seconds=1), "1h1s"),
        (timedelta(0), "0s"),
    ],
)
def test_a_duration_is_written_without_zero_parts(value: timedelta, text: str) -> None:
    assert format_duration(value) == text


NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize("text", ["2026-11-23T12:00:00Z", "2026-11-23T13:00:00+01:00", "2026-11-23T12:00:00.000000Z"])
def test_a_time(text: str) -> None:
    moment = parse_time(text)
    assert moment == NOON
    assert moment is not None
    assert moment.tzinfo is UTC
    assert format_time(moment) == "2026-11-23T12:00:00Z"


@pytest.mark.parametrize("text", [None, "", "soon", "2026-13-01T00:00:00Z", "0001-01-01T00:00:00+14:00", 5, ["x"]])
def test_what_is_no_time_counts_as_absent(text: str | None) -> None:
    assert parse_time(text) is None


def test_a_long_text_is_cut_and_says_so() -> None:
    assert clip("x" * 300) == "x" * 300
    assert clip("x" * 301) == "x" * 299 + "…"
    assert clip("abc", 2) == "a…"

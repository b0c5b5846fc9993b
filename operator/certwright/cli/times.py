"""Moments and spans as people read them; scripts get RFC 3339 instead."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

_STEPS = ((timedelta(days=2), 86400, "days"), (timedelta(hours=2), 3600, "h"), (timedelta(minutes=2), 60, "min"))


def moment() -> datetime:
    """The moment at which a command looks."""
    return datetime.now(UTC)


def span(length: timedelta) -> str:
    """A span in its one fitting unit, rounded down: `59 days`, `36 h`, `5 min`, `40 s`."""
    seconds = int(abs(length).total_seconds())
    for least, unit, word in _STEPS:
        if seconds >= least.total_seconds():
            return f"{seconds // unit} {word}"
    return f"{seconds} s"


def relative(when: datetime, now: datetime) -> str:
    """How far away: `in 59 days`, `5 min ago`, `now`."""
    if abs(when - now) < timedelta(seconds=1):
        return "now"
    return f"in {span(when - now)}" if when > now else f"{span(now - when)} ago"


def full(when: datetime, now: datetime) -> str:
    """The moment in UTC, and how far away it is."""
    return f"{when:%Y-%m-%d %H:%M:%S} UTC ({relative(when, now)})"

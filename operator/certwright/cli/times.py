"""Moments and spans as people read them; scripts get RFC 3339 instead."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

_STEPS = ((timedelta(days=2), 86400, "days"), (timedelta(hours=2), 3600, "h"), (timedelta(minutes=2), 60, "min"))


def span(length: timedelta) -> str:
    """A span in its one fitting unit, rounded down: `59 days`, `36 h`, `5 min`, `40 s`."""
    seconds = int(abs(length).total_seconds())
    for least, unit, word in _STEPS:
        if seconds >= least.total_seconds():
            return f"{seconds // unit} {word}"
    return f"{seconds} s"


def relative(moment: datetime, now: datetime) -> str:
    """How far away: `in 59 days`, `5 min ago`, `now`."""
    if abs(moment - now) < timedelta(seconds=1):
        return "now"
    return f"in {span(moment - now)}" if moment > now else f"{span(now - moment)} ago"


def full(moment: datetime, now: datetime) -> str:
    """The moment in UTC, and how far away it is."""
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC ({relative(moment, now)})"

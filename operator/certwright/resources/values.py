"""Times and durations as Kubernetes objects spell them, and nothing more of either."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from certwright.errors import InvalidSpec

_GO_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_GO_PART = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(ns|us|µs|ms|s|m|h)")


def parse_duration(text: str, field: str) -> timedelta:
    """A duration in Go's notation, e.g. `2160h` or `1h30m`.

    Args:
        text: The value as written in the manifest.
        field: Path of the field, for the message.

    Raises:
        InvalidSpec: When it is not such a duration.
    """
    sign, rest = (-1, text[1:]) if text.startswith("-") else (1, text.removeprefix("+"))
    seconds, end = 0.0, 0
    for part in _GO_PART.finditer(rest):
        if part.start() != end:
            break
        seconds += float(part[1]) * _GO_UNITS[part[2]]
        end = part.end()
    if rest != "0" and (end != len(rest) or not rest):
        raise InvalidSpec(
            f"{field}: {text[:40]!r} is not a duration; write hours, minutes and seconds like 2160h or 90m"
        )
    try:
        return sign * timedelta(seconds=seconds)
    except OverflowError:
        raise InvalidSpec(f"{field}: {text[:40]!r} is too long a duration") from None


def format_duration(value: timedelta) -> str:
    """A duration in Go's notation, with no zero parts: `2160h`, `1h30m`, `45s`."""
    minutes, seconds = divmod(int(value.total_seconds()), 60)
    hours, minutes = divmod(minutes, 60)
    parts = ((hours, "h"), (minutes, "m"), (seconds, "s"))
    return "".join(f"{number}{unit}" for number, unit in parts if number) or "0s"


def parse_time(text: str | None) -> datetime | None:
    """An RFC 3339 time as the API server writes it; None when there is none or it cannot be read."""
    if not text:
        return None
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        return None


def format_time(value: datetime) -> str:
    """RFC 3339 in UTC with whole seconds, as metav1.Time."""
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def clip(text: str, limit: int = 300) -> str:
    """A text for a status, cut at `limit` characters."""
    return text if len(text) <= limit else text[: limit - 1] + "…"

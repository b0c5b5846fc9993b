"""The times at which a renewal may begin: cron expressions in time zones, evaluated by a library that knows both."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from certwright.errors import InvalidSpec

if TYPE_CHECKING:
    from datetime import tzinfo

    from cronsim import CronSim

    from certwright.resources.renewal import Window

CRON_LIMIT = 200
"""Characters of a cron expression."""
FIELDS = 5
"""Of a cron expression; the library would take seconds, too."""
SECOND = timedelta(seconds=1)
NO_ZONE = (KeyError, ValueError, OSError)
"""What the library raises for a zone that there is none of; the name is used as a path."""
NICKNAMES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}


def validate(window: Window, field: str) -> None:
    """Check a window.

    Args:
        window: As the spec has it.
        field: Its path, for the message.

    Raises:
        InvalidSpec: It can never open, or not be understood; says why.
    """
    try:
        zone = _zone(window)
    except NO_ZONE:
        raise InvalidSpec(
            f"{field}.timezone: {window.timezone[:80]!r} is not the IANA name of a time zone, like Europe/Berlin"
        ) from None
    try:
        _openings(window, datetime.fromtimestamp(0, zone))
    except ValueError as fault:
        raise InvalidSpec(
            f"{field}.cron: {window.cron[:80]!r} is no cron expression ({fault}); "
            "write minute, hour, day of month, month and day of week, like 0 2 * * 6"
        ) from None
    if window.duration < SECOND:
        raise InvalidSpec(f"{field}.windowDuration: a window must stay open for a while; write it like 4h")


@lru_cache(maxsize=64)
def next_open(windows: tuple[Window, ...], moment: datetime) -> tuple[datetime, timedelta] | None:
    """The first moment from one on at which a window is open, whole seconds, and how long that window stays open.

    Args:
        windows: At least one; what cannot be understood counts as never open.
        moment: Aware, UTC, in whole seconds.

    Returns:
        The moment itself where one is open then; None where none ever opens again.
    """
    found = [opening for window in windows if (opening := _next(window, moment))]
    return min(found, default=None)


def _next(window: Window, moment: datetime) -> tuple[datetime, timedelta] | None:
    try:
        local = moment.astimezone(_zone(window))
        last = next(_openings(window, local + SECOND, reverse=True), None)
        # Times of one zone would be added up by the clock on the wall, which is put forward and back.
        if last and moment < last.astimezone(UTC) + window.duration:
            return moment, last.astimezone(UTC) + window.duration - moment
        coming = next(_openings(window, local), None)
    except (*NO_ZONE, OverflowError):
        return None
    return (coming.astimezone(UTC), window.duration) if coming else None


def _zone(window: Window) -> tzinfo:
    return UTC if window.timezone in {"", "UTC"} else ZoneInfo(window.timezone)


def _openings(window: Window, moment: datetime, *, reverse: bool = False) -> CronSim:
    """The times at which a window opens after a moment, or before it. Raises ValueError for a bad expression."""
    from cronsim import CronSim, CronSimError  # noqa: PLC0415 - few Certificates have windows

    expression = NICKNAMES.get(window.cron.strip().lower(), window.cron)
    if len(expression) > CRON_LIMIT:
        raise ValueError(f"it has {len(expression)} characters; {CRON_LIMIT} is the limit")
    if len(expression.split()) != FIELDS:
        raise ValueError(f"it has {len(expression.split())} fields, not {FIELDS}")
    try:
        return CronSim(expression, moment, reverse=reverse)
    except CronSimError as fault:
        raise ValueError(str(fault)) from None

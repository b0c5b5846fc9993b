"""`spec.renewal` of a Certificate: whether it is renewed, and at which times of the day, week or year."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from certwright.resources.values import parse_duration

if TYPE_CHECKING:
    from datetime import timedelta

    from certwright.resources.reading import Fields

RENEW_BEFORE, DISABLED = "RenewBefore", "Disabled"
POLICIES = (RENEW_BEFORE, DISABLED)


@dataclass(frozen=True, slots=True)
class Window:
    """A time that comes again and again, at which a renewal may begin.

    Args:
        cron: When it opens: minute, hour, day of month, month, day of week.
        duration: How long it stays open.
        timezone: IANA name of the zone that `cron` is in; empty for UTC.
    """

    cron: str
    duration: timedelta
    timezone: str = ""


@dataclass(frozen=True, slots=True)
class Renewal:
    """Whether and when; without windows at any time."""

    policy: str = RENEW_BEFORE
    windows: tuple[Window, ...] = ()


AS_USUAL = Renewal()


def parse_renewal(spec: Fields) -> Renewal:
    """Read `renewal`.

    Raises:
        InvalidSpec: When a field has the wrong type or notation.
    """
    renewal = spec.part("renewal")
    if not renewal:
        return AS_USUAL
    windows = tuple(
        Window(
            cron=item.text("cron"),
            duration=parse_duration(item.text("windowDuration"), item.at("windowDuration")),
            timezone=item.text("timezone"),
        )
        for item in renewal.parts("windows")
    )
    return Renewal(renewal.text("policy") or RENEW_BEFORE, windows)

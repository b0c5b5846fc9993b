"""Renewal windows: when the next one opens, and what that makes of the renewal time."""

import dataclasses
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from certwright.core.reasons import due, not_ready
from certwright.core.renewal import WINDOW_SPREAD, renewal_time, usual_time
from certwright.core.windows import next_open, validate
from certwright.errors import InvalidSpec
from certwright.pki.certificate import CertificateFacts
from certwright.resources.renewal import Window
from unit.core.factories import BY_HAND, NAMES, NOW, UID, make_certificate, make_spec, make_view, observe

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
FACTS = make_view(make_certificate()).facts.certificate
BERLIN = ZoneInfo("Europe/Berlin")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def window(cron: str, hours: float = 2, timezone: str = "") -> Window:
    return Window(cron, timedelta(hours=hours), timezone)


# 2026-11-23 is a Monday. Europe/Berlin is one hour ahead of UTC in winter, two in summer.
OPENINGS: dict[str, tuple[tuple[Window, ...], str, str | None]] = {
    "before it opens": ((window("0 2 * * *"),), "2026-11-23 01:59:59", "2026-11-23 02:00"),
    "as it opens": ((window("0 2 * * *"),), "2026-11-23 02:00", "2026-11-23 02:00"),
    "while it is open": ((window("0 2 * * *"),), "2026-11-23 03:59:59", "2026-11-23 03:59:59"),
    "as it closes": ((window("0 2 * * *"),), "2026-11-23 04:00", "2026-11-24 02:00"),
    "on a day of the week": ((window("0 2 * * 6"),), "2026-11-23 12:00", "2026-11-28 02:00"),
    "on a day of the week by name": ((window("0 2 * * sat"),), "2026-11-23 12:00", "2026-11-28 02:00"),
    "on Sundays by two numbers": ((window("0 2 * * 7"),), "2026-11-23 12:00", "2026-11-29 02:00"),
    "on a day of the month": ((window("30 4 1 * *"),), "2026-11-23 12:00", "2026-12-01 04:30"),
    "in a month by name": ((window("0 0 1 jan *"),), "2026-11-23 12:00", "2027-01-01 00:00"),
    "on a leap day": ((window("0 0 29 2 *"),), "2026-11-23 12:00", "2028-02-29 00:00"),
    "by steps and lists": ((window("*/20 1,5 * * *", 0.1),), "2026-11-23 01:27", "2026-11-23 01:40"),
    "on either of two days": ((window("0 2 1 * 6"),), "2026-11-28 12:00", "2026-12-01 02:00"),
    "open over midnight": ((window("0 22 * * *", 8),), "2026-11-24 05:00", "2026-11-24 05:00"),
    "open over many openings": ((window("0 * * * *", 200),), "2026-11-23 12:34", "2026-11-23 12:34"),
    "the first of two": ((window("0 8 * * *"), window("0 3 * * *")), "2026-11-23 00:00", "2026-11-23 03:00"),
    "one of two is open": ((window("0 8 * * *"), window("0 3 * * *")), "2026-11-23 04:00", "2026-11-23 04:00"),
    "a zone in winter": ((window("0 2 * * *", 2, "Europe/Berlin"),), "2026-11-23 00:00", "2026-11-23 01:00"),
    "a zone in summer": ((window("0 2 * * *", 2, "Europe/Berlin"),), "2026-07-01 00:30", "2026-07-01 00:30"),
    "a zone on another day": ((window("0 2 * * 1", 1, "Asia/Tokyo"),), "2026-11-22 12:00", "2026-11-22 17:00"),
    "an hour that is skipped": ((window("30 2 * * *", 1, "Europe/Berlin"),), "2026-03-29 00:00", "2026-03-29 01:00"),
    "open while the clock is put back": (
        (window("0 1 25 10 *", 3, "Europe/Berlin"),),
        "2026-10-25 01:59",
        "2026-10-25 01:59",
    ),
    "closed three hours of real time later": (
        (window("0 1 25 10 *", 3, "Europe/Berlin"),),
        "2026-10-25 02:00",
        "2027-10-24 23:00",
    ),
    "by a nickname": ((window("@weekly"),), "2026-11-23 12:00", "2026-11-29 00:00"),
    "what cannot be understood": ((window("every day"), window("* * * * *", 1, "Mars/Base")), "2026-11-23 12:00", None),
    "a day that never comes": ((window("0 0 30 2 *"),), "2026-11-23 12:00", None),
}


@pytest.mark.parametrize(("windows", "moment", "opens"), OPENINGS.values(), ids=OPENINGS)
def test_when_a_window_is_open_next(windows: tuple[Window, ...], moment: str, opens: str | None) -> None:
    found = next_open(windows, at(moment))
    assert (found[0] if found else None) == (at(opens) if opens else None)


def test_how_long_it_stays_open() -> None:
    assert next_open((window("0 2 * * *"),), at("2026-11-23 01:00")) == (at("2026-11-23 02:00"), 2 * HOUR)
    assert next_open((window("0 2 * * *"),), at("2026-11-23 03:30")) == (at("2026-11-23 03:30"), HOUR / 2)


minutes = st.integers(0, 59)
crons = st.one_of(
    st.builds("{} {} * * *".format, minutes, st.integers(0, 23)),
    st.builds("{} {} * * {}".format, minutes, st.integers(0, 23), st.integers(0, 7)),
    st.builds("{} {} {} * *".format, minutes, st.integers(0, 23), st.integers(1, 28)),
)
moments = st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1)).map(  # noqa: DTZ001 - made aware just below
    lambda moment: moment.replace(microsecond=0, tzinfo=UTC)
)


@given(crons, st.integers(1, 3000), moments, st.sampled_from(["", "Europe/Berlin", "America/New_York", "Asia/Kolkata"]))
def test_a_window_that_is_found_is_open_and_none_is_before_it(
    cron: str, length: int, moment: datetime, zone: str
) -> None:
    windows = (Window(cron, timedelta(minutes=length), zone),)
    found = next_open(windows, moment)
    assert found
    opens, lasts = found
    assert moment <= opens <= moment + 32 * DAY
    assert timedelta(0) < lasts <= timedelta(minutes=length)
    assert next_open(windows, opens) == (opens, lasts)
    if opens > moment:
        between = moment + (opens - moment) / 2
        assert next_open(windows, between.replace(microsecond=0)) == found


def lasting(days: float) -> CertificateFacts:
    assert FACTS is not None
    return dataclasses.replace(FACTS, not_before=NOW, not_after=NOW + days * DAY)


def renewed(days: float, *windows: dict[str, str], **fields: Any) -> datetime:
    found = renewal_time(make_spec(renewal={"windows": list(windows)}, **fields), lasting(days), UID)
    assert found
    return found


def daily(cron: str = "0 2 * * *", duration: str = "2h", **more: str) -> dict[str, str]:
    return {"cron": cron, "windowDuration": duration, **more}


def test_without_windows_any_time_will_do() -> None:
    spec, facts = make_spec(renewal={"policy": "RenewBefore", "windows": []}), lasting(90)
    assert renewal_time(spec, facts, UID) == usual_time(make_spec(), facts, UID)


def test_a_renewal_within_a_window_stays_where_it_is() -> None:
    usual = usual_time(make_spec(), lasting(90), UID)
    assert renewed(90, daily("* * * * *")) == usual
    assert renewed(90, daily(f"{usual.minute} {usual.hour} * * *", "1h")) == usual


def test_a_renewal_outside_moves_to_the_beginning_of_the_next() -> None:
    usual = usual_time(make_spec(), lasting(90), UID)
    moment = renewed(90, daily())
    opens = moment.replace(hour=2, minute=0, second=0)
    assert usual < opens <= moment < opens + 2 * HOUR * WINDOW_SPREAD
    assert moment - usual < DAY
    local = renewed(90, daily("0 3 * * 0", "4h", timezone="Europe/Berlin")).astimezone(BERLIN)
    assert (local.weekday(), local.hour) == (6, 3)


def test_those_that_wait_for_one_window_do_not_all_begin_at_once() -> None:
    spec = make_spec(renewal={"windows": [daily("0 0 1 * *", "10h")]})
    moments = {renewal_time(spec, lasting(90), f"uid-{number}") for number in range(50)}
    assert len(moments) > 40
    assert {moment.day for moment in moments if moment} == {1}
    assert max(moments) - min(moments) <= timedelta(hours=1)  # type: ignore[operator, type-var]


EMERGENCIES: dict[str, tuple[float, dict[str, str], dict[str, Any], float]] = {
    "no window before the end": (90, daily("0 0 1 1 *"), {"renewBefore": "240h"}, 85),
    "a window in the last tenth only": (20, daily("0 12 12 12 *"), {}, 18),
    "a window right before the end": (10, daily("0 0 3 12 *", "1h"), {"renewBefore": "48h"}, 9),
    "a window that never opens": (90, daily("0 0 30 2 *"), {}, 81),
}


@pytest.mark.parametrize(("days", "opens", "fields", "day"), EMERGENCIES.values(), ids=EMERGENCIES)
def test_nothing_expires_for_the_sake_of_a_window(
    days: float, opens: dict[str, str], fields: dict[str, Any], day: float
) -> None:
    """The last tenth of the lifetime, or the last half of the time that was left, is kept for attempts."""
    facts = lasting(days)
    usual = usual_time(make_spec(**fields), facts, UID)
    moment = renewed(days, opens, **fields)
    assert usual <= moment < facts.not_after
    assert abs(moment - (NOW + day * DAY)) < days * DAY * 0.02 + timedelta(seconds=1)


windows_of_specs = st.lists(
    st.builds(lambda cron, hours: {"cron": cron, "windowDuration": f"{hours}h"}, crons, st.integers(1, 100)), max_size=3
)


@given(windows_of_specs, st.timedeltas(HOUR, 4000 * DAY), moments, st.text())
def test_a_renewal_is_never_before_the_usual_time_nor_at_the_end(
    windows: list[dict[str, str]], lifetime: timedelta, begin: datetime, uid: str
) -> None:
    assert FACTS is not None
    facts = dataclasses.replace(FACTS, not_before=begin, not_after=begin + lifetime)
    spec = make_spec(renewal={"windows": windows})
    moment = renewal_time(spec, facts, uid)
    assert moment
    assert usual_time(spec, facts, uid) <= moment < facts.not_after
    assert moment.microsecond == 0
    assert renewal_time(spec, facts, uid) == moment


def test_a_policy_of_disabled_renews_nothing() -> None:
    spec = {"renewal": {"policy": "Disabled"}}
    view = make_view(make_certificate(**spec), begin=NOW - 91 * DAY)
    observation = observe(view=view, spec=spec)
    assert renewal_time(observation.certificate.spec, lasting(90), UID) is None
    assert due(observation, NAMES, NOW) is None
    expired = not_ready(observation, NAMES, NOW)
    assert expired
    assert expired.message.endswith("; spec.renewal.policy is Disabled, so ask for a new one by hand, or change it")


def test_what_is_not_renewed_is_issued_anew_for_every_other_reason() -> None:
    spec = {"renewal": {"policy": "Disabled"}}
    by_hand = due(observe(spec=spec, status={"conditions": [BY_HAND]}), NAMES, NOW)
    assert by_hand
    assert by_hand.word == "ManuallyTriggered"
    gone = due(observe(spec=spec, no_secret=True), NAMES, NOW)
    assert gone
    assert gone.word == "DoesNotExist"
    other = due(observe(view=make_view(make_certificate()), spec={**spec, "dnsNames": ["b.test"]}), NAMES, NOW)
    assert other
    assert other.word == "RequestChanged"


BAD: dict[str, tuple[Window, str]] = {
    "four fields": (window("0 2 * *"), "spec.w.cron: '0 2 * *' is no cron expression (it has 4 fields, not 5)"),
    "too long a list": (window(f"{'0,' * 200}0 2 * * *"), "it has 409 characters; 200 is the limit"),
    "too large a number": (window(f"{'9' * 100} 2 * * *"), "is no cron expression (Bad minute)"),
    "seconds": (window("0 0 2 * * *"), "it has 6 fields, not 5"),
    "nothing": (window(""), "it has 0 fields, not 5"),
    "an hour that there is none of": (window("0 24 * * *"), "is no cron expression (Bad hour)"),
    "words": (window("at two in the morning"), "is no cron expression (Bad minute)"),
    "an unknown nickname": (window("@never"), "it has 1 fields, not 5"),
    "a day that never comes": (window("0 0 30 2 *"), "is no cron expression (Bad day-of-month)"),
    "no time at all": (window("0 2 * * *", 0), "spec.w.windowDuration: a window must stay open for a while"),
    "an unknown zone": (window("0 2 * * *", 1, "Mars/Base"), "spec.w.timezone: 'Mars/Base' is not the IANA name"),
    "a zone that is a path": (window("0 2 * * *", 1, "../../etc/passwd"), "spec.w.timezone: '../../etc/passwd'"),
    "a zone that is a folder": (window("0 2 * * *", 1, "Europe"), "spec.w.timezone: 'Europe' is not"),
}


@pytest.mark.parametrize(("bad", "says"), BAD.values(), ids=BAD)
def test_a_window_is_refused_because(bad: Window, says: str) -> None:
    with pytest.raises(InvalidSpec) as caught:
        validate(bad, "spec.w")
    assert says in caught.value.message
    assert caught.value.message.startswith("spec.w.")


@given(st.text(max_size=30) | st.text(alphabet="0123456789*/,-# LW", max_size=20), st.text(max_size=20))
def test_any_window_is_good_or_has_a_fault(cron: str, zone: str) -> None:
    given_window = Window(cron, HOUR, zone)
    try:
        validate(given_window, "spec.w")
    except InvalidSpec as fault:
        assert fault.message.startswith("spec.w.")  # noqa: PT017 - either outcome is right
    else:
        assert next_open((given_window,), NOW)

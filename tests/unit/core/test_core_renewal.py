import dataclasses
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from certwright.core.renewal import SPREAD, renewal_time
from certwright.core.spread import fraction
from certwright.pki.certificate import CertificateFacts
from certwright.resources.certificate import CertificateSpec
from unit.core.factories import NOW, UID, make_certificate, make_spec, make_view

FACTS = make_view(make_certificate()).facts.certificate
DAY = timedelta(days=1)


def lasting(lifetime: timedelta, begin: datetime = NOW) -> CertificateFacts:
    assert FACTS is not None
    return dataclasses.replace(FACTS, not_before=begin, not_after=begin + lifetime)


BEFORE = {
    "a third of the lifetime is the default": ({}, 90 * DAY, 30 * DAY),
    "renewBefore counts where it is shorter than the lifetime": ({"renewBefore": "240h"}, 90 * DAY, 10 * DAY),
    "a renewBefore as long as the issued lifetime is passed over": ({"renewBefore": "240h"}, 10 * DAY, 10 * DAY / 3),
    "a renewBefore longer than the issued lifetime is passed over": ({"renewBefore": "240h"}, 6 * DAY, 2 * DAY),
    "renewBeforePercentage is of the issued lifetime": ({"renewBeforePercentage": 25}, 40 * DAY, 10 * DAY),
    "a percentage without meaning is passed over": ({"renewBeforePercentage": 100}, 90 * DAY, 30 * DAY),
    "a percentage of nothing is passed over": ({"renewBeforePercentage": 0}, 90 * DAY, 30 * DAY),
    "a renewBefore of nothing is passed over": ({"renewBefore": "0s"}, 90 * DAY, 30 * DAY),
}


@pytest.mark.parametrize(("fields", "lifetime", "before"), BEFORE.values(), ids=BEFORE)
def test_when_a_certificate_is_renewed(fields: dict[str, Any], lifetime: timedelta, before: timedelta) -> None:
    facts = lasting(lifetime)
    moment = renewal_time(make_spec(**fields), facts, UID)
    assert facts.not_after - before - lifetime * SPREAD - timedelta(seconds=1) < moment <= facts.not_after - before


@pytest.mark.parametrize("percentage", [91, 99])
def test_a_tenth_of_the_lifetime_passes_before_any_renewal(percentage: int) -> None:
    facts = lasting(10 * DAY)
    assert renewal_time(make_spec(renewBeforePercentage=percentage), facts, UID) == NOW + DAY
    assert renewal_time(make_spec(renewBefore="239h59m"), facts, UID) == NOW + DAY


def test_renewals_are_spread_by_uid_and_not_by_the_moment() -> None:
    moments = {renewal_time(make_spec(), lasting(90 * DAY), f"uid-{number}") for number in range(200)}
    assert len(moments) > 190
    assert max(moments) - min(moments) > 90 * DAY * SPREAD * 0.9
    assert renewal_time(make_spec(), lasting(90 * DAY), UID) == renewal_time(make_spec(), lasting(90 * DAY), UID)


specs = st.builds(
    lambda before, percentage: dataclasses.replace(
        make_spec(), renew_before=before, renew_before_percentage=percentage
    ),
    st.none() | st.timedeltas(timedelta(0), timedelta(days=4000)),
    st.none() | st.integers(-5, 105),
)
lifetimes = st.timedeltas(timedelta(minutes=1), timedelta(days=4000))
begins = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1)).map(  # noqa: DTZ001 - made aware just below
    lambda moment: moment.replace(microsecond=0, tzinfo=UTC)
)


@given(specs, lifetimes, begins, st.text())
def test_a_renewal_is_inside_the_lifetime(
    spec: CertificateSpec, lifetime: timedelta, begin: datetime, uid: str
) -> None:
    facts = lasting(lifetime, begin)
    moment = renewal_time(spec, facts, uid)
    assert facts.not_before + lifetime / 10 - timedelta(seconds=1) < moment < facts.not_after
    assert moment.microsecond == 0


@given(specs, lifetimes, lifetimes, st.text())
def test_a_certificate_that_lasts_longer_is_not_renewed_earlier_by_share(
    spec: CertificateSpec, one: timedelta, other: timedelta, uid: str
) -> None:
    spec = dataclasses.replace(spec, renew_before=None)
    short, long = sorted((one, other))
    assert renewal_time(spec, lasting(short), uid) <= renewal_time(spec, lasting(long), uid)


@given(st.text(), st.text())
def test_a_fraction_depends_on_its_arguments_alone(uid: str, salt: str) -> None:
    assert 0 <= fraction(uid, salt) < 1
    assert fraction(uid, salt) == fraction(uid, salt)


def test_fractions_of_two_purposes_differ() -> None:
    assert fraction(UID, "renewal") != fraction(UID, "backoff")

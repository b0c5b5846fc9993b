"""When a certificate is renewed: from its own lifetime, never from what was asked for."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from certwright.core.spread import fraction
from certwright.core.windows import next_open
from certwright.resources.renewal import DISABLED

if TYPE_CHECKING:
    from datetime import datetime

    from certwright.pki.certificate import CertificateFacts
    from certwright.resources.certificate import CertificateSpec

SPREAD = 0.02
"""Share of the lifetime by which renewals are spread, earlier only."""
WINDOW_SPREAD = 0.1
"""Share of a window within which the renewals begin that waited for it."""


def renewal_time(spec: CertificateSpec, facts: CertificateFacts, uid: str) -> datetime | None:
    """The moment to renew at, whole seconds, UTC; None where it never is.

    It is `usual_time`, moved to the next of `spec.renewal.windows` where there are any.

    Args:
        spec: The Certificate's spec.
        facts: The certificate as it was issued.
        uid: The Certificate's uid, which the spread is derived from.
    """
    if spec.renewal.policy == DISABLED:
        return None
    return allowed_time(spec, facts, usual_time(spec, facts, uid), uid)


def usual_time(spec: CertificateSpec, facts: CertificateFacts, uid: str) -> datetime:
    """The moment to renew at where any time will do, whole seconds, UTC.

    It is `notAfter` less `renewBefore` where that is shorter than the lifetime, else less `renewBeforePercentage` of
    the lifetime, else less a third of it; then earlier by up to 2 % of the lifetime, so that what was issued together
    is not renewed together. Never before a tenth of the lifetime has passed: a renewBefore as long as the lifetime
    must not make a loop of orders.

    Args:
        spec: The Certificate's spec.
        facts: The certificate as it was issued.
        uid: The Certificate's uid, which the spread is derived from.
    """
    lifetime = facts.not_after - facts.not_before
    if spec.renew_before is not None and timedelta(0) < spec.renew_before < lifetime:
        before = spec.renew_before
    elif spec.renew_before_percentage is not None and 0 < spec.renew_before_percentage < 100:  # noqa: PLR2004 - per cent
        before = lifetime * spec.renew_before_percentage / 100
    else:
        before = lifetime / 3
    moment = facts.not_after - before - lifetime * (SPREAD * fraction(uid, "renewal"))
    return max(moment, facts.not_before + lifetime / 10).replace(microsecond=0)


def allowed_time(spec: CertificateSpec, facts: CertificateFacts, moment: datetime, uid: str) -> datetime:
    """The first moment from one on that lies in a window, or the last one that can be waited for, if that is earlier.

    Nothing is left to expire for the sake of a window: where none opens before the last tenth of the lifetime, or
    the last half of the time that was left, the renewal begins then. Renewals that wait for one window begin within
    its first tenth, spread by uid.

    Args:
        spec: The Certificate's spec.
        facts: The certificate as it was issued.
        moment: When it would be renewed if any time would do.
        uid: The Certificate's uid.
    """
    if not spec.renewal.windows:
        return moment
    latest = facts.not_after - min((facts.not_after - facts.not_before) / 10, (facts.not_after - moment) / 2)
    found = next_open(spec.renewal.windows, moment)
    if found is None or found[0] > latest:
        return latest.replace(microsecond=0)
    opens, duration = found
    if opens == moment:
        return moment
    return min(opens + duration * (WINDOW_SPREAD * fraction(uid, "window")), latest).replace(microsecond=0)

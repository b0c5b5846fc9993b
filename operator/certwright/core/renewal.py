"""When a certificate is renewed: from its own lifetime, never from what was asked for."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from certwright.core.spread import fraction

if TYPE_CHECKING:
    from datetime import datetime

    from certwright.pki.certificate import CertificateFacts
    from certwright.resources.certificate import CertificateSpec

SPREAD = 0.02
"""Share of the lifetime by which renewals are spread, earlier only."""


def renewal_time(spec: CertificateSpec, facts: CertificateFacts, uid: str) -> datetime:
    """The moment to renew at, whole seconds, UTC.

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

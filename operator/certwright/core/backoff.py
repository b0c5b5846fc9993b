"""How long a fault keeps a Certificate waiting. Counts and times are in the status, so a restart changes nothing."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from certwright.core.spread import fraction

if TYPE_CHECKING:
    from datetime import datetime

REFUSED = (timedelta(minutes=1), timedelta(minutes=10), timedelta(minutes=100), timedelta(days=1))
"""Waits after a CA's refusal: the spacing that Let's Encrypt's integration guide asks of clients."""
HICCUP_FIRST, HICCUP_MOST = 1.0, 300.0
"""Seconds to wait after faults that pass by themselves: the first time, and at most."""
MISTAKE_FIRST = 5.0
"""Seconds until something that only a change can mend is looked at again: the change may be of an unwatched object."""
MISTAKE = timedelta(seconds=HICCUP_MOST)
"""The same at most."""


def after_refusal(failed_at: datetime, attempts: int, uid: str) -> datetime:
    """When to try again after the CA refused for the `attempts`-th time in a row; later by up to a tenth, by uid."""
    wait = REFUSED[min(max(attempts, 1), len(REFUSED)) - 1]
    return failed_at + wait * (1 + 0.1 * fraction(uid, "backoff"))


def after_mistake(attempts: int) -> float:
    """Seconds until a mistake of a person's is looked at again, when it was met `attempts` times in a row, from 1."""
    return min(MISTAKE_FIRST * float(2 ** min(attempts - 1, 16)), HICCUP_MOST)


def after_hiccup(attempts: int, uid: str, asked: float | None = None) -> float:
    """Seconds to wait after the `attempts`-th fault in a row that passes by itself.

    Args:
        attempts: Faults in a row, from 1.
        uid: Spreads the waits of objects that failed together, by up to a quarter.
        asked: Seconds that the other side asked for; never undercut.
    """
    wait = min(HICCUP_FIRST * float(2 ** min(attempts - 1, 16)), HICCUP_MOST)
    return max(wait * (1 + 0.25 * fraction(uid, "hiccup")), asked or 0.0)

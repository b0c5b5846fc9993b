"""The two reply headers ACME gives a meaning of its own: Retry-After and Link.

Servers write them in every form the RFCs allow, and in some they do not: nothing here raises.
"""

from __future__ import annotations

import re
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING
from urllib.parse import urljoin

if TYPE_CHECKING:
    from datetime import datetime

MAX_RETRY_AFTER = 86_400.0
"""Seconds. Nobody is believed who asks for more than a day: the next question shows whether it was meant."""

_SECONDS = re.compile(r"\d{1,12}", re.ASCII)
_LINK = re.compile(r"<([^<>]*)>((?:\s*;[^,;<>]*)*)")
_RELATION = re.compile(r';\s*rel\s*=\s*"?([^";]*)"?', re.IGNORECASE)


def retry_after(value: str | None, *, now: datetime) -> float | None:
    """Read a Retry-After header (RFC 9110 10.2.3): seconds or an HTTP-date.

    Args:
        value: The header; None when there is none.
        now: An aware datetime, for dates.

    Returns:
        Seconds from `now`, between 0 and a day; None when there is no header or it makes no sense.
    """
    if value is None:
        return None
    value = value.strip()
    if _SECONDS.fullmatch(value):
        return min(float(value), MAX_RETRY_AFTER)
    try:
        seconds = (parsedate_to_datetime(value) - now).total_seconds()
    except (ValueError, TypeError, OverflowError):  # TypeError: a date without a zone
        return None
    return min(max(seconds, 0.0), MAX_RETRY_AFTER)


def links(value: str | None, *, relation: str, base: str) -> tuple[str, ...]:
    """Collect the targets of one relation from a Link header (RFC 8288), in their order.

    Args:
        value: The header; several of them joined by commas.
        relation: The relation wanted, such as "alternate".
        base: The URL that relative targets refer to.

    Returns:
        Absolute URLs.
    """
    found = []
    for target, parameters in _LINK.findall(value or ""):
        match = _RELATION.search(parameters)
        if match and relation in match[1].lower().split():
            found.append(urljoin(base, target))
    return tuple(found)

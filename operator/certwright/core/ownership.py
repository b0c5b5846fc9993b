"""Which of several Certificates with one secretName may write the Secret: exactly one, and always the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime


def owner_of(claims: Iterable[tuple[str, datetime | None]], written_for: str) -> str:
    """The name of the Certificate that owns a Secret.

    Args:
        claims: Name and creation time of every Certificate that names the Secret.
        written_for: The Certificate that the Secret says it was written for; empty when it does not say.

    Returns:
        That Certificate if it is among the claims, else the oldest, by name where two are equally old.
    """
    names = dict(claims)
    if written_for in names:
        return written_for
    return min(names, key=lambda name: (created.timestamp() if (created := names[name]) else float("inf"), name))

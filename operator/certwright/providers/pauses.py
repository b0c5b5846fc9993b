"""Until when each account at a DNS provider asked to be left alone; whoever uses the account keeps to it."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime


class Pauses:
    """The pauses of all accounts; an account is named by `Endpoint.account`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._until: dict[str, datetime] = {}

    def get(self, account: str) -> datetime | None:
        """The end of the account's latest pause, which may be over; None for none."""
        with self._lock:
            return self._until.get(account)

    def set(self, account: str, until: datetime, now: datetime) -> None:
        """Let an account pause; pauses that are over are forgotten."""
        with self._lock:
            self._until = {known: end for known, end in self._until.items() if end > now}
            self._until[account] = until

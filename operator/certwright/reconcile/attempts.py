"""Counts faults in a row, a number a key, in memory: what passes by itself need not survive a restart."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from certwright.resources.names import ObjectKey


class Attempts:
    """Faults in a row of each key."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[ObjectKey, int] = {}

    def another(self, key: ObjectKey) -> int:
        """Count one more; the number of them."""
        with self._lock:
            self._counts[key] = count = self._counts.get(key, 0) + 1
            return count

    def over(self, key: ObjectKey) -> None:
        """It went well: the next fault is the first."""
        with self._lock:
            self._counts.pop(key, None)

"""Keeps what discovery found for a while, within a bound; it never fetches, so no lock is held while somebody waits."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

V = TypeVar("V")


class Cache(Generic[V]):
    """Values that lapse; safe for threads.

    Args:
        clock: Seconds, monotonic.
        size: Entries at most; the oldest go first.
    """

    def __init__(self, clock: Callable[[], float], *, size: int = 2000) -> None:
        self._clock = clock
        self._size = size
        self._lock = threading.Lock()
        self._entries: dict[Hashable, tuple[float, V]] = {}

    def get(self, key: Hashable) -> V | None:
        """The value, unless it lapsed."""
        with self._lock:
            entry = self._entries.get(key)
            if entry is None or entry[0] <= self._clock():
                return None
            return entry[1]

    def put(self, key: Hashable, value: V, *, seconds: float) -> None:
        """Keep a value for so many seconds."""
        with self._lock:
            self._entries.pop(key, None)
            while len(self._entries) >= self._size:
                self._entries.pop(next(iter(self._entries)))
            self._entries[key] = (self._clock() + seconds, value)

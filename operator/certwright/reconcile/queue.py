"""The work queue: which key is looked at next, and when.

A key is handed to one worker at a time; added while it is worked on, it comes again afterwards. Keys whose time has
come go before keys that were just added, so that what is under way is finished before more is begun. No thread waits
for one key: all waits stand in one heap.
"""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from certwright.resources.names import ObjectKey

LONGEST_WAIT = 6 * 3600.0
"""Seconds after which any key is looked at again: clocks are set and machines are suspended, renewals come due all the
same."""


class WorkQueue:
    """Keys to reconcile, each at most once.

    Args:
        clock: Monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._changed = threading.Condition()
        self._soon: deque[ObjectKey] = deque()
        self._fresh: deque[ObjectKey] = deque()
        self._queued: set[ObjectKey] = set()
        self._active: set[ObjectKey] = set()
        self._again: set[ObjectKey] = set()
        self._heap: list[tuple[float, int, ObjectKey]] = []
        self._due: dict[ObjectKey, float] = {}
        self._counter = itertools.count()
        self._closed = False

    def add(self, key: ObjectKey) -> None:
        """Look at a key as soon as a worker is free."""
        with self._changed:
            self._push(key, self._fresh)

    def add_after(self, key: ObjectKey, seconds: float) -> None:
        """Look at a key in so many seconds, or earlier if it is added meanwhile; replaces an earlier wait."""
        with self._changed:
            when = self._clock() + min(max(seconds, 0.0), LONGEST_WAIT)
            self._due[key] = when
            heapq.heappush(self._heap, (when, next(self._counter), key))
            if self._heap[0][2] == key:
                self._changed.notify()

    def get(self) -> ObjectKey | None:
        """The next key, waited for; None when the queue is closed. `done` must follow."""
        with self._changed:
            while True:
                if self._closed:
                    return None
                pause = self._collect()
                if self._soon or self._fresh:
                    key = (self._soon or self._fresh).popleft()
                    self._queued.discard(key)
                    self._active.add(key)
                    self._due.pop(key, None)
                    return key
                self._changed.wait(pause)

    def done(self, key: ObjectKey) -> None:
        """A worker is through with a key."""
        with self._changed:
            self._active.discard(key)
            if key in self._again:
                self._again.discard(key)
                self._push(key, self._fresh)

    def close(self) -> None:
        """Let all workers go home; what is queued is forgotten, since the next start finds it again."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def depth(self) -> int:
        """Keys that could be worked on now."""
        with self._changed:
            return len(self._queued)

    def idle(self) -> bool:
        """Whether nothing is queued and nothing is worked on."""
        with self._changed:
            self._collect()
            return not self._queued and not self._active

    def _push(self, key: ObjectKey, line: deque[ObjectKey]) -> None:
        if key in self._active:
            self._again.add(key)
        elif key not in self._queued:
            self._queued.add(key)
            line.append(key)
            self._changed.notify()

    def _collect(self) -> float | None:
        """Queue the keys whose time has come; seconds until the next, None when there is none."""
        now = self._clock()
        while self._heap:
            when, _, key = self._heap[0]
            if self._due.get(key) != when:
                heapq.heappop(self._heap)
            elif when <= now:
                heapq.heappop(self._heap)
                del self._due[key]
                self._push(key, self._soon)
            else:
                return when - now
        return None

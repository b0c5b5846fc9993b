"""Passes what was seen on to the sink, and remembers which objects there are, by name only.

kopf never tells of an object that was deleted while a watch was interrupted, so somebody must know what there was.
"""

from __future__ import annotations

import threading
from traceback import extract_tb
from typing import TYPE_CHECKING, Any

import structlog

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

LISTED, ADDED, MODIFIED, DELETED = "LISTED", "ADDED", "MODIFIED", "DELETED"
log = structlog.get_logger(__name__)


class Feed:
    """One way to the sink for lists, watches and sweeps. Thread-safe.

    Args:
        sink: Takes (kind, event, body); must be quick and must not fail. What it raises is logged and dropped.
        kinds: The kinds that are watched.
    """

    def __init__(self, sink: Callable[[str, str, Mapping[str, Any]], None], kinds: tuple[str, ...]) -> None:
        self._sink = sink
        self._lock = threading.Lock()
        self._known: dict[str, set[tuple[str, str]]] = {kind: set() for kind in kinds}
        self._touched: dict[str, set[tuple[str, str]]] = {}

    def deliver(self, kind: str, event: str, body: Mapping[str, Any]) -> None:
        """Tell the sink, whatever happens."""
        metadata = body.get("metadata") or {}
        key = (metadata.get("namespace") or "", metadata.get("name") or "")
        with self._lock:
            (self._known[kind].discard if event == DELETED else self._known[kind].add)(key)
            if kind in self._touched:
                self._touched[kind].add(key)
        try:
            self._sink(kind, event, body)
        except Exception as error:  # noqa: BLE001 - whatever it is, the watch must go on
            # Neither the body nor the error's text: either may hold what a Secret holds.
            frame = extract_tb(error.__traceback__)[-1]
            log.error(  # noqa: TRY400
                "an event could not be handled",
                kind=kind,
                namespace=key[0],
                name=key[1],
                error=type(error).__name__,
                where=f"{frame.filename}:{frame.lineno}",
            )

    def count(self, kind: str) -> int:
        """How many objects of the kind there are, as far as we know."""
        with self._lock:
            return len(self._known[kind])

    def begin_sweep(self, kind: str) -> set[tuple[str, str]]:
        """The (namespace, name) of what is known now; what is heard of from here on is not taken for vanished."""
        with self._lock:
            self._touched[kind] = set()
            return set(self._known[kind])

    def end_sweep(self, kind: str, missing: set[tuple[str, str]]) -> set[tuple[str, str]]:
        """Of the missing ones, those that nothing was heard of since the sweep began."""
        with self._lock:
            return missing - self._touched.pop(kind, set())

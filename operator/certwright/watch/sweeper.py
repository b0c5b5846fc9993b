"""Finds objects that were deleted while no watch was looking, and reports them as deleted.

It lists metadata only, in a thread of its own: soon after each list of kopf's, since that is what ends a gap, and
now and then in any case.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import structlog

from certwright.errors import CertwrightError
from certwright.kube import lists
from certwright.watch.feed import DELETED

if TYPE_CHECKING:
    from certwright.kube.client import Kube
    from certwright.watch.feed import Feed
    from certwright.watch.scope import Scope

RETRY_PAUSE = 30.0  # seconds after a sweep that failed
log = structlog.get_logger(__name__)


class Sweeper:
    """Compares what is known with what is there.

    Args:
        kube: The client.
        scope: What is watched.
        feed: Who knows, and who is told.
        interval: Seconds between two sweeps of everything.
    """

    def __init__(self, kube: Kube, scope: Scope, feed: Feed, *, interval: float) -> None:
        self._kube = kube
        self._scope = scope
        self._feed = feed
        self._interval = interval
        self._wake = threading.Condition()
        self._due: set[str] = set()
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name="sweeper", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread; a sweep under way is left to its timeout."""
        with self._wake:
            self._stopped = True
            self._wake.notify_all()

    def soon(self, kind: str) -> None:
        """Sweep one kind as soon as possible."""
        with self._wake:
            self._due.add(kind)
            self._wake.notify_all()

    def sweep(self, kind: str) -> int:
        """Compare one kind now.

        Returns:
            How many objects had vanished.

        Raises:
            CertwrightError: The list could not be read.
        """
        before = self._feed.begin_sweep(kind)
        there: set[tuple[str, str]] = set()
        for place in self._scope.places():
            if place.kind == kind:
                items = lists.of_kind(
                    self._kube, kind, namespace=place.namespace, selector=place.selector, metadata_only=True
                )
                there.update((item["metadata"].get("namespace", ""), item["metadata"]["name"]) for item in items)
        vanished = self._feed.end_sweep(kind, before - there)
        for namespace, name in sorted(vanished):
            self._feed.deliver(kind, DELETED, {"metadata": {"namespace": namespace, "name": name}})
        if vanished:
            log.info("objects had vanished unseen", kind=kind, count=len(vanished))
        return len(vanished)

    def _run(self) -> None:
        everything = time.monotonic() + self._interval
        while True:
            with self._wake:
                if not self._due:
                    self._wake.wait(max(0.0, everything - time.monotonic()))
                if self._stopped:
                    return
                if time.monotonic() >= everything:
                    self._due.update(self._scope.kinds)
                    everything = time.monotonic() + self._interval
                due, self._due = self._due, set()
            failed = {kind for kind in due if not self._try(kind)}
            with self._wake:
                if failed and not self._wake.wait_for(lambda: self._stopped, RETRY_PAUSE):
                    self._due |= failed

    def _try(self, kind: str) -> bool:
        try:
            self.sweep(kind)
        except CertwrightError as error:
            log.warning("a sweep failed; it is tried again", kind=kind, reason=error.reason, message=error.message)
            return False
        return True

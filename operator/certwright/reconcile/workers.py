"""A fixed number of threads that take keys from the queue. A fault in one key never reaches another."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    from collections.abc import Callable

    from certwright.reconcile.instruments import Instruments
    from certwright.reconcile.queue import WorkQueue
    from certwright.resources.names import ObjectKey

log = structlog.get_logger(__name__)


class Workers:
    """The worker threads.

    Args:
        queue: Where keys come from.
        handle: Reconciles one key and returns the seconds until it is to be looked at again, or None.
        count: Number of threads.
        instruments: Told of each reconcile.
    """

    def __init__(
        self, queue: WorkQueue, handle: Callable[[ObjectKey], float | None], *, count: int, instruments: Instruments
    ) -> None:
        self._queue = queue
        self._handle = handle
        self._instruments = instruments
        self._threads = [threading.Thread(target=self._run, name=f"worker-{n}", daemon=True) for n in range(count)]

    def start(self) -> None:
        """Start the threads."""
        for thread in self._threads:
            thread.start()

    def stop(self, timeout: float) -> None:
        """Close the queue and wait, `timeout` seconds in all, for what is being worked on."""
        self._queue.close()
        deadline = time.monotonic() + timeout
        for thread in self._threads:
            thread.join(max(deadline - time.monotonic(), 0.0))

    def alive(self) -> bool:
        """Whether every thread runs."""
        return all(thread.is_alive() for thread in self._threads)

    def _run(self) -> None:
        while (key := self._queue.get()) is not None:
            started = time.monotonic()
            with structlog.contextvars.bound_contextvars(kind=key.kind, namespace=key.namespace, name=key.name):
                after, result = self._guarded(key)
            if after is not None:  # before `done`: a later wait of another worker must not be replaced by this one
                self._queue.add_after(key, after)
            self._queue.done(key)
            self._instruments.reconciled(key.kind, result, time.monotonic() - started)

    def _guarded(self, key: ObjectKey) -> tuple[float | None, str]:
        try:
            return self._handle(key), "ok"
        except Exception:  # a fault of ours in one object must not end the others' service
            log.exception("reconcile failed for a reason that is our own fault; it is tried again in a minute")
            return 60.0, "error"

"""Leader election by a Lease, so that of several processes one works and another takes over when it dies.

As in client-go, clocks of two machines are never compared: a Lease is taken for abandoned when it has not changed for
its duration by our own monotonic clock. Whoever cannot renew in time must end before another may take over.
"""

from __future__ import annotations

import socket
import threading
import time
import uuid
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import structlog

from certwright.errors import CertwrightError, Conflict
from certwright.kube import leases
from certwright.kube.faults import NotFound
from certwright.kube.leases import Lease

if TYPE_CHECKING:
    from collections.abc import Callable

    from certwright.kube.client import Kube

log = structlog.get_logger(__name__)


def host_identity() -> str:
    """A name for this process that no other has, and that tells a person where it runs."""
    return f"{socket.gethostname()}_{uuid.uuid4()}"


@dataclass(frozen=True, slots=True)
class Timing:
    """How a Lease is kept, in seconds.

    Args:
        duration: Others wait that long after the last renewal before they take over.
        renew_deadline: The leader gives up when it could not renew for that long; less than `duration`.
        retry: Between two renewals, and between two looks of a standby.
    """

    duration: float = 15.0
    renew_deadline: float = 10.0
    retry: float = 2.0


class Leader:
    """Takes part in one election, in a thread of its own.

    Args:
        kube: The client.
        namespace: The Lease's namespace.
        name: The Lease's name.
        on_lost: Called once, from the thread, when leadership is lost without `stop`; end the process there and then.
        identity: Who we are; unique.
        timing: See Timing.
    """

    def __init__(
        self,
        *,
        kube: Kube,
        namespace: str,
        name: str,
        on_lost: Callable[[], None],
        identity: str | None = None,
        timing: Timing | None = None,
    ) -> None:
        self.identity = identity or host_identity()
        self._kube = kube
        self._namespace = namespace
        self._name = name
        self._on_lost = on_lost
        self._timing = timing or Timing()
        self._lease: Lease | None = None
        self._changed = 0.0  # when the Lease was last seen to change
        self._renewed = 0.0  # when our last successful renewal was sent
        self._leads = threading.Event()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="leader-election", daemon=True)

    @property
    def leading(self) -> bool:
        """True when we lead for certain, even if this process was frozen for a while."""
        return self._leads.is_set() and time.monotonic() - self._renewed < self._timing.renew_deadline

    @property
    def alive(self) -> bool:
        """True when the election is going on."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until we lead, or `timeout` seconds; True when we do."""
        return self._leads.wait(timeout)

    def stop(self) -> None:
        """End the election; when we lead, hand over at once. Call it when nothing works any more."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(self._timing.renew_deadline)
        if self._leads.is_set():
            self._leads.clear()
            self._release()

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                self._step()
                if self._leads.is_set() and not self.leading:
                    log.error("leadership lost", identity=self.identity, lease=f"{self._namespace}/{self._name}")
                    break
                self._stop.wait(self._timing.retry)
        finally:
            # However this thread ends, and be it by a full disk under the log: nobody renews any more.
            if not self._stop.is_set():
                self._leads.clear()
                self._on_lost()

    def _step(self) -> None:
        """Look once, and take or renew the Lease when that is right."""
        sent = time.monotonic()
        try:
            # While we lead, the Lease is as we wrote it: one request then renews it.
            if not self._leads.is_set():
                self._observe(leases.get(self._kube, self._namespace, self._name, timeout=self._patience()))
                if self._held_by_another():
                    return
            self._lease = leases.put(
                self._kube, self._namespace, self._name, lease=self._ours(), timeout=self._patience()
            )
        except (Conflict, NotFound) as error:
            self._overtaken(error)
        except CertwrightError as error:
            log.warning("the Lease could not be reached", reason=error.reason, message=error.message)
        else:
            self._renewed = sent
            if not self._leads.is_set():
                log.info("leading", identity=self.identity, lease=f"{self._namespace}/{self._name}")
                self._leads.set()

    def _overtaken(self, error: CertwrightError) -> None:
        """Somebody wrote or deleted the Lease: read it, and give up when it is another's."""
        if not self._leads.is_set():
            log.debug("another was faster", message=error.message)
            return
        try:
            self._observe(leases.get(self._kube, self._namespace, self._name, timeout=self._patience()))
        except CertwrightError as again:
            log.warning("the Lease could not be reached", reason=again.reason, message=again.message)
        else:
            if self._lease and self._lease.holder not in ("", self.identity):
                self._renewed = time.monotonic() - self._timing.renew_deadline

    def _observe(self, lease: Lease | None) -> None:
        if lease != self._lease:
            self._changed = time.monotonic()
        self._lease = lease

    def _held_by_another(self) -> bool:
        lease = self._lease
        if lease is None or lease.holder in ("", self.identity):
            return False
        return time.monotonic() - self._changed < (lease.seconds or self._timing.duration)

    def _ours(self) -> Lease:
        now = leases.format_micro_time(datetime.now(UTC))
        seconds = max(1, round(self._timing.duration))
        old = self._lease
        if old is None:
            return Lease(self.identity, seconds, acquired=now, renewed=now)
        if old.holder == self.identity:
            return replace(old, seconds=seconds, renewed=now)
        return Lease(self.identity, seconds, now, now, old.transitions + 1, old.resource_version)

    def _patience(self) -> float:
        """Seconds for one request: never so long that the deadline could pass unseen."""
        left = self._renewed + self._timing.renew_deadline - time.monotonic() if self._leads.is_set() else None
        most = self._timing.renew_deadline / 2
        return most if left is None else max(0.2, min(most, left))

    def _release(self) -> None:
        if self._lease is None:
            return
        now = leases.format_micro_time(datetime.now(UTC))
        free = replace(self._lease, holder="", seconds=1, renewed=now)
        try:
            leases.put(self._kube, self._namespace, self._name, lease=free, timeout=2.0)
        except CertwrightError as error:
            log.warning("the Lease could not be released", reason=error.reason, message=error.message)
        else:
            log.info("leadership handed over", identity=self.identity)


class Alone:
    """In place of a Leader where there is no election: it leads from the start."""

    identity = "alone"
    leading = True
    alive = True

    def start(self) -> None:
        """Nothing to start."""

    def wait(self, timeout: float | None = None) -> bool:  # noqa: ARG002 - as Leader
        """True at once."""
        return True

    def stop(self) -> None:
        """Nothing to hand over."""

"""Reconciles one Certificate: observe, decide, perform, and write the status if it differs.

The loop is the same for every situation; what differs is data. It holds no thread: whatever has to be waited for is a
number of seconds that goes back to the queue.
"""

from __future__ import annotations

import dataclasses
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import structlog

from certwright.core import status as statuses
from certwright.core.decide import decide
from certwright.core.step import Abandon, Advance, Inspect, Issue, Reason, Repair, Step, Wait
from certwright.errors import CertwrightError, Conflict, InvalidSpec, Retryable
from certwright.kube.faults import NamespaceTerminating, NotFound
from certwright.resources.certificate import parse_status
from certwright.resources.meta import Meta

if TYPE_CHECKING:
    from collections.abc import Callable

    from certwright.core.observation import Observation
    from certwright.reconcile.attempts import Attempts
    from certwright.reconcile.cache import Cache
    from certwright.reconcile.issuance import Issuance
    from certwright.reconcile.observer import Observer
    from certwright.reconcile.status_writer import StatusWriter
    from certwright.reconcile.storing import Store
    from certwright.reconcile.troubles import Troubles
    from certwright.resources.names import Names, ObjectKey

log = structlog.get_logger(__name__)
ROUNDS = 12
"""Steps of one reconcile; more than the longest sensible sequence has, so that a mistake of ours cannot spin."""

UNREPAIRED = 3600.0
"""Seconds until a Secret is repaired again that did not change when it was written."""


def utc_now() -> datetime:
    """The moment."""
    return datetime.now(UTC)


class CertificateReconciler:
    """Brings a Certificate to rest.

    Args:
        cache: What the watches told.
        observer: Puts observations together.
        writer: Writes statuses.
        store: Writes TLS Secrets.
        issuance: Carries issuances out.
        troubles: Turns faults into waits.
        attempts: Counts faults in a row.
        names: Spells labels and annotations.
        clock: Tells the time.
    """

    def __init__(
        self,
        *,
        cache: Cache,
        observer: Observer,
        writer: StatusWriter,
        store: Store,
        issuance: Issuance,
        troubles: Troubles,
        attempts: Attempts,
        names: Names,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._cache = cache
        self._observer = observer
        self._writer = writer
        self._store = store
        self._issuance = issuance
        self._troubles = troubles
        self._attempts = attempts
        self._names = names
        self._clock = clock

    def reconcile(self, key: ObjectKey) -> float | None:
        """Bring one Certificate as far as it goes now.

        Returns:
            Seconds until it is to be looked at again; None until something changes.
        """
        with structlog.contextvars.bound_contextvars(uid=self._cache.uid(key)):
            return self._guarded(key)

    def _guarded(self, key: ObjectKey) -> float | None:
        try:
            return self._settle(key)
        except InvalidSpec as fault:
            return self._unreadable(key, fault)
        except (NotFound, NamespaceTerminating):
            return self._gone(key)
        except CertwrightError as fault:
            return self._troubles.pause(key, fault)

    def _settle(self, key: ObjectKey) -> float | None:
        if not self._buried(key):
            return self._troubles.pause(key, Retryable("TXT records of a deleted Certificate could not be removed yet"))
        observation = self._observer.look(key)
        confirmed = False
        for _ in range(ROUNDS):
            if observation is None:
                return self._gone(key)
            if observation.certificate.meta.deleting:
                return None
            now = self._clock()
            step = decide(self._with_keystores(observation), self._names, now)
            if isinstance(step, Wait):
                desired = statuses.waiting(observation, step, now)
                if step.quiet or not statuses.patch(observation.certificate.status.raw, desired):
                    self._attempts.over(key)
                    return None if step.until is None else max((step.until - now).total_seconds(), 0.0)
            if not confirmed and not isinstance(step, Advance | Inspect):
                observation, confirmed = self._observer.confirm(key), True
                continue
            try:
                done = self._perform(observation, step, now)
            except Conflict:
                observation, confirmed = self._observer.confirm(key), True
                continue
            if isinstance(done, float):
                return done
            observation = done
        log.error("a reconcile did not come to rest; this is our own fault; it goes on in a minute")
        return 60.0

    def _with_keystores(self, observation: Observation) -> Observation:
        """The same with what was found when the keystores were looked at, where there are any."""
        if not observation.certificate.spec.outputs.keystores:
            return observation
        return dataclasses.replace(observation, keystores=self._store.keystores.view(observation))

    def _perform(self, observation: Observation, step: Step, now: datetime) -> Observation | float | None:
        """Carry out one step; the observation after it, or the seconds to wait."""
        match step:
            case Wait():
                self._troubles.complain(observation, step, now)
                self._writer.write(observation, statuses.waiting(observation, step, now))
                return self._observer.look(observation.certificate.key)
            case Issue() | Advance():
                return self._issuance.advance(observation, step.reason, now)
            case Abandon():
                return self._issuance.abandon(observation, step.reason, now)
            case Repair(reason):
                return self._repair(observation, reason, now)
            case Inspect():
                return self._inspect(observation, now)

    def _repair(self, observation: Observation, reason: Reason, now: datetime) -> Observation | float | None:
        log.info("repairing the Secret", because=reason.message)
        try:
            secret = self._store.repair(observation, now)
        except InvalidSpec as fault:  # of the template, say; the certificate serves all the same
            return self._troubles.mistake(observation, reason, fault, now)
        if secret:
            self._cache.note_secret(secret)
            before = observation.secret.resource_version if observation.secret else ""
            if secret.meta.resource_version == before:
                log.warning("the Secret stays as somebody else keeps it", because=reason.message)
                return UNREPAIRED
        return self._observer.look(observation.certificate.key)

    def _inspect(self, observation: Observation, now: datetime) -> Observation | float | None:
        try:
            self._store.keystores.inspect(observation, now)
        except InvalidSpec as fault:  # the certificate serves all the same
            return self._troubles.mistake(observation, Reason("SecretDrift", fault.message), fault, now)
        return self._observer.look(observation.certificate.key)

    def _unreadable(self, key: ObjectKey, fault: InvalidSpec) -> float | None:
        """Say on an object whose spec cannot be read what is wrong with it."""
        text = self._cache.certificate_json(key)
        if text is None:
            return None
        body = json.loads(text)
        log.warning(fault.message, reason=fault.reason)
        meta, status = Meta.of(body), parse_status(body)
        try:
            self._writer.write_raw(key, meta, status.raw, statuses.refused(meta, status, fault, self._clock()))
        except CertwrightError as error:
            return self._troubles.pause(key, error)
        return None

    def _gone(self, key: ObjectKey) -> float | None:
        """Forget a Certificate that was deleted."""
        if not self._buried(key):
            return self._troubles.pause(key, Retryable("its TXT records could not be removed yet"))
        self._attempts.over(key)
        self._store.keystores.forget(key)
        return None

    def _buried(self, key: ObjectKey) -> bool:
        """Clean up after a Certificate that was deleted with an order under way; another may have its name by now."""
        body = self._cache.take_orphan(key)
        if body is None or self._issuance.clean_up_orphan(body, self._clock()):
            return True
        self._cache.put_orphan(key, body)
        return False

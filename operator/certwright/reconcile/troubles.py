"""What follows from each class of fault: a wait, a status, an Event. Decided here once for all issuers."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from typing import TYPE_CHECKING

import structlog

from certwright.core import backoff
from certwright.core import status as statuses
from certwright.core.decide import decide
from certwright.core.reasons import MANUAL, not_ready
from certwright.core.step import Reason, Wait
from certwright.errors import CertwrightError, Conflict, Retryable, Throttled
from certwright.kube.faults import NotFound
from certwright.resources.certificate import parse_status
from certwright.resources.conditions import ISSUING, READY
from certwright.resources.names import CERTIFICATE
from certwright.resources.values import format_time

if TYPE_CHECKING:
    from datetime import datetime

    from certwright.core.observation import Observation
    from certwright.reconcile.announcer import Announcer
    from certwright.reconcile.attempts import Attempts
    from certwright.reconcile.instruments import Instruments
    from certwright.reconcile.status_writer import StatusWriter
    from certwright.resources.names import Names, ObjectKey

log = structlog.get_logger(__name__)
PATIENCE, LONG_WAIT = 3, 60.0
"""Hiccups in a row, or seconds of a wait, from which on the status tells of it: less passes before anybody looks."""


class Troubles:
    """Turns faults into waits.

    Args:
        writer: Writes statuses.
        announcer: Writes Events.
        attempts: Counts faults in a row.
        instruments: Measures.
        names: Spells labels and annotations.
    """

    def __init__(
        self,
        *,
        writer: StatusWriter,
        announcer: Announcer,
        attempts: Attempts,
        instruments: Instruments,
        names: Names,
    ) -> None:
        self._writer = writer
        self._announcer = announcer
        self._attempts = attempts
        self._instruments = instruments
        self._names = names

    def pause(self, key: ObjectKey, fault: CertwrightError) -> float:
        """Seconds to wait after a fault that has nothing to do with an issuance, such as an API server that is away."""
        count = self._attempts.another(key)
        log.info("trying again soon", because=fault.message, reason=fault.reason, attempt=count)
        return backoff.after_hiccup(count, str(key), getattr(fault, "after", None))

    def hiccup(self, observation: Observation, reason: Reason, fault: Retryable, now: datetime) -> float:
        """A fault that passes by itself: wait, and say so when it lasts.

        Args:
            observation: What the step was decided from.
            reason: Why a certificate is being issued.
            fault: What happened.
            now: The moment.

        Returns:
            Seconds to wait.
        """
        certificate = observation.certificate
        count = self._attempts.another(certificate.key)
        seconds = backoff.after_hiccup(count, certificate.meta.uid, fault.after)
        if isinstance(fault, Throttled):
            seconds = max(seconds, (fault.until - now).total_seconds())
        log.info(
            "trying again soon", because=fault.message, reason=fault.reason, attempt=count, seconds=round(seconds, 1)
        )
        if count < PATIENCE and seconds < LONG_WAIT:
            return seconds
        message, order = fault.message, certificate.status.order
        if isinstance(fault, Throttled):
            message = f"{fault.message}; tried again at {format_time(fault.until)}"
            order = dataclasses.replace(order, waiting_until=fault.until) if order and seconds >= LONG_WAIT else order
        word = MANUAL if reason.word == MANUAL and order is None else fault.reason
        desired = statuses.ordering(
            observation,
            self._names,
            reason=Reason(word, message),
            order=order,
            next_key_secret=certificate.status.next_key_secret,
            now=now,
        )
        self._tell(observation, fault, message, now)
        self._write(observation, desired)
        return seconds

    def mistake(self, observation: Observation, reason: Reason, fault: CertwrightError, now: datetime) -> float:
        """Something that only a change mends: say what, and look again by and by, for the change may go unseen."""
        certificate = observation.certificate
        seconds = backoff.after_mistake(self._attempts.another(certificate.key))
        word = MANUAL if reason.word == MANUAL and certificate.status.order is None else fault.reason
        step = Wait(None, not_ready(observation, self._names, now), Reason(word, fault.message))
        self._tell(observation, fault, fault.message, now)
        self._write(observation, statuses.waiting(observation, step, now))
        return seconds

    def failure(self, observation: Observation, fault: CertwrightError, now: datetime) -> float:
        """The CA said no: count it in the status and wait by the CA's limits. One write."""
        certificate = observation.certificate
        self._attempts.over(certificate.key)
        self._instruments.failed(observation.issuer.type, fault.reason)
        counted = parse_status({"status": statuses.failed(observation, self._names, fault, now)})
        after = dataclasses.replace(observation, certificate=dataclasses.replace(certificate, status=counted))
        step = decide(after, self._names, now)
        desired = dict(counted.raw)
        if isinstance(step, Wait):
            desired = statuses.waiting(after, step, now)
        self._announcer.bad(CERTIFICATE, certificate.meta, reason=fault.reason, message=fault.message, now=now)
        self._write(observation, desired)
        if isinstance(step, Wait) and step.until:
            return max((step.until - now).total_seconds(), 1.0)
        return timedelta(minutes=1).total_seconds()

    def complain(self, observation: Observation, step: Wait, now: datetime) -> None:
        """An Event for a Wait that a person must end, when it is news."""
        told = step.issuing or step.ready
        if told is None:
            return
        conditions = (observation.certificate.status.condition(kind) for kind in (READY, ISSUING))
        if all(condition is None or condition.reason != told.word for condition in conditions):
            self._announcer.bad(
                CERTIFICATE, observation.certificate.meta, reason=told.word, message=told.message, now=now
            )

    def _tell(self, observation: Observation, fault: CertwrightError, message: str, now: datetime) -> None:
        """An Event for a kind of fault that the status does not show yet."""
        issuing = observation.certificate.status.condition(ISSUING)
        if issuing is None or (issuing.reason != fault.reason and issuing.message != message):
            self._instruments.failed(observation.issuer.type, fault.reason)
            self._announcer.bad(
                CERTIFICATE, observation.certificate.meta, reason=fault.reason, message=message, now=now
            )

    def _write(self, observation: Observation, desired: dict[str, object]) -> None:
        """Write a status that may be written later just as well."""
        try:
            self._writer.write(observation, desired)
        except Conflict:
            pass  # the news of the other's change brings the next look
        except NotFound:
            raise
        except CertwrightError as fault:
            log.info("status not written", because=fault.message)

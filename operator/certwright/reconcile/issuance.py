"""Carries an issuance out: asks the issuer, writes the journal before what it describes, stores what comes of it."""

from __future__ import annotations

import dataclasses
import time
from typing import TYPE_CHECKING, Any

import structlog

from certwright.core import backoff
from certwright.core import status as statuses
from certwright.core.desired import stamped_digest
from certwright.core.step import Reason
from certwright.core.temporary import temporary_wanted
from certwright.errors import CertwrightError, ChallengeFailed, Conflict, InvalidSpec, Retryable, Terminal
from certwright.issuers.base import Issued, OrderLost, Pending, Planned, Request
from certwright.kube.faults import Forbidden, NamespaceTerminating, NotFound
from certwright.reconcile.attempts import Attempts
from certwright.resources.certificate import parse_certificate
from certwright.resources.names import CERTIFICATE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from certwright.core.observation import Observation
    from certwright.issuers.base import Backend
    from certwright.issuers.next_key import NextKeys
    from certwright.reconcile.announcer import Announcer
    from certwright.reconcile.cache import Cache
    from certwright.reconcile.instruments import Instruments
    from certwright.reconcile.observer import Observer
    from certwright.reconcile.status_writer import StatusWriter
    from certwright.reconcile.storing import Store
    from certwright.reconcile.troubles import Troubles
    from certwright.resources.certificate import Certificate
    from certwright.resources.issuer import Issuer
    from certwright.resources.names import Names, ObjectKey
    from certwright.resources.order import OrderJournal

log = structlog.get_logger(__name__)
CLEAN_UP_TRIES = 10
"""Faults in a row after which records that cannot be removed are left, with an Event that names them."""


class Issuance:
    """Performs the steps that concern issuers.

    Args:
        backends: The issuers by type.
        clean_up: Removes what the journal of a Certificate says was presented; the issuer is None when it is gone.
        next_keys: Where next private keys rest.
        store: Writes TLS Secrets.
        observer: Puts observations together.
        writer: Writes statuses.
        cache: What the watches told.
        announcer: Writes Events.
        attempts: Counts faults in a row.
        troubles: Turns faults into waits.
        instruments: Measures.
        names: Spells labels and annotations.
        wake: Puts a key into the queue.
    """

    def __init__(
        self,
        *,
        backends: Mapping[str, Backend],
        clean_up: Callable[[Issuer | None, Certificate], None],
        next_keys: NextKeys,
        store: Store,
        observer: Observer,
        writer: StatusWriter,
        cache: Cache,
        announcer: Announcer,
        attempts: Attempts,
        troubles: Troubles,
        instruments: Instruments,
        names: Names,
        wake: Callable[[ObjectKey], None],
    ) -> None:
        self._backends = backends
        self._clean_up = clean_up
        self._next_keys = next_keys
        self._store = store
        self._observer = observer
        self._writer = writer
        self._cache = cache
        self._announcer = announcer
        self._attempts = attempts
        self._troubles = troubles
        self._instruments = instruments
        self._names = names
        self._wake = wake
        self._begun: dict[str, float] = {}
        self._losses = Attempts()

    def advance(self, observation: Observation, reason: Reason, now: datetime) -> Observation | float | None:
        """Begin an issuance or go on with it.

        Returns:
            The observation after what was done; None when the Certificate is gone; or the seconds to wait.

        Raises:
            Conflict: The Certificate changed: observe anew.
            NotFound: It is gone.
        """
        certificate = observation.certificate
        self._begun.setdefault(certificate.meta.uid, time.monotonic())
        try:
            return self._advance(observation, reason, now)
        except (Conflict, NotFound, NamespaceTerminating):
            raise
        except OrderLost as fault:
            return self._lost(observation, fault, now)
        except Retryable as fault:
            issuer = self._observer.issuer(certificate)
            if issuer and fault.reason == "AccountDoesNotExist":
                self._wake(issuer.key)
            return self._troubles.hiccup(observation, reason, fault, now)
        except (InvalidSpec, Forbidden) as fault:
            return self._troubles.mistake(observation, reason, fault, now)
        except (ChallengeFailed, Terminal) as fault:
            if not self._cleaned_up(certificate, now):
                return self._troubles.hiccup(observation, reason, Retryable(fault.message, reason=fault.reason), now)
            self._begun.pop(certificate.meta.uid, None)
            return self._troubles.failure(observation, fault, now)

    def _lost(self, observation: Observation, fault: OrderLost, now: datetime) -> Observation | float | None:
        """Order anew, the first time at once: a CA that loses every order must not be flooded with new ones."""
        log.info("abandoning the order", because=fault.message)
        certificate = observation.certificate
        after = self.abandon(observation, Reason(fault.reason, fault.message), now)
        losses = self._losses.another(certificate.key)
        if certificate.status.order is not None and losses == 1:
            return after
        pause = backoff.after_hiccup(losses, certificate.meta.uid)
        return max(pause, after) if isinstance(after, float) else pause

    def abandon(self, observation: Observation, reason: Reason, now: datetime) -> Observation | float | None:
        """Clean up after what the journal tells of, and forget it."""
        certificate = observation.certificate
        if not self._cleaned_up(certificate, now):
            return self._troubles.pause(certificate.key, Retryable(reason.message, reason=reason.word))
        if certificate.status.next_key_secret:
            self._next_keys.drop(certificate)
        left = {key: value for key, value in certificate.status.raw.items() if key not in statuses.ORDER_FIELDS}
        self._writer.write(observation, left)
        return self._observer.look(certificate.key)

    def clean_up_orphan(self, body: Mapping[str, Any], now: datetime) -> bool:
        """Clean up after a Certificate that was deleted with an order under way; whether it is done with."""
        try:
            certificate = parse_certificate(body)
        except InvalidSpec:
            return True
        self._begun.pop(certificate.meta.uid, None)
        self._losses.over(certificate.key)
        return self._cleaned_up(certificate, now)

    def _advance(self, observation: Observation, reason: Reason, now: datetime) -> Observation | float | None:
        certificate = observation.certificate
        issuer = self._observer.issuer(certificate)
        if issuer is None:
            raise Conflict("the issuer went away")
        self._see_a_future(observation)
        if issuer.acme and certificate.status.order is None:
            self._store.keystores.see_passwords(certificate)
        if temporary_wanted(observation, self._names):
            return self._serve_meanwhile(observation, now)
        backend = self._backends[issuer.type]
        outcome = backend.advance(issuer, Request(certificate, stamped_digest(certificate.spec), now))
        if isinstance(outcome, Issued):
            return self._store_it(observation, issuer, outcome, now)
        words = Reason(reason.word, outcome.message) if isinstance(outcome, Pending) else reason
        if isinstance(outcome, Planned) or outcome.lasting:
            named = certificate.spec.csr_ref is not None
            desired = statuses.ordering(
                observation,
                self._names,
                reason=words,
                order=outcome.order,
                next_key_secret=self._next_keys.secret_name(certificate) if issuer.acme and not named else "",
                now=now,
            )
            self._writer.write(observation, desired)
        if isinstance(outcome, Planned):
            return self._observer.look(certificate.key)
        self._attempts.over(certificate.key)
        return max(outcome.seconds, 0.01)

    def _serve_meanwhile(self, observation: Observation, now: datetime) -> Observation | None:
        """Put a temporary certificate into the Secret, for the key that the real one is going to have."""
        certificate = observation.certificate
        secret = self._store.put_temporary(observation, self._next_keys.lay(certificate), now)
        self._cache.note_secret(secret)
        text = f"temporary certificate stored in Secret {certificate.spec.secret_name}, until the real one is there"
        self._announcer.good(CERTIFICATE, certificate.meta, reason="Issuing", message=text, now=now)
        return self._observer.look(certificate.key)

    def _see_a_future(self, observation: Observation) -> None:
        """Order nothing for a namespace that is being deleted: its Secrets may go before its Certificates.

        Raises:
            NamespaceTerminating: It is being deleted.
        """
        status = observation.certificate.status
        vanished = observation.secret is None and status.revision > 0 and status.order is None
        if vanished and self._observer.namespace_ends(observation.certificate):
            raise NamespaceTerminating(f"namespace {observation.certificate.meta.namespace} is being deleted")

    def _store_it(
        self, observation: Observation, issuer: Issuer, issued: Issued, now: datetime
    ) -> Observation | float | None:
        """Secret first, so that a certificate in hand is never lost; then the traces, then the journal."""
        certificate = observation.certificate
        secret = self._store.put(observation, issued, now)
        self._cache.note_secret(secret)
        with_secret = self._observer.look(certificate.key)
        if with_secret is None:
            return None
        if not self._cleaned_up(certificate, now):
            text = "the certificate is stored; what proved its names could not be removed yet"
            return self._troubles.hiccup(
                with_secret, Reason("CleanUp", text), Retryable(text, reason="CleanUpFailed"), now
            )
        if certificate.status.next_key_secret:
            self._next_keys.drop(certificate)
        after = dataclasses.replace(with_secret, certificate=certificate)
        written = self._writer.write(after, statuses.issued(after, now))
        seconds = time.monotonic() - self._begun.pop(certificate.meta.uid, time.monotonic())
        self._instruments.issued(issuer.type, seconds)
        self._attempts.over(certificate.key)
        self._losses.over(certificate.key)
        status = written.certificate.status.raw
        message = (
            f"certificate stored in Secret {certificate.spec.secret_name}, issued by {issuer.reference} "
            f"in {seconds:.1f} s; valid until {status.get('notAfter', '?')}, "
            f"renewed at {status.get('renewalTime', '?')}"
        )
        self._announcer.good(
            CERTIFICATE,
            certificate.meta,
            reason="Issued",
            message=message,
            now=now,
            occasion=str(status.get("revision")),
        )
        return self._observer.look(certificate.key)

    def _cleaned_up(self, certificate: Certificate, now: datetime) -> bool:
        """Remove what was presented; False when that is to be tried again."""
        if certificate.status.order is None:
            return True
        issuer = None
        try:
            issuer = self._observer.issuer(certificate)
            self._clean_up(issuer, certificate)
        except CertwrightError as fault:
            if isinstance(fault, Retryable) and self._attempts.another(certificate.key) < CLEAN_UP_TRIES:
                log.info("cleaning up failed; trying again", because=fault.message)
                return False
            message = f"{_left(certificate.status.order)}: {fault.message}; remove them by hand"
            self._announcer.bad(CERTIFICATE, certificate.meta, reason="CleanUpFailed", message=message, now=now)
        return True


def _left(order: OrderJournal) -> str:
    """What an order leaves behind, in words."""
    records = ", ".join(item.record.name for item in order.identifiers if item.record)
    objects = ", ".join(f"{item.kind} {item.name}" for item in order.objects)
    told = [f"TXT records are left at {records[:200]}"] if records else []
    return " and ".join([*told, f"objects are left: {objects[:200]}"] if objects else told) or "nothing is left"

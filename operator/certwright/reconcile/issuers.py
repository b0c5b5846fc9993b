"""Reconciles one Issuer or ClusterIssuer: sees whether it can be asked, and says so in its status."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import structlog

from certwright.core import backoff
from certwright.core.status import COME_BY_THEMSELVES, patch
from certwright.errors import CertwrightError, Conflict, Retryable, Throttled
from certwright.kube import issuers
from certwright.kube.faults import NotFound
from certwright.reconcile.certificates import utc_now
from certwright.resources.conditions import READY, STALLED, Condition, merge
from certwright.resources.issuer import parse_issuer
from certwright.resources.meta import Meta

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from certwright.issuers.base import Backend, Report
    from certwright.kube.client import Kube
    from certwright.reconcile.announcer import Announcer
    from certwright.reconcile.attempts import Attempts
    from certwright.reconcile.cache import Cache
    from certwright.resources.issuer import Issuer
    from certwright.resources.names import ObjectKey

log = structlog.get_logger(__name__)
SETTLING = timedelta(seconds=3)
"""How long a new issuer may be unready without a word: what it needs is often applied in one go with it."""
PATIENCE = 2
"""Faults in a row that pass by themselves before the status tells of them."""


class IssuerReconciler:
    """Keeps issuers ready.

    Args:
        kube: The client.
        cache: What the watches told.
        backends: The issuers by type.
        announcer: Writes Events.
        attempts: Counts faults in a row.
        wake: Puts a Certificate into the queue.
        clock: Tells the time.
    """

    def __init__(
        self,
        *,
        kube: Kube,
        cache: Cache,
        backends: Mapping[str, Backend],
        announcer: Announcer,
        attempts: Attempts,
        wake: Callable[[ObjectKey], None],
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._kube = kube
        self._cache = cache
        self._backends = backends
        self._announcer = announcer
        self._attempts = attempts
        self._wake = wake
        self._clock = clock

    def reconcile(self, key: ObjectKey) -> float | None:
        """See that one issuer is ready, or say why it is not.

        Returns:
            Seconds until it is to be looked at again; None until something changes.
        """
        body = self._cache.issuer(key)
        if body is None:
            return None
        now = self._clock()
        try:
            issuer = parse_issuer({"kind": key.kind, **body})
            report = self._backends[issuer.type].check(issuer, now)
        except CertwrightError as fault:
            return self._not_ready(key, body, fault, now)
        self._attempts.over(key)
        return self._ready(key, body, issuer, report, now)

    def _ready(
        self, key: ObjectKey, body: Mapping[str, Any], issuer: Issuer, report: Report, now: datetime
    ) -> float | None:
        condition = Condition(READY, "True", report.reason, report.message, issuer.meta.generation)
        status: dict[str, Any] = {"conditions": merge(issuer.conditions, [condition], drop=(STALLED,), now=now)}
        if report.account is not None:
            status["acme"] = report.account
        return self._write(key, body, status)

    def _not_ready(
        self, key: ObjectKey, body: Mapping[str, Any], fault: CertwrightError, now: datetime
    ) -> float | None:
        """Wait by the class of the fault; what passes by itself leaves an issuer that was ready as it is, at first."""
        count = self._attempts.another(key)
        log.info("issuer not ready", because=fault.message, reason=fault.reason, attempt=count)
        passing = isinstance(fault, Retryable)
        seconds = backoff.after_hiccup(count, str(key), fault.after) if isinstance(fault, Retryable) else 0.0
        seconds = seconds if passing else backoff.after_mistake(count)
        if isinstance(fault, Throttled):
            seconds = max(seconds, (fault.until - now).total_seconds())
        meta = Meta.of(body)
        conditions = [Condition.of(item) for item in (body.get("status") or {}).get("conditions") or ()]
        before = next((condition for condition in conditions if condition.type == READY), None)
        if passing and count < PATIENCE and before is not None:
            return seconds
        if before is None and meta.created and now < meta.created + SETTLING:
            return min(seconds, SETTLING.total_seconds())
        if before is None or before.reason != fault.reason:
            self._announcer.bad(key.kind, meta, reason=fault.reason, message=fault.message, now=now)
        kinds = {READY: "False", STALLED: "True"}
        if passing or fault.reason in COME_BY_THEMSELVES:
            del kinds[STALLED]
        new = [Condition(kind, word, fault.reason, fault.message, meta.generation) for kind, word in kinds.items()]
        again = self._write(key, body, {"conditions": merge(conditions, new, drop={STALLED} - set(kinds), now=now)})
        return seconds if again is None else again

    def _write(self, key: ObjectKey, body: Mapping[str, Any], status: dict[str, Any]) -> float | None:
        """Write what differs, and wake the Certificates that wait for it; seconds when it must be tried again."""
        old = body.get("status") or {}
        changes = patch(old, {**old, **status})
        if not changes:
            return None
        version = Meta.of(body).resource_version
        try:
            written = issuers.patch_status(self._kube, key, resource_version=version, status=changes)
        except NotFound:
            return None
        except Conflict:
            return self._read_anew(key)
        except CertwrightError as fault:
            log.info("issuer's status not written", because=fault.message)
            return backoff.after_hiccup(self._attempts.another(key), str(key))
        for dependent in self._cache.note(key.kind, "WRITTEN", written) - {key}:
            self._wake(dependent)
        return None

    def _read_anew(self, key: ObjectKey) -> float:
        """Take in what somebody else wrote; seconds until the issuer is to be looked at again."""
        try:
            fresh = issuers.get(self._kube, key)
        except CertwrightError as fault:
            log.info("issuer not read", because=fault.message)
            return backoff.after_hiccup(self._attempts.another(key), str(key))
        if fresh:
            self._cache.note(key.kind, "READ", fresh)
        return 0.0

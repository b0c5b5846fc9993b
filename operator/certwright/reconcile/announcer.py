"""Tells people what happened, by Events. An Event is a courtesy: one that cannot be written is logged and forgotten."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from certwright.errors import CertwrightError
from certwright.kube import events

if TYPE_CHECKING:
    from datetime import datetime

    from certwright.kube.client import Kube
    from certwright.resources.meta import Meta
    from certwright.resources.names import Names

log = structlog.get_logger(__name__)


class Announcer:
    """Writes Events and log lines.

    Args:
        kube: The client.
        names: Spells the API version.
    """

    def __init__(self, kube: Kube, names: Names) -> None:
        self._kube = kube
        self._names = names

    def good(self, kind: str, meta: Meta, *, reason: str, message: str, now: datetime, occasion: str = "") -> None:
        """Something went well; `occasion` tells it from the last time it did."""
        log.info(message, reason=reason)
        self._record(kind, meta, type=events.NORMAL, reason=reason, message=message, now=now, occasion=occasion)

    def bad(self, kind: str, meta: Meta, *, reason: str, message: str, now: datetime) -> None:
        """Something went wrong."""
        log.warning(message, reason=reason)
        self._record(kind, meta, type=events.WARNING, reason=reason, message=message, now=now)

    def _record(
        self,
        kind: str,
        meta: Meta,
        *,
        type: str,  # noqa: A002 - the API's word
        reason: str,
        message: str,
        now: datetime,
        occasion: str = "",
    ) -> None:
        regarding = events.Regarding(self._names.api_version, kind, meta.namespace, meta.name, meta.uid)
        try:
            events.record(self._kube, regarding, type=type, reason=reason, message=message, now=now, occasion=occasion)
        except CertwrightError as fault:
            log.info("event not written", event_reason=reason, because=fault.message)

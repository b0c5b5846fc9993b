"""A renewal by hand: asking for it, and seeing how it gets on. It works with every operator that honours the condition.

It writes one condition of the status and nothing else; the operator does the rest, whether anybody looks or not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from certwright.cli.reading import certificate
from certwright.cli.situation import certificate_key
from certwright.core.reasons import MANUAL
from certwright.errors import Conflict
from certwright.kube import certificates
from certwright.resources.certificate import parse_status
from certwright.resources.conditions import ISSUING, READY, Condition, merge
from certwright.resources.meta import Meta

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from certwright.kube.client import Kube

TRIES = 5
MESSAGE = "a new certificate was asked for by hand, by `certwright renew`"


@dataclass(frozen=True, slots=True)
class Asked:
    """A renewal that was asked for, and what was there before it.

    Args:
        namespace: Of the Certificate.
        name: Of the Certificate.
        revision: Of the certificate it had.
        failures: How many attempts in a row had failed.
        already: Whether one was under way, so that nothing was written.
    """

    namespace: str
    name: str
    revision: int
    failures: int
    already: bool = False


@dataclass(frozen=True, slots=True)
class Progress:
    """How a renewal gets on: `done` is True, False for one that failed, None while it goes on."""

    done: bool | None
    message: str


def ask(kube: Kube, namespace: str, name: str, now: datetime) -> Asked:
    """Set the condition Issuing=True with reason ManuallyTriggered, by one read and one write.

    Args:
        kube: The client.
        namespace: Of the Certificate.
        name: Of the Certificate.
        now: The moment for the condition.

    Raises:
        NotFound: There is no such Certificate.
        Conflict: Somebody else keeps changing it.
        CertwrightError: See `kube.faults`.
    """
    for attempt in range(TRIES):
        body = certificate(kube, namespace, name)
        meta, status = Meta.of(body), parse_status(body)
        issuing = status.condition(ISSUING)
        asked = Asked(namespace, name, status.revision, status.failed_attempts)
        if issuing and issuing.status == "True":
            return Asked(namespace, name, status.revision, status.failed_attempts, already=True)
        condition = Condition(ISSUING, "True", MANUAL, MESSAGE, meta.generation)
        changes = {"conditions": merge(status.conditions, [condition], now=now)}
        try:
            certificates.patch_status(
                kube, certificate_key(namespace, name), resource_version=meta.resource_version, status=changes
            )
        except Conflict:
            if attempt == TRIES - 1:
                raise
        else:
            break
    return asked


def progress(asked: Asked, body: Mapping[str, Any]) -> Progress:
    """How far it is, from the Certificate as it is now."""
    status = parse_status(body)
    ready, issuing = status.condition(READY), status.condition(ISSUING)
    if issuing and issuing.status == "True":
        return Progress(None, issuing.message)
    if status.revision > asked.revision and ready and ready.status == "True":
        return Progress(True, f"Ready; certificate number {status.revision}, until {status.raw.get('notAfter', '?')}")
    if issuing and (status.failed_attempts > asked.failures or issuing.status == "False"):
        return Progress(False, f"{issuing.reason}: {issuing.message}")
    return Progress(None, ready.message if ready else "the operator has not looked at it yet")

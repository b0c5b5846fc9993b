"""Events for `kubectl describe`: one a kind of happening, its repeats counted into the first."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from certwright.kube.client import MERGE_PATCH, Kube
from certwright.kube.faults import AlreadyExists, NotFound
from certwright.kube.paths import CORE, path
from certwright.resources.values import clip, format_time

if TYPE_CHECKING:
    from datetime import datetime

NORMAL, WARNING = "Normal", "Warning"
MESSAGE_LIMIT = 1000  # characters; the API server takes 1024 bytes from some writers


@dataclass(frozen=True, slots=True)
class Regarding:
    """The object an Event is about."""

    api_version: str
    kind: str
    namespace: str
    name: str
    uid: str


def record(
    kube: Kube,
    regarding: Regarding,
    *,
    type: str,  # noqa: A002 - the API's word
    reason: str,
    message: str,
    now: datetime,
    occasion: str = "",
) -> None:
    """Create the Event, or count into the one there is of the same object, type, reason and occasion.

    A first one costs one write; a repeat one refused write, one read and one write. An Event is a courtesy: who calls
    this should log a fault and go on.

    Args:
        kube: The client.
        regarding: The object.
        type: `Normal` or `Warning`.
        reason: CamelCase word; what it is one kind of.
        message: For a person; the latest one is shown.
        now: The moment.
        occasion: What tells one from another that is no repeat, such as the number of a certificate.

    Raises:
        CertwrightError: See `kube.faults`.
    """
    namespace = regarding.namespace or "default"
    digest = hashlib.sha256(f"{regarding.uid}/{type}/{reason}/{occasion}".encode()).hexdigest()[:16]
    name = f"{regarding.name[:200].rstrip('-.')}.{digest}"
    latest = {"message": clip(message, MESSAGE_LIMIT), "lastTimestamp": format_time(now)}
    body: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"namespace": namespace, "name": name},
        "involvedObject": {
            "apiVersion": regarding.api_version,
            "kind": regarding.kind,
            "namespace": regarding.namespace,
            "name": regarding.name,
            "uid": regarding.uid,
        },
        "type": type,
        "reason": reason,
        "source": {"component": "certwright"},
        "reportingComponent": "certwright",
        "firstTimestamp": format_time(now),
        "count": 1,
        **latest,
    }
    try:
        kube.request("POST", path(CORE, "events", namespace), body=body)
    except AlreadyExists:
        where = path(CORE, "events", namespace, name)
        try:
            count = kube.request("GET", where).get("count")
            patch = {**latest, "count": count + 1 if isinstance(count, int) else 2}
            kube.request("PATCH", where, body=patch, content_type=MERGE_PATCH)
        except NotFound:  # it expired between the two requests
            kube.request("POST", path(CORE, "events", namespace), body=body)

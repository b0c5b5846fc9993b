"""Standard conditions: read, compare, and set so that lastTransitionTime moves only when the status does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from certwright.resources.values import clip, format_time

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

READY, ISSUING = "Ready", "Issuing"
STALLED = "Stalled"
"""What kstatus knows failure by, and with it Helm, Flux and kpt: it is not ready, and waiting alone will not help."""


@dataclass(frozen=True, slots=True)
class Condition:
    """One entry of `status.conditions` (metav1.Condition); `status` is "True", "False" or "Unknown"."""

    type: str
    status: str
    reason: str
    message: str
    observed_generation: int = 0
    last_transition_time: str = ""

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> Condition:
        """Read one from an object's status."""
        generation = body.get("observedGeneration")
        return cls(
            type=str(body.get("type", "")),
            status=str(body.get("status", "Unknown")),
            reason=str(body.get("reason", "")),
            message=str(body.get("message", "")),
            observed_generation=generation if isinstance(generation, int) else 0,
            last_transition_time=str(body.get("lastTransitionTime") or ""),
        )

    def body(self) -> dict[str, Any]:
        """The entry as it is written."""
        body: dict[str, Any] = {"type": self.type, "status": self.status, "reason": self.reason}
        body["message"] = clip(self.message, 600)
        if self.last_transition_time:
            body["lastTransitionTime"] = self.last_transition_time
        if self.observed_generation:
            body["observedGeneration"] = self.observed_generation
        return body


def merge(
    old: Iterable[Condition], new: Iterable[Condition], *, drop: Iterable[str] = (), now: datetime
) -> list[dict[str, Any]]:
    """The list to write: `new` replaces its types, `drop` removes types, others' conditions stay.

    Args:
        old: What the status holds.
        new: Conditions to set; their own lastTransitionTime is ignored.
        drop: Types to remove.
        now: The moment for those whose status changed.
    """
    before = {condition.type: condition for condition in old}
    for condition in new:
        was = before.get(condition.type)
        since = was.last_transition_time if was and was.status == condition.status else format_time(now)
        before[condition.type] = Condition(
            condition.type, condition.status, condition.reason, condition.message, condition.observed_generation, since
        )
    gone = set(drop)
    return [condition.body() for condition in before.values() if condition.type not in gone]

"""Bodies of objects as the watches bring them, not parsed: made small, and asked for the little that an index needs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from certwright.resources.conditions import READY

if TYPE_CHECKING:
    from collections.abc import Mapping

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def slim(body: Mapping[str, Any]) -> dict[str, Any]:
    """A body without what is long and never looked at."""
    meta = {key: value for key, value in (body.get("metadata") or {}).items() if key != "managedFields"}
    if LAST_APPLIED in (meta.get("annotations") or {}):
        meta["annotations"] = {key: value for key, value in meta["annotations"].items() if key != LAST_APPLIED}
    return {**body, "metadata": meta}


def version_of(body: Mapping[str, Any]) -> str:
    """The resourceVersion; empty when there is none."""
    return str((body.get("metadata") or {}).get("resourceVersion", ""))


def ready_of(body: Mapping[str, Any]) -> str:
    """The status of the Ready condition: True, False or Unknown."""
    conditions = (body.get("status") or {}).get("conditions") or ()
    return next((str(item.get("status")) for item in conditions if item.get("type") == READY), "Unknown")


def names_secret(value: object, name: str) -> bool:
    """Whether a spec names a Secret anywhere."""
    if isinstance(value, dict):
        return any(
            (key == "secretName" and item == name)
            or (key.lower().endswith("secretref") and isinstance(item, dict) and item.get("name") == name)
            or names_secret(item, name)
            for key, item in value.items()
        )
    return isinstance(value, list) and any(names_secret(item, name) for item in value)

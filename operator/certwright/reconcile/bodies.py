"""Bodies of objects as the watches bring them, not parsed: made small, and asked for the little that an index needs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from certwright.resources.conditions import READY

if TYPE_CHECKING:
    from collections.abc import Mapping

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


WITHHELD = "(at the API server)"
"""Stands for a password in a body that is kept."""


def slim(body: Mapping[str, Any]) -> dict[str, Any]:
    """A body without what is long and never looked at, and without passwords."""
    meta = {key: value for key, value in (body.get("metadata") or {}).items() if key != "managedFields"}
    if LAST_APPLIED in (meta.get("annotations") or {}):
        meta["annotations"] = {key: value for key, value in meta["annotations"].items() if key != LAST_APPLIED}
    kept = {**body, "metadata": meta}
    spec = body.get("spec")
    if isinstance(spec, dict) and isinstance(spec.get("keystores"), dict):
        kept["spec"] = {**spec, "keystores": {kind: _sealed(store) for kind, store in spec["keystores"].items()}}
    return kept


def password_secrets(spec: object) -> tuple[str, ...]:
    """Names of the Secrets that a Certificate's spec has keystores' passwords from."""
    stores = spec.get("keystores") if isinstance(spec, dict) else None
    found = stores.values() if isinstance(stores, dict) else ()
    references = (store.get("passwordSecretRef") for store in found if isinstance(store, dict))
    names = (item.get("name") for item in references if isinstance(item, dict))
    return tuple(dict.fromkeys(str(name) for name in names if name))


def version_of(body: Mapping[str, Any]) -> str:
    """The resourceVersion; empty when there is none."""
    return str((body.get("metadata") or {}).get("resourceVersion", ""))


def ready_of(body: Mapping[str, Any]) -> str:
    """The status of the Ready condition: True, False or Unknown."""
    conditions = (body.get("status") or {}).get("conditions") or ()
    return next((str(item.get("status")) for item in conditions if item.get("type") == READY), "Unknown")


def _sealed(store: object) -> object:
    return {**store, "password": WITHHELD} if isinstance(store, dict) and store.get("password") else store


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

"""The metadata every cluster object has, and references from one object to another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from certwright.resources.reading import Fields
from certwright.resources.values import parse_time

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime


@dataclass(frozen=True, slots=True)
class Meta:
    """What we use of metav1.ObjectMeta."""

    namespace: str
    name: str
    uid: str
    generation: int
    resource_version: str
    created: datetime | None
    deleting: bool
    labels: Mapping[str, str]
    annotations: Mapping[str, str]

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> Meta:
        """Read it from a whole object."""
        meta = Fields(body.get("metadata"), "metadata")
        return cls(
            namespace=meta.text("namespace"),
            name=meta.text("name"),
            uid=meta.text("uid"),
            generation=meta.number("generation") or 0,
            resource_version=meta.text("resourceVersion"),
            created=parse_time(meta.text("creationTimestamp")),
            deleting="deletionTimestamp" in meta,
            labels=meta.table("labels"),
            annotations=meta.table("annotations"),
        )


@dataclass(frozen=True, slots=True)
class SecretRef:
    """A key of a Secret in the namespace that the referring object's kind prescribes."""

    name: str
    key: str

    @classmethod
    def of(cls, fields: Fields, *, default_key: str = "") -> SecretRef | None:
        """Read `{name, key}`; None when there is no such field."""
        return cls(fields.text("name"), fields.text("key") or default_key) if fields else None

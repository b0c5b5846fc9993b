"""Secrets at the API server. Their data is bytes here, and is in no repr, message or log."""

from __future__ import annotations

from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from certwright.errors import InvalidSpec
from certwright.kube.client import APPLY, Kube
from certwright.kube.faults import NotFound
from certwright.kube.paths import CORE, path
from certwright.resources.meta import Meta

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

OPAQUE, TLS = "Opaque", "kubernetes.io/tls"


@dataclass(frozen=True, slots=True)
class Secret:
    """A Secret with its data decoded; the repr shows none of it.

    Args:
        meta: Its metadata.
        type: For instance `kubernetes.io/tls`.
        data: Values by key.
        owner_uids: uids of the objects it belongs to.
        applied: What our field manager owns: `labels/x`, `annotations/x`, `data/x`; the rest is others'.
        immutable: True when its data can never change.
    """

    meta: Meta
    type: str
    data: Mapping[str, bytes] = field(repr=False)
    owner_uids: tuple[str, ...] = ()
    applied: frozenset[str] = frozenset()
    immutable: bool = False


def parse(body: Mapping[str, Any], *, manager: str) -> Secret:
    """Read a Secret's body, from a request or a watch.

    Args:
        body: The object.
        manager: Our field manager.

    Raises:
        InvalidSpec: When a value is not base64, which no API server lets through.
    """
    meta = Meta.of(body)
    try:
        data = {key: b64decode(value or "") for key, value in (body.get("data") or {}).items()}
    except (Base64Error, TypeError, ValueError, AttributeError):
        raise InvalidSpec(f"secret {meta.namespace}/{meta.name}: its data is not base64") from None
    metadata = body.get("metadata") or {}
    return Secret(
        meta=meta,
        type=str(body.get("type") or OPAQUE),
        data=data,
        owner_uids=tuple(str(owner.get("uid")) for owner in metadata.get("ownerReferences") or ()),
        applied=_applied(metadata.get("managedFields") or (), manager),
        immutable=body.get("immutable") is True,
    )


def get(kube: Kube, namespace: str, name: str) -> Secret | None:
    """The Secret as it is now; None when there is none.

    Raises:
        CertwrightError: See `kube.faults`.
    """
    try:
        body = kube.request("GET", path(CORE, "secrets", namespace, name))
    except NotFound:
        return None
    return parse(body, manager=kube.names.field_manager)


def create(
    kube: Kube,
    namespace: str,
    name: str,
    *,
    data: Mapping[str, bytes],
    type: str = OPAQUE,  # noqa: A002 - the API's word
    labels: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
    owners: Sequence[Mapping[str, Any]] = (),
) -> Secret:
    """Create a Secret.

    Args:
        kube: The client.
        namespace: Its namespace.
        name: Its name.
        data: Values by key.
        type: It can never be changed later.
        labels: Labels.
        annotations: Annotations.
        owners: metav1.OwnerReference objects.

    Raises:
        AlreadyExists: There is one of that name.
        CertwrightError: See `kube.faults`.
    """
    body = _body(namespace, name, kind=type, data=data, labels=labels, annotations=annotations, owners=owners)
    query = {"fieldManager": kube.names.field_manager}
    answer = kube.request("POST", path(CORE, "secrets", namespace), body=body, query=query)
    return parse(answer, manager=kube.names.field_manager)


def apply(
    kube: Kube,
    namespace: str,
    name: str,
    *,
    data: Mapping[str, bytes],
    type: str = TLS,  # noqa: A002 - the API's word
    labels: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
    owners: Sequence[Mapping[str, Any]] = (),
    resource_version: str = "",
    uid: str = "",
) -> Secret:
    """Write our part of a Secret by server-side apply: others' keys stay, what we applied before and not now goes.

    Args:
        kube: The client.
        namespace: Its namespace.
        name: Its name.
        data: Values by key.
        type: It can never be changed later.
        labels: Labels.
        annotations: Annotations.
        owners: metav1.OwnerReference objects.
        resource_version: When given, the Secret must exist and not have changed since.
        uid: When given, the Secret must exist and be that one.

    Raises:
        Conflict: A precondition does not hold.
        InvalidSpec: The API server refused it, for instance another type.
        CertwrightError: See `kube.faults`.
    """
    body = _body(namespace, name, kind=type, data=data, labels=labels, annotations=annotations, owners=owners)
    if resource_version:
        body["metadata"]["resourceVersion"] = resource_version
    if uid:
        body["metadata"]["uid"] = uid
    query = {"fieldManager": kube.names.field_manager, "force": "true"}
    where = path(CORE, "secrets", namespace, name)
    answer = kube.request("PATCH", where, body=body, query=query, content_type=APPLY)
    return parse(answer, manager=kube.names.field_manager)


def delete(kube: Kube, namespace: str, name: str, *, resource_version: str = "", uid: str = "") -> None:
    """Delete a Secret; one that is gone already is fine.

    Args:
        kube: The client.
        namespace: Its namespace.
        name: Its name.
        resource_version: When given, it must not have changed since.
        uid: When given, it must be that one.

    Raises:
        Conflict: A precondition does not hold.
        CertwrightError: See `kube.faults`.
    """
    wanted = {"resourceVersion": resource_version, "uid": uid}
    preconditions = {key: value for key, value in wanted.items() if value}
    body = {"preconditions": preconditions} if preconditions else None
    try:
        kube.request("DELETE", path(CORE, "secrets", namespace, name), body=body)
    except NotFound:
        return


def _body(
    namespace: str,
    name: str,
    *,
    kind: str,
    data: Mapping[str, bytes],
    labels: Mapping[str, str] | None,
    annotations: Mapping[str, str] | None,
    owners: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    metadata: dict[str, Any] = {"namespace": namespace, "name": name}
    if labels:
        metadata["labels"] = dict(labels)
    if annotations:
        metadata["annotations"] = dict(annotations)
    if owners:
        metadata["ownerReferences"] = [dict(owner) for owner in owners]
    encoded = {key: b64encode(value).decode() for key, value in data.items()}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": kind, "data": encoded}


def _applied(managed: Sequence[Mapping[str, Any]], manager: str) -> frozenset[str]:
    """The keys that our server-side applies own; `f:` marks a field in managedFields."""
    found: set[str] = set()
    for entry in managed:
        if entry.get("manager") != manager or entry.get("operation") != "Apply":
            continue
        fields = entry.get("fieldsV1") or {}
        for part, owned in (
            ("labels", (fields.get("f:metadata") or {}).get("f:labels")),
            ("annotations", (fields.get("f:metadata") or {}).get("f:annotations")),
            ("data", fields.get("f:data")),
        ):
            found.update(f"{part}/{key[2:]}" for key in owned or () if key.startswith("f:"))
    return frozenset(found)

"""Certificates at the API server: read one, write its status."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from certwright.kube.client import MERGE_PATCH, Kube
from certwright.kube.faults import NotFound
from certwright.kube.paths import path
from certwright.resources.names import CERTIFICATE, PLURALS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from certwright.resources.names import ObjectKey


def get(kube: Kube, key: ObjectKey) -> dict[str, Any] | None:
    """The Certificate as it is now; None when there is none.

    Raises:
        CertwrightError: See `kube.faults`.
    """
    try:
        return kube.request("GET", _path(kube, key))
    except NotFound:
        return None


def patch_status(kube: Kube, key: ObjectKey, *, resource_version: str, status: Mapping[str, Any]) -> dict[str, Any]:
    """Merge `status` into the status, if nobody changed the Certificate since `resource_version`.

    Args:
        kube: The client.
        key: The Certificate.
        resource_version: Of the Certificate that was looked at.
        status: A merge patch (RFC 7386): None removes a field, lists are replaced whole.

    Returns:
        The Certificate as written.

    Raises:
        Conflict: It was changed meanwhile.
        NotFound: It is gone.
        CertwrightError: See `kube.faults`.
    """
    body = {"metadata": {"resourceVersion": resource_version}, "status": dict(status)}
    return kube.request("PATCH", _path(kube, key, "status"), body=body, content_type=MERGE_PATCH)


def _path(kube: Kube, key: ObjectKey, subresource: str = "") -> str:
    return path(kube.group_path, PLURALS[CERTIFICATE], key.namespace, key.name, subresource)

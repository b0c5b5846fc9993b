"""Issuers and ClusterIssuers at the API server: read one, write its status."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from certwright.kube.client import MERGE_PATCH, Kube
from certwright.kube.faults import NotFound
from certwright.kube.paths import path
from certwright.resources.names import PLURALS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from certwright.resources.names import ObjectKey


def get(kube: Kube, key: ObjectKey) -> dict[str, Any] | None:
    """The Issuer or ClusterIssuer, by the key's kind, as it is now; None when there is none.

    Raises:
        CertwrightError: See `kube.faults`.
    """
    try:
        return kube.request("GET", _path(kube, key))
    except NotFound:
        return None


def patch_status(kube: Kube, key: ObjectKey, *, resource_version: str, status: Mapping[str, Any]) -> dict[str, Any]:
    """Merge `status` into the status, if nobody changed the issuer since `resource_version`; returns it as written.

    Raises:
        Conflict: It was changed meanwhile.
        NotFound: It is gone.
        CertwrightError: See `kube.faults`.
    """
    body = {"metadata": {"resourceVersion": resource_version}, "status": dict(status)}
    return kube.request("PATCH", _path(kube, key, "status"), body=body, content_type=MERGE_PATCH)


def _path(kube: Kube, key: ObjectKey, subresource: str = "") -> str:
    return path(kube.group_path, PLURALS[key.kind], key.namespace, key.name, subresource)

"""Lists by pages, so that no answer is as large as the cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from certwright.kube.client import JSON, METADATA_LIST, Kube
from certwright.kube.faults import Expired
from certwright.kube.paths import CORE, path
from certwright.resources.names import CLUSTER_ISSUER, PLURALS

if TYPE_CHECKING:
    from collections.abc import Iterator

SECRET = "Secret"  # noqa: S105 - the kind
PAGE_SIZE = 500
MAX_RESTARTS = 3


def of_kind(
    kube: Kube, kind: str, *, namespace: str = "", selector: str = "", metadata_only: bool = False
) -> Iterator[dict[str, Any]]:
    """The objects of one kind, page by page; some come twice when a page came too late and the list began again.

    Args:
        kube: The client.
        kind: `Secret` or one of ours.
        namespace: Empty for all namespaces; ClusterIssuers have none.
        selector: Label selector, filtered by the API server.
        metadata_only: Leave out everything but the metadata.

    Yields:
        Bodies of objects.

    Raises:
        UnknownResource: The kind's CustomResourceDefinition is not installed.
        Forbidden: A right is missing; the message names it.
        CertwrightError: See `kube.faults`.
    """
    prefix, plural = (CORE, "secrets") if kind == SECRET else (kube.group_path, PLURALS[kind])
    where = path(prefix, plural, "" if kind == CLUSTER_ISSUER else namespace)
    query = {"limit": str(PAGE_SIZE)}
    if selector:
        query["labelSelector"] = selector
    token, restarts = "", 0
    while True:
        try:
            page = kube.request(
                "GET",
                where,
                query={**query, "continue": token} if token else query,
                accept=METADATA_LIST if metadata_only else JSON,
            )
        except Expired:
            restarts += 1
            if not token or restarts > MAX_RESTARTS:
                raise
            token = ""
            continue
        yield from page.get("items") or ()
        token = (page.get("metadata") or {}).get("continue") or ""
        if not token:
            return

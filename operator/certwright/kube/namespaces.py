"""Namespaces at the API server: whether one is being deleted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from certwright.kube.faults import Forbidden, NotFound
from certwright.kube.paths import CORE, path

if TYPE_CHECKING:
    from certwright.kube.client import Kube


def is_terminating(kube: Kube, name: str) -> bool:
    """Whether a namespace is being deleted; False also where that may not be asked (`get` on namespaces).

    Raises:
        CertwrightError: See `kube.faults`.
    """
    try:
        body = kube.request("GET", path(CORE, "namespaces", name=name))
    except (NotFound, Forbidden):
        return False
    return bool((body.get("metadata") or {}).get("deletionTimestamp"))

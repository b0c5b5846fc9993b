"""Leases at the API server: who leads, and until when without a renewal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from certwright.kube.faults import NotFound
from certwright.kube.paths import LEASES, path

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from certwright.kube.client import Kube


@dataclass(frozen=True, slots=True)
class Lease:
    """A coordination.k8s.io/v1 Lease.

    Args:
        holder: Identity of the leader; empty when nobody leads.
        seconds: How long it is valid after a renewal.
        acquired: When the holder got it, as the API spells it.
        renewed: When the holder renewed it last, as the API spells it.
        transitions: How often it changed hands.
        resource_version: For the next write; empty for a Lease that is not there yet.
    """

    holder: str
    seconds: int
    acquired: str
    renewed: str
    transitions: int = 0
    resource_version: str = ""

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> Lease:
        """Read a Lease's body."""
        spec = body.get("spec") or {}
        return cls(
            holder=str(spec.get("holderIdentity") or ""),
            seconds=int(spec.get("leaseDurationSeconds") or 0),
            acquired=str(spec.get("acquireTime") or ""),
            renewed=str(spec.get("renewTime") or ""),
            transitions=int(spec.get("leaseTransitions") or 0),
            resource_version=str((body.get("metadata") or {}).get("resourceVersion") or ""),
        )


def get(kube: Kube, namespace: str, name: str, *, timeout: float) -> Lease | None:
    """The Lease as it is now; None when there is none. `timeout` is in seconds.

    Raises:
        CertwrightError: See `kube.faults`.
    """
    try:
        return Lease.of(kube.request("GET", path(LEASES, "leases", namespace, name), timeout=timeout))
    except NotFound:
        return None


def put(kube: Kube, namespace: str, name: str, *, lease: Lease, timeout: float) -> Lease:
    """Create the Lease, or replace it if it has not changed since `lease.resource_version`.

    Args:
        kube: The client.
        namespace: Its namespace.
        name: Its name.
        lease: What to write.
        timeout: Seconds to wait for the answer.

    Raises:
        Conflict: Somebody else wrote it first.
        CertwrightError: See `kube.faults`.
    """
    spec: dict[str, Any] = {
        "holderIdentity": lease.holder,
        "leaseDurationSeconds": lease.seconds,
        "acquireTime": lease.acquired or None,
        "renewTime": lease.renewed or None,
        "leaseTransitions": lease.transitions,
    }
    metadata = {"namespace": namespace, "name": name}
    body = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata, "spec": spec}
    if lease.resource_version:
        metadata["resourceVersion"] = lease.resource_version
        where = path(LEASES, "leases", namespace, name)
        return Lease.of(kube.request("PUT", where, body=body, timeout=timeout))
    return Lease.of(kube.request("POST", path(LEASES, "leases", namespace), body=body, timeout=timeout))


def format_micro_time(value: datetime) -> str:
    """A metav1.MicroTime."""
    return value.strftime("%Y-%m-%dT%H:%M:%S.%fZ")

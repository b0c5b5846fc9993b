"""The objects that solvers make: pods, Services, Ingresses, HTTPRoutes, and a look at what these refer to.

Bodies are plain mappings; nothing here knows what is in them. None of them is watched or kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from certwright.kube.faults import AlreadyExists, NotFound
from certwright.kube.paths import CORE, path

if TYPE_CHECKING:
    from collections.abc import Mapping

    from certwright.kube.client import Kube

NETWORKING, GATEWAY = "/apis/networking.k8s.io/v1", "/apis/gateway.networking.k8s.io/v1"
KINDS: Mapping[str, tuple[str, str]] = {
    "Pod": (CORE, "pods"),
    "Service": (CORE, "services"),
    "Ingress": (NETWORKING, "ingresses"),
    "IngressClass": (NETWORKING, "ingressclasses"),
    "HTTPRoute": (GATEWAY, "httproutes"),
    "Gateway": (GATEWAY, "gateways"),
}


def get(kube: Kube, kind: str, namespace: str, name: str) -> dict[str, Any] | None:
    """The object as it is now; None when there is none.

    Args:
        kube: The client.
        kind: One of KINDS.
        namespace: Empty for a kind that has none.
        name: Its name.

    Raises:
        UnknownResource: The kind's CustomResourceDefinition is not installed.
        CertwrightError: See `kube.faults`.
    """
    try:
        return kube.request("GET", path(*KINDS[kind], namespace, name))
    except NotFound:
        return None


def create(kube: Kube, body: Mapping[str, Any]) -> bool:
    """Create an object; False when there is one of that name.

    Raises:
        Forbidden: A right is missing, or a policy or a quota refused it.
        CertwrightError: See `kube.faults`.
    """
    where = path(*KINDS[body["kind"]], body["metadata"]["namespace"])
    try:
        kube.request("POST", where, body=body, query={"fieldManager": kube.names.field_manager})
    except AlreadyExists:
        return False
    return True


def replace(kube: Kube, body: Mapping[str, Any]) -> None:
    """Write a whole object that was read before.

    Raises:
        Conflict: It changed since it was read.
        CertwrightError: See `kube.faults`.
    """
    metadata = body["metadata"]
    where = path(*KINDS[body["kind"]], metadata["namespace"], metadata["name"])
    kube.request("PUT", where, body=body, query={"fieldManager": kube.names.field_manager})


def delete(kube: Kube, kind: str, namespace: str, name: str, *, at_once: bool = False) -> None:
    """Delete an object; one that is gone already is fine.

    Args:
        kube: The client.
        kind: One of KINDS.
        namespace: Its namespace.
        name: Its name.
        at_once: Do not wait for a pod to end; for one that has ended.

    Raises:
        CertwrightError: See `kube.faults`.
    """
    body = {"gracePeriodSeconds": 0} if at_once else None
    try:
        kube.request("DELETE", path(*KINDS[kind], namespace, name), body=body)
    except NotFound:
        return

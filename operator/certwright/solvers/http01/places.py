"""Where an order's answers can be looked for besides the public name: what the cluster reports of the objects made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from certwright.errors import CertwrightError
from certwright.kube import objects
from certwright.resources.values import clip
from certwright.solvers.http01.check.looking import Places
from certwright.solvers.http01.rules import PORT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from certwright.kube.client import Kube
    from certwright.solvers.http01.answer import Answer
    from certwright.solvers.http01.objects import Manifests


def places(kube: Kube, manifests: Manifests, whole: Sequence[Answer], pod: Mapping[str, Any] | None) -> Places:
    """Ask the API server where the answers are reached.

    Args:
        kube: The client.
        manifests: What was made.
        whole: For all of these.
        pod: The solver pod; None when there is none at the moment.

    Raises:
        CertwrightError: See `kube.faults`.
    """
    address, trouble = _pod(pod)
    config, namespace = manifests.config, manifests.certificate.namespace
    if config.way == "webroot":
        # The pod writes a file and serves nobody; the web server that does is not known.
        return Places(entry_kind="", trouble=trouble)
    if trouble:  # nobody is asked before there is a pod
        return Places(trouble=trouble)
    if config.way == "gatewayHTTPRoute":
        kind, entry = _gateways(kube, manifests)
    else:
        name = config.ingress_name or whole[0].bundle
        kind = f"Ingress {namespace}/{name}"
        entry = _addresses(objects.get(kube, "Ingress", namespace, name), "loadBalancer", "ingress")
    return Places(entry=entry, entry_kind=kind, pod=f"{_bracketed(address)}:{PORT}")


def _pod(body: Mapping[str, Any] | None) -> tuple[str, str]:
    """Its address, and why it does not answer yet, as far as the API server knows."""
    if body is None:
        return "", "the solver pod was gone and is made anew"
    name, status = body["metadata"]["name"], body.get("status") or {}
    if body["metadata"].get("deletionTimestamp"):
        return "", f"the solver pod {name} is being deleted; a new one follows"
    for container in status.get("containerStatuses") or ():
        waiting = (container.get("state") or {}).get("waiting")
        if waiting:
            said = ": ".join(str(waiting[key]) for key in ("reason", "message") if waiting.get(key))
            return "", clip(f"the container of the solver pod {name} does not run: {said}")
    for condition in status.get("conditions") or ():
        if condition.get("type") == "PodScheduled" and condition.get("status") == "False":
            return "", clip(f"the solver pod {name} finds no node: {condition.get('message', '')}")
    if status.get("phase") != "Running" or not status.get("podIP"):
        return "", f"the solver pod {name} is starting"
    return str(status["podIP"]), ""


def _gateways(kube: Kube, manifests: Manifests) -> tuple[str, tuple[str, ...]]:
    """The Gateways' names, and the addresses that they report."""
    called, entry = [], []
    for parent in manifests.config.parents:
        namespace = str(parent.get("namespace") or manifests.certificate.namespace)
        called.append(f"{namespace}/{parent['name']}")
        if parent.get("kind", "Gateway") != "Gateway":
            continue
        try:
            body = objects.get(kube, "Gateway", namespace, str(parent["name"]))
        except CertwrightError:
            continue  # another's namespace; the other ways tell as much
        entry += [str(item["value"]) for item in ((body or {}).get("status") or {}).get("addresses") or ()]
    return f"Gateway {', '.join(called)}", tuple(dict.fromkeys(entry))


def _addresses(body: Mapping[str, Any] | None, *steps: str) -> tuple[str, ...]:
    found: Any = (body or {}).get("status") or {}
    for step in steps:
        found = found.get(step) or {}
    items = found if isinstance(found, list) else []
    named = (str(item.get("ip") or item.get("hostname") or "") for item in items)
    return tuple(dict.fromkeys(address for address in named if address))


def _bracketed(address: str) -> str:
    return f"[{address}]" if ":" in address else address

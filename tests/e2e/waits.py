"""What tests look at and wait for: one GET a look, since starting kubectl would cost a hundred times as much."""

import base64
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from certwright.errors import Retryable
from certwright.kube.client import MERGE_PATCH, Kube
from certwright.kube.faults import NotFound
from certwright.kube.paths import CORE, path
from certwright.resources.names import DEFAULT_GROUP, Names
from cluster.environment import Environment
from cluster.manifests import Manifest, condition, rfc2136

NAMES = Names(DEFAULT_GROUP)
LOOK_EVERY = 0.1
Found = TypeVar("Found")
Holding = Callable[[], AbstractContextManager[None]]
"""The fixture `holding`: no order gets further than its record within it."""


def solver(env: Environment) -> Manifest:
    """A solver that looks for its records every second, so that what heals is noticed soon."""
    return {"dns01": {**rfc2136(env)["dns01"], "propagation": {"interval": "1s"}}}


@lru_cache(maxsize=8)
def client(kubeconfig: Path) -> Kube:
    """The tests' own client; its user agent keeps it out of what is counted for the operator."""
    return Kube(kubeconfig=str(kubeconfig), names=NAMES, user_agent="certwright-tests")


def until(look: Callable[[], Found], timeout: float, what: str, explain: Callable[[], object] = str) -> Found:
    """Look until there is something to see, and return it; fail with `what` and the explanation after `timeout` s."""
    deadline = time.monotonic() + timeout
    while not (found := look()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout:.0f} s: {what}; {explain()}")
        time.sleep(LOOK_EVERY)
    return found


def get(env: Environment, kind: str, namespace: str, name: str) -> Manifest | None:
    """An object of ours by its plural, such as `certificates`; None when there is none or nobody answers."""
    kube = client(env.kubeconfig)
    try:
        return kube.request("GET", path(kube.group_path, kind, namespace, name))
    except (NotFound, Retryable):
        return None


def fetch_certificate(env: Environment, namespace: str, name: str) -> Manifest:
    """A Certificate; empty when there is none."""
    return get(env, "certificates", namespace, name) or {}


def status(env: Environment, namespace: str, name: str) -> Manifest:
    """A Certificate's status; empty when it has none."""
    return dict(fetch_certificate(env, namespace, name).get("status") or {})


def wait_condition(
    env: Environment,
    namespace: str,
    name: str,
    kind: str,
    wanted: str = "True",
    *,
    resource: str = "certificates",
    reason: str = "",
    says: str = "",
    timeout: float = 30.0,
) -> Manifest:
    """Wait for a condition of the present generation and return it.

    Args:
        env: Where to look.
        namespace: The object's.
        name: The object's.
        kind: Type of the condition.
        wanted: Its status.
        resource: Plural of the object's kind.
        reason: Its reason; empty for any.
        says: What its message contains; empty for anything.
        timeout: Seconds.
    """

    def look() -> Manifest:
        body = get(env, resource, namespace, name)
        found = condition(body, kind)
        fits = found.get("status") == wanted and reason in ("", found.get("reason"))
        current = found.get("observedGeneration") == ((body or {}).get("metadata") or {}).get("generation")
        return found if fits and current and says in found.get("message", "") else {}

    def explain() -> object:
        return (get(env, resource, namespace, name) or {}).get("status")

    return until(look, timeout, f"{resource} {namespace}/{name} has {kind}={wanted} {reason} {says}", explain)


def wait_ready(env: Environment, namespace: str, name: str, timeout: float = 30.0) -> Manifest:
    """Wait until a Certificate is Ready with no order left, and return it."""

    def look() -> Manifest:
        body = fetch_certificate(env, namespace, name)
        ready = condition(body, "Ready")
        current = ready.get("observedGeneration") == (body.get("metadata") or {}).get("generation")
        done = ready.get("status") == "True" and "order" not in body["status"] and not condition(body, "Issuing")
        return body if done and current else {}

    return until(look, timeout, f"{namespace}/{name} is Ready", lambda: status(env, namespace, name))


def wait_issuer(env: Environment, namespace: str, name: str = "acme", timeout: float = 30.0) -> Manifest:
    """Wait until an Issuer is Ready and return it."""
    wait_condition(env, namespace, name, "Ready", resource="issuers", timeout=timeout)
    return get(env, "issuers", namespace, name) or {}


def wait_order(env: Environment, namespace: str, name: str, timeout: float = 30.0) -> Manifest:
    """Wait until a Certificate's journal has an order and return it."""
    return until(
        lambda: status(env, namespace, name).get("order") or {},
        timeout,
        f"{namespace}/{name} has an order",
        lambda: status(env, namespace, name),
    )


def events(env: Environment, namespace: str, name: str = "") -> list[Manifest]:
    """The Events of a namespace, or of one object in it."""
    found = client(env.kubeconfig).request("GET", path(CORE, "events", namespace))["items"]
    return [event for event in found if name in ("", event["involvedObject"]["name"])]


def secrets(env: Environment, namespace: str, label: str = "") -> list[Manifest]:
    """The Secrets of a namespace, by a label selector."""
    query = {"labelSelector": label} if label else None
    return list(client(env.kubeconfig).request("GET", path(CORE, "secrets", namespace), query=query)["items"])


def secret(env: Environment, namespace: str, name: str) -> dict[str, bytes] | None:
    """The data of a Secret; None when there is none."""
    try:
        body = client(env.kubeconfig).request("GET", path(CORE, "secrets", namespace, name))
    except NotFound:
        return None
    return {key: base64.b64decode(value) for key, value in (body.get("data") or {}).items()}


def next_key_secrets(env: Environment, namespace: str) -> list[str]:
    """The helper Secrets that hold next private keys."""
    return [item["metadata"]["name"] for item in secrets(env, namespace, f"{NAMES.next_key_label}=true")]


def operator_writes(env: Environment, since: int, *namespaces: str) -> list[str]:
    """What operators wrote since an `audit_mark()`, in some namespaces or in all; Leases left out."""
    return [
        f"{entry.verb} {entry.resource} {entry.namespace}/{entry.name} {entry.code}"
        for entry in env.audit(since)
        if entry.is_write
        and entry.user_agent.startswith("certwright/")
        and entry.resource != "leases"
        and (not namespaces or entry.namespace in namespaces)
    ]


def renew(env: Environment, namespace: str, name: str) -> None:
    """Ask for a new certificate as `cmctl renew` does: Issuing=True with its reason."""
    body = fetch_certificate(env, namespace, name)
    asked = {
        "type": "Issuing",
        "status": "True",
        "reason": "ManuallyTriggered",
        "message": "asked for by a test",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
        "observedGeneration": body["metadata"]["generation"],
    }
    change: dict[str, Any] = {"status": {"conditions": [*body["status"]["conditions"], asked]}}
    kube = client(env.kubeconfig)
    where = path(kube.group_path, "certificates", namespace, name, "status")
    kube.request("PATCH", where, body=change, content_type=MERGE_PATCH)

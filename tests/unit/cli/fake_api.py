"""A made-up API server for the commands: objects by path, and every write kept."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from typer.testing import Result

from certwright.core.status import patch
from certwright.kube.faults import NotFound
from certwright.kube.paths import target
from certwright.resources.names import Names

if TYPE_CHECKING:
    from certwright.errors import CertwrightError

Body = dict[str, Any]
NOW = datetime.now(UTC)
"""The moment at which the commands look, however long the tests before them take."""
Run = Callable[..., Result]


class FakeApi:
    """Answers as `kube.client.Kube.request` does."""

    names = Names()
    group_path = f"/apis/{Names().api_version}"

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str, str], Body] = {}
        self.writes: list[tuple[str, Mapping[str, Any]]] = []
        self.faults: list[CertwrightError] = []
        self.on_read: Callable[[], None] = lambda: None

    def add(self, resource: str, body: Body) -> Body:
        meta = body["metadata"]
        self.objects[resource, meta.get("namespace", ""), meta["name"]] = body
        return body

    def request(
        self,
        method: str,
        path: str,
        *,
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, str] | None = None,
        **_: object,
    ) -> Body:
        if self.faults:
            raise self.faults.pop(0)
        goal = target(path)
        resource = goal.resource.partition("/")[0]
        if not goal.name:
            return {"items": self._matching(resource, goal.namespace, (query or {}).get("labelSelector", ""))}
        found = self.objects.get((resource, goal.namespace, goal.name))
        if found is None:
            raise NotFound(f"{goal} does not exist")
        if method == "PATCH":
            self.writes.append((str(goal), body or {}))
            found["status"] = {**found.get("status", {}), **patch({}, (body or {})["status"])}
        else:
            self.on_read()
        return found

    def _matching(self, resource: str, namespace: str, selector: str) -> list[Body]:
        wanted = dict(part.split("=") for part in selector.split(",") if part)
        return [
            body
            for (kind, space, _), body in self.objects.items()
            if kind == resource
            and namespace in {"", space}
            and wanted.items() <= body["metadata"].get("labels", {}).items()
        ]


def condition(kind: str, status: str, reason: str, message: str) -> Body:
    return {
        "type": kind,
        "status": status,
        "reason": reason,
        "message": message,
        "observedGeneration": 1,
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }


READY = condition("Ready", "True", "Ready", "Certificate is up to date and has not expired")
MISSING = condition("Ready", "False", "DoesNotExist", "Secret web-tls does not exist yet: the CA said no")


def certificate(name: str = "web", *, namespace: str = "shop", **status: object) -> Body:
    return {
        "metadata": {
            "namespace": namespace,
            "name": name,
            "uid": f"uid-{name}",
            "generation": 1,
            "resourceVersion": "7",
            "labels": {"app": name},
        },
        "spec": {"secretName": f"{name}-tls", "dnsNames": [f"{name}.example.test"], "issuerRef": {"name": "le"}},
        "status": status,
    }

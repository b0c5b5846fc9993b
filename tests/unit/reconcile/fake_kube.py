"""An API server in memory, behind the same call that the real client has: it keeps state and enforces versions.

It does what the operator relies on: optimistic locking, status as a subresource, merge patches, server-side apply with
its owners of fields, preconditions of a delete, and garbage collection by owner. It speaks to nobody.
"""

import copy
import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from certwright.kube.client import APPLY, JSON, MERGE_PATCH, VERBS
from certwright.kube.faults import Refusal, fault
from certwright.kube.objects import KINDS as OBJECTS
from certwright.kube.paths import CORE, target
from certwright.resources.names import PLURALS, Names

KINDS = {plural: kind for kind, plural in PLURALS.items()} | {"secrets": "Secret", "events": "Event"}


class Killed(BaseException):
    """The process ends here: nothing of ours may catch it."""


@dataclass
class FakeKube:
    names: Names = field(default_factory=Names)
    sink: Callable[[str, str, Mapping[str, Any]], None] = lambda *_: None
    before: Callable[[str, str], None] = lambda *_: None
    after: Callable[[str, str], None] = lambda *_: None
    objects: dict[str, dict[str, Any]] = field(default_factory=dict)
    writes: list[str] = field(default_factory=list)
    reads: list[str] = field(default_factory=list)
    _counter: Iterator[int] = field(default_factory=lambda: itertools.count(100))

    @property
    def group_path(self) -> str:
        return f"/apis/{self.names.api_version}"

    def request(
        self,
        method: str,
        path: str,
        *,
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, str] | None = None,
        content_type: str = JSON,
        accept: str = JSON,
        timeout: float = 0,
    ) -> dict[str, Any]:
        assert accept == JSON
        assert timeout >= 0
        self.before(method, path)
        answer = self._answer(method, path, copy.deepcopy(dict(body or {})), dict(query or {}), content_type)
        (self.reads if method == "GET" else self.writes).append(f"{VERBS[method]} {target(path)}")
        if method != "GET":
            self.after(method, path)
        return copy.deepcopy(answer)

    def put(self, plural: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """As somebody else's hand would: creates an object, or replaces all of it but its uid."""
        meta = dict(body.get("metadata") or {})
        prefix = next((prefix for prefix, word in OBJECTS.values() if word == plural), self.group_path)
        prefix = CORE if plural in {"secrets", "events"} else prefix
        space = f"/namespaces/{meta['namespace']}" if meta.get("namespace") else ""
        path = f"{prefix}{space}/{plural}/{meta['name']}"
        old = self.objects.get(path)
        fresh = {"uid": f"uid-{next(self._counter)}", "generation": 1, "creationTimestamp": "2026-11-23T11:00:00Z"}
        if old:
            fresh = {key: old["metadata"][key] for key in fresh}
            fresh["generation"] += old.get("spec") != body.get("spec")
        return self._store(path, {**copy.deepcopy(dict(body)), "metadata": {**fresh, **meta}})

    def get(self, plural: str, name: str, namespace: str = "shop") -> dict[str, Any] | None:
        """What is there, for a test to look at."""
        found = (
            body
            for path, body in self.objects.items()
            if path.endswith(f"/{plural}/{name}") and body["metadata"].get("namespace", "") == namespace
        )
        return copy.deepcopy(next(found, None))

    def remove(self, plural: str, name: str, namespace: str = "shop") -> None:
        """As somebody else's hand would."""
        body = self.get(plural, name, namespace)
        assert body is not None
        self._delete(next(path for path, item in self.objects.items() if item == body))

    def all(self, plural: str) -> list[dict[str, Any]]:
        return [copy.deepcopy(body) for path, body in self.objects.items() if target(path).resource == plural]

    def tell_all(self, sink: Callable[[str, str, Mapping[str, Any]], None]) -> None:
        """As the first list of a watch."""
        for path, body in list(self.objects.items()):
            self._tell(path, "LISTED", body, sink)

    def refuse(self, method: str, path: str, code: int, reason: str = "", **details: Any) -> Exception:
        """The fault that the real client makes of an answer with this code."""
        status = {"reason": reason, "message": f"{method} {path}", "details": details}
        return fault(Refusal(VERBS[method], target(path), code, status))

    def _answer(
        self, method: str, path: str, body: dict[str, Any], query: dict[str, str], content_type: str
    ) -> dict[str, Any]:
        if method == "POST":
            path = f"{path}/{body['metadata']['name']}"
            if path in self.objects:
                raise self.refuse(method, path, 409, "AlreadyExists")
            made = {"uid": f"uid-{next(self._counter)}", "generation": 1, "creationTimestamp": "2026-11-23T12:00:00Z"}
            return self._store(path, {**body, "metadata": {**made, **body["metadata"]}})
        name, sub = (path.removesuffix("/status"), path.endswith("/status"))
        old = self.objects.get(name)
        if method == "PATCH" and content_type == APPLY:
            assert query["force"] == "true"
            return self._apply(path, old, body, query["fieldManager"])
        if old is None:
            raise self.refuse(method, path, 404, "NotFound", name=target(path).name)
        if method == "GET":
            return old
        if method == "PUT":
            return self._replace(name, old, body)
        if method == "DELETE":
            wanted = body.get("preconditions") or {}
            if any(old["metadata"].get(key) != value for key, value in wanted.items()):
                raise self.refuse(method, path, 409, "Conflict")
            self._delete(name)
            return {}
        assert (method, content_type) == ("PATCH", MERGE_PATCH)
        version = (body.get("metadata") or {}).pop("resourceVersion", None)
        if version and version != old["metadata"]["resourceVersion"]:
            raise self.refuse(method, path, 409, "Conflict")
        patch = {"status": body.get("status", {})} if sub else body
        return self._store(name, _merged(old, patch))

    def _replace(self, path: str, old: dict[str, Any], body: dict[str, Any]) -> dict[str, Any]:
        if body["metadata"]["resourceVersion"] != old["metadata"]["resourceVersion"]:
            raise self.refuse("PUT", path, 409, "Conflict")
        return self._store(path, body)

    def _apply(self, path: str, old: dict[str, Any] | None, body: dict[str, Any], manager: str) -> dict[str, Any]:
        meta = body["metadata"]
        version, uid = meta.pop("resourceVersion", ""), meta.pop("uid", "")
        if (version or uid) and old is None:
            raise self.refuse("PATCH", path, 409, "Conflict")
        if old is None:
            old = {**body, "data": {}, "metadata": {**{key: meta[key] for key in ("name", "namespace")},
                   "uid": f"uid-{next(self._counter)}", "generation": 1,
                   "creationTimestamp": "2026-11-23T12:00:00Z"}}  # fmt: skip
        if (version and version != old["metadata"]["resourceVersion"]) or (uid and uid != old["metadata"]["uid"]):
            raise self.refuse("PATCH", path, 409, "Conflict")
        if old["type"] != body["type"]:
            causes = [{"field": "type", "message": "field is immutable"}]
            raise self.refuse("PATCH", path, 422, "Invalid", causes=causes)
        new = copy.deepcopy(old)
        managed = [entry for entry in new["metadata"].pop("managedFields", []) if entry["manager"] != manager]
        before = next(
            (e for e in old["metadata"].get("managedFields", []) if e["manager"] == manager), {"fieldsV1": {}}
        )
        fields: dict[str, Any] = {"f:metadata": {}}
        for where, part, inside in ((new["metadata"], "labels", True), (new["metadata"], "annotations", True),
                                    (new, "data", False)):  # fmt: skip
            wanted = (meta if inside else body).get(part) or {}
            owned = (before["fieldsV1"].get("f:metadata", {}) if inside else before["fieldsV1"]).get(f"f:{part}") or {}
            gone = {key[2:] for key in owned} - set(wanted)
            where[part] = {k: v for k, v in {**(where.get(part) or {}), **wanted}.items() if k not in gone}
            (fields["f:metadata"] if inside else fields)[f"f:{part}"] = {f"f:{key}": {} for key in wanted}
        owners = {owner["uid"]: owner for owner in new["metadata"].get("ownerReferences") or ()}
        for lost in before["fieldsV1"].get("f:metadata", {}).get("f:ownerReferences") or ():
            owners.pop(lost, None)
        owners |= {owner["uid"]: owner for owner in meta.get("ownerReferences") or ()}
        fields["f:metadata"]["f:ownerReferences"] = [owner["uid"] for owner in meta.get("ownerReferences") or ()]
        new["metadata"]["ownerReferences"] = list(owners.values())
        entry = {"manager": manager, "operation": "Apply", "fieldsV1": fields}
        new["metadata"]["managedFields"] = [*managed, entry]
        return self._store(path, new)

    def _store(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        old = self.objects.get(path)
        if old is not None and _without_version(old) == _without_version(body):
            return old
        body["metadata"]["resourceVersion"] = str(next(self._counter))
        self.objects[path] = body
        self._tell(path, "MODIFIED" if old else "ADDED", body, self.sink)
        return body

    def _delete(self, path: str) -> None:
        body = self.objects.pop(path)
        body["metadata"]["resourceVersion"] = str(next(self._counter))
        self._tell(path, "DELETED", body, self.sink)
        uid = body["metadata"]["uid"]
        for other, item in list(self.objects.items()):
            owners = item["metadata"].get("ownerReferences") or ()
            if owners and all(owner["uid"] == uid for owner in owners):
                self._delete(other)

    def _tell(self, path: str, event: str, body: dict[str, Any], sink: Callable[..., None]) -> None:
        kind = KINDS.get(target(path).resource)
        if kind is None:  # nobody watches it
            return
        watched = (body["metadata"].get("labels") or {}).get(self.names.watched_label) == "true"
        if kind != "Event" and (kind != "Secret" or watched):
            sink(kind, event, {"apiVersion": "v1", "kind": kind, **copy.deepcopy(body)})


def _merged(old: Any, changes: Any) -> Any:
    if not isinstance(changes, dict):
        return copy.deepcopy(changes)
    new = dict(old) if isinstance(old, dict) else {}
    for key, value in changes.items():
        if value is None:
            new.pop(key, None)
        else:
            new[key] = _merged(new.get(key), value)
    return new


def _without_version(body: dict[str, Any]) -> dict[str, Any]:
    return {**body, "metadata": {k: v for k, v in body["metadata"].items() if k != "resourceVersion"}}

"""Where an object is at the API server, and what a request is for: made here, so that no name can leave its place."""

from __future__ import annotations

import re
from dataclasses import dataclass

from certwright.errors import InvalidSpec

_NAME = re.compile(r"[a-z0-9](?:[-a-z0-9.]{0,251}[a-z0-9])?")
CORE = "/api/v1"
LEASES = "/apis/coordination.k8s.io/v1"


@dataclass(frozen=True, slots=True)
class Target:
    """What a request is for, read back from its path, for messages and counters.

    Args:
        group: API group; empty for the core group.
        resource: Plural, with the subresource after a slash, as RBAC spells it: `certificates/status`.
        namespace: Empty for all namespaces and for cluster-scoped objects.
        name: Empty for a collection.
    """

    group: str
    resource: str
    namespace: str
    name: str

    def __str__(self) -> str:
        """`secrets ns/name`."""
        where = "/".join(part for part in (self.namespace, self.name) if part)
        return f"{self.resource} {where}".rstrip()


def path(prefix: str, resource: str, namespace: str = "", name: str = "", subresource: str = "") -> str:
    """The path of an object or, without a name, of a collection.

    Args:
        prefix: `/api/v1` or `/apis/group/version`.
        resource: Plural, lower case.
        namespace: Empty for all namespaces and for cluster-scoped objects.
        name: Empty for a collection.
        subresource: For instance `status`.

    Raises:
        InvalidSpec: When a name cannot be an object's name; it may come from a spec, and `..` would be another path.
    """
    parts = [prefix]
    if namespace:
        parts += ["namespaces", checked(namespace)]
    parts.append(resource)
    if name:
        parts.append(checked(name))
    if subresource:
        parts.append(subresource)
    return "/".join(parts)


def target(url_path: str) -> Target:
    """What a path made by `path` is for."""
    parts = url_path.split("/")[1:]
    group, rest = ("", parts[2:]) if parts[0] == "api" else (parts[1], parts[3:])
    namespace = ""
    if rest[:1] == ["namespaces"] and len(rest) > 2:  # noqa: PLR2004 - namespaces/ns/resource
        namespace, rest = rest[1], rest[2:]
    resource, name = rest[0] if rest else "", rest[1] if len(rest) > 1 else ""
    if len(rest) > 2:  # noqa: PLR2004 - resource/name/subresource
        resource = f"{resource}/{rest[2]}"
    return Target(group, resource, namespace, name)


def checked(name: str) -> str:
    """A name that may stand in a path; raises InvalidSpec where it is none, as `path` does."""
    if not _NAME.fullmatch(name):
        raise InvalidSpec(
            f"{name[:60]!r} cannot be the name of an object; use lower-case letters, digits, '-' and '.' (RFC 1123)"
        )
    return name

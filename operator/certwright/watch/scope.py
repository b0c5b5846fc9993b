"""Which kinds are watched, and where: one answer for the lists, the watches and the sweeps."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from certwright.kube.lists import SECRET
from certwright.kube.paths import CORE, path
from certwright.resources.names import CERTIFICATE, CLUSTER_ISSUER, ISSUER, PLURALS, VERSION

if TYPE_CHECKING:
    from collections.abc import Iterator

    from certwright.resources.names import Names

# Issuers and Secrets first: who hears of a Certificate then knows what it refers to.
KINDS = (SECRET, CLUSTER_ISSUER, ISSUER, CERTIFICATE)


@dataclass(frozen=True, slots=True)
class Place:
    """One list, and one watch, at the API server; no namespace means all."""

    kind: str
    namespace: str
    path: str
    selector: str


@dataclass(frozen=True, slots=True)
class Scope:
    """What is watched.

    Args:
        names: The API group and what follows from it.
        namespaces: Only these; none means all.
        kinds: Which kinds.
    """

    names: Names
    namespaces: tuple[str, ...]
    kinds: tuple[str, ...] = KINDS

    def without(self, kind: str) -> Scope:
        """The same without one kind."""
        return replace(self, kinds=tuple(other for other in self.kinds if other != kind))

    def resource(self, kind: str) -> tuple[str, str, str]:
        """(group, version, plural)."""
        return ("", "v1", "secrets") if kind == SECRET else (self.names.group, VERSION, PLURALS[kind])

    def places(self) -> Iterator[Place]:
        """Every list and watch."""
        for kind in self.kinds:
            group, version, plural = self.resource(kind)
            prefix = f"/apis/{group}/{version}" if group else CORE
            selector = self.names.secret_selector if kind == SECRET else ""
            everywhere = kind == CLUSTER_ISSUER or not self.namespaces
            for namespace in ("",) if everywhere else self.namespaces:
                yield Place(kind, namespace, path(prefix, plural, namespace), selector)

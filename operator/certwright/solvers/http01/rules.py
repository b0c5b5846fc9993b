"""The rules of an Ingress that lead to the solver: made, put into another's Ingress, and taken out again. No I/O."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from certwright.solvers.http01.answer import WELL_KNOWN

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from certwright.solvers.http01.answer import Answer

PORT = 8089
"""Of the solver's pod and Service."""
EXACT, SPECIFIC = "Exact", "ImplementationSpecific"
PATH_TYPES = {"k8s.io/ingress-nginx": SPECIFIC}
"""The path type that a controller wants; ingress-nginx refuses the dot in an Exact path."""


def rules(answers: Sequence[Answer], service: str, path_type: str) -> list[dict[str, Any]]:
    """Rules of an Ingress: one a name, and one without host for all addresses, which a rule cannot name."""
    paths: dict[str, list[dict[str, Any]]] = {}
    for answer in answers:
        host = "" if answer.is_address else answer.identifier
        paths.setdefault(host, []).append(_path(answer, service, path_type))
    return [{**({"host": host} if host else {}), "http": {"paths": group}} for host, group in paths.items()]


def with_rules(
    ingress: Mapping[str, Any], answers: Sequence[Answer], service: str, path_type: str
) -> dict[str, Any] | None:
    """Somebody else's Ingress with our paths in it; None when they are there already.

    A path goes into the rule of its host where that has paths, before them; else a rule is added.
    """
    body = without_rules(ingress, service) or dict(ingress)
    spec = dict(body.get("spec") or {})
    known = [dict(rule) for rule in spec.get("rules") or ()]
    for rule in rules(answers, service, path_type):
        fitting = next((old for old in known if _host(old) == _host(rule) and _paths(old)), None)
        if fitting is None:
            known.append(rule)
        else:
            fitting["http"] = {**fitting["http"], "paths": [*_paths(rule), *_paths(fitting)]}
    spec["rules"] = known
    changed = {**body, "spec": spec}
    return changed if changed.get("spec") != ingress.get("spec") else None


def without_rules(ingress: Mapping[str, Any], service: str) -> dict[str, Any] | None:
    """Somebody else's Ingress without the paths that lead to our Service; None when there are none."""
    spec, found = dict(ingress.get("spec") or {}), False
    kept = []
    for rule in spec.get("rules") or ():
        paths = _paths(rule)
        others = [path for path in paths if not _leads_to(path, service)]
        if len(others) == len(paths):
            kept.append(rule)
            continue
        found = True
        if others:
            kept.append({**rule, "http": {**rule["http"], "paths": others}})
    if not found:
        return None
    spec.pop("rules", None)
    if kept:
        spec["rules"] = kept
    return {**ingress, "spec": spec}


def _host(rule: Mapping[str, Any]) -> str:
    return str(rule.get("host") or "")


def _paths(rule: Mapping[str, Any]) -> list[dict[str, Any]]:
    return list((rule.get("http") or {}).get("paths") or ())


def _path(answer: Answer, service: str, path_type: str) -> dict[str, Any]:
    backend = {"service": {"name": service, "port": {"number": PORT}}}
    return {"path": answer.path, "pathType": path_type, "backend": backend}


def _leads_to(path: Mapping[str, Any], service: str) -> bool:
    backend = (path.get("backend") or {}).get("service") or {}
    return backend.get("name") == service and str(path.get("path", "")).startswith(WELL_KNOWN)

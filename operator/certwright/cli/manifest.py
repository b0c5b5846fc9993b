"""Reads a manifest: the Certificates, Issuers and Secrets in it, and what is wrong with the file itself."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import yaml

from certwright.resources.names import CERTIFICATE, CLUSTER_ISSUER, ISSUER, ObjectKey

if TYPE_CHECKING:
    from collections.abc import Iterator

    from certwright.resources.names import Names

KINDS = (CERTIFICATE, ISSUER, CLUSTER_ISSUER)


@dataclass(slots=True)
class Manifest:
    """What a file holds.

    Args:
        certificates: Bodies by key; the namespace is filled in.
        issuers: Likewise.
        secrets: Values by namespace and name; what is no base64 is left out.
        skipped: How many objects of other kinds there are.
        problems: What is wrong with the file.
    """

    certificates: dict[ObjectKey, dict[str, Any]] = field(default_factory=dict)
    issuers: dict[ObjectKey, dict[str, Any]] = field(default_factory=dict)
    secrets: dict[tuple[str, str], dict[str, bytes]] = field(default_factory=dict, repr=False)
    skipped: int = 0
    problems: list[str] = field(default_factory=list)


def read(text: str, names: Names, namespace: str) -> Manifest:
    """Read a manifest of several YAML documents, JSON included; lists are opened.

    Args:
        text: The file.
        names: Says which group is ours.
        namespace: For objects that name none.
    """
    manifest = Manifest()
    try:
        documents = list(yaml.safe_load_all(text))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        manifest.problems.append(f"{where}not YAML: {getattr(error, 'problem', None) or error}")
        return manifest
    for number, document in enumerate(documents, start=1):
        for body in _objects(document):
            _take(manifest, body, f"document {number}", names, namespace)
    return manifest


def _objects(document: object) -> Iterator[object]:
    if isinstance(document, dict) and document.get("kind") == "List":
        items = document.get("items")
        yield from items if isinstance(items, list) else ()
    elif document is not None:
        yield document


def _take(manifest: Manifest, body: object, where: str, names: Names, namespace: str) -> None:
    if not isinstance(body, dict) or not isinstance(body.get("kind"), str):
        manifest.problems.append(f"{where}: is no Kubernetes object; it has no kind")
        return
    kind, version, meta = body["kind"], str(body.get("apiVersion", "")), body.get("metadata")
    name = meta.get("name") if isinstance(meta, dict) else None
    if not isinstance(meta, dict) or not isinstance(name, str) or not name:
        manifest.problems.append(f"{where}: {kind} has no metadata.name")
        return
    space = str(meta.get("namespace") or namespace)
    if kind == "Secret" and version == "v1":
        manifest.secrets[space, name] = _values(body)
    elif kind not in KINDS:
        manifest.skipped += 1
    elif version != names.api_version:
        manifest.problems.append(
            f"{where}: {kind} {name} is of {version or 'no apiVersion'}, and {names.api_version} is served; "
            "change its apiVersion, or give --api-group"
        )
    else:
        space = "" if kind == CLUSTER_ISSUER else space
        body = {**body, "metadata": {**meta, "namespace": space}}
        (manifest.certificates if kind == CERTIFICATE else manifest.issuers)[ObjectKey(kind, space, name)] = body


def _values(body: dict[str, Any]) -> dict[str, bytes]:
    values = {}
    for key, value in (body.get("data") or {}).items():
        try:
            values[key] = base64.b64decode(value or "")
        except (binascii.Error, TypeError, ValueError):
            continue
    return values | {key: str(value).encode() for key, value in (body.get("stringData") or {}).items()}

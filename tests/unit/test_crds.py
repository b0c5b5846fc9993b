"""The CRDs as texts: well formed, documented, one schema for both issuers, and cert-manager's shape in full."""

from __future__ import annotations

import json
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator

CRDS = Path(__file__).resolve().parents[2] / "crds"
FACTS = Path(__file__).with_name("crd_fields.txt")
GROUP = "certwright.dev"
KINDS = {"Certificate": "certificates", "Issuer": "issuers", "ClusterIssuer": "clusterissuers"}
APPLIED_LIMIT = 262_144
"""Most bytes of annotations that the API server takes; kubectl apply keeps the whole manifest in one."""
DEFAULTED_HERE = {"spec.acme.server"}
"""Required by cert-manager; optional here because there is a default."""

Schema = dict[str, Any]


def text(kind: str) -> str:
    return (CRDS / f"{KINDS[kind]}.yaml").read_text()


@cache
def _parsed(content: str) -> Schema:
    document: Schema = yaml.safe_load(content)
    return document


def load(kind: str, content: str | None = None) -> Schema:
    return _parsed(content or text(kind))


def schema(kind: str) -> Schema:
    (version,) = load(kind)["spec"]["versions"]
    root: Schema = version["schema"]["openAPIV3Schema"]
    return root


def walk(node: Schema, path: str = "") -> Iterator[tuple[str, Schema]]:
    """Every node of a schema with its path; `[]` stands for a list's items, `{}` for a map's values."""
    yield path, node
    for name, child in node.get("properties", {}).items():
        yield from walk(child, f"{path}.{name}".lstrip("."))
    if "items" in node:
        yield from walk(node["items"], f"{path}[]")
    if "additionalProperties" in node:
        yield from walk(node["additionalProperties"], f"{path}{{}}")


def rules(kind: str) -> list[tuple[str, Schema, Schema]]:
    return [
        (path, node, rule) for path, node in walk(schema(kind)) for rule in node.get("x-kubernetes-validations", [])
    ]


def strings(value: object) -> Iterator[str]:
    """Every text but the descriptions."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from strings(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            yield key
            if key != "description" or not isinstance(item, str):
                yield from strings(item)


kinds = pytest.mark.parametrize("kind", KINDS)


@kinds
def test_names_and_version(kind: str) -> None:
    document = load(kind)
    plural = KINDS[kind]
    assert document["apiVersion"] == "apiextensions.k8s.io/v1"
    assert document["kind"] == "CustomResourceDefinition"
    assert document["metadata"] == {"name": f"{plural}.{GROUP}"}
    assert document["spec"]["group"] == GROUP
    assert document["spec"]["scope"] == ("Cluster" if kind == "ClusterIssuer" else "Namespaced")
    assert document["spec"]["names"] == {
        "kind": kind,
        "listKind": f"{kind}List",
        "plural": plural,
        "singular": kind.lower(),
        "shortNames": {"Certificate": ["cert", "certs"], "Issuer": ["iss"], "ClusterIssuer": ["ciss"]}[kind],
        "categories": ["certwright"],
    }
    (version,) = document["spec"]["versions"]
    assert (version["name"], version["served"], version["storage"]) == ("v1", True, True)
    assert version["subresources"] == {"status": {}}


def test_printer_columns() -> None:
    def columns(kind: str) -> list[tuple[str, int]]:
        (version,) = load(kind)["spec"]["versions"]
        return [(column["name"], column.get("priority", 0)) for column in version["additionalPrinterColumns"]]

    assert columns("Certificate") == [
        ("Ready", 0),
        ("Secret", 0),
        ("Issuer", 1),
        ("Status", 1),
        ("Expiration", 1),
        ("Age", 0),
    ]
    assert columns("Issuer") == columns("ClusterIssuer") == [("Ready", 0), ("Status", 1), ("Age", 0)]


def test_certificates_are_selectable_by_issuer() -> None:
    (version,) = load("Certificate")["spec"]["versions"]
    assert [field["jsonPath"] for field in version["selectableFields"]] == [
        ".spec.issuerRef.group",
        ".spec.issuerRef.kind",
        ".spec.issuerRef.name",
    ]


def test_both_issuers_have_one_schema() -> None:
    namespaced, cluster = deepcopy(schema("Issuer")), deepcopy(schema("ClusterIssuer"))
    assert namespaced.pop("description") != cluster.pop("description")
    assert namespaced == cluster
    columns = [load(kind)["spec"]["versions"][0]["additionalPrinterColumns"] for kind in ("Issuer", "ClusterIssuer")]
    assert columns[0] == columns[1]


@kinds
def test_every_field_is_described(kind: str) -> None:
    root = schema(kind)
    assert root["description"]
    bare = [path for path, node in walk(root) if _is_field(path) and not _is_sentence(node.get("description", ""))]
    assert bare == []


def _is_field(path: str) -> bool:
    return path not in ("", "metadata") and not path.endswith(("[]", "{}"))


def _is_sentence(description: str) -> bool:
    return description[:1].isupper() and description.endswith(".")


@kinds
def test_every_node_is_structural(kind: str) -> None:
    for path, node in walk(schema(kind)):
        opaque = node.get("x-kubernetes-preserve-unknown-fields") or node.get("x-kubernetes-int-or-string")
        assert "type" in node or opaque, path
        if node.get("type") == "array":
            assert node["x-kubernetes-list-type"] in ("atomic", "map"), path
            assert "items" in node, path
        if node.get("type") == "object" and path != "metadata":
            assert opaque or "properties" in node or "additionalProperties" in node, path
        assert set(node.get("required", [])) <= set(node.get("properties", {})), path


@kinds
def test_no_status_is_required_or_defaulted(kind: str) -> None:
    status = schema(kind)["properties"]["status"]
    assert schema(kind)["required"] == ["spec"]
    assert "required" not in status
    assert [path for path, node in walk(status) if "default" in node] == []


@kinds
def test_a_rule_says_where_and_what_to_do(kind: str) -> None:
    for path, node, rule in rules(kind):
        message = rule["message"]
        assert rule["reason"] == "FieldValueInvalid", path
        field = rule.get("fieldPath", "").lstrip(".")
        assert not field or field in node["properties"], path
        name = field or path.removesuffix("[]").rsplit(".", 1)[-1]
        assert path in ("spec", "spec.acme.solvers[]") or name in message, (path, message)
        assert len(message.split()) >= 5, (path, message)
        assert "\n" not in message
        assert not message.endswith("."), (path, message)


@kinds
def test_rules_have_messages_of_their_own(kind: str) -> None:
    messages = [rule["message"] for _, _, rule in rules(kind)]
    shared = {message for message in messages if messages.count(message) > 1}
    assert shared == set()


@kinds
def test_kubectl_apply_can_keep_the_manifest_in_an_annotation(kind: str) -> None:
    assert len(json.dumps(load(kind), ensure_ascii=False).encode()) < APPLIED_LIMIT * 3 // 4


@kinds
def test_the_group_is_replaced_by_text(kind: str) -> None:
    other = load(kind, text(kind).replace(GROUP, "cert-manager.io"))
    assert other["metadata"]["name"] == f"{KINDS[kind]}.cert-manager.io"
    assert other["spec"]["group"] == "cert-manager.io"
    left = {value for value in strings(other) if "certwright" in value}
    assert left == {"certwright"}, "only the category stays"
    assert "cert-manager.io" not in text(kind)


def test_the_annotation_rule_follows_the_group() -> None:
    content = text("Certificate").replace(GROUP, "example.org")
    (version,) = load("Certificate", content)["spec"]["versions"]
    template = version["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]["secretTemplate"]
    (rule,) = template["properties"]["annotations"]["x-kubernetes-validations"]
    assert "startsWith('example.org/')" in rule["rule"]
    assert "'example.org/allow-direct-injection'" in rule["rule"]
    assert "example.org/" in rule["message"]


def _facts() -> Iterator[tuple[str, str, str, dict[str, str]]]:
    for line in FACTS.read_text().splitlines():
        if line and not line.startswith("#"):
            kind, path, type_, *facts = line.split("\t")
            yield kind, path, type_, dict(fact.split("=", 1) for fact in facts)


def _find(node: Schema, path: str) -> tuple[Schema, bool]:
    """The node at a path and whether its parent requires it."""
    required = False
    for part in path.removesuffix("!").split("."):
        name = part.removesuffix("[]").removesuffix("{}")
        required = name in node.get("required", [])
        node = node["properties"][name]
        if part.endswith("[]") and part != path.removesuffix("!").rsplit(".", 1)[-1]:
            node = node["items"]
    return node, required


TYPES = {"list": "array", "map": "object", "any": None}


@pytest.mark.parametrize("fact", list(_facts()), ids=lambda fact: f"{fact[0]}:{fact[1]}")
def test_cert_managers_field_is_there(fact: tuple[str, str, str, dict[str, str]]) -> None:
    kind, path, type_, facts = fact
    node, required = _find(schema(kind), path)
    assert node.get("type") == TYPES.get(type_, type_)
    assert required is (path.endswith("!") and path.rstrip("!") not in DEFAULTED_HERE) or "." not in path
    inner = node["items"] if type_ == "list" else node
    expected_enum = facts["enum"].split("|") if "enum" in facts else None
    assert sorted(inner.get("enum") or []) == sorted(expected_enum or [])
    if path.rstrip("!") not in DEFAULTED_HERE:
        assert node.get("default") == facts.get("default")
    if "items" in facts:
        assert inner["type"] == facts["items"]
    if "listType" in facts:
        assert node["x-kubernetes-list-type"] == facts["listType"]
    for name in ("format", "pattern"):
        assert node.get(name) == facts.get(name)
    for name in ("minLength", "maxLength", "minimum", "maximum"):
        if name in facts:
            assert node[name] == int(facts[name])

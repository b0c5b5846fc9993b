"""Holds the pages to the code: every YAML block goes to the API server, every list is compared with what it lists."""

import ast
import importlib
import inspect
import json
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest
import yaml
from waits import wait_ready

from certwright.acme.problem_types import NOT_ALLOWED, TYPES
from certwright.cli.run import run
from certwright.core.validation import validate
from certwright.ops.metrics import CertificateSample, Metrics
from certwright.providers import api
from certwright.resources.certificate import parse_certificate
from certwright.resources.issuer import parse_issuer
from certwright.resources.names import DEFAULT_GROUP, Names
from cluster.demo_manifests import EXAMPLES, FILES, MISTAKES, certificates, overlaid
from cluster.environment import REPOSITORY, Environment
from cluster.manifests import apply
from cluster.operator import Operator
from cluster.state import facts

PAGES = sorted([*REPOSITORY.glob("*.md"), *(REPOSITORY / "docs").rglob("*.md")])
SOURCES = REPOSITORY / "operator" / "certwright"
#: Reasons that stand in no condition and no Event, and why.
NOT_IN_STATUS = {
    "AlreadyExists": "handled where it happens",
    "BadSetting": "ends the process with a message",
    "Conflict": "observed anew at once",
    "Issuing": "stands in for a condition that somebody removed",
    "NamespaceTerminating": "the Certificate goes with its namespace",
    "NoCluster": "of the command line",
    "NoListener": "ends the process with a message",
    "NoLogin": "ends the process with a message",
    "NotNeeded": "logged, and cleaned up at once",
    "SecretDrift": "logged, and repaired at once",
    "Unseen": "of the command line",
    "WatchFailed": "ends the process with a message",
}
#: Reasons that the code hands on beside their text, where the search below does not see them.
HANDED_ON = {api.CREDENTIALS_REFUSED, api.NOT_ALLOWED}
_BLOCK = re.compile(r"(?:^<!-- (?P<mark>[^\n]*) -->\n)?^```yaml\n(?P<text>.*?)^```", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced YAML block of a page; `mark` is the comment before it."""

    page: Path
    line: int
    mark: str
    text: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(REPOSITORY)}:{self.line}"

    def manifests(self) -> list[dict[str, Any]]:
        """What is to be applied: the block itself, or an object that it is a part of."""
        bodies = [body for body in yaml.safe_load_all(self.text) if body]
        if not self.mark:
            return bodies
        kind, _, path = self.mark.removeprefix("part: ").partition(" ")
        body: Any = bodies[0]
        for step in reversed(path.replace("[0]", ".0").split(".")):
            body = [body] if step == "0" else {step: body}
        base = {"apiVersion": f"{DEFAULT_GROUP}/v1", "kind": kind, "metadata": {"name": "part"}}
        return [_with_account({**base, **body})]


def _with_account(body: dict[str, Any]) -> dict[str, Any]:
    """The one field that an ACME issuer cannot be without; a fragment may leave it out."""
    acme = {"privateKeySecretRef": {"name": "account"}, **body["spec"]["acme"]}
    return {**body, "spec": {"acme": acme}}


def _blocks() -> Iterator[Block]:
    for page in PAGES:
        text = page.read_text()
        for found in _BLOCK.finditer(text):
            yield Block(page, text.count("\n", 0, found.start()) + 1, found["mark"] or "", found["text"])


BLOCKS = list(_blocks())
#: The chart's values are given to Helm, by the chart's own tests.
MANIFESTS = [block for block in BLOCKS if not block.mark.startswith(("status: ", "values: "))]
STATUSES = [block for block in BLOCKS if block.mark.startswith("status: ")]


@pytest.mark.cluster
@pytest.mark.parametrize("block", MANIFESTS, ids=str)
def test_a_block_of_the_pages_is_taken_by_the_api_server(block: Block, env: Environment, namespace: str) -> None:
    _dry_run(env, namespace, block.manifests())


@pytest.mark.cluster
@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.yaml")), ids=lambda path: path.name)
def test_an_example_is_taken_by_the_api_server(path: Path, env: Environment, namespace: str) -> None:
    _dry_run(env, namespace, [body for body in yaml.safe_load_all(path.read_text()) if body])


def _dry_run(env: Environment, namespace: str, bodies: list[dict[str, Any]]) -> None:
    """Apply with the strictest validation, and have the operator's own rules look at it."""
    env.kubectl("create", "namespace", "certwright", check=False)
    own = [body for body in bodies if "namespace" not in body["metadata"]]
    for part, where in ((own, [f"-n={namespace}"]), ([body for body in bodies if body not in own], [])):
        if part:
            text = json.dumps({"apiVersion": "v1", "kind": "List", "items": part})
            env.kubectl("apply", "--dry-run=server", "--validate=strict", *where, "-f", "-", input=text)
    for body in bodies:
        if body["kind"] == "Certificate":
            validate(parse_certificate(body).spec, Names(DEFAULT_GROUP))
        elif body["apiVersion"].startswith(DEFAULT_GROUP):
            parse_issuer(body)


@pytest.mark.cluster
@pytest.mark.parametrize("block", STATUSES, ids=str)
def test_a_status_of_the_pages_has_known_fields_only(block: Block, env: Environment, namespace: str) -> None:
    apply(env, {**_minimal(), "metadata": {"name": "status", "namespace": namespace}})
    status = yaml.safe_load(block.text)
    answer = env.kubectl(
        *("patch", "certificate", "status", f"-n={namespace}", "--subresource=status", "--type=merge"),
        *("--dry-run=server", "-o=json", "-p", json.dumps({"status": status})),
    )
    assert json.loads(answer)["status"] == status


def _minimal() -> dict[str, Any]:
    spec = {"secretName": "status", "issuerRef": {"name": "none"}, "dnsNames": ["example.com"]}
    return {"apiVersion": f"{DEFAULT_GROUP}/v1", "kind": "Certificate", "spec": spec}


@pytest.mark.cluster
@pytest.mark.needs("users")
def test_the_rights_of_the_operations_page_suffice_for_all_the_examples(
    env: Environment, namespace: str, tmp_path: Path
) -> None:
    (block,) = [block for block in BLOCKS if block.page.name == "operations.md"]
    env.kubectl("create", "namespace", "certwright", check=False)
    env.kubectl("apply", "-f", "-", input=block.text)
    user = env.kubeconfig_for("system:serviceaccount:certwright:certwright")
    operator = Operator(env, tmp_path, kubeconfig=user, leader_elect=True)
    try:
        operator.start()
        bodies = [{**body, "metadata": {**body["metadata"], "namespace": namespace}} for body in overlaid(facts(env))]
        apply(env, *bodies)
        for body in certificates(bodies):
            if body["metadata"]["name"] not in MISTAKES:
                wait_ready(env, namespace, body["metadata"]["name"])
        assert "Forbidden" not in operator.log()
    finally:
        operator.stop()
        env.kubectl("delete", "-f", "-", input=block.text)


def test_the_demo_applies_files_that_are_there() -> None:
    assert all((EXAMPLES / name).exists() for name in FILES)


def test_every_reason_of_the_code_is_on_the_status_page_and_no_other() -> None:
    page = (REPOSITORY / "docs" / "status.md").read_text().partition("<!-- reasons -->")[2]
    listed = re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE)
    assert len(listed) == len(set(listed)), "a reason is there twice"
    used = set(_reasons()) - set(NOT_IN_STATUS)
    assert set(listed) - used == set(), "these are on the page and not in the code"
    assert used - set(listed) == set(), "these are in the code and not on the page"


def _reasons() -> Iterator[str]:
    yield from (advice.reason for advice in (*TYPES.values(), NOT_ALLOWED))
    yield from HANDED_ON
    for path in SOURCES.rglob("*.py"):
        module = "certwright." + ".".join(path.relative_to(SOURCES).with_suffix("").parts)
        for node in ast.walk(ast.parse(path.read_text())):
            for value in _reason_nodes(node):
                text = _text(value, module)
                if text:
                    yield text


def _reason_nodes(node: ast.AST) -> Iterator[ast.expr]:
    """Expressions that give a reason: an argument of that name, the first one of Reason and Report, or a default."""
    if isinstance(node, ast.Call):
        yield from (keyword.value for keyword in node.keywords if keyword.arg == "reason")
        if isinstance(node.func, ast.Name) and node.func.id in {"Reason", "Report"} and node.args:
            yield node.args[0]
    if isinstance(node, ast.Assign):
        for target in node.targets:
            names = target.elts if isinstance(target, ast.Tuple) else [target]
            values = node.value.elts if isinstance(node.value, ast.Tuple) else [node.value]
            for name, value in zip(names, values, strict=False):
                if isinstance(name, ast.Name) and name.id in {"reason", "default_reason"}:
                    yield value


def _text(node: ast.expr, module: str) -> str | None:
    """The word, where it is written down or a constant of the module."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.Name) and node.id.isupper():
        return str(getattr(importlib.import_module(module), node.id))
    return None


def test_every_setting_of_the_operator_is_on_the_operations_page() -> None:
    page = (REPOSITORY / "docs" / "operations.md").read_text()
    hints = get_type_hints(run, include_extras=True)
    for name in inspect.signature(run).parameters:
        option = get_args(hints[name])[1]
        if option.hidden:
            continue
        variables = [option.envvar] if isinstance(option.envvar, str) else option.envvar
        row = f"| `--{name.replace('_', '-')}` | {', '.join(f'`{variable}`' for variable in variables)} |"
        assert row in page, row


def test_every_metric_is_on_the_operations_page_and_no_other() -> None:
    page = (REPOSITORY / "docs" / "operations.md").read_text()
    sample = CertificateSample("ns", "name", "Issuer", "issuer", "True", 1.0, 1.0)
    metrics = Metrics(version="1", certificates=lambda: [sample])
    names = {
        family.name + {"counter": "_total", "info": "_info"}.get(family.type, "")
        for family in metrics.registry.collect()
        if family.name.startswith("certwright_")
    }
    listed = set(re.findall(r"^\| `(certwright_\w+)` \|", page, re.MULTILINE))
    assert listed == names


def test_every_dependency_has_its_line_and_no_other() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
    optional = [line for part in project["project"]["optional-dependencies"].values() for line in part]
    ours = [line for line in optional if not line.startswith("certwright[")]
    wanted = [*project["project"]["dependencies"], *project["dependency-groups"]["dev"], *ours, "hatchling"]
    names = {re.split(r"[<>=!~ \[]", line)[0] for line in wanted}
    page = (REPOSITORY / "docs" / "decisions" / "001-dependencies.md").read_text()
    cells = re.findall(r"^\| ([\w, .-]+) \|", page, re.MULTILINE)
    assert {name for cell in cells for name in cell.split(", ")} - {"package", "---"} == names


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        file, _, anchor = target.partition("#")
        if "://" in target:
            continue
        there = (page.parent / file).resolve() if file else page
        assert there.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.*)$", there.read_text(), re.MULTILINE)
            assert anchor in {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}, target

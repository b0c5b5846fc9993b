"""The chart by itself: what it makes of values, and which values it takes."""

import inspect
import re
import subprocess
import textwrap
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from helm_values import MONITORED, NO_CRDS, SETS, THEIRS
from typer.main import get_command

from certwright.app import GRACE
from certwright.cli.main import app
from certwright.cli.run import LogFormat, LogLevel, run
from certwright.ops.leader import Timing
from certwright.resources.names import DEFAULT_GROUP
from cluster import chart
from cluster.environment import CRDS, REPOSITORY
from cluster.helm import Helm, HelmError, read


def of_kind(objects: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [body for body in objects if body["kind"] == kind]


def container(objects: list[dict[str, Any]]) -> dict[str, Any]:
    (deployment,) = of_kind(objects, "Deployment")
    (only,) = deployment["spec"]["template"]["spec"]["containers"]
    return dict(only)


def test_it_is_linted(helm: Helm) -> None:
    assert "0 chart(s) failed" in helm.run("lint", "--strict", chart.CHART)


def test_its_version_is_the_programs() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["version"]
    about = yaml.safe_load((chart.CHART / "Chart.yaml").read_text())
    assert (about["version"], about["appVersion"]) == (project, project)


@pytest.mark.parametrize("name", SETS)
def test_every_object_has_a_place_and_labels(helm: Helm, name: str) -> None:
    values = SETS[name]
    objects = helm.template(values=values)
    for body in objects:
        labels = body["metadata"]["labels"]
        assert labels["app.kubernetes.io/instance"] == "certwright"
        assert labels["app.kubernetes.io/name"] == values.get("nameOverride", "certwright")
        assert values.get("commonLabels", {}).get("team") == labels.get("team")
        assert ("namespace" in body["metadata"]) != body["kind"].startswith(("Cluster", "CustomResource")), body
    names = [(body["kind"], body["metadata"].get("namespace"), body["metadata"]["name"]) for body in objects]
    assert len(names) == len(set(names))
    (deployment,) = of_kind(objects, "Deployment")
    pods = deployment["spec"]["template"]["metadata"]["labels"]
    assert deployment["spec"]["selector"]["matchLabels"].items() <= pods.items()
    for body in of_kind(objects, "Service"):
        assert body["spec"]["selector"].items() <= pods.items()
    for body in (*of_kind(objects, "PodDisruptionBudget"), *of_kind(objects, "NetworkPolicy")):
        selector = body["spec"].get("selector") or body["spec"]["podSelector"]
        assert selector["matchLabels"].items() <= pods.items()


def test_helm_4_and_3_make_the_same(tmp_path: Path) -> None:
    newer, older = (Helm(major, tmp_path / str(major)) for major in (4, 3))
    for values in SETS.values():
        first, second = ({_key(body): body for body in one.template(values=values)} for one in (newer, older))
        assert first == second


def _key(body: dict[str, Any]) -> tuple[str, str, str]:
    return body["kind"], body["metadata"].get("namespace", ""), body["metadata"]["name"]


def test_it_may_be_a_part_of_another_chart(helm: Helm, tmp_path: Path) -> None:
    parent = tmp_path / "parent"
    (parent / "charts").mkdir(parents=True)
    helm.run("package", chart.CHART, f"--destination={parent / 'charts'}")
    about = {"apiVersion": "v2", "name": "parent", "version": "1.0.0"}
    (parent / "Chart.yaml").write_text(yaml.safe_dump(about))
    values = {"global": {"region": "here"}, "certwright": {"replicaCount": 3}}

    objects = helm.template(values=values, chart=parent)

    assert of_kind(objects, "Deployment")[0]["spec"]["replicas"] == 3
    assert len(of_kind(objects, "CustomResourceDefinition")) == 3


def test_a_package_makes_the_same_as_the_folder(helm: Helm, tmp_path: Path) -> None:
    helm.run("package", chart.CHART, f"--destination={tmp_path}")
    (package,) = tmp_path.glob("*.tgz")
    assert helm.template(chart=package) == helm.template()


def test_a_chart_without_its_crds_says_so(helm: Helm, tmp_path: Path) -> None:
    copy = tmp_path / "certwright"
    subprocess.run(["cp", "-R", "--no-dereference", chart.CHART, copy], check=True)  # some tools leave links out
    (copy / "files" / "crds").unlink()

    with pytest.raises(HelmError, match="lacks files/crds"):
        helm.template(chart=copy)
    assert not of_kind(helm.template(chart=copy, values={"crds": {"install": False}}), "CustomResourceDefinition")


@pytest.mark.parametrize("group", [DEFAULT_GROUP, THEIRS, "certificates.platform.example.com"])
def test_the_crds_are_the_repositorys_in_the_group(helm: Helm, group: str) -> None:
    made = {
        body["metadata"]["name"]: body
        for body in helm.template("--show-only=templates/crds.yaml", values={"apiGroup": group})
    }
    files = [read(path.read_text().replace(DEFAULT_GROUP, group))[0] for path in CRDS.glob("*.yaml")]
    assert set(made) == {f"{plural}.{group}" for plural in ("certificates", "issuers", "clusterissuers")}
    for body in files:
        metadata = made[body["metadata"]["name"]].pop("metadata")
        assert metadata.pop("annotations") == {"helm.sh/resource-policy": "keep"}
        assert metadata.pop("labels")
        assert made[metadata["name"]] == {key: value for key, value in body.items() if key != "metadata"}
        assert metadata == body["metadata"]


def test_crds_that_are_not_kept_go_with_the_release(helm: Helm) -> None:
    for body in helm.template("--show-only=templates/crds.yaml", values={"crds": {"keep": False}}):
        assert "annotations" not in body["metadata"]


def test_another_group_is_spelled_everywhere(helm: Helm) -> None:
    values = {"apiGroup": THEIRS, "namespaces": ["team-a"], "rbac": {"clusterScoped": True}, **MONITORED}
    for flags in ([], ["--set=namespaces=null"]):
        text = helm.run("template", "certwright", chart.CHART, *helm.values(values), *flags)
        assert DEFAULT_GROUP not in text
        assert text.count(THEIRS) > 20


def test_flags_and_variables_are_the_programs_own(helm: Helm, monkeypatch: pytest.MonkeyPatch) -> None:
    command = get_command(app).commands["run"]  # type: ignore[attr-defined]
    known = {
        name for option in command.params for name in ([option.envvar], option.envvar)[isinstance(option.envvar, list)]
    }
    made = container(helm.template(values={**SETS["settings"], "namespaces": ["team-a", "team-b"], **NO_CRDS}))
    variables = {entry["name"]: entry["value"] for entry in made["env"] if entry["name"].startswith("CERTWRIGHT_")}
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    with command.make_context("run", made["args"][1:]) as context:
        taken = context.params

    assert made["args"][0] == "run"
    assert set(variables) <= known
    wanted = {
        "api_group": THEIRS,
        "namespaces": "team-a,team-b",
        "cluster_resource_namespace": "kube-system",
        "dns_resolvers": "192.0.2.1:53,tls://192.0.2.2,https://192.0.2.3/dns-query",
        "http01_solver_image": "registry.example.com/solver:1",
        "http01_solver_image_pull_policy": "Never",
        "secret_owner_reference": True,
        "workers": 16,
        "log_level": LogLevel.DEBUG,
        "log_format": LogFormat.TEXT,
        "metrics_address": "[::]:9402",
    }
    assert {name: taken[name] for name in wanted} == wanted


def test_a_pod_has_the_time_that_a_stop_takes() -> None:
    given = next(value.default for value in chart.values() if value.path == "terminationGracePeriodSeconds")
    # The workers, then the last look of the election, then the Lease's release.
    assert given > GRACE + Timing().renew_deadline + 2


def test_ports_are_the_ones_that_the_program_listens_at(helm: Helm) -> None:
    objects = helm.template(values={**MONITORED, **NO_CRDS})
    made = container(objects)
    parameters = inspect.signature(run).parameters
    ports = {port["name"]: port["containerPort"] for port in made["ports"]}
    assert parameters["metrics_address"].default.endswith(f":{ports['metrics']}")
    assert parameters["health_address"].default.endswith(f":{ports['health']}")
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        assert made[probe]["httpGet"]["port"] == "health"
    (service,) = of_kind(objects, "Service")
    (monitor,) = of_kind(objects, "ServiceMonitor")
    assert monitor["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    assert {port["name"]: port["targetPort"] for port in service["spec"]["ports"]} == {"metrics": "metrics"}
    assert monitor["spec"]["endpoints"][0]["port"] == "metrics"


def test_the_image_is_named_by_its_digest_or_its_tag(helm: Helm) -> None:
    version = yaml.safe_load((chart.CHART / "Chart.yaml").read_text())["appVersion"]
    images = {
        "localhost/certwright:dev": {},
        f"localhost/certwright:{version}": {"tag": ""},
        f"localhost/certwright@sha256:{'a' * 64}": {"digest": f"sha256:{'a' * 64}"},
    }
    for image, values in images.items():
        made = container(helm.template(values={"image": values, "crds": {"install": False}}))
        solver = next(entry for entry in made["env"] if entry["name"] == "CERTWRIGHT_HTTP01_SOLVER_IMAGE")
        assert (made["image"], solver["value"]) == (image, image)


def test_nothing_is_granted_outside_the_namespaces(helm: Helm) -> None:
    objects = helm.template(values={**SETS["namespaces"], "rbac": {"aggregate": False}})
    assert not of_kind(objects, "ClusterRole")
    assert not of_kind(objects, "ClusterRoleBinding")
    places: dict[str, set[str]] = {}
    for body in of_kind(objects, "RoleBinding"):
        places.setdefault(body["metadata"]["namespace"], set()).add(body["roleRef"]["name"])
        assert body["subjects"] == [{"kind": "ServiceAccount", "name": "certwright", "namespace": "certwright"}]
    each = {f"certwright-{part}" for part in ("certificates", "secrets", "http01")}
    assert places == {"team-a": each, "team-b": each, "certwright": {"certwright-lease"}}


def rights(objects: list[dict[str, Any]]) -> set[tuple[str, str, str, str]]:
    """Kind of the role, verb, API group and resource."""
    return {
        (body["kind"], verb, group, resource)
        for body in objects
        if body["kind"] in {"Role", "ClusterRole"}
        for rule in body["rules"]
        for verb in rule["verbs"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
    }


def test_its_rights_are_those_of_the_operations_page(helm: Helm) -> None:
    page = (REPOSITORY / "docs" / "operations.md").read_text().partition("## Rights")[2]
    (block,) = re.findall(r"^```yaml\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    assert rights(helm.template(values={"rbac": {"aggregate": False}, **NO_CRDS})) == rights(read(block))


@pytest.mark.parametrize("name", SETS)
def test_no_rule_has_a_wildcard(helm: Helm, name: str) -> None:
    objects = helm.template(values={**SETS[name], **NO_CRDS})
    for body in (*of_kind(objects, "Role"), *of_kind(objects, "ClusterRole")):
        for rule in body["rules"]:
            assert not [word for words in rule.values() for word in words if "*" in word], body
            if "leases" in rule["resources"]:
                assert body["kind"] == "Role"


def notes(folder: Path, values: dict[str, Any]) -> str:
    """What an installation prints; Helm 3 would want a cluster for it."""
    helm = Helm(4, folder)
    flags = helm.values({"crds": {"install": False}, **values})
    text = helm.run("install", "certwright", chart.CHART, "--dry-run=client", "--namespace=cw", *flags)
    return text.partition("NOTES:")[2]


def test_the_notes_tell_the_next_step(tmp_path: Path) -> None:
    text = notes(tmp_path, {})

    (example,) = re.findall(r"<<'END'\n(.*?)\n +END", text, re.DOTALL)
    assert [body["kind"] for body in read(textwrap.dedent(example))] == ["Issuer", "Certificate"]
    assert "kubectl --namespace cw rollout status deployment/certwright" in text
    assert "kubectl --namespace default describe certificates.certwright.dev first" in text
    assert "ClusterIssuers" not in text
    assert "No rights" not in text


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({}, "No CustomResourceDefinitions were installed"),
        ({"namespaces": ["team-a", "team-b"]}, "ClusterIssuers are not served"),
        ({"namespaces": ["team-a", "team-b"]}, "--namespace team-a apply"),
        ({"rbac": {"create": False}}, "No rights were granted"),
        ({"crds": {"keep": False}}, "every Certificate and Issuer"),
        ({"apiGroup": THEIRS}, f"apiVersion: {THEIRS}/v1"),
    ],
)
def test_the_notes_say_what_is_special(tmp_path: Path, values: dict[str, Any], said: str) -> None:
    text = notes(tmp_path, values)
    assert said in text
    assert values.get("apiGroup") != THEIRS or DEFAULT_GROUP not in text

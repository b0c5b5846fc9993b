"""The chart before a real API server: what it makes is taken, and the cluster keeps what it is to keep."""

import base64
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from helm_values import NO_CRDS, SETS, THEIRS

from certwright.resources.names import DEFAULT_GROUP
from cluster import monitoring
from cluster.chart import CHART
from cluster.environment import CRDS, KUBECONFIG_VARIABLE, Environment
from cluster.helm import Helm, HelmError

pytestmark = pytest.mark.cluster
PLACE = "certwright"
KINDS = ("certificates", "issuers", "clusterissuers")
#: Of what one Secret may hold (core/v1 MaxSecretSize); Helm keeps the release in one, with the chart and all objects.
SECRET_LIMIT = 1024 * 1024


@pytest.fixture(scope="module")
def env(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Environment]:
    """A cluster without our CRDs, with the Prometheus operator's kinds and the namespaces that the values name."""
    if os.environ.get(KUBECONFIG_VARIABLE):
        pytest.skip("not before a cluster of somebody's: CustomResourceDefinitions are deleted here")
    with Environment(tmp_path_factory.mktemp("chart"), crds=None) as environment:
        for name in (PLACE, "team-a", "team-b"):
            environment.kubectl("create", "namespace", name)
        for path in monitoring.crds():
            environment.kubectl("create", "-f", str(path))
            environment.kubectl("wait", "--for=condition=Established", "--timeout=30s", "-f", str(path))
        yield environment


@pytest.fixture
def installer(env: Environment, helm: Helm, tmp_path: Path) -> Iterator[Helm]:
    """Each Helm in turn before the cluster, which afterwards is as it was."""
    before = Helm(helm.major, tmp_path / "helm", kubeconfig=env.kubeconfig)
    yield before
    before.run("uninstall", "certwright", f"--namespace={PLACE}", "--ignore-not-found")
    for group in (DEFAULT_GROUP, THEIRS):
        env.kubectl("delete", "crd", "--ignore-not-found", *(f"{kind}.{group}" for kind in KINDS))


def crds(env: Environment, group: str = DEFAULT_GROUP) -> dict[str, str]:
    """The uid of each CRD of a group, by name."""
    listed = json.loads(env.kubectl("get", "crds", "-o", "json"))["items"]
    return {body["metadata"]["name"]: body["metadata"]["uid"] for body in listed if body["spec"]["group"] == group}


@pytest.mark.parametrize("name", SETS)
def test_what_it_makes_is_taken(env: Environment, helm: Helm, name: str) -> None:
    objects = helm.template(values=SETS[name] if name in {"defaults", "settings"} else {**SETS[name], **NO_CRDS})
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
    answer = env.kubectl(
        "apply", "--server-side", "--dry-run=server", "--validate=strict", "-o=name", "-f", "-", input=text
    )
    assert len(answer.split()) == len(objects)


@pytest.mark.parametrize("name", SETS)
def test_its_pods_keep_to_the_restricted_level(env: Environment, helm: Helm, name: str) -> None:
    label = "pod-security.kubernetes.io/enforce=restricted"
    env.kubectl("label", "namespace", "team-a", label, "--overwrite")
    objects = helm.template(values={**SETS[name], **NO_CRDS})
    (template,) = [body["spec"]["template"] for body in objects if body["kind"] == "Deployment"]
    account = {"apiVersion": "v1", "kind": "ServiceAccount"}
    account["metadata"] = {"name": template["spec"]["serviceAccountName"], "namespace": "team-a"}  # type: ignore[assignment]
    env.kubectl("apply", "-f", "-", input=json.dumps(account))
    template["metadata"] |= {"name": "pod", "namespace": "team-a"}
    pod = {"apiVersion": "v1", "kind": "Pod", **template}

    env.kubectl("create", "--dry-run=server", "-f", "-", input=json.dumps(pod))

    (container,) = template["spec"]["containers"]
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    container["securityContext"].pop("capabilities")
    with pytest.raises(RuntimeError, match="violates PodSecurity"):
        env.kubectl("create", "--dry-run=server", "-f", "-", input=json.dumps(pod))


def test_a_release_fits_into_its_secret(env: Environment, installer: Helm) -> None:
    values = {
        "serviceMonitor": {"enabled": True},
        "prometheusRule": {"enabled": True},
        "networkPolicy": {"enabled": True},
    }
    installer.run("install", "certwright", CHART, f"--namespace={PLACE}", *installer.values(values))

    listed = json.loads(env.kubectl("get", "secrets", f"--namespace={PLACE}", "--selector=owner=helm", "-o", "json"))
    (release,) = [base64.b64decode(body["data"]["release"]) for body in listed["items"]]
    print(f"Helm {installer.major}: the release takes {len(release)} bytes")
    assert 50_000 < len(release) < SECRET_LIMIT / 4


def test_crds_outlive_the_release_and_are_taken_up_again(env: Environment, installer: Helm) -> None:
    place = f"--namespace={PLACE}"
    installer.run("install", "certwright", CHART, place)
    made = crds(env)
    assert set(made) == {f"{kind}.{DEFAULT_GROUP}" for kind in KINDS}

    installer.run("upgrade", "certwright", CHART, place, "--set=crds.install=false")
    assert crds(env) == made
    installer.run("uninstall", "certwright", place)
    assert crds(env) == made
    installer.run("install", "certwright", CHART, place)
    assert crds(env) == made


def test_crds_that_are_not_to_be_kept_are_not(env: Environment, installer: Helm) -> None:
    installer.run("install", "certwright", CHART, f"--namespace={PLACE}", "--set=crds.keep=false")
    assert crds(env)
    installer.run("uninstall", "certwright", f"--namespace={PLACE}", "--wait")
    assert not crds(env)


def test_crds_of_somebody_else_are_taken_over_on_request_only(env: Environment, installer: Helm) -> None:
    env.apply_crds(CRDS)
    there = crds(env)
    install = ["install", "certwright", CHART, f"--namespace={PLACE}"]

    with pytest.raises(HelmError, match="cannot be imported into the current release"):
        installer.run(*install)
    installer.run("uninstall", "certwright", f"--namespace={PLACE}", "--ignore-not-found")
    installer.run(*install, "--take-ownership")

    assert crds(env) == there


def test_another_group_is_served_beside(env: Environment, installer: Helm) -> None:
    installer.run("install", "certwright", CHART, f"--namespace={PLACE}", f"--set=apiGroup={THEIRS}")

    env.kubectl("wait", "--for=condition=Established", "--timeout=30s", *(f"crd/{kind}.{THEIRS}" for kind in KINDS))
    body: dict[str, Any] = {"apiVersion": f"{THEIRS}/v1", "kind": "Certificate", "metadata": {"name": "web"}}
    body["spec"] = {"secretName": "web", "issuerRef": {"name": "own", "group": THEIRS}, "dnsNames": ["example.com"]}
    env.kubectl("apply", "--dry-run=server", "--validate=strict", "-f", "-", input=json.dumps(body))
    body["spec"]["secretTemplate"] = {"annotations": {f"{THEIRS}/other": "1"}}
    with pytest.raises(RuntimeError, match=f"must not begin with {THEIRS}/"):
        env.kubectl("apply", "--dry-run=server", "-f", "-", input=json.dumps(body))

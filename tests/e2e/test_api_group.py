"""The API group is a setting: served as cert-manager's, the same manifests, labels and annotations are theirs."""

import json
from pathlib import Path

import pytest

from certwright.resources.names import DEFAULT_GROUP
from cluster import manifests
from cluster.environment import CRDS, Environment
from cluster.operator import Operator

THEIRS = "cert-manager.io"


@pytest.mark.cluster
def test_another_group_is_served_alike(tmp_path: Path) -> None:
    crds = tmp_path / "crds"
    crds.mkdir()
    for path in CRDS.glob("*.yaml"):
        (crds / path.name).write_text(path.read_text().replace(DEFAULT_GROUP, THEIRS))
    objects = [
        manifests.issuer("default", "own", selfSigned={}),
        manifests.certificate("default", "web", "web.example.test", issuer="own"),
    ]
    for body in objects:
        body["apiVersion"] = f"{THEIRS}/v1"
    with Environment(tmp_path / "state", crds=crds) as env:
        operator = Operator(env, tmp_path, options=(f"--api-group={THEIRS}",))
        operator.start()
        try:
            manifests.apply(env, *objects)
            env.kubectl("wait", f"certificates.{THEIRS}/web", "--for=condition=Ready", "--timeout=30s")
            meta = json.loads(env.kubectl("get", "secret", "web-tls", "-o", "json"))["metadata"]
        finally:
            operator.stop()
    assert meta["labels"] == {f"controller.{THEIRS}/fao": "true"}
    assert meta["annotations"][f"{THEIRS}/certificate-name"] == "web"
    assert meta["annotations"][f"{THEIRS}/issuer-group"] == THEIRS
    assert {entry["manager"] for entry in meta.get("managedFields", [])} <= {"cert-manager-certificates-issuing"}
    assert DEFAULT_GROUP not in json.dumps(meta)

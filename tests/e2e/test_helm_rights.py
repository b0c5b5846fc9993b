"""The chart's rights: with them alone the operator does its work, and none of them is for nothing."""

import json
import os
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from waits import fetch_certificate, secrets, solver, until, wait_condition, wait_ready

from cluster import manifests
from cluster.chart import CHART
from cluster.environment import KUBECONFIG_VARIABLE, Environment
from cluster.helm import Helm
from cluster.operator import Operator

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.slow,
    pytest.mark.needs("audit", "users", "controllers"),
    pytest.mark.usefixtures("helms"),
]

PLACE, SERVED, OTHER = "cw-system", "team-a", "team-b"
USER = f"system:serviceaccount:{PLACE}:certwright"
GROUPS = ["system:serviceaccounts", f"system:serviceaccounts:{PLACE}", "system:authenticated"]
GROUP = manifests.GROUP


class Right(NamedTuple):
    """A verb on a resource, as RBAC spells both."""

    verb: str
    group: str
    resource: str


#: What is granted and not used by what these tests do, and why it is granted all the same.
JUSTIFIED = {
    Right("update", GROUP, "certificates/finalizers"): "asked for by admission where owner references are enforced",
    Right("get", GROUP, "issuers"): "read anew after a conflict of the status",
    Right("get", GROUP, "clusterissuers"): "read anew after a conflict of the status",
}
#: Of the HTTP-01 solver, which has tests of its own.
SOLVER = ("pods", "services", "persistentvolumeclaims", "ingresses", "ingressclasses", "httproutes", "gateways")
MODES: dict[str, dict[str, Any]] = {
    "everywhere": {},
    "in a namespace": {"namespaces": [SERVED]},
    "in a namespace, with ClusterIssuers": {"namespaces": [SERVED], "rbac": {"clusterScoped": True}},
}


@pytest.fixture(scope="module")
def env(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Environment]:
    """An environment of these tests' own: one installation serves the whole cluster."""
    if os.environ.get(KUBECONFIG_VARIABLE):
        pytest.skip("not before a cluster of somebody's: the operator would serve all of it")
    with Environment(tmp_path_factory.mktemp("rights")) as environment:
        for name in (PLACE, SERVED, OTHER):
            environment.kubectl("create", "namespace", name)
        yield environment


@pytest.fixture(scope="module", params=MODES)
def mode(request: pytest.FixtureRequest) -> str:
    return str(request.param)


class Installation(NamedTuple):
    """The chart installed, and the operator that runs by its settings and under its service account."""

    operator: Operator
    granted: set[Right]
    mark: int


@pytest.fixture(scope="module")
def installed(env: Environment, mode: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    folder = tmp_path_factory.mktemp("operator")
    helm = Helm(4 if mode == "everywhere" else 3, folder / "helm", kubeconfig=env.kubeconfig)
    flags = helm.values({"crds": {"install": False}, **MODES[mode]})
    place = f"--namespace={PLACE}"
    helm.run("install", "certwright", CHART, place, *flags)  # without --wait: here is no node for the pods
    deployment = json.loads(env.kubectl("get", "deployment", "certwright", place, "-o", "json"))
    made = deployment["spec"]["template"]["spec"]["containers"][0]["env"]
    variables = {entry["name"]: entry["value"] for entry in made}
    mark = env.audit_mark()
    operator = Operator(
        env, folder, kubeconfig=env.kubeconfig_for(USER, GROUPS), variables=variables, leader_elect=True
    )
    operator.start()
    yield Installation(operator, _granted(env), mark)
    operator.stop()
    helm.run("uninstall", "certwright", place)
    for namespace in (SERVED, OTHER, PLACE):
        env.kubectl("delete", "certificates,issuers,secrets", "--all", f"--namespace={namespace}")
    env.kubectl("delete", "clusterissuers", "--all")
    env.kubectl("delete", "lease", "certwright", place)  # the next one creates it, too


def _granted(env: Environment) -> set[Right]:
    """What the roles that are bound to the operator's service account grant."""
    label = "--selector=app.kubernetes.io/instance=certwright"
    listed = json.loads(env.kubectl("get", "roles,clusterroles", "--all-namespaces", label, "-o", "json"))
    bound = json.loads(env.kubectl("get", "rolebindings,clusterrolebindings", "--all-namespaces", label, "-o", "json"))
    names = {body["roleRef"]["name"] for body in bound["items"]}
    return {
        Right(verb, group, resource)
        for body in listed["items"]
        if body["metadata"]["name"] in names
        for rule in body["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def _work(env: Environment, *, cluster_issuers: bool) -> None:
    """All kinds of issuers and ways that the rights are for."""
    apply = manifests.apply
    apply(
        env,
        manifests.issuer(SERVED, "self-signed", selfSigned={}),
        manifests.certificate(SERVED, "root", issuer="self-signed", secret="root", commonName="root", isCA=True),
        manifests.issuer(SERVED, "own", ca={"secretName": "root"}),
        manifests.certificate(SERVED, "inner", "inner.example.test", issuer="own"),
        manifests.issuer(SERVED, "lame", ca={"secretName": "absent"}),
        manifests.tsig_secret(env, SERVED),
        manifests.acme_issuer(env, SERVED, solvers=[solver(env)]),
        manifests.certificate(SERVED, "outer", "outer.example.test", "*.outer.example.test"),
    )
    for name in ("root", "inner", "outer"):
        wait_ready(env, SERVED, name, 60)
    if cluster_issuers:
        kind = {"name": "everyone", "kind": "ClusterIssuer"}
        apply(
            env,
            manifests.tsig_secret(env, PLACE),
            manifests.acme_issuer(env, PLACE, "everyone", kind="ClusterIssuer", solvers=[solver(env)]),
            manifests.certificate(SERVED, "shared", "shared.example.test", issuerRef=kind),
        )
        wait_ready(env, SERVED, "shared", 60)
        assert [item["metadata"]["name"] for item in secrets(env, PLACE) if item["type"] == "Opaque"] == [
            "everyone-account",
            "tsig",
        ]
    # A Secret that vanished is made anew, once the namespace is seen to stay.
    revision = fetch_certificate(env, SERVED, "inner")["status"]["revision"]
    env.kubectl("delete", "secret", "inner-tls", f"--namespace={SERVED}")
    until(
        lambda: fetch_certificate(env, SERVED, "inner")["status"]["revision"] > revision, 60, "the Secret is made anew"
    )
    # The same Event twice: it is counted.
    wait_condition(env, SERVED, "lame", "Ready", "False", resource="issuers", reason="SecretNotFound")
    for secret_name, ready in (("root", "True"), ("absent", "False")):
        spec = {"spec": {"ca": {"secretName": secret_name}}}
        env.kubectl("patch", "issuer", "lame", f"--namespace={SERVED}", "--type=merge", f"--patch={json.dumps(spec)}")
        wait_condition(env, SERVED, "lame", "Ready", ready, resource="issuers", timeout=60)


def test_the_rights_suffice_and_are_used(env: Environment, mode: str, installed: Installation) -> None:
    cluster_issuers = mode != "in a namespace"

    _work(env, cluster_issuers=cluster_issuers)

    everything = [entry for entry in env.audit(installed.mark) if entry.user == USER]
    asked = [entry for entry in everything if "objectRef" in entry.raw]
    # What every user may ask: which kinds there are.
    assert {entry.resource.split("/")[1] for entry in everything if entry not in asked} <= {"api", "apis"}
    rights = {(entry.verb, entry.raw["objectRef"].get("apiGroup", ""), entry.resource): entry for entry in asked}
    used = {Right(*right) for right in rights}
    refused = {(entry.verb, entry.resource) for entry in asked if entry.code == 403}
    log = installed.operator.log()
    if cluster_issuers:
        assert refused == set()
        assert "Forbidden" not in log
    else:
        assert refused == {("list", "clusterissuers")}
        assert [line for line in log.splitlines() if "Forbidden" in line and "not watched" not in line] == []
    assert used - installed.granted - {Right("list", GROUP, "clusterissuers")} == set()
    unused = {right for right in installed.granted - used if right.resource not in SOLVER}
    assert unused - set(JUSTIFIED) == set()
    assert {entry.namespace for entry in asked if entry.resource == "leases"} == {PLACE}


def test_nothing_more_is_allowed(env: Environment, mode: str, installed: Installation) -> None:
    assert installed.operator.child.running

    def allowed(*question: str, namespace: str = SERVED) -> bool:
        who = [f"--as={USER}", *(f"--as-group={group}" for group in GROUPS)]
        answer = env.kubectl("auth", "can-i", *question, f"--namespace={namespace}", *who, check=False)
        return answer.strip() == "yes"

    everywhere = mode == "everywhere"
    assert allowed("get", "secrets")
    assert allowed("get", "secrets", namespace=OTHER) is everywhere
    assert allowed("create", "pods", namespace=OTHER) is everywhere
    assert allowed("get", f"certificates.{GROUP}", namespace=OTHER) is everywhere
    assert allowed("get", f"namespaces/{OTHER}", namespace=OTHER) is everywhere
    assert allowed("get", f"namespaces/{SERVED}")
    assert allowed("get", "secrets", namespace=PLACE) is (mode != "in a namespace")
    assert allowed("list", "secrets", namespace=PLACE) is everywhere
    assert allowed("update", "leases.coordination.k8s.io/certwright", namespace=PLACE)
    assert not allowed("update", "leases.coordination.k8s.io/another", namespace=PLACE)
    assert not allowed("update", "leases.coordination.k8s.io/certwright")
    for question in (
        ("create", f"certificates.{GROUP}"),
        ("delete", f"certificates.{GROUP}"),
        ("patch", f"issuers.{GROUP}"),
        ("update", "secrets"),
        ("deletecollection", "secrets"),
        ("create", "pods", "--subresource=exec"),
        ("create", "serviceaccounts", "--subresource=token"),
        ("get", "configmaps"),
        ("patch", "deployments.apps"),
        ("get", "roles.rbac.authorization.k8s.io"),
        ("impersonate", "users"),
    ):
        assert not allowed(*question), question


def test_people_get_theirs_by_the_clusters_own_roles(env: Environment, installed: Installation) -> None:
    assert installed.operator.child.running
    for role in ("view", "edit"):
        env.kubectl("create", "rolebinding", role, f"--clusterrole={role}", f"--user={role}er", f"--namespace={SERVED}")
    try:

        def allowed(who: str, verb: str, resource: str, *flags: str) -> bool:
            question = ["auth", "can-i", verb, f"{resource}.{GROUP}", f"--as={who}", f"--namespace={SERVED}"]
            return env.kubectl(*question, *flags, check=False).strip() == "yes"

        until(lambda: allowed("editer", "create", "certificates"), 30, "the controller manager joins the roles")
        assert allowed("viewer", "list", "certificates")
        assert not allowed("viewer", "create", "certificates")
        assert not allowed("viewer", "patch", "certificates", "--subresource=status")
        assert allowed("editer", "patch", "certificates", "--subresource=status")
        assert not allowed("editer", "patch", "issuers", "--subresource=status")
        assert not allowed("editer", "create", "clusterissuers")
    finally:
        env.kubectl("delete", "rolebinding", "view", "edit", f"--namespace={SERVED}")

"""The chart on a real node: the operator runs as users run it, and no release's coming or going costs a certificate."""

import json
import re
import secrets as random
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from http01_support import BY_CLASS, Site
from waits import client, fetch_certificate, operator_writes, renew, secret, secrets, until, wait_issuer, wait_ready

from certwright.kube.faults import NotFound
from certwright.kube.paths import LEASES, path
from cluster import manifests
from cluster.chart import CHART
from cluster.environment import Environment
from cluster.helm import Helm
from cluster.image import certwright
from cluster.node import Node
from cluster.node_pebble import pebble_for_pods
from cluster.node_traefik import CLASS
from cluster.pebble import Pebble, PebbleOptions

pytestmark = [pytest.mark.cluster, pytest.mark.slow, pytest.mark.timeout(900)]

RESTRICTED = "pod-security.kubernetes.io/enforce=restricted"
WAIT = ("--wait", "--timeout=240s")
#: No registry: the image was imported.
IMAGE: dict[str, Any] = {"image": {"pullPolicy": "Never"}}
#: An upgrade that makes new pods; the API server must be reached in spite of a proxy that is none.
CHANGED: dict[str, Any] = {
    **IMAGE,
    "logFormat": "text",
    "workers": 4,
    "podAnnotations": {"example.test/changed": "true"},
    "proxy": {"http": "http://127.0.0.1:1", "https": "http://127.0.0.1:1"},
}
#: What the rights of the HTTP-01 solver are for, by verb and resource.
SOLVER_RIGHTS = {
    *((verb, "pods") for verb in ("get", "create", "delete")),
    *((verb, "services") for verb in ("create", "delete")),
    *((verb, "ingresses") for verb in ("get", "create", "update", "delete")),
    *((verb, "httproutes") for verb in ("create", "delete")),
    ("get", "gateways"),
}


@pytest.fixture(scope="module")
def env(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Environment]:
    """An environment of these tests' own: in the others an operator serves all namespaces."""
    if reason := Node.missing():
        pytest.skip(reason)
    with Environment(tmp_path_factory.mktemp("helm-environment"), crds=None) as environment:
        yield environment


@pytest.fixture(scope="module")
def node(env: Environment) -> Iterator[Node]:
    with Node(env) as running:
        running.load_image(certwright())
        yield running


@pytest.fixture(scope="module")
def pebble(env: Environment, node: Node, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pebble]:
    options = PebbleOptions(dns_server=env.bind.resolver, retry_after_authz=0, retry_after_order=0)
    with pebble_for_pods(env, node, tmp_path_factory.mktemp("pebble"), options) as running:
        yield running


class Release:
    """The chart, installed in a namespace of its own that takes restricted pods only."""

    def __init__(self, env: Environment, helm: Helm, place: str) -> None:
        self.env = env
        self.helm = helm
        self.place = place
        env.kubectl("create", "namespace", place)
        env.kubectl("label", "namespace", place, RESTRICTED)

    def run(self, command: str, *arguments: object) -> None:
        self.helm.run(command, "certwright", *map(str, arguments), f"--namespace={self.place}", timeout=400)

    def install(self, values: dict[str, Any], *, upgrade: bool = False) -> None:
        """Install or upgrade, and wait as Helm does; both pods are ready then."""
        self.run("upgrade" if upgrade else "install", CHART, *WAIT, *self.helm.values(values))
        self.see_ready()

    def see_ready(self) -> None:
        """Look that Helm was right to go on, and wait for one of the pods to lead."""
        deployment = json.loads(
            self.env.kubectl("get", "deployment/certwright", f"--namespace={self.place}", "-o=json")
        )
        status, metadata = deployment["status"], deployment["metadata"]
        assert (status["readyReplicas"], status["updatedReplicas"], status["replicas"]) == (2, 2, 2)
        assert status["observedGeneration"] == metadata["generation"]
        until(self.leader, 60, "one of the pods leads", self.logs)
        assert sorted(self.metric(pod, "certwright_leader") for pod in self.pods()) == [0, 1]

    def pods(self) -> dict[str, str]:
        """Addresses by name, of those that are not ending."""
        label = "--selector=app.kubernetes.io/instance=certwright"
        items = json.loads(self.env.kubectl("get", "pods", label, f"--namespace={self.place}", "-o=json"))["items"]
        staying = [body for body in items if "deletionTimestamp" not in body["metadata"]]
        return {body["metadata"]["name"]: body["status"].get("podIP", "") for body in staying}

    def leader(self) -> str:
        """The pod that holds the Lease; empty when none of those that stay does."""
        try:
            lease = client(self.env.kubeconfig).request("GET", path(LEASES, "leases", self.place, "certwright"))
        except NotFound:
            return ""
        holder = str(lease["spec"].get("holderIdentity") or "").partition("_")[0]
        return holder if holder in self.pods() else ""

    def metric(self, pod: str, name: str) -> float:
        """The sum of a metric's samples."""
        with urllib.request.urlopen(f"http://{self.pods()[pod]}:9402/metrics", timeout=10) as page:
            found = re.findall(rf"^{name}(?:{{.*}})? (\S+)$", page.read().decode(), re.MULTILINE)
        return sum(float(value) for value in found)

    def logs(self) -> str:
        return "\n".join(self.env.kubectl("logs", pod, f"--namespace={self.place}", check=False) for pod in self.pods())

    def wait_idle(self, objects: int) -> None:
        """Wait until the leader has looked at that many objects and nothing waits for it."""

        def idle() -> bool:
            leader = self.leader()
            looked = bool(leader) and self.metric(leader, "certwright_reconciles_total") >= objects
            return looked and self.metric(leader, "certwright_queue_depth") == 0

        until(idle, 60, "the leader has looked at everything", self.logs)

    def remove(self) -> None:
        self.run("uninstall", *WAIT)
        assert not self.pods()


@pytest.fixture
def release(env: Environment, node: Node, helm: Helm) -> Iterator[Release]:
    """Each Helm's in turn, not installed yet."""
    assert node.address
    made = Release(
        env, Helm(helm.major, env.state / f"helm{helm.major}", kubeconfig=env.kubeconfig), f"cw-{random.token_hex(3)}"
    )
    yield made
    made.helm.run("uninstall", "certwright", f"--namespace={made.place}", "--ignore-not-found")
    # The next release could not have what this one kept.
    kinds = (f"{kind}.{manifests.GROUP}" for kind in ("certificates", "issuers", "clusterissuers"))
    env.kubectl("delete", "crd", "--ignore-not-found", *kinds)


@pytest.fixture
def site(env: Environment, node: Node, pebble: Pebble) -> Iterator[Site]:
    made = Site(env, node, pebble, f"site-{random.token_hex(3)}")
    made.begin()
    yield made
    made.end()


def held(env: Environment, namespace: str, *names: str) -> dict[str, tuple[int, bytes]]:
    """Number and chain of each certificate."""
    return {
        name: (
            fetch_certificate(env, namespace, name)["status"]["revision"],
            (secret(env, namespace, f"{name}-tls") or {})["tls.crt"],
        )
        for name in names
    }


def identities(env: Environment, namespace: str) -> dict[str, tuple[str, str]]:
    """The uid and version of every Secret that is not Helm's own."""
    return {
        body["metadata"]["name"]: (body["metadata"]["uid"], body["metadata"]["resourceVersion"])
        for body in secrets(env, namespace)
    }


def crds(env: Environment) -> set[str]:
    """The uids of our kinds."""
    listed = json.loads(env.kubectl("get", "crds", "-o=json"))["items"]
    return {body["metadata"]["uid"] for body in listed if body["spec"]["group"] == manifests.GROUP}


def test_no_certificate_is_touched_from_install_to_reinstall(env: Environment, release: Release, site: Site) -> None:
    names = ("root", "inner", "outer")
    release.install(IMAGE)
    (host,) = site.names("outer")
    manifests.apply(
        env,
        manifests.issuer(site.namespace, "self-signed", selfSigned={}),
        manifests.certificate(site.namespace, "root", issuer="self-signed", commonName="root", isCA=True),
        manifests.issuer(site.namespace, "own", ca={"secretName": "root-tls"}),
        manifests.certificate(site.namespace, "inner", "inner.example.test", issuer="own"),
    )
    site.issuer(BY_CLASS)
    manifests.apply(env, manifests.certificate(site.namespace, "outer", host))
    for name in names:
        wait_ready(env, site.namespace, name, 120)
    site.wait_clean()
    objects = len(names) + 3  # and the issuers
    before, kept, kinds = held(env, site.namespace, *names), identities(env, site.namespace), crds(env)
    assert len(kinds) == 3

    def see_untouched(mark: int) -> None:
        release.wait_idle(objects)
        assert operator_writes(env, mark) == []
        assert held(env, site.namespace, *names) == before
        assert identities(env, site.namespace) == kept
        assert crds(env) == kinds

    mark = env.audit_mark()
    release.install(CHANGED, upgrade=True)
    see_untouched(mark)
    assert "the workers start [certwright.app] workers=4" in release.logs()
    assert "ERROR" not in release.logs().upper()

    mark = env.audit_mark()
    release.run("rollback", 1, *WAIT)
    release.see_ready()
    see_untouched(mark)
    assert '"workers": 8' in release.logs()

    mark = env.audit_mark()
    release.remove()
    assert operator_writes(env, mark) == []
    assert held(env, site.namespace, *names) == before
    assert identities(env, site.namespace) == kept
    assert crds(env) == kinds

    mark = env.audit_mark()
    release.install(IMAGE)
    see_untouched(mark)
    renew(env, site.namespace, "outer")
    until(
        lambda: fetch_certificate(env, site.namespace, "outer")["status"].get("revision", 0) > before["outer"][0],
        120,
        "it goes on where it was left",
        release.logs,
    )


@pytest.mark.parametrize("helm", [4], ids=["helm4"], indirect=True)  # the rights are the same by both
def test_the_rights_on_one_namespace_suffice_for_every_way_of_http01(
    env: Environment, release: Release, site: Site
) -> None:
    release.install({**IMAGE, "namespaces": [site.namespace], "rbac": {"aggregate": False}})
    mark = env.audit_mark()
    by_class, by_name, by_route = site.names("class", "name", "route")
    site.web()
    site.ingress("shop", by_name)
    listener = {"name": "http", "protocol": "HTTP", "port": 80}
    gateway = {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "Gateway",
        "metadata": {"name": "entry", "namespace": site.namespace},
        "spec": {"gatewayClassName": CLASS, "listeners": [listener]},
    }
    ways = {
        by_class: BY_CLASS,
        by_name: {"http01": {"ingress": {"name": "shop"}}},
        by_route: {"http01": {"gatewayHTTPRoute": {"parentRefs": [{"name": "entry"}], "serviceType": "ClusterIP"}}},
    }
    solvers = [{**way, "selector": {"dnsNames": [name]}} for name, way in ways.items()]
    manifests.apply(env, gateway, manifests.acme_issuer(env, site.namespace, pebble=site.pebble, solvers=solvers))
    wait_issuer(env, site.namespace)
    for name, host in {"by-class": by_class, "by-name": by_name, "by-route": by_route}.items():
        manifests.apply(env, manifests.certificate(site.namespace, name, host))
        wait_ready(env, site.namespace, name, 120)
    site.wait_clean()

    user = f"system:serviceaccount:{release.place}:certwright"
    asked = [entry for entry in env.audit(mark) if entry.user == user]
    refused = {(entry.verb, entry.resource) for entry in asked if entry.code == 403}
    # Classes are the cluster's: the solver does without.
    assert refused <= {("get", "ingressclasses")}
    assert {(entry.verb, entry.resource) for entry in asked} >= SOLVER_RIGHTS
    granted = json.loads(env.kubectl("get", "role/certwright-http01", f"--namespace={site.namespace}", "-o=json"))
    assert {
        (verb, resource) for rule in granted["rules"] for resource in rule["resources"] for verb in rule["verbs"]
    } == SOLVER_RIGHTS

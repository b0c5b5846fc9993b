"""HTTP-01 when things go wrong on the way: pods killed, quotas, networks that block, others in the way."""

import contextlib
import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from http01_support import Site, stopped, verdict
from installed import Installed
from waits import fetch_certificate, status, until, wait_condition, wait_order, wait_ready

from cluster.bind import Bind
from cluster.environment import Environment
from cluster.manifests import apply, certificate
from cluster.node import Node
from cluster.node_traefik import CLASS, HTTP_PORT
from cluster.ports import accepts, free_port
from cluster.zones import Zone

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(240)]
REQUIRED = {"http01": {"ingress": {"ingressClassName": CLASS}, "check": {"policy": "Require"}}}


def evict(env: Environment, namespace: str, name: str) -> None:
    body = {
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": {"name": name, "namespace": namespace},
    }
    where = f"/api/v1/namespaces/{namespace}/pods/{name}/eviction"
    env.kubectl(
        "create",
        "--raw",
        where,
        "-f",
        "-",
        input=json.dumps(body),
    )


@pytest.mark.parametrize("way", ["delete", "evict", "fail"])
def test_a_solver_pod_that_is_lost_comes_back(env: Environment, site: Site, way: str) -> None:
    """The name leads nowhere until the pod was lost, so that it is lost in the midst of the challenge."""
    site.issuer(REQUIRED)
    (name,) = site.names("lost", publish=False)
    apply(env, certificate(site.namespace, "web", name))
    pod = site.wait_pod()
    if way == "delete":
        env.kubectl("delete", "pod", pod["metadata"]["name"], f"--namespace={site.namespace}", "--wait=false")
    elif way == "evict":
        evict(env, site.namespace, pod["metadata"]["name"])
    else:
        # As kubelet leaves a pod that it evicts for want of memory or disk.
        env.kubectl(
            *("patch", "pod", pod["metadata"]["name"], f"--namespace={site.namespace}", "--subresource=status"),
            *("--type=merge", "-p", '{"status":{"phase":"Failed","reason":"Evicted"}}'),
        )
    site.wait_pod(but=pod["metadata"]["uid"])
    site.names("lost")
    wait_ready(env, site.namespace, "web", 120)
    assert status(env, site.namespace, "web").get("failedIssuanceAttempts") is None
    site.wait_clean()


def test_a_leader_killed_amid_an_order(env: Environment, operator: Installed, site: Site) -> None:
    """The other pod goes on with the same order and the same solver pod."""
    site.issuer(REQUIRED)
    (name,) = site.names("killed", publish=False)
    apply(env, certificate(site.namespace, "web", name))
    pod, order = site.wait_pod(), wait_order(env, site.namespace, "web")
    operator.kill_leader()
    site.names("killed")
    wait_ready(env, site.namespace, "web", 120)
    creations = [write for write in site.writes() if write.startswith("create pods") and write.endswith("201")]
    assert (len(creations), order["state"]) == (1, "pending"), (site.writes(), pod["metadata"]["uid"])
    site.wait_clean()


def test_a_quota_that_is_too_small(env: Environment, site: Site) -> None:
    site.issuer()
    quota = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "small", "namespace": site.namespace},
        "spec": {"hard": {"pods": "0"}},
    }
    apply(env, quota)
    until(lambda: (site_quota(env, site.namespace)).get("hard"), 30, "the quota counts")
    (name,) = site.names("quota")
    apply(env, certificate(site.namespace, "web", name))
    told = wait_condition(
        env, site.namespace, "web", "Issuing", "False", reason="QuotaExceeded", says="exceeded quota: small", timeout=60
    )
    assert "pods" in told["message"]
    env.kubectl("delete", "resourcequota", "small", f"--namespace={site.namespace}")
    wait_ready(env, site.namespace, "web", 120)
    site.wait_clean()


def test_a_quota_on_everything_does_not_refuse_the_pod(env: Environment, site: Site) -> None:
    """A quota on requests and limits refuses each pod that does not name them all."""
    kinds = [f"{side}.{what}" for side in ("requests", "limits") for what in ("cpu", "memory", "ephemeral-storage")]
    quota = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "all", "namespace": site.namespace},
        "spec": {"hard": {**dict.fromkeys(kinds, "1Gi"), "requests.cpu": "1", "limits.cpu": "1"}},
    }
    apply(env, quota)
    until(lambda: (site_quota(env, site.namespace, "all")).get("hard"), 30, "the quota counts")
    site.issuer()
    (name,) = site.names("fits")
    apply(env, certificate(site.namespace, "web", name))
    wait_ready(env, site.namespace, "web", 90)


def site_quota(env: Environment, namespace: str, name: str = "small") -> dict[str, object]:
    body = json.loads(env.kubectl("get", "resourcequota", name, f"--namespace={namespace}", "-o", "json"))
    found: dict[str, object] = body.get("status") or {}
    return found


@contextlib.contextmanager
def blocked(node: Node, address: str) -> Iterator[None]:
    """Drop what goes to a pod's solver port, as a NetworkPolicy that nobody exempted it from does."""
    rule = "add table inet blocked; add chain inet blocked forward { type filter hook forward priority -10; }; "
    rule += f"add rule inet blocked forward ip daddr {address} tcp dport 8089 drop; "
    rule += "add chain inet blocked output { type filter hook output priority -10; }; "
    rule += f"add rule inet blocked output ip daddr {address} tcp dport 8089 drop"
    node.nft(rule)
    try:
        yield
    finally:
        node.nft("delete table inet blocked")


def test_a_network_policy_that_blocks_the_pod(env: Environment, node: Node, site: Site) -> None:
    """The node's network plugin enforces no NetworkPolicy, so packets are dropped as such a plugin would."""
    site.issuer(REQUIRED)
    (name,) = site.names("blocked", publish=False)
    apply(env, certificate(site.namespace, "web", name))
    pod = site.wait_pod()
    with blocked(node, pod["status"]["podIP"]):
        site.names("blocked")
        told = wait_condition(env, site.namespace, "web", "Issuing", says=name, timeout=90)
        until(
            lambda: "timed out" in verdict(fetch_certificate(env, site.namespace, "web")),
            90,
            "the verdict names the path that is blocked",
            lambda: (told, verdict(fetch_certificate(env, site.namespace, "web"))),
        )
        assert "NetworkPolicy" in verdict(fetch_certificate(env, site.namespace, "web"))
    wait_ready(env, site.namespace, "web", 120)


def test_a_namespace_deleted_amid_a_challenge(env: Environment, site: Site) -> None:
    site.issuer(REQUIRED)
    (name,) = site.names("doomed", publish=False)
    apply(env, certificate(site.namespace, "web", name))
    site.wait_pod()
    env.kubectl("delete", "namespace", site.namespace, "--wait=false")
    until(
        lambda: not env.kubectl("get", "namespace", site.namespace, "--ignore-not-found"),
        90,
        "the namespace is gone",
        lambda: env.kubectl("get", "namespace", site.namespace, "-o", "yaml", check=False),
    )


def test_a_certificate_deleted_amid_a_challenge_takes_all_along(env: Environment, site: Site) -> None:
    site.issuer(REQUIRED)
    (name,) = site.names("dropped", publish=False)
    apply(env, certificate(site.namespace, "web", name))
    site.wait_pod()
    env.kubectl("delete", "certificate", "web", f"--namespace={site.namespace}")
    site.wait_clean()


def test_an_ingress_controller_that_comes_up_late(env: Environment, node: Node, site: Site) -> None:
    site.issuer()
    (name,) = site.names("late")
    with stopped(node, "traefik") as again:
        apply(env, certificate(site.namespace, "web", name))
        wait_condition(env, site.namespace, "web", "Issuing", says="refused", timeout=60)
        again()
        until(lambda: accepts(node.address, HTTP_PORT), 30, "Traefik is back")
        wait_ready(env, site.namespace, "web", 120)
    site.wait_clean()


def test_another_ingress_in_the_way_is_told(env: Environment, site: Site) -> None:
    """It has the same host and the path of all challenges, and goes first by its priority."""
    site.issuer(REQUIRED)
    (name,) = site.names("taken")
    site.web()
    site.ingress("greedy", name, annotations={"traefik.ingress.kubernetes.io/router.priority": "1000000"})
    apply(env, certificate(site.namespace, "web", name))
    wait_condition(env, site.namespace, "web", "Issuing", says=name, timeout=60)
    until(
        lambda: "another" in verdict(fetch_certificate(env, site.namespace, "web")),
        60,
        "the verdict says that another answers",
        lambda: verdict(fetch_certificate(env, site.namespace, "web")),
    )
    site.mark()
    time.sleep(12)  # two rounds of looks at least, which find what was found before
    assert site.writes() == []
    env.kubectl("delete", "ingress", "greedy", f"--namespace={site.namespace}")
    wait_ready(env, site.namespace, "web", 120)


def test_a_missing_hairpin_does_not_wedge(env: Environment, node: Node, site: Site, tmp_path: Path) -> None:
    """From here the name leads to where nobody listens, as behind a NAT without hairpin; for the CA it is right."""
    (name,) = site.names("hairpin")
    label = name.removesuffix(".example.test")
    zone = Zone("example.test", records=[f"{label} A {node.gateway}"])
    with Bind(tmp_path, zones=[zone], privileged_port=False) as inside:
        warn = {"http01": {"ingress": {"ingressClassName": CLASS}, "check": {"policy": "Warn", "grace": "12s"}}}
        site.issuer(warn, nameservers=[node.expose(free_port(), inside.resolver)])
        apply(env, certificate(site.namespace, "web", name))
        wait_condition(env, site.namespace, "web", "Issuing", says="refused", timeout=60)
        wait_ready(env, site.namespace, "web", 120)
    site.wait_clean()

"""HTTP-01 by pods behind a real Ingress controller: a CA validates at port 80, one pod an order, and nothing stays."""

import json

import pytest
from cryptography import x509
from http01_support import BY_CLASS, Site, fetch
from installed import PLACE, Installed
from waits import events, until, wait_condition, wait_ready
from waits import secret as read_secret

from cluster.environment import Environment
from cluster.manifests import apply, certificate, rfc2136, tsig_secret
from cluster.node import Node
from cluster.node_traefik import CLASS, REDIRECT, REWRITE

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(240)]


def sans(env: Environment, namespace: str, name: str) -> list[str]:
    """The names of the certificate in a Secret."""
    (leaf, *_) = x509.load_pem_x509_certificates((read_secret(env, namespace, name) or {})["tls.crt"])
    found = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return sorted([*found.get_values_for_type(x509.DNSName), *map(str, found.get_values_for_type(x509.IPAddress))])


def told_of_waits(writes: list[str]) -> int:
    """Statuses beside the journal and the last one: a slow machine has waits of five seconds, which are told of."""
    return min(2, max(0, sum("certificates/status" in write for write in writes) - 2))


def test_one_name_costs_twelve_writes(env: Environment, site: Site) -> None:
    site.issuer()
    (name,) = site.names("one")
    apply(env, certificate(site.namespace, "web", name))
    wait_ready(env, site.namespace, "web", 90)
    until(lambda: len(site.writes()) >= 12, 10, "the writes", site.writes)

    writes = site.writes()
    assert len(writes) <= 12 + told_of_waits(writes), writes
    assert [write for write in writes if "pods" in write and write.startswith("create")]
    assert sans(env, site.namespace, "web-tls") == [name]
    assert [event["reason"] for event in events(env, site.namespace, "web")] == ["Issued"]
    site.wait_clean()


def test_a_hundred_names_are_served_by_one_pod(env: Environment, site: Site) -> None:
    site.issuer()
    names = site.names(*(f"w{number}" for number in range(100)))
    apply(env, certificate(site.namespace, "web", *names))
    wait_ready(env, site.namespace, "web", 180)
    until(lambda: len(site.writes()) >= 12, 10, "the writes", site.writes)

    made = [write for write in site.writes() if write.startswith("create")]
    # Pod, Service, Ingress, the next key, the Event: the other creations are none.
    assert len(made) == 5, made
    # The status may tell once or twice how far it is, since a hundred names take the CA a while.
    assert len(site.writes()) <= 14, site.writes()
    assert sans(env, site.namespace, "web-tls") == sorted(names)
    site.wait_clean()


def test_apex_and_www_behind_an_ingress_that_redirects_to_https(env: Environment, node: Node, site: Site) -> None:
    site.issuer()
    names = [site.names("apex")[0], *site.names("www.apex")]
    site.web()
    redirect = {"traefik.ingress.kubernetes.io/router.middlewares": f"{REDIRECT}@file"}
    site.ingress("web", *names, annotations=redirect)
    until(lambda: fetch(f"http://{node.address}/x", names[0])[0] in {301, 308}, 30, "the redirect")
    apply(env, certificate(site.namespace, "web", *names))
    wait_ready(env, site.namespace, "web", 90)

    assert sans(env, site.namespace, "web-tls") == sorted(names)
    assert fetch(f"http://{node.address}/x", names[1])[2].startswith("https://")


def test_behind_a_proxy_that_replaces_the_host(env: Environment, site: Site) -> None:
    """Traefik sends another Host, and the one that was asked for as X-Forwarded-Host."""
    template = {"metadata": {"annotations": {"traefik.ingress.kubernetes.io/router.middlewares": f"{REWRITE}@file"}}}
    ingress = {"ingressClassName": CLASS, "ingressTemplate": template}
    require = {"policy": "Require"}
    site.issuer({"http01": {"ingress": ingress, "proxyHeader": "X-Forwarded-Host", "check": require}})
    site.issuer({"http01": {"ingress": ingress, "check": require}}, name="deaf")
    (name, other) = site.names("proxied", "deaf")
    apply(env, certificate(site.namespace, "web", name), certificate(site.namespace, "deaf", other, issuer="deaf"))
    wait_ready(env, site.namespace, "web", 90)
    wait_condition(env, site.namespace, "deaf", "Issuing", says="404", timeout=60)


def test_another_path_type_where_a_policy_refuses_the_first(env: Environment, site: Site) -> None:
    """As ingress-nginx's webhook refuses a dot in an Exact path."""
    api, policy = "admissionregistration.k8s.io/v1", f"no-exact-{site.namespace}"
    here = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": site.namespace}}}
    ingresses = {
        "apiGroups": ["networking.k8s.io"],
        "apiVersions": ["v1"],
        "operations": ["CREATE"],
        "resources": ["ingresses"],
    }
    rule = {
        "expression": "object.spec.rules.all(r, r.http.paths.all(p, p.pathType != 'Exact'))",
        "message": "this path cannot be used with pathType Exact",
    }
    apply(
        env,
        {
            "apiVersion": api,
            "kind": "ValidatingAdmissionPolicy",
            "metadata": {"name": policy},
            "spec": {"matchConstraints": {"resourceRules": [ingresses], **here}, "validations": [rule]},
        },
        {
            "apiVersion": api,
            "kind": "ValidatingAdmissionPolicyBinding",
            "metadata": {"name": policy},
            "spec": {"policyName": policy, "validationActions": ["Deny"], "matchResources": here},
        },
    )
    site.issuer()
    (name,) = site.names("dotted")

    def refused() -> bool:
        """Whether the policy counts already: the API server learns of it by and by."""
        paths = [{"path": "/x", "pathType": "Exact", "backend": {"service": {"name": "x", "port": {"number": 1}}}}]
        body = {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "Ingress",
            "metadata": {"name": "probe", "namespace": site.namespace},
            "spec": {"rules": [{"host": "probe.test", "http": {"paths": paths}}]},
        }
        done = env.kubectl("create", "--dry-run=server", "-f", "-", input=json.dumps(body), check=False)
        return "created" not in done

    until(refused, 30, "the policy refuses Exact")
    apply(env, certificate(site.namespace, "web", name))
    wait_ready(env, site.namespace, "web", 90)
    assert [write.rpartition(" ")[2] for write in site.writes() if write.startswith("create ingresses")] == [
        "422",
        "201",
    ]
    env.kubectl("delete", "validatingadmissionpolicies,validatingadmissionpolicybindings", policy)


def test_an_address(env: Environment, node: Node, site: Site) -> None:
    site.issuer()
    apply(env, certificate(site.namespace, "web", ipAddresses=[node.address]))
    wait_ready(env, site.namespace, "web", 90)

    assert sans(env, site.namespace, "web-tls") == [node.address]
    site.wait_clean()


def test_an_existing_ingress_is_added_to_and_given_back(env: Environment, node: Node, site: Site) -> None:
    (name, other) = site.names("named", "other")
    site.web()
    site.ingress("shop", name, annotations={"kept": "as it is"})
    site.issuer({"http01": {"ingress": {"name": "shop"}}})
    before = site.get("Ingress", "shop")
    apply(env, certificate(site.namespace, "web", name, other))
    wait_ready(env, site.namespace, "web", 90)
    site.wait_clean()

    after = site.get("Ingress", "shop")
    assert after["spec"] == before["spec"]
    assert after["metadata"]["annotations"] == before["metadata"]["annotations"]
    assert fetch(f"http://{node.address}/", name)[1] == f"web {name}"
    assert len([write for write in site.writes() if "ingresses" in write]) == 2


def test_by_a_route_of_a_gateway(env: Environment, site: Site) -> None:
    listener = {"name": "http", "protocol": "HTTP", "port": 80}
    gateway = {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "Gateway",
        "metadata": {"name": "entry", "namespace": site.namespace},
        "spec": {"gatewayClassName": CLASS, "listeners": [listener]},
    }
    apply(env, gateway)
    site.issuer({"http01": {"gatewayHTTPRoute": {"parentRefs": [{"name": "entry"}], "serviceType": "ClusterIP"}}})
    names = site.names(*(f"r{number}" for number in range(20)))
    apply(env, certificate(site.namespace, "web", *names))
    wait_ready(env, site.namespace, "web", 120)

    assert sans(env, site.namespace, "web-tls") == sorted(names)
    assert len([write for write in site.writes() if write.startswith("create httproutes")]) == 2
    site.wait_clean()


def test_two_certificates_for_one_host_at_once(env: Environment, site: Site) -> None:
    site.issuer()
    (name,) = site.names("shared")
    apply(env, certificate(site.namespace, "a", name), certificate(site.namespace, "b", name))
    wait_ready(env, site.namespace, "a", 90)
    wait_ready(env, site.namespace, "b", 90)
    site.wait_clean()


def test_a_renewal_makes_objects_of_its_own(env: Environment, site: Site) -> None:
    site.issuer()
    (name,) = site.names("again")
    apply(env, certificate(site.namespace, "web", name))
    first = wait_ready(env, site.namespace, "web", 90)
    until(lambda: events(env, site.namespace, "web"), 10, "the Event, which is the last write of the first")
    site.mark()
    env.kubectl(
        *("patch", "certificate", "web", f"--namespace={site.namespace}", "--subresource=status", "--type=merge"),
        *("-p", '{"status":{"conditions":[' + ISSUING + "]}}"),
    )
    until(
        lambda: wait_ready(env, site.namespace, "web", 90)["status"]["revision"] > first["status"]["revision"],
        90,
        "the renewal",
    )
    assert len(site.writes()) <= 12 + told_of_waits(site.writes()), site.writes()
    site.wait_clean()


ISSUING = (
    '{"type":"Issuing","status":"True","reason":"ManuallyTriggered","message":"asked for by a test",'
    '"lastTransitionTime":"2026-01-01T00:00:00Z"}'
)


def test_a_web_server_serves_what_is_written_into_its_volume(env: Environment, node: Node, site: Site) -> None:
    folder = f"/run/webroot-{site.namespace}"
    node.run("mkdir", "--mode=0777", folder)
    volume = {"storageClassName": "", "accessModes": ["ReadWriteMany"]}
    size = {"storage": "1Mi"}
    apply(
        env,
        {
            "apiVersion": "v1",
            "kind": "PersistentVolume",
            "metadata": {"name": site.namespace},
            "spec": {**volume, "capacity": size, "hostPath": {"path": folder}},
        },
        {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {"name": "files", "namespace": site.namespace},
            "spec": {**volume, "volumeName": site.namespace, "resources": {"requests": size}},
        },
    )
    site.web(program=FILES, volume="files")
    (name,) = site.names("files")
    site.ingress("web", name)
    site.issuer({"http01": {"webroot": {"claimName": "files"}}})
    apply(env, certificate(site.namespace, "web", name))
    wait_ready(env, site.namespace, "web", 90)
    site.wait_clean()

    assert sans(env, site.namespace, "web-tls") == [name]
    assert not [write for write in site.writes() if "services" in write or "ingresses" in write]
    assert node.run("find", folder, "-type", "f") == ""
    env.kubectl("delete", "persistentvolume", site.namespace, "--wait=false")


#: Serves the files of /files at 8080.
FILES = """
import functools, http.server
handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory="/files")
http.server.ThreadingHTTPServer(("", 8080), handler).serve_forever()
"""


def test_an_issuer_of_both_challenges(env: Environment, node: Node, site: Site) -> None:
    """The wildcard is proven by DNS-01 and the host by HTTP-01, in one order."""
    apply(env, tsig_secret(env, site.namespace))
    (name,) = site.names("both")
    dns01 = rfc2136(env, nameserver=f"{node.gateway}:53", protocol="TCP")["dns01"]
    # The zone's own servers listen on the loopback, where a pod does not reach them.
    solver = {"dns01": {**dns01, "propagation": {"mode": "Recursive"}}, "selector": {"dnsNames": [f"*.{name}"]}}
    site.issuer(solver, BY_CLASS)
    apply(env, certificate(site.namespace, "web", name, f"*.{name}"))
    wait_ready(env, site.namespace, "web", 90)
    assert sans(env, site.namespace, "web-tls") == sorted([name, f"*.{name}"])
    site.wait_clean()
    assert env.bind.query(f"_acme-challenge.{name}", "TXT").answer == []


def test_check_dns_from_the_operators_pod(env: Environment, operator: Installed, site: Site) -> None:
    """As the page says; the zones' own servers listen on this machine's loopback, where no pod reaches them."""
    site.issuer()
    done = env.kubectl(
        *("exec", f"--namespace={PLACE}", operator.leader(), "--"),
        *("certwright", "check", "dns", site.names("pod")[0], "--issuer=acme", f"--namespace={site.namespace}"),
        *("-o", "json"),
        check=False,
    )
    (found,) = json.loads(done)["names"]
    told = {finding["code"]: finding for finding in found["findings"]}
    assert found["name"] == site.names("pod")[0]
    assert "it is a loopback address" in told["AllServersSilent"]["text"]
    assert "is proven by http-01" in told["OtherChallenge"]["text"]


def test_a_name_without_a_way_in_is_told_and_heals(env: Environment, site: Site) -> None:
    site.issuer({"http01": {"ingress": {"ingressClassName": CLASS}, "check": {"policy": "Require"}}})
    (name,) = site.names("absent", publish=False)
    apply(env, certificate(site.namespace, "web", name))
    wait_condition(env, site.namespace, "web", "Issuing", says=name, timeout=60)
    site.names("absent")
    wait_ready(env, site.namespace, "web", 90)
    site.wait_clean()

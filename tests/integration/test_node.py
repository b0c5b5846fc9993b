"""The node of the harness: pods run on it, find each other by Services, and leave nothing behind."""

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from cluster.environment import Environment
from cluster.node import API_SERVICE, Node
from cluster.node_images import PYTHON
from cluster.node_traefik import CLASS

pytestmark = pytest.mark.cluster

#: What the restricted level of Pod Security asks for.
RESTRICTED = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "runAsNonRoot": True,
    "seccompProfile": {"type": "RuntimeDefault"},
}
#: Answers every request with the Host header.
SERVER = """
import http.server

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = f"hello {self.headers['Host']}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

http.server.ThreadingHTTPServer(("", 8080), Handler).serve_forever()
"""
#: Asks the API server as a pod does, with the token and the CA that every pod gets.
IN_CLUSTER = """
import ssl, urllib.error, urllib.request
folder = "/var/run/secrets/kubernetes.io/serviceaccount"
context = ssl.create_default_context(cafile=f"{folder}/ca.crt")
token = open(f"{folder}/token").read()
for host in ("kubernetes.default.svc", "%s"):
    request = urllib.request.Request(f"https://{host}/version", headers={"Authorization": f"Bearer {token}"})
    print(urllib.request.urlopen(request, context=context, timeout=10).status)
"""


@pytest.fixture(scope="module")
def restricted(env: Environment, node: Node) -> Iterator[str]:
    """A namespace that takes restricted pods only, with the server `web` in it."""
    name = "restricted"
    env.kubectl("wait", "--for=condition=Ready", f"node/{node.name}")
    env.kubectl("create", "namespace", name)
    env.kubectl("label", "namespace", name, "pod-security.kubernetes.io/enforce=restricted")
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web", "namespace": name},
        "spec": {"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": 8080}]},
    }
    apply(env, pod(name, "web", SERVER, probe=True), service)
    env.kubectl("wait", "--for=condition=Ready", "--timeout=60s", "pod/web", f"--namespace={name}")
    yield name
    env.kubectl("delete", "namespace", name, "--wait=false")


def test_the_node_is_ready_and_says_what_it_runs(env: Environment, node: Node) -> None:
    found = json.loads(env.kubectl("get", "node", node.name, "-o", "json"))

    conditions = {entry["type"]: entry["status"] for entry in found["status"]["conditions"]}
    assert conditions["Ready"] == "True"
    assert {"type": "InternalIP", "address": node.address} in found["status"]["addresses"]
    assert found["status"]["nodeInfo"]["containerRuntimeVersion"].startswith("containerd://")


def test_a_restricted_pod_runs_as_nobody(env: Environment, restricted: str) -> None:
    where = f"--namespace={restricted}"
    done = env.kubectl("exec", "web", where, "--", "/usr/bin/python3", "-c", "import os; print(os.getuid())")

    assert done.strip() == "65534"
    assert '"GET / HTTP/1.1" 200' in env.kubectl("logs", "web", where)  # its readiness probe


def test_a_pod_finds_a_service_by_name(env: Environment, restricted: str) -> None:
    question = "import urllib.request as u; print(u.urlopen('http://{}/', timeout=10).read().decode())"

    near = run_pod(env, restricted, "near", question.format("web"))
    far = run_pod(env, restricted, "far", question.format(f"web.{restricted}.svc.cluster.local"))

    assert (near, far) == ("hello web", f"hello web.{restricted}.svc.cluster.local")


def test_a_pod_reaches_itself_through_its_service(env: Environment, restricted: str) -> None:
    question = f"import urllib.request as u; print(u.urlopen('http://web.{restricted}', timeout=10).read().decode())"

    answer = env.kubectl("exec", "web", f"--namespace={restricted}", "--", "/usr/bin/python3", "-c", question)

    assert answer.strip() == f"hello web.{restricted}"


def test_a_pod_reaches_the_api_server_as_any_client_in_a_cluster_does(env: Environment, restricted: str) -> None:
    assert run_pod(env, restricted, "client", IN_CLUSTER % API_SERVICE, token=True).split() == ["200", "200"]


def test_a_pod_asks_the_name_server_of_the_harness(env: Environment, restricted: str) -> None:
    question = "import socket; print(socket.gethostbyname('ns1.example.test'))"

    assert run_pod(env, restricted, "names", question) == env.bind.addresses[0]


def test_a_pod_is_reached_from_this_machine(env: Environment, restricted: str) -> None:
    address = env.kubectl("get", "pod", "web", f"--namespace={restricted}", "-o", "jsonpath={.status.podIP}")

    assert fetch(f"http://{address}:8080/", "straight.test") == "hello straight.test"


def test_an_ingress_is_served_at_port_80_of_the_node(env: Environment, node: Node, restricted: str) -> None:
    backend = {"service": {"name": "web", "port": {"number": 80}}}
    rule = {"host": "ingress.test", "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}}
    ingress = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"name": "web", "namespace": restricted},
        "spec": {"ingressClassName": CLASS, "rules": [rule]},
    }
    apply(env, ingress)

    wait_until(lambda: fetch(f"http://{node.address}/", "ingress.test") == "hello ingress.test")

    assert not fetch(f"http://{node.address}/", "other.test")
    where = ["--namespace", restricted, "-o", "jsonpath={.status.loadBalancer.ingress[*].ip}"]
    wait_until(lambda: env.kubectl("get", "ingress", "web", *where) == node.address)


def test_a_route_of_gateway_api_is_served_too(env: Environment, node: Node, restricted: str) -> None:
    api, metadata = "gateway.networking.k8s.io/v1", {"name": "web", "namespace": restricted}
    listener = {"name": "http", "protocol": "HTTP", "port": 80}
    gateway = {
        "apiVersion": api,
        "kind": "Gateway",
        "metadata": metadata,
        "spec": {"gatewayClassName": CLASS, "listeners": [listener]},
    }
    rules = [{"backendRefs": [{"name": "web", "port": 80}]}]
    route = {
        "apiVersion": api,
        "kind": "HTTPRoute",
        "metadata": metadata,
        "spec": {"parentRefs": [{"name": "web"}], "hostnames": ["route.test"], "rules": rules},
    }
    apply(env, gateway, route)

    wait_until(lambda: fetch(f"http://{node.address}/", "route.test") == "hello route.test")

    env.kubectl("wait", "--for=condition=Programmed", "--timeout=10s", "gateway/web", f"--namespace={restricted}")


def apply(env: Environment, *objects: dict[str, Any]) -> None:
    env.kubectl("apply", "-f", "-", input=json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)}))


def pod(namespace: str, name: str, program: str, *, probe: bool = False, token: bool = False) -> dict[str, Any]:
    """A pod that runs a Python program and is allowed nothing."""
    container: dict[str, Any] = {
        "name": "main",
        "image": PYTHON,
        "imagePullPolicy": "Never",
        "command": ["/usr/bin/python3", "-u", "-c", program],
        "securityContext": {**RESTRICTED, "readOnlyRootFilesystem": True},
        "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"memory": "64Mi"}},
    }
    if probe:
        container["readinessProbe"] = {"httpGet": {"path": "/", "port": 8080}, "periodSeconds": 1}
    spec = {"automountServiceAccountToken": token, "restartPolicy": "Never", "containers": [container]}
    metadata = {"name": name, "namespace": namespace, "labels": {"app": name}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def run_pod(env: Environment, namespace: str, name: str, program: str, *, token: bool = False) -> str:
    """Run a program in a pod to its end and return what it printed."""
    where = f"--namespace={namespace}"
    apply(env, pod(namespace, name, program, token=token))

    def ended() -> bool:
        return env.kubectl("get", "pod", name, where, "-o", "jsonpath={.status.phase}") in {"Succeeded", "Failed"}

    wait_until(ended)
    return env.kubectl("logs", name, where).strip()


def fetch(url: str, host: str) -> str:
    """Get a page by another Host header; empty for any failure, the controller's 404 among them."""
    command = ["curl", "--silent", "--fail", "--max-time", "5", "--noproxy", "*", "--header", f"Host: {host}", url]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def wait_until(condition: Callable[[], object], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.1)

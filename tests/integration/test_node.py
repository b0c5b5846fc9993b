"""The node of the harness: pods run on it, find each other by Services, and leave nothing behind."""

import contextlib
import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from certwright.acme.client import AcmeClient
from certwright.acme.jws import AccountKey
from certwright.acme.transport import Transport
from cluster.environment import Environment
from cluster.node import API_SERVICE, Node
from cluster.node_images import PYTHON
from cluster.node_pebble import pebble_for_pods
from cluster.node_sandbox import cgroups
from cluster.node_traefik import CLASS
from cluster.pebble import Pebble
from cluster.state import State

TESTS = Path(__file__).resolve().parents[1]
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


UNTIL_SERVED = """
import time, urllib.request
for attempt in range(60):
    try:
        urllib.request.urlopen("http://web/", timeout=1)
        break
    except OSError:
        time.sleep(0.5)
"""


@pytest.fixture(scope="module")
def env(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Environment]:
    """An environment of these tests' own: the shared one's controllers may be far behind after faults and fleets."""
    with Environment(tmp_path_factory.mktemp("node-environment")) as environment:
        yield environment


@pytest.fixture(scope="module")
def restricted(env: Environment, node: Node) -> Iterator[str]:
    """A namespace that takes restricted pods only, with the server `web` in it."""
    name = "restricted"
    env.kubectl("wait", "--for=condition=Ready", f"node/{node.name}")
    env.kubectl("create", "namespace", name)
    env.kubectl("label", "namespace", name, "pod-security.kubernetes.io/enforce=restricted")
    deadline = time.monotonic() + 60
    while not env.kubectl("get", "serviceaccount", "default", f"--namespace={name}", "--ignore-not-found"):
        assert time.monotonic() < deadline, "the controller manager makes no service account"
        time.sleep(0.2)
    apply(env, pod(name, "web", SERVER, probe=True), service(name, "web"))
    env.kubectl("wait", "--for=condition=Ready", "--timeout=60s", "pod/web", f"--namespace={name}")
    # CoreDNS and kube-proxy learn of the Service by watches of their own, a moment after the pod is Ready.
    env.kubectl("exec", "web", f"--namespace={name}", "--", "/usr/bin/python3", "-c", UNTIL_SERVED)
    yield name
    env.kubectl("delete", "namespace", name, "--wait=false")


@pytest.fixture(scope="module")
def pebble(env: Environment, node: Node, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pebble]:
    with pebble_for_pods(env, node, tmp_path_factory.mktemp("pebble")) as running:
        yield running


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


def test_a_pod_reaches_a_ca(env: Environment, restricted: str, pebble: Pebble) -> None:
    program = f"""
import json, ssl, urllib.request
context = ssl.create_default_context(cadata={pebble.ca_file.read_text()!r})
print(json.load(urllib.request.urlopen("{pebble.directory_url}", context=context, timeout=10))["newOrder"])
"""

    answer = run_pod(env, restricted, "acme-client", program)

    assert answer.startswith(pebble.directory_url.removesuffix("/dir"))  # it names itself as it was called


def test_a_pod_is_reached_from_this_machine(env: Environment, restricted: str) -> None:
    address = env.kubectl("get", "pod", "web", f"--namespace={restricted}", "-o", "jsonpath={.status.podIP}")

    assert fetch(f"http://{address}:8080/", "straight.test") == "hello straight.test"


def test_an_ingress_is_served_at_port_80_of_the_node(env: Environment, node: Node, restricted: str) -> None:
    apply(env, ingress(restricted, "web", "ingress.test"))

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


def test_a_published_name_leads_to_the_ingress_controller(env: Environment, node: Node) -> None:
    node.publish("example.test", "shop.example.test")

    assert [str(record) for rrset in env.bind.query("shop.example.test").answer for record in rrset] == [node.address]


def test_a_ca_finds_the_answer_of_a_pod_at_port_80(
    env: Environment, node: Node, restricted: str, pebble: Pebble
) -> None:
    host = "challenge.example.test"
    transport = Transport(ca_bundle_pem=pebble.ca_file.read_bytes(), user_agent="certwright-test")
    pem = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()
    )
    key = AccountKey.from_pem(pem)
    client = AcmeClient(directory_url=pebble.directory_url, key=key, transport=transport)
    client.register(contact=["mailto:someone@example.test"], terms_agreed=True)
    order = client.new_order([host])
    authorization = client.authorizations(order.authorizations)[0]
    challenge = next(one for one in authorization.challenges if one.type == "http-01")
    answer = key.key_authorization(challenge.token)
    node.publish("example.test", host)
    solver = pod(restricted, "solver", SERVER.replace("hello {self.headers['Host']}", answer), probe=True)
    apply(env, solver, service(restricted, "solver"), ingress(restricted, "solver", host))
    wait_until(lambda: fetch(f"http://{node.address}/.well-known/acme-challenge/{challenge.token}", host) == answer)

    client.accept(challenge)

    wait_until(lambda: client.order(order.url).status != "pending")
    assert client.order(order.url).status == "ready"


def test_a_second_node_works_beside_and_leaves_nothing(
    env: Environment, node: Node, restricted: str, tmp_path: Path
) -> None:
    before = {group.name for group in cgroups(os.getpid())}
    with Node(env, tmp_path / "node") as second:
        on_second = pod(restricted, "elsewhere", SERVER)
        on_second["spec"]["nodeName"] = second.name
        apply(env, on_second)
        env.kubectl("wait", "--for=condition=Ready", "--timeout=60s", "pod/elsewhere", f"--namespace={restricted}")
        network, handles = second.network(), [child.handle() for child in second.children]
        assert second.address != node.address
        assert processes_in(network)

    assert not processes_in(network)
    assert not any(handle and handle.alive() for handle in handles)
    assert {group.name for group in cgroups(os.getpid())} == before  # the first node's
    assert second.address not in subprocess.run(["ip", "route"], capture_output=True, text=True, check=True).stdout
    assert not [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if str(tmp_path) in line]
    assert second.name not in env.kubectl("get", "nodes,endpointslices", "--all-namespaces", "-o", "name")
    wait_until(lambda: not env.kubectl("get", "pod", "elsewhere", f"--namespace={restricted}", "--ignore-not-found"))


@pytest.mark.slow
def test_what_a_killed_harness_left_is_cleared_away(tmp_path: Path, node: Node) -> None:
    assert node.name  # where there can be none this is skipped
    command = [sys.executable, "-m", "cluster.node"]
    variables = {**os.environ, "PYTHONPATH": str(TESTS)}
    state = ["--state", str(tmp_path)]
    up = subprocess.run([*command, "up", *state], env=variables, capture_output=True, text=True, check=False)
    assert up.returncode == 0, up.stderr
    found = State.read(tmp_path)
    assert found
    assert cgroups(found.keeper.pid)

    found.keeper.signal(signal.SIGKILL)

    # The kernel ends the rest and takes mounts and network along; only the control groups wait for the next command.
    wait_until(lambda: not any(child.alive() for child in found.children))
    address = found.facts["node"]["address"]
    wait_until(
        lambda: address not in subprocess.run(["ip", "route"], capture_output=True, text=True, check=True).stdout
    )
    subprocess.run([*command, "down", *state], env=variables, capture_output=True, text=True, check=True)
    assert not cgroups(found.keeper.pid)


def processes_in(network: str) -> list[str]:
    """The processes in a network namespace."""
    found = []
    for link in Path("/proc").glob("[0-9]*/ns/net"):
        with contextlib.suppress(OSError):
            if str(link.readlink()) == network:
                found.append(link.parts[2])
    return found


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


def service(namespace: str, name: str) -> dict[str, Any]:
    """A Service for the pod of that name."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"selector": {"app": name}, "ports": [{"port": 80, "targetPort": 8080}]},
    }


def ingress(namespace: str, name: str, host: str) -> dict[str, Any]:
    """An Ingress that sends a host's requests to the Service of that name."""
    backend = {"service": {"name": name, "port": {"number": 80}}}
    rule = {"host": host, "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"ingressClassName": CLASS, "rules": [rule]},
    }


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
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=5)
    try:
        connection.request("GET", parts.path, headers={"Host": host})
        answer = connection.getresponse()
        return answer.read().decode() if answer.status == HTTPStatus.OK else ""
    except OSError:
        return ""
    finally:
        connection.close()


def wait_until(condition: Callable[[], object], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.1)

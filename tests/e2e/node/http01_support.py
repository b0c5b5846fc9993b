"""What the tests of HTTP-01 on a node share: a namespace with an issuer, names that lead to the node, what is left."""

import contextlib
import http.client
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from waits import client, operator_writes, until, wait_issuer

from certwright.kube.client import MERGE_PATCH
from certwright.kube.objects import KINDS
from certwright.kube.paths import path
from cluster.environment import Environment
from cluster.manifests import Manifest, acme_issuer, apply
from cluster.node import Node
from cluster.node_images import PYTHON
from cluster.node_traefik import CLASS
from cluster.pebble import Pebble

MADE = ("Pod", "Service", "Ingress", "HTTPRoute")
LABEL = "acme.certwright.dev/http01-solver=true"
BY_CLASS: Manifest = {"http01": {"ingress": {"ingressClassName": CLASS}}}
#: Answers every request with the Host header.
WEB = """
import http.server

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = ("web " + self.headers["Host"]).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

http.server.ThreadingHTTPServer(("", 8080), Handler).serve_forever()
"""


@dataclass(slots=True)
class Site:
    """A namespace, its issuer, and names below one of its own.

    Args:
        env: The environment.
        node: The node.
        pebble: The CA.
        namespace: Its name, which is a label of its names, too.
    """

    env: Environment
    node: Node
    pebble: Pebble
    namespace: str
    _mark: int = field(default=0, init=False)

    def begin(self) -> None:
        """Make the namespace."""
        labels = {"pod-security.kubernetes.io/enforce": "restricted"}
        metadata = {"name": self.namespace, "labels": labels}
        apply(self.env, {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})

    def end(self) -> None:
        """Have it deleted."""
        self.env.kubectl("delete", "namespace", self.namespace, "--wait=false", check=False)

    def issuer(self, *solvers: Manifest, name: str = "acme", **acme: object) -> None:
        """Make an issuer and wait until it is ready."""
        body = acme_issuer(
            self.env, self.namespace, name, pebble=self.pebble, solvers=list(solvers) or [BY_CLASS], **acme
        )
        apply(self.env, body)
        wait_issuer(self.env, self.namespace, name)
        self.mark()

    def names(self, *labels: str, publish: bool = True) -> list[str]:
        """Names of this site that lead to the node."""
        found = [f"{label}.{self.namespace}.example.test" for label in labels]
        if publish:
            self.node.publish("example.test", *found)
        return found

    def mark(self) -> None:
        """Count from here on."""
        self._mark = self.env.audit_mark()

    def writes(self) -> list[str]:
        """What the operator wrote here since; the deletions of what it made are seen a moment later."""
        return operator_writes(self.env, self._mark, self.namespace)

    def made(self, kind: str) -> list[Manifest]:
        """The solver's objects of one kind."""
        where = path(*KINDS[kind], self.namespace)
        found = client(self.env.kubeconfig).request("GET", where, query={"labelSelector": LABEL})
        return list(found["items"])

    def left(self) -> list[str]:
        """All of the solver's objects, by name; pods that are ending count."""
        return [f"{kind} {item['metadata']['name']}" for kind in MADE for item in self.made(kind)]

    def wait_clean(self) -> None:
        """Wait until nothing of a solver is left."""
        until(lambda: not self.left(), 30, "nothing of the solver is left", self.left)

    def wait_pod(self, but: str = "") -> Manifest:
        """Wait for the solver pod to run, another one than that with the uid `but`."""

        def look() -> Manifest:
            pods = [
                pod
                for pod in self.made("Pod")
                if pod["metadata"]["uid"] != but
                and not pod["metadata"].get("deletionTimestamp")
                and (pod.get("status") or {}).get("phase") == "Running"
            ]
            return pods[0] if pods else {}

        return until(look, 60, "a solver pod runs", lambda: [pod.get("status") for pod in self.made("Pod")])

    def get(self, kind: str, name: str) -> Manifest:
        """An object of this namespace."""
        return client(self.env.kubeconfig).request("GET", path(*KINDS[kind], self.namespace, name))

    def patch(self, kind: str, name: str, change: Manifest) -> None:
        """Change an object of this namespace, as a person would."""
        where = path(*KINDS[kind], self.namespace, name)
        client(self.env.kubeconfig).request("PATCH", where, body=change, content_type=MERGE_PATCH)

    def web(self, name: str = "web", program: str = WEB, volume: str = "") -> None:
        """Run a web server with a Service of the same name, and wait until it is ready.

        Args:
            name: Of both.
            program: In Python.
            volume: A PersistentVolumeClaim that is mounted at /files.
        """
        where = f"--namespace={self.namespace}"
        until(
            lambda: self.env.kubectl("get", "serviceaccount", "default", where, "--ignore-not-found"),
            60,
            "there is a service account",
        )
        body = pod(self.namespace, name, program)
        if volume:
            body["spec"]["volumes"] = [{"name": "files", "persistentVolumeClaim": {"claimName": volume}}]
            body["spec"]["containers"][0]["volumeMounts"] = [{"name": "files", "mountPath": "/files", "readOnly": True}]
        apply(self.env, body, service(self.namespace, name))
        self.env.kubectl("wait", "--for=condition=Ready", "--timeout=60s", f"pod/{name}", where)

    def ingress(self, name: str, *hosts: str, service: str = "web", annotations: dict[str, str] | None = None) -> None:
        """Make an Ingress that leads hosts to a web server."""
        apply(self.env, ingress(self.namespace, name, *hosts, service=service, annotations=annotations))


def pod(namespace: str, name: str, program: str) -> dict[str, Any]:
    """A restricted pod that serves at 8080."""
    container = {
        "name": "main",
        "image": PYTHON,
        "imagePullPolicy": "Never",
        "command": ["/usr/bin/python3", "-u", "-c", program],
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "runAsNonRoot": True,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"cpu": "500m", "memory": "64Mi"}},
        "readinessProbe": {"tcpSocket": {"port": 8080}, "periodSeconds": 1},
    }
    metadata = {"name": name, "namespace": namespace, "labels": {"app": name}}
    spec = {"automountServiceAccountToken": False, "containers": [container], "terminationGracePeriodSeconds": 1}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def service(namespace: str, name: str) -> dict[str, Any]:
    """A Service in front of it."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"selector": {"app": name}, "ports": [{"port": 80, "targetPort": 8080}]},
    }


def ingress(
    namespace: str, name: str, *hosts: str, service: str = "web", annotations: dict[str, str] | None = None
) -> dict[str, Any]:
    """An Ingress that leads hosts to a Service."""
    backend = {"service": {"name": service, "port": {"number": 80}}}
    paths = [{"path": "/", "pathType": "Prefix", "backend": backend}]
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"name": name, "namespace": namespace, "annotations": annotations or {}},
        "spec": {"ingressClassName": CLASS, "rules": [{"host": host, "http": {"paths": paths}} for host in hosts]},
    }


def fetch(url: str, host: str) -> tuple[int, str, str]:
    """Status, body and Location of a GET; (0, "", "") when nobody answers."""
    split = urlsplit(url)
    connection = http.client.HTTPConnection(str(split.hostname), split.port or 80, timeout=5)
    with contextlib.closing(connection):
        try:
            connection.request("GET", split.path or "/", headers={"Host": host})
            answer = connection.getresponse()
            return answer.status, answer.read(4096).decode(errors="replace"), answer.getheader("Location") or ""
        except OSError:
            return 0, "", ""


@contextlib.contextmanager
def stopped(node: Node, name: str, begin: Callable[[], None] | None = None) -> Iterator[Callable[[], None]]:
    """Have one of the node's programs stopped, and started again at the call or at the end."""
    child = next(child for child in node.children if child.name == name)
    child.stop()

    def again() -> None:
        if not child.running:
            child.start()

    if begin:
        begin()
    try:
        yield again
    finally:
        again()


def verdict(certificate: Manifest, name: str = "") -> str:
    """All that the journal says of a name that is not seen, as JSON."""
    order = (certificate.get("status") or {}).get("order") or {}
    return json.dumps([item for item in order.get("identifiers", ()) if name in ("", item["name"])])

"""An aggregated API server that speaks cert-manager's webhook protocol, written from the protocol's documentation.

It takes requests from the API server only, which proves itself by the front proxy's certificate, as a real one does.
The API server reaches it through a Service of type ExternalName, which needs no node, and asks for the Service's name
in its certificate.
"""

import base64
import contextlib
import json
import secrets
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

from cluster.authority import Authority, KeyPair
from cluster.environment import Environment
from cluster.process import StartError

VERSION = "v1alpha1"
PAYLOAD = "webhook.acme.cert-manager.io/v1alpha1"
_NAMED = "webhook"

Solve = Callable[[Mapping[str, Any]], None]
"""Solves one request; raises SolverError when it cannot."""


class SolverError(Exception):
    """The solver says no; the text is for whoever reads the challenge's fault."""


class Webhook:
    """A server with solvers.

    Args:
        env: Whose API server it joins; it needs the feature `aggregation`.
        folder: For certificates.
        group: API group, one that nothing else serves.
        solvers: By name.

    Attributes:
        requests: The requests that solvers got, in order.
        users: On whose behalf the API server asked, in the same order.
        reply: Answers in place of the solvers when it is set: takes the payload, gives status and body.
        delay: Seconds before each answer.
    """

    def __init__(self, env: Environment, folder: Path, group: str, solvers: Mapping[str, Solve]) -> None:
        control_plane = env.require("aggregation")
        self.group = group
        self.solvers = solvers
        self.requests: list[dict[str, Any]] = []
        self.users: list[str] = []
        self.reply: Callable[[Mapping[str, Any]], tuple[int, bytes]] | None = None
        self.delay = 0.0
        self.namespace = f"webhook-{secrets.token_hex(3)}"
        authority = Authority(folder, "webhook")
        pair = authority.server("webhook", hosts=[f"{_NAMED}.{self.namespace}.svc"])
        self._joined = Joined(env, self.namespace, group, authority.file)
        self._server = _server(self, pair, control_plane.front_proxy_ca)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), name="webhook")

    def __enter__(self) -> Self:
        self._thread.start()
        try:
            self._joined.join(self._server.server_port)
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._joined.leave()
        self._end()

    def _end(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def answer(self, method: str, path: str, user: str, body: Mapping[str, Any]) -> tuple[int, bytes]:
        """Status and body for a request."""
        if method == "POST" and path.startswith(self._path + "/"):
            solver = self.solvers.get(path.removeprefix(self._path + "/"))
            if solver is None:
                return HTTPStatus.NOT_FOUND, b"404 page not found\n"
            if body.get("apiVersion") != PAYLOAD or body.get("kind") != "ChallengePayload" or not body.get("request"):
                return HTTPStatus.BAD_REQUEST, _json(_status(400, "the body is no ChallengePayload with a request"))
            self.requests.append(body["request"])
            self.users.append(user)
            time.sleep(self.delay)
            return self.reply(body) if self.reply else (HTTPStatus.CREATED, _json(_solved(solver, body)))
        known = {f"/apis/{self.group}": self._api_group(), self._path: self._api_resources()}
        if path == "/apis":
            return HTTPStatus.OK, _json({"kind": "APIGroupList", "apiVersion": "v1", "groups": [self._api_group()]})
        return (HTTPStatus.OK, _json(known[path])) if path in known else (HTTPStatus.NOT_FOUND, b"{}")

    @property
    def _path(self) -> str:
        return f"/apis/{self.group}/{VERSION}"

    def _api_group(self) -> dict[str, Any]:
        version = {"groupVersion": f"{self.group}/{VERSION}", "version": VERSION}
        return {
            "kind": "APIGroup",
            "apiVersion": "v1",
            "name": self.group,
            "versions": [version],
            "preferredVersion": version,
        }

    def _api_resources(self) -> dict[str, Any]:
        group, version = PAYLOAD.split("/")
        kind = {"group": group, "version": version, "kind": "ChallengePayload"}
        resources = [
            {"name": name, "singularName": "ChallengePayload", "namespaced": False, "verbs": ["create"], **kind}
            for name in self.solvers
        ]
        return {
            "kind": "APIResourceList",
            "apiVersion": "v1",
            "groupVersion": f"{self.group}/{VERSION}",
            "resources": resources,
        }


class Joined:
    """What tells the API server of an aggregated one: a namespace, a Service that leads to this machine, an APIService.

    Args:
        env: Whose API server.
        namespace: Made, and deleted again.
        group: The API group.
        ca_file: The CA of the server's certificate, which must be for `webhook.NAMESPACE.svc`.
    """

    def __init__(self, env: Environment, namespace: str, group: str, ca_file: Path) -> None:
        self._env = env
        self._namespace = namespace
        self._group = group
        self._ca = base64.b64encode(ca_file.read_bytes()).decode()
        self.name = f"{VERSION}.{group}"

    def join(self, port: int) -> None:
        """Register the server and return when the API server has found it.

        Args:
            port: Where it listens on this machine's loopback.

        Raises:
            StartError: The API server did not find it.
        """
        service = {"type": "ExternalName", "externalName": "localhost", "ports": [{"port": port}]}
        spec = {
            "group": self._group,
            "version": VERSION,
            "groupPriorityMinimum": 1000,
            "versionPriority": 15,
            "service": {"name": _NAMED, "namespace": self._namespace, "port": port},
            "caBundle": self._ca,
        }
        registration = "apiregistration.k8s.io/v1"
        objects = [
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self._namespace}},
            {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": {"name": _NAMED, "namespace": self._namespace},
                "spec": service,
            },
            {"apiVersion": registration, "kind": "APIService", "metadata": {"name": self.name}, "spec": spec},
        ]
        for item in objects:
            self._env.kubectl("apply", "-f", "-", input=json.dumps(item))
        try:
            self._env.kubectl("wait", "apiservice", self.name, "--for=condition=Available", "--timeout=60s")
        except RuntimeError as error:
            said = self._env.kubectl("get", "apiservice", self.name, "-o", "jsonpath={.status}", check=False)
            raise StartError(f"the API server does not find {self.name}: {error}; {said}") from error

    def leave(self) -> None:
        """Take it out again; while an APIService leads nowhere no namespace can be deleted."""
        self._env.kubectl("delete", "apiservice", self.name, "--ignore-not-found")
        self._env.kubectl("delete", "namespace", self._namespace, "--wait=false", "--ignore-not-found")


def _solved(solver: Solve, payload: Mapping[str, Any]) -> dict[str, Any]:
    """The payload with its response, as the protocol has it."""
    response: dict[str, Any] = {"uid": payload["request"]["uid"], "success": True}
    try:
        solver(payload["request"])
    except SolverError as error:
        response |= {"success": False, "status": {"metadata": {}, "status": "Failed", "message": str(error)}}
    return {**payload, "response": response}


def _status(code: int, message: str) -> dict[str, Any]:
    return {"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message, "code": code}


def _json(body: object) -> bytes:
    return json.dumps(body).encode()


def _server(webhook: Webhook, pair: KeyPair, front_proxy_ca: Path) -> ThreadingHTTPServer:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            content = self.rfile.read(length)
            user = self.headers.get("X-Remote-User", "")
            body = json.loads(content) if content else {}
            status, answer = webhook.answer(self.command, self.path.partition("?")[0], user, body)
            with contextlib.suppress(OSError):  # whoever asked may have given up
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

        do_GET = do_POST = do  # noqa: N815 - the base class's names

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: Any, client_address: Any) -> None:
            """A client that goes away is no news."""

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(cafile=front_proxy_ca)
    server = Server(("127.0.0.1", 0), Handler)
    # The handshake is for the thread that serves the connection: one client must not hold up the others.
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    return server


@contextlib.contextmanager
def granted(env: Environment, user: str, group: str) -> Iterator[None]:
    """Give a user the right that the protocol needs, for a while."""
    name = f"solve-{secrets.token_hex(3)}"
    env.kubectl("create", "clusterrole", name, "--verb=create", f"--resource=*.{group}")
    env.kubectl("create", "clusterrolebinding", name, f"--clusterrole={name}", f"--user={user}")
    try:
        yield
    finally:
        env.kubectl("delete", "clusterrolebinding", name)
        env.kubectl("delete", "clusterrole", name)

"""What tests of bad input are made of: a row a mistake, key pairs to make mistakes with, and a server that is no CA."""

import base64
import datetime as dt
import http.server
import json
import ssl
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from cluster.authority import Authority
from cluster.environment import CRDS, Environment
from cluster.manifests import GROUP, Manifest, acme_issuer, certificate, issuer, rfc2136
from cluster.pebble import Pebble

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
WATCHED = {f"controller.{GROUP}/fao": "true"}
"""The label of a Secret whose changes the operator is told of."""
OTHER_TSIG = base64.b64encode(b"this is not the key of the server").decode()


@dataclass(frozen=True, slots=True)
class World:
    """Where the mistakes are made.

    Attributes:
        env: The environment.
        namespace: Of all objects of a module.
        bound: A CA that wants accounts bound to one of its own, and refuses `blocked.example.test`.
        web: Base URL of an HTTPS server that speaks no ACME.
        web_ca: The certificate to trust it by.
        closed: A port where nobody listens.
    """

    env: Environment
    namespace: str
    bound: Pebble
    web: str
    web_ca: bytes
    closed: int

    def acme(self, name: str, **acme: object) -> Manifest:
        """An ACME issuer that works, but for what is given."""
        return acme_issuer(self.env, self.namespace, name, **acme)

    def solver(self, secret: str) -> list[Manifest]:
        """The DNS-01 solver with its TSIG key in another Secret."""
        return [rfc2136(self.env, secret=secret)]

    def certificate(self, name: str, *names: str, **spec: Any) -> Manifest:
        """A Certificate from the issuer of the same name."""
        given = {"issuer": name, **spec}
        return certificate(self.namespace, name, *(names or (f"{name}.example.test",)), **given)

    def issuer(self, name: str, **spec: object) -> Manifest:
        """An issuer of any type."""
        return issuer(self.namespace, name, **spec)

    def secret(self, name: str, **values: str | bytes) -> Manifest:
        """A Secret as a person makes it; an underscore in a key stands for the dot."""
        return secret(self.namespace, name, **values)


@dataclass(frozen=True, slots=True)
class Case:
    """One mistake.

    Attributes:
        objects: What is applied first.
        reason: The condition's reason.
        says: What its message must hold.
        mend: What is applied to mend it.
        delete: `kind/name` that is deleted to mend it.
        resource: Where the condition is: certificates or issuers.
        kind: The condition's type.
        name: The object with the condition, where that is not called as the case is.
        heals_in: Seconds; the default is for a change of a watched object, which is seen at once.
    """

    objects: Sequence[Manifest]
    reason: str
    says: Sequence[str]
    mend: Sequence[Manifest] = ()
    delete: Sequence[str] = ()
    resource: str = "certificates"
    kind: str = "Issuing"
    name: str = ""
    heals_in: float = 20.0


@dataclass(slots=True)
class Table:
    """The rows, each a function that builds its Case for a World."""

    rows: dict[str, Callable[[World, str], Case]] = field(default_factory=dict)

    def row(self, build: Callable[[World, str], Case]) -> Callable[[World, str], Case]:
        """Take a row in; its name is the function's."""
        self.rows[build.__name__.replace("_", "-").lower()] = build
        return build

    def build(self, world: World) -> dict[str, Case]:
        """All cases by name."""
        return {name: build(world, name) for name, build in self.rows.items()}


def secret(namespace: str, name: str, **values: str | bytes) -> Manifest:
    """A Secret as a person makes it; an underscore in a key stands for the dot."""
    data = {
        key.replace("_", "."): base64.b64encode(value.encode() if isinstance(value, str) else value).decode()
        for key, value in values.items()
    }
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": namespace}, "data": data}


def watched(body: Manifest) -> Manifest:
    """The same Secret, with the label by which its changes are seen."""
    return {**body, "metadata": {**body["metadata"], "labels": WATCHED}}


def key_pem(key: Key) -> bytes:
    """A key as PKCS#8."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def authority_pair(*, expired: bool = False, is_ca: bool = True, key: Key | None = None) -> tuple[bytes, bytes]:
    """The certificate of a CA, or of something that only looks like one, and its key."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a root made by hand")])
    now = dt.datetime.now(dt.UTC)
    end = now - dt.timedelta(hours=1) if expired else now + dt.timedelta(days=3650)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - dt.timedelta(days=1)).not_valid_after(end)
    builder = builder.add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM), key_pem(key)


class _Page(http.server.BaseHTTPRequestHandler):
    """What somebody finds who takes a web site for a CA."""

    pages = {  # noqa: RUF012 - the handler is made anew for each request
        "/html": (200, "text/html", "<html><body>Welcome!</body></html>"),
        "/json": (200, "application/json", '{"status": "fine"}'),
    }

    def do_GET(self) -> None:
        """Answer."""
        status, kind, text = self.pages.get(self.path, (404, "text/plain", "no such page"))
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def web_site(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Serve pages that are no ACME by HTTPS; the base URL and the certificate to trust it by."""
    authority = Authority(folder, "web site")
    pair = authority.server("site")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Page)
    # The handshake is left to the handler's thread: a client that does not trust it must not stop the others.
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"https://127.0.0.1:{server.server_address[1]}", authority.file.read_bytes()
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def crds_without_rules(folder: Path) -> Path:
    """The CRDs as a cluster had them before there were any rules: a spec and a status may hold anything."""
    folder.mkdir()
    for file in CRDS.glob("*.yaml"):
        crd = yaml.safe_load(file.read_text())
        for version in crd["spec"]["versions"]:
            anything = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
            parts = {"spec": anything, "status": anything}
            version["schema"]["openAPIV3Schema"] = {"type": "object", "properties": parts}
            version.pop("selectableFields", None)
        (folder / file.name).write_text(yaml.safe_dump(crd))
    return folder


def leaks(env: Environment, namespaces: Sequence[str], log: str, credentials: Sequence[str]) -> list[str]:
    """Where a credential or the inside of the operator shows: in its log, or in what it wrote into objects."""
    places = {"the log": log}
    for namespace in namespaces:
        for kind in ("events", f"certificates.{GROUP}", f"issuers.{GROUP}"):
            items = json.loads(env.kubectl("get", kind, "-n", namespace, "-o", "json"))["items"]
            for item in items:
                # What a person applied may hold anything; what is looked at is what the operator says.
                said = item if kind == "events" else item.get("status", {})
                places[f"{kind} {namespace}/{item['metadata']['name']}"] = json.dumps(said)
    forbidden = (*credentials, "PRIVATE KEY", "Traceback", 'File \\"', "our own fault")
    return [f"{place}: {word[:12]}…" for place, text in places.items() for word in forbidden if word in text]

"""The manifests of `examples/` as the demo applies them: the same, with what the environment needs put in."""

import base64
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from cluster.environment import REPOSITORY

EXAMPLES = REPOSITORY / "examples"
FILES = (
    "issuer-letsencrypt-rfc2136.yaml",
    "apex-and-wildcard.yaml",
    "many-names.yaml",
    "own-ca.yaml",
    "explained-mistake.yaml",
)
#: Shown where there is a node: their issuers' names are proven by pods behind an Ingress controller.
NODE_FILES = ("http01-ingress.yaml",)
HTTP01_ISSUER = "letsencrypt-http01"
#: Certificates that are to stay unready, each with the reason that its status must give.
MISTAKES = {"explained-mistake": "UpdateRefused"}
#: Zones of the examples, and those of the test name server that stand for them; it takes no updates of the second.
ZONES = {"example.com": "example.test", "example.org": "frozen.test"}
Manifest = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that differs from the file: where, and what it says instead."""

    where: str
    value: str


def load(name: str) -> list[Manifest]:
    """Return the objects of an example as the file has them."""
    return [body for body in yaml.safe_load_all((EXAMPLES / name).read_text()) if body]


def overlaid(facts: dict[str, Any]) -> list[Manifest]:
    """Return the objects of all the demo's examples, ready to be applied to the environment that the facts describe."""
    return [overlay(body, facts) for name in files(facts) for body in load(name)]


def files(facts: dict[str, Any]) -> tuple[str, ...]:
    """Return the names of the examples that the environment can show."""
    return (*FILES, *NODE_FILES) if "node" in facts else FILES


def changes(facts: dict[str, Any]) -> list[Change]:
    """Return in words for people what `overlaid` changes."""
    dns = facts["dns"]
    return [
        Change("Issuer spec.acme.server", f"{facts['acme']['directory']} (Pebble instead of Let's Encrypt)"),
        Change("Issuer spec.acme.caBundle", "added: the CA of Pebble's own listener"),
        Change("Issuer nameserver", f"{dns['resolver']} (BIND)"),
        Change("Secret tsig-key", "BIND's key"),
        *(Change("Certificate dnsNames", f"{old} is {new}") for old, new in ZONES.items()),
        *(
            [Change("the names of http01-ingress.yaml", f"lead to {facts['node']['address']}, where Traefik listens")]
            if "node" in facts
            else []
        ),
    ]


def certificates(manifests: list[Manifest]) -> list[Manifest]:
    """Return the Certificates among the objects."""
    return [body for body in manifests if body["kind"] == "Certificate"]


def served_names(manifests: list[Manifest]) -> list[str]:
    """Return the names that are proven by HTTP-01, and therefore must lead to the node."""
    served = [body["spec"] for body in certificates(manifests) if body["spec"]["issuerRef"]["name"] == HTTP01_ISSUER]
    return [name for spec in served for name in spec["dnsNames"]]


def overlay(body: Manifest, facts: dict[str, Any]) -> Manifest:
    """Return one object as it is to be applied to the environment that the facts describe."""
    if body["kind"] == "Secret":
        return {**body, "stringData": dict.fromkeys(body["stringData"], facts["dns"]["tsig"]["secret"])}
    spec = dict(body["spec"])
    if body["kind"] == "Certificate":
        if "dnsNames" in spec:
            spec["dnsNames"] = [_renamed(name) for name in spec["dnsNames"]]
    elif "acme" in spec:
        spec["acme"] = {
            **spec["acme"],
            "server": facts["acme"]["directory"],
            "caBundle": base64.b64encode(Path(facts["acme"]["ca_file"]).read_bytes()).decode(),
            "solvers": [_solver(solver, facts) for solver in spec["acme"]["solvers"]],
        }
    return {**body, "spec": spec}


def _solver(solver: Manifest, facts: dict[str, Any]) -> Manifest:
    if "http01" in solver:
        return solver
    settings = {**solver["dns01"]["rfc2136"], "nameserver": facts["dns"]["resolver"]}
    return {**solver, "dns01": {"rfc2136": {**settings, "tsigKeyName": facts["dns"]["tsig"]["name"]}}}


def _renamed(name: str) -> str:
    for old, new in ZONES.items():
        if name == old or name.endswith(f".{old}"):
            return name.removesuffix(old) + new
    return name

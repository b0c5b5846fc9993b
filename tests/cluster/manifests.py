"""Manifests that tests, the demo and the benchmark apply, made for one environment."""

import base64
import json
from pathlib import Path
from typing import Any

from cluster.environment import Environment
from cluster.pebble import Pebble

GROUP = "certwright.dev"
Manifest = dict[str, Any]


def apply(env: Environment, *objects: Manifest) -> None:
    """Apply objects in one call."""
    env.kubectl("apply", "-f", "-", input=json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)}))


def tsig_secret(env: Environment, namespace: str, name: str = "tsig") -> Manifest:
    """The Secret with BIND's TSIG key."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": namespace},
        "stringData": {"key": env.bind.tsig_secret},
    }


def rfc2136(env: Environment, *, secret: str = "tsig", **more: object) -> Manifest:
    """A DNS-01 solver for BIND."""
    return {
        "dns01": {
            "rfc2136": {
                "nameserver": env.bind.resolver,
                "tsigKeyName": env.bind.key_name,
                "tsigAlgorithm": "HMACSHA256",
                "tsigSecretSecretRef": {"name": secret, "key": "key"},
                **more,
            }
        }
    }


def acme_issuer(
    env: Environment,
    namespace: str,
    name: str = "acme",
    *,
    pebble: Pebble | None = None,
    solvers: list[Manifest] | None = None,
    kind: str = "Issuer",
    **acme: object,
) -> Manifest:
    """An ACME issuer at Pebble that solves DNS-01 at BIND."""
    pebble = pebble or env.pebble
    metadata = {"name": name} if kind == "ClusterIssuer" else {"name": name, "namespace": namespace}
    return {
        "apiVersion": f"{GROUP}/v1",
        "kind": kind,
        "metadata": metadata,
        "spec": {
            "acme": {
                "server": pebble.directory_url,
                "caBundle": base64.b64encode(Path(pebble.ca_file).read_bytes()).decode(),
                "email": "ops@example.test",
                "privateKeySecretRef": {"name": f"{name}-account"},
                "solvers": solvers if solvers is not None else [rfc2136(env)],
                **acme,
            }
        },
    }


def issuer(namespace: str, name: str, **spec: object) -> Manifest:
    """An Issuer with any spec, e.g. `selfSigned={}` or `ca={"secretName": "root"}`."""
    return {
        "apiVersion": f"{GROUP}/v1",
        "kind": "Issuer",
        "metadata": {"name": name, "namespace": namespace},
        "spec": spec,
    }


def certificate(
    namespace: str,
    name: str,
    *dns_names: str,
    issuer: str = "acme",
    secret: str = "",
    algorithm: str = "ECDSA",
    **spec: object,
) -> Manifest:
    """A Certificate; its Secret is called `NAME-tls` unless told otherwise."""
    return {
        "apiVersion": f"{GROUP}/v1",
        "kind": "Certificate",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "secretName": secret or f"{name}-tls",
            "issuerRef": {"name": issuer},
            "privateKey": {"algorithm": algorithm},
            **({"dnsNames": list(dns_names)} if dns_names else {}),
            **spec,
        },
    }


def get(env: Environment, kind: str, namespace: str, name: str) -> Manifest | None:
    """An object as it is; None when there is none."""
    text = env.kubectl("get", kind, name, "-n", namespace, "-o", "json", "--ignore-not-found")
    return json.loads(text) if text.strip() else None


def condition(body: Manifest | None, kind: str) -> Manifest:
    """One of an object's conditions; empty when it has none."""
    conditions = ((body or {}).get("status") or {}).get("conditions") or []
    return next((item for item in conditions if item["type"] == kind), {})

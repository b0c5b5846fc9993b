"""Fetches what the commands show, and nothing else; each function says how many requests it costs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from certwright.cli.situation import IssuerSummary, Situation, Story, certificate_key, latest
from certwright.errors import CertwrightError
from certwright.kube import certificates, issuers, lists
from certwright.kube.faults import NotFound
from certwright.kube.paths import CORE, path
from certwright.resources.issuer import issuer_key
from certwright.resources.names import CERTIFICATE, ISSUER

if TYPE_CHECKING:
    from datetime import datetime

    from certwright.kube.client import Kube


def certificate(kube: Kube, namespace: str, name: str) -> dict[str, Any]:
    """One Certificate's body, by one request.

    Raises:
        NotFound: There is none of that name.
        CertwrightError: See `kube.faults`.
    """
    body = certificates.get(kube, certificate_key(namespace, name))
    if body is None:
        raise NotFound(f"there is no Certificate {name} in namespace {namespace}")
    return body


def all_certificates(kube: Kube, namespace: str, selector: str = "") -> list[dict[str, Any]]:
    """Bodies by namespace and name; a request for each 500. An empty namespace means all.

    Raises:
        CertwrightError: See `kube.faults`.
    """
    found = {
        (body["metadata"].get("namespace", ""), body["metadata"]["name"]): body
        for body in lists.of_kind(kube, CERTIFICATE, namespace=namespace, selector=selector)
    }
    return [found[key] for key in sorted(found)]


def story(kube: Kube, namespace: str, name: str, now: datetime) -> Story:
    """All about one Certificate, by three requests; what one may not read is said where it is missed.

    Raises:
        NotFound: There is none of that name.
        CertwrightError: See `kube.faults`.
    """
    body = certificate(kube, namespace, name)
    reference = (body.get("spec") or {}).get("issuerRef") or {}
    key = issuer_key(reference.get("kind") or ISSUER, namespace, reference.get("name", ""))
    try:
        issuer = IssuerSummary.of(key, issuers.get(kube, key))
    except (CertwrightError, KeyError) as fault:
        issuer = IssuerSummary(f"{key.kind}/{key.name}", "Unknown", str(fault))
    fields = {"kind": CERTIFICATE, "name": name, "uid": body["metadata"]["uid"]}
    query = {"fieldSelector": ",".join(f"involvedObject.{field}={value}" for field, value in fields.items())}
    try:
        events = latest(kube.request("GET", path(CORE, "events", namespace), query=query).get("items") or ())
    except CertwrightError:
        events = ()  # a courtesy; a role that may read Certificates often may not read Events
    return Story(Situation.of(body, now), body.get("status") or {}, issuer, events)

"""Puts together what a decision is made from: the cache for a look, the API server before anything is done."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import TYPE_CHECKING

from certwright.core.observation import IssuerState, Observation
from certwright.errors import CertwrightError, InvalidSpec
from certwright.kube import certificates, namespaces, secrets
from certwright.resources.certificate import parse_certificate
from certwright.resources.conditions import READY
from certwright.resources.issuer import issuer_key, parse_issuer
from certwright.resources.names import CERTIFICATE

if TYPE_CHECKING:
    from certwright.kube.client import Kube
    from certwright.reconcile.cache import Cache
    from certwright.resources.certificate import Certificate
    from certwright.resources.issuer import Issuer
    from certwright.resources.names import Names, ObjectKey


class Observer:
    """Observes Certificates.

    Args:
        kube: The client.
        cache: What the watches told.
        names: Spells the next key's Secret.
        owner_wanted: Whether TLS Secrets go with their Certificates.
    """

    def __init__(self, kube: Kube, cache: Cache, names: Names, *, owner_wanted: bool) -> None:
        self._kube = kube
        self._cache = cache
        self._names = names
        self._owner_wanted = owner_wanted
        self._issuers: dict[ObjectKey, tuple[object, Issuer]] = {}

    def look(self, key: ObjectKey) -> Observation | None:
        """The Certificate as the watches told it; None when there is none.

        Raises:
            InvalidSpec: Its spec cannot be read.
        """
        body = self._cache.certificate_json(key)
        return None if body is None else self._around(_parsed(body))

    def confirm(self, key: ObjectKey) -> Observation | None:
        """The Certificate and its Secret as the API server has them now; None when there is none.

        Raises:
            CertwrightError: The API server does not answer, or the spec cannot be read.
        """
        body = certificates.get(self._kube, key)
        if body is None:
            self._cache.note(CERTIFICATE, "DELETED", {"metadata": {"namespace": key.namespace, "name": key.name}})
            return None
        self._cache.note(CERTIFICATE, "READ", body)
        certificate = parse_certificate(body)
        name = certificate.spec.secret_name
        try:
            secret = secrets.get(self._kube, key.namespace, name) if name else None
        except InvalidSpec:  # no Secret can have such a name; the decision says so, with the field
            secret = None
        if secret:
            self._cache.note_secret(secret)
        else:
            self._cache.forget_secret(key.namespace, name)
        return self._around(certificate)

    def issuer(self, certificate: Certificate) -> Issuer | None:
        """The issuer a Certificate names, parsed; None when there is none.

        Raises:
            InvalidSpec: Its spec cannot be read.
        """
        reference = certificate.spec.issuer_ref
        return self._parsed_issuer(issuer_key(reference.kind, certificate.meta.namespace, reference.name))

    def _parsed_issuer(self, key: ObjectKey) -> Issuer | None:
        """The issuer, parsed once a version: every Certificate of it asks."""
        body = self._cache.issuer(key)
        if body is None:
            return None
        known = self._issuers.get(key)
        if known is None or known[0] is not body:
            known = self._issuers[key] = (body, parse_issuer({"kind": key.kind, **body}))
        return known[1]

    def namespace_ends(self, certificate: Certificate) -> bool:
        """Whether the namespace is being deleted, as the API server has it now.

        Raises:
            CertwrightError: The API server does not answer.
        """
        return namespaces.is_terminating(self._kube, certificate.meta.namespace)

    def _around(self, certificate: Certificate) -> Observation:
        meta = certificate.meta
        secrets_named = (store.password.name for store in certificate.spec.outputs.keystores if store.password)
        views = (self._cache.secret(meta.namespace, name) for name in secrets_named)
        return Observation(
            certificate=certificate,
            secret=self._cache.secret(meta.namespace, certificate.spec.secret_name),
            issuer=self._issuer_state(certificate),
            rival=self._cache.rival(certificate.key),
            owner_wanted=self._owner_wanted,
            passwords=tuple(view.resource_version if view else "" for view in views),
        )

    def _issuer_state(self, certificate: Certificate) -> IssuerState:
        reference = certificate.spec.issuer_ref
        key = issuer_key(reference.kind, certificate.meta.namespace, reference.name)
        called = f"{reference.kind} {reference.name}"
        try:
            issuer = self._parsed_issuer(key)
        except CertwrightError as fault:
            return IssuerState(key, reason="IssuerNotReady", message=f"{called}: {fault.message}")
        if issuer is None:
            text = f"{called} does not exist; create it, or mend spec.issuerRef"
            return IssuerState(key, reason="IssuerNotFound", message=text)
        ready = next((condition for condition in issuer.conditions if condition.type == READY), None)
        if ready and ready.status == "True" and ready.observed_generation in {0, issuer.meta.generation}:
            return IssuerState(key, type=issuer.type, ready=True)
        said = f"{called} is not ready: {ready.message}" if ready else f"{called} is not ready yet"
        return IssuerState(key, type=issuer.type, reason="IssuerNotReady", message=said)


@lru_cache(maxsize=256)
def _parsed(body: bytes) -> Certificate:
    """A Certificate from its JSON; one under way is looked at a dozen times, so the latest few are remembered."""
    return parse_certificate(json.loads(body))

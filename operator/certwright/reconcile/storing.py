"""Writes the TLS Secret: the whole of our part of it in one server-side apply, so that others' keys survive."""

from __future__ import annotations

from typing import TYPE_CHECKING

from certwright.core.desired import (
    secret_annotation_set,
    secret_labels,
    stamped_digest,
    temporary_annotation_set,
)
from certwright.errors import Conflict, InvalidSpec
from certwright.kube import secrets
from certwright.pki import keys
from certwright.pki.secret import read_tls_secret, tls_secret_data
from certwright.pki.temporary import temporary_chain
from certwright.reconcile.keystores import Keystores

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from certwright.core.observation import Observation
    from certwright.issuers.base import Issued
    from certwright.kube.client import Kube
    from certwright.pki.certificate import CertificateFacts
    from certwright.pki.keys import PrivateKey
    from certwright.resources.certificate import Certificate, CertificateSpec
    from certwright.resources.names import Names

    Annotate = Callable[[str, CertificateSpec, Names, CertificateFacts], dict[str, str]]


class Store:
    """Writes TLS Secrets.

    Args:
        kube: The client.
        names: Spells labels and annotations.
        owner_reference: Whether a Secret goes with its Certificate.
    """

    def __init__(self, kube: Kube, names: Names, *, owner_reference: bool) -> None:
        self._kube = kube
        self._names = names
        self._owner_reference = owner_reference
        self.keystores = Keystores(kube)

    def put(self, observation: Observation, issued: Issued, now: datetime) -> secrets.Secret:
        """Store a certificate with its key.

        Raises:
            InvalidSpec: A keystore's password cannot be had.
            CertwrightError: The API server refused it.
        """
        certificate = observation.certificate
        data = tls_secret_data(certificate.spec, issued.key, chain_pem=issued.chain, ca_pem=issued.ca)
        stores, stamp = self.keystores.entries(certificate, data, {})
        data |= stores
        stamp = {**stamp, self._names.request_digest: stamped_digest(certificate.spec)}
        written = self._put(observation, data, secret_annotation_set, stamp)
        self.keystores.note_written(observation, written.meta.resource_version, now)
        return written

    def put_temporary(self, observation: Observation, key: PrivateKey, now: datetime) -> secrets.Secret:
        """Store a temporary certificate for the key of the real one that is on its way.

        Raises:
            As `put`.
        """
        certificate = observation.certificate
        chain = temporary_chain(certificate.spec, key, now=now)
        data = tls_secret_data(certificate.spec, key, chain_pem=chain)
        stores, stamp = self.keystores.entries(certificate, data, {})
        return self._put(observation, data | stores, temporary_annotation_set, stamp)

    def _put(
        self, observation: Observation, data: Mapping[str, bytes], annotate: Annotate, stamp: Mapping[str, str]
    ) -> secrets.Secret:
        certificate = observation.certificate
        if observation.secret:
            return self._apply(certificate, data, annotate, stamp, kind=observation.secret.type)
        try:
            # That type must have a tls.key, which somebody else has.
            kind = secrets.OPAQUE if certificate.spec.csr_ref else secrets.TLS
            return self._apply(certificate, data, annotate, stamp, kind=kind)
        except InvalidSpec:
            # One without our label is not watched, and the type that somebody gave it can never be changed.
            there = secrets.get(self._kube, certificate.meta.namespace, certificate.spec.secret_name)
            if there is None or there.type == kind:
                raise
            return self._apply(certificate, data, annotate, stamp, kind=there.type)

    def repair(self, observation: Observation, now: datetime) -> secrets.Secret | None:
        """Write labels, annotations, encoding and all that follows from the certificate that is there anew.

        Returns:
            The Secret as written; None when it is gone.

        Raises:
            Conflict: It changed since it was observed.
            InvalidSpec: A keystore's password cannot be had.
            CertwrightError: The API server refused it.
        """
        certificate = observation.certificate
        secret = secrets.get(self._kube, certificate.meta.namespace, certificate.spec.secret_name)
        if secret is None or observation.secret is None:
            return None
        if secret.meta.resource_version != observation.secret.resource_version:
            raise Conflict(f"Secret {secret.meta.name} changed meanwhile")
        where, ours = f"Secret {secret.meta.name}", certificate.spec.csr_ref is None
        key = keys.load(secret.data["tls.key"], where) if ours else None
        chain, ca = secret.data["tls.crt"], secret.data.get("ca.crt", b"")
        data = tls_secret_data(certificate.spec, key, chain_pem=chain, ca_pem=ca)
        stores, stamp = self.keystores.entries(certificate, {**secret.data, **data}, secret.meta.annotations)
        data |= stores
        digest = self._names.request_digest
        if digest in secret.meta.annotations:
            stamp[digest] = secret.meta.annotations[digest]
        version = secret.meta.resource_version
        written = self._apply(
            certificate, data, secret_annotation_set, stamp, kind=secret.type, resource_version=version
        )
        self.keystores.note_written(observation, written.meta.resource_version, now)
        return written

    def _apply(
        self,
        certificate: Certificate,
        data: Mapping[str, bytes],
        annotate: Annotate,
        stamp: Mapping[str, str],
        *,
        kind: str,
        resource_version: str = "",
    ) -> secrets.Secret:
        facts = read_tls_secret(data)
        if facts.certificate is None:  # pragma: no cover - the issuer has looked at it
            raise Conflict("the certificate cannot be read back")
        meta, spec = certificate.meta, certificate.spec
        annotations = annotate(meta.name, spec, self._names, facts.certificate)
        return secrets.apply(
            self._kube,
            meta.namespace,
            spec.secret_name,
            data=data,
            type=kind,
            labels=secret_labels(spec, self._names),
            annotations={**annotations, **stamp},
            owners=[owner_of_secret(certificate, self._names)] if self._owner_reference else (),
            resource_version=resource_version,
        )


def owner_of_secret(certificate: Certificate, names: Names) -> dict[str, object]:
    """The owner reference by which the garbage collector removes a Secret with its Certificate."""
    return {
        "apiVersion": names.api_version,
        "kind": "Certificate",
        "name": certificate.meta.name,
        "uid": certificate.meta.uid,
        "controller": True,
        "blockOwnerDeletion": True,
    }

"""The private key of the next certificate: made by the spec, and kept in a Secret of its own until it is in use.

A CA may take hours to answer, and a key that only a process knew would be lost with it. The Secret belongs to the
Certificate, so that it goes with it.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from certwright.errors import InvalidSpec
from certwright.kube import secrets
from certwright.kube.faults import AlreadyExists
from certwright.pki import csr, keys
from certwright.resources.names import CERTIFICATE

if TYPE_CHECKING:
    from cryptography import x509

    from certwright.kube.client import Kube
    from certwright.pki.keys import PrivateKey
    from certwright.resources.certificate import Certificate
    from certwright.resources.meta import SecretRef
    from certwright.resources.names import Names

KEY = "tls.key"


class NextKeys:
    """Makes and finds next private keys.

    Args:
        kube: The client.
        names: Spells labels and the Secret's name.
    """

    def __init__(self, kube: Kube, names: Names) -> None:
        self._kube = kube
        self._names = names

    def secret_name(self, certificate: Certificate) -> str:
        """The name of the Secret that a next key rests in."""
        return self._names.next_key_secret(certificate.meta.name, certificate.meta.uid)

    def passing(self, certificate: Certificate) -> PrivateKey:
        """A key for an issuer that answers at once: the one that the spec names or wants kept, else a new one.

        Raises:
            InvalidSpec: That key is not there or does not fit the spec.
        """
        return self._kept(certificate) or keys.generate(certificate.spec.private_key)

    def lay(self, certificate: Certificate) -> PrivateKey:
        """Make a key and lay it to rest, so that it outlives this process; the one that rests already, if one does.

        Raises:
            InvalidSpec: As `passing`, or the Secret that it should rest in is somebody else's.
            Conflict: What rested was of no use and is removed; try again.
        """
        kept = self._kept(certificate)
        if kept:
            return kept
        key = keys.generate(certificate.spec.private_key)
        meta = certificate.meta
        owner = {
            "apiVersion": self._names.api_version,
            "kind": CERTIFICATE,
            "name": meta.name,
            "uid": meta.uid,
            "controller": True,
            "blockOwnerDeletion": False,
        }
        try:
            secrets.create(
                self._kube,
                meta.namespace,
                self.secret_name(certificate),
                data={KEY: keys.encode(key, "PKCS8")},
                labels={self._names.next_key_label: "true"},
                owners=[owner],
            )
        except AlreadyExists:
            found = self._resting(certificate)
            if found is None:
                raise
            return found
        return key

    def find(self, certificate: Certificate) -> PrivateKey | None:
        """The key that an order was finalized with; None when it is gone.

        It rests no more when a crash came after the certificate was stored: then it is the one in use.

        Raises:
            InvalidSpec: A Secret of that name belongs to somebody else.
        """
        found = self._kept(certificate) or self._resting(certificate)
        if found is None:
            with contextlib.suppress(InvalidSpec):
                found = self._present(certificate)
        return found

    def _resting(self, certificate: Certificate) -> PrivateKey | None:
        name = self.secret_name(certificate)
        secret = secrets.get(self._kube, certificate.meta.namespace, name)
        if secret is None:
            return None
        if certificate.meta.uid not in secret.owner_uids:
            raise InvalidSpec(
                f"Secret {name} is needed for the next private key and belongs to somebody else; rename or delete it",
                reason="NameTaken",
            )
        try:
            key = keys.load(secret.data.get(KEY, b""), f"Secret {name}")
        except InvalidSpec:
            key = None
        if key is None or keys.mismatch(certificate.spec.private_key, keys.facts(key)):
            self.drop(certificate)
            return None
        return key

    def drop(self, certificate: Certificate) -> None:
        """Remove the Secret that the key rested in; one that is gone already is fine."""
        secrets.delete(self._kube, certificate.meta.namespace, self.secret_name(certificate))

    def _kept(self, certificate: Certificate) -> PrivateKey | None:
        """The key that the spec names; else the present one, where rotationPolicy is Never and there is one."""
        spec = certificate.spec
        if spec.private_key.secret_ref:
            return self._named(certificate, spec.private_key.secret_ref)
        key = self._present(certificate) if spec.private_key.rotation_policy == "Never" else None
        if key is None:
            return None
        wrong = keys.mismatch(spec.private_key, keys.facts(key))
        if wrong:
            raise InvalidSpec(
                f"spec.privateKey.rotationPolicy is Never and the key in Secret {spec.secret_name} does not fit: "
                f"{wrong}; set it to Always, or delete the key",
                reason="CannotRegenerateKey",
            )
        return key

    def _named(self, certificate: Certificate, reference: SecretRef) -> PrivateKey:
        """The key in the Secret that the spec takes it from, which is one of the Certificate's own namespace."""
        field = "spec.privateKey.secretRef"
        pem = self._value(certificate, reference, field, "the key in PEM")
        key = keys.load(pem, f"{field}: Secret {reference.name}, {reference.key}")
        wrong = keys.mismatch(certificate.spec.private_key, keys.facts(key))
        if wrong:
            raise InvalidSpec(f"{field}: Secret {reference.name}: {wrong}; change it, or spec.privateKey")
        return key

    def named_request(self, certificate: Certificate) -> x509.CertificateSigningRequest | None:
        """The request that somebody else made, in a Secret that the spec names; None where it names none.

        Raises:
            InvalidSpec: It is not there, cannot be read, or is not signed by its key.
        """
        reference, field = certificate.spec.csr_ref, "spec.csrSecretRef"
        if reference is None:
            return None
        pem = self._value(certificate, reference, field, "the certificate signing request in PEM")
        return csr.load_pem_csr(pem, f"{field}: Secret {reference.name}, {reference.key}")

    def _value(self, certificate: Certificate, reference: SecretRef, field: str, what: str) -> bytes:
        """A value of a Secret of the Certificate's own namespace."""
        namespace = certificate.meta.namespace
        secret = secrets.get(self._kube, namespace, reference.name)
        if secret is None:
            raise InvalidSpec(
                f"{field}: there is no Secret {reference.name} in namespace {namespace}; create it with {what}",
                reason="SecretNotFound",
            )
        value = secret.data.get(reference.key)
        if not value:
            have = ", ".join(sorted(secret.data)) or "none"
            raise InvalidSpec(
                f"{field}: Secret {reference.name} has no value under {reference.key!r}; the keys it has: {have}",
                reason="SecretNotFound",
            )
        return value

    def _present(self, certificate: Certificate) -> PrivateKey | None:
        """The key in the TLS Secret; None when there is none."""
        name = certificate.spec.secret_name
        secret = secrets.get(self._kube, certificate.meta.namespace, name)
        pem = secret.data.get(KEY) if secret else None
        return keys.load(pem, f"Secret {name}, {KEY}") if pem else None

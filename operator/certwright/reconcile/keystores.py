"""Makes keystores with their passwords, which are read from the API server each time and kept nowhere.

Whether those in a Secret are right is told by their stamps (see `pki.keystores`). What was found is remembered for as
long as nothing that bears on it changes; a password in a Secret that is not watched may change unseen, so that they
are looked at anew from time to time. Keystores without stamps, which somebody else has made, are taken to be right as
they are when they are first seen.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from certwright.core.observation import KeystoreView
from certwright.errors import Conflict, InvalidSpec
from certwright.kube import certificates, secrets
from certwright.pki import keystores

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from certwright.core.observation import Observation
    from certwright.kube.client import Kube
    from certwright.resources.certificate import Certificate
    from certwright.resources.meta import SecretRef
    from certwright.resources.names import ObjectKey
    from certwright.resources.outputs import Keystore

LOOKED_AT_EVERY = timedelta(hours=1)
NOT_FOUND = "KeystorePasswordSecretNotFound"
_Circumstances = tuple[str, int, str, tuple[str, ...]]


class Keystores:
    """Keystores of Certificates.

    Args:
        kube: The client.
    """

    def __init__(self, kube: Kube) -> None:
        self._kube = kube
        self._views: dict[ObjectKey, tuple[_Circumstances, KeystoreView]] = {}
        self._first_seen: dict[ObjectKey, dict[str, str]] = {}

    def entries(
        self, certificate: Certificate, data: Mapping[str, bytes], annotations: Mapping[str, str]
    ) -> tuple[dict[str, bytes], dict[str, str]]:
        """The entries of a TLS Secret for all keystores that are wanted; what is there and right is taken as it is.

        Args:
            certificate: Says which.
            data: Key and certificates, and the keystores that are there.
            annotations: Of the Secret that they are in.

        Returns:
            The entries, and the annotation that bears their stamps.

        Raises:
            InvalidSpec: A password cannot be had; says where it was looked for.
            CertwrightError: See `kube.faults`.
        """
        if not certificate.spec.outputs.keystores:
            return {}, {}
        stores = self._with_passwords(certificate)
        stamps = self._known(certificate.key, annotations, keystores.stamps_of(stores, data))
        made, marks = keystores.entries(stores, data, stamps)
        return made, {self._kube.names.keystore_stamps: keystores.written(marks)}

    def see_passwords(self, certificate: Certificate) -> None:
        """See that all passwords can be had, before an order is spent.

        Raises:
            As `entries`.
        """
        if certificate.spec.outputs.keystores:
            self._with_passwords(certificate)

    def inspect(self, observation: Observation, now: datetime) -> None:
        """Look at the keystores of the Secret as it is, for `view` to tell of.

        Raises:
            Conflict: The Secret changed since it was observed.
            InvalidSpec: As `entries`.
        """
        certificate = observation.certificate
        secret = secrets.get(self._kube, certificate.meta.namespace, certificate.spec.secret_name)
        observed = observation.secret.resource_version if observation.secret else ""
        if secret is None or secret.meta.resource_version != observed:
            raise Conflict(f"Secret {certificate.spec.secret_name} changed meanwhile")
        wanted = keystores.stamps_of(self._with_passwords(certificate), secret.data)
        known = self._known(certificate.key, secret.meta.annotations, wanted)
        self._first_seen[certificate.key] = {name: known[name] for name in wanted if secret.data.get(name)}
        worn = (name for name, stamp in wanted.items() if not secret.data.get(name) or known.get(name) != stamp)
        self._note(observation, observed, next(worn, ""), now)

    def note_written(self, observation: Observation, resource_version: str, now: datetime) -> None:
        """Take note that the Secret was just written, so that it need not be looked at."""
        if observation.certificate.spec.outputs.keystores:
            self._first_seen.pop(observation.certificate.key, None)
            self._note(observation, resource_version, "", now)

    def view(self, observation: Observation) -> KeystoreView | None:
        """What is known of the keystores as they are observed."""
        circumstances, view = self._views.get(observation.certificate.key, (None, None))
        observed = observation.secret.resource_version if observation.secret else ""
        return view if circumstances == _circumstances(observation, observed) else None

    def forget(self, key: ObjectKey) -> None:
        """Forget a Certificate that is gone."""
        self._views.pop(key, None)
        self._first_seen.pop(key, None)

    def _note(self, observation: Observation, resource_version: str, worn: str, now: datetime) -> None:
        circumstances = _circumstances(observation, resource_version)
        self._views[observation.certificate.key] = (circumstances, KeystoreView(worn, now + LOOKED_AT_EVERY))

    def _known(self, key: ObjectKey, annotations: Mapping[str, str], now: Mapping[str, str]) -> dict[str, str]:
        """The stamps that keystores are held to: those they bear, else those of their first sight, maybe now."""
        borne = keystores.read(annotations.get(self._kube.names.keystore_stamps, ""))
        return {**now, **self._first_seen.get(key, {}), **borne}

    def _with_passwords(self, certificate: Certificate) -> list[tuple[Keystore, str]]:
        """Each Secret is read once, whatever keystores have their passwords from it."""
        read: dict[str, secrets.Secret | None] = {}
        return [(store, self._password(certificate, store, read)) for store in certificate.spec.outputs.keystores]

    def _password(self, certificate: Certificate, store: Keystore, read: dict[str, secrets.Secret | None]) -> str:
        reference = store.password
        if reference and reference.name not in read:
            read[reference.name] = secrets.get(self._kube, certificate.meta.namespace, reference.name)
        raw = (
            _referred(certificate, store, reference, read[reference.name])
            if reference
            else self._inline(certificate, store)
        )
        try:
            return raw.decode()
        except UnicodeDecodeError:
            raise InvalidSpec(f"{store.path}: its password is not UTF-8; choose one of ASCII characters") from None

    def _inline(self, certificate: Certificate, store: Keystore) -> bytes:
        """A password that is in the Certificate itself: in the object at the API server, and in no copy of it."""
        body = certificates.get(self._kube, certificate.key) or {}
        stores = (body.get("spec") or {}).get("keystores") or {}
        password = (stores.get(store.kind) or {}).get("password")
        if not isinstance(password, str) or not password:
            raise Conflict(f"{store.path} changed meanwhile")
        return password.encode(errors="surrogatepass")


def _referred(certificate: Certificate, store: Keystore, reference: SecretRef, secret: secrets.Secret | None) -> bytes:
    """A password out of the Secret that it is in."""
    where, namespace = f"{store.path}.passwordSecretRef", certificate.meta.namespace
    if secret is None:
        text = f"{where}: there is no Secret {reference.name} in namespace {namespace}; create it"
        raise InvalidSpec(text, reason=NOT_FOUND)
    value = secret.data.get(reference.key)
    if not value:
        have = ", ".join(sorted(secret.data)) or "none"
        text = f"{where}: Secret {reference.name} has no value under {reference.key!r}; the keys it has: {have}"
        raise InvalidSpec(text, reason=NOT_FOUND)
    return value


def _circumstances(observation: Observation, resource_version: str) -> _Circumstances:
    meta = observation.certificate.meta
    return meta.uid, meta.generation, resource_version, observation.passwords

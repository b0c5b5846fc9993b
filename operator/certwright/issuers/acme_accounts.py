"""ACME accounts: one client an issuer, with its key in a Secret and its URL in the issuer's status.

An account is registered when it is new, when its key changed, or when the CA says that it does not know it; never at a
mere restart.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from certwright.acme.client import AcmeClient
from certwright.acme.jws import AccountKey, ExternalAccountBinding
from certwright.acme.servers import directory_url
from certwright.acme.transport import Transport
from certwright.errors import InvalidSpec
from certwright.issuers.base import Report
from certwright.kube import secrets
from certwright.kube.faults import AlreadyExists
from certwright.pki import keys
from certwright.providers.guard import everywhere
from certwright.resources.certificate import PrivateKeySpec

if TYPE_CHECKING:
    from collections.abc import Callable

    from certwright.acme.transport import RequestDone
    from certwright.issuers.places import Places
    from certwright.kube.client import Kube
    from certwright.resources.issuer import AcmeSpec, Issuer
    from certwright.resources.names import Names, ObjectKey

REGISTERED = "ACMEAccountRegistered"


@dataclass(slots=True)
class _Session:
    """The client of one issuer, and what it was made from."""

    client: AcmeClient
    made_from: tuple[str, int, str]
    lost: bool = False


class Accounts:
    """Finds, makes and keeps ACME accounts.

    Args:
        kube: The client.
        names: Spells labels.
        places: Where issuers' Secrets are.
        user_agent: Sent to CAs.
        pool_size: Connections kept open to each CA.
        on_request: Told of each ACME request.
    """

    def __init__(
        self,
        kube: Kube,
        names: Names,
        places: Places,
        *,
        user_agent: str,
        pool_size: int,
        on_request: Callable[[RequestDone], None] | None,
    ) -> None:
        self._kube = kube
        self._names = names
        self._places = places
        self._user_agent = user_agent
        self._pool_size = pool_size
        self._on_request = on_request
        self._lock = threading.Lock()
        self._sessions: dict[ObjectKey, _Session] = {}

    def ensure(self, issuer: Issuer, spec: AcmeSpec) -> Report:
        """Make the issuer's account usable, with as few requests as that takes: none when it is known to be.

        Raises:
            InvalidSpec: The key or the binding cannot be used, or the server is not an ACME server.
            CertwrightError: What the CA or the network said.
        """
        key = self._key(issuer, spec)
        known = issuer.account
        email = spec.email.lower()
        session = self._session(issuer, spec, key)
        same_server = urlsplit(known.get("uri", "")).netloc == urlsplit(_server(spec)).netloc
        if known.get("lastPrivateKeyHash") != key.thumbprint or not same_server or session.lost:
            uri = self._register(issuer, spec, session.client)
        elif known.get("lastRegisteredEmail", "") != email:
            uri = session.client.update_contact(_contact(email)).url
        else:
            uri = known["uri"]
        session.lost = False
        return Report(
            REGISTERED,
            "the ACME account is registered with the CA",
            {"uri": uri, "lastRegisteredEmail": email, "lastPrivateKeyHash": key.thumbprint},
        )

    def client(self, issuer: Issuer, spec: AcmeSpec) -> AcmeClient:
        """The client of an issuer whose account is registered.

        Raises:
            InvalidSpec: The account's key is gone or unreadable.
        """
        with self._lock:
            session = self._sessions.get(issuer.key)
        if session and session.made_from[:2] == (issuer.meta.uid, issuer.meta.generation):
            return session.client
        return self._session(issuer, spec, self._key(issuer, spec)).client

    def lost(self, issuer: Issuer) -> None:
        """The CA does not know the account any more: the next `ensure` registers it anew."""
        with self._lock:
            session = self._sessions.get(issuer.key)
        if session:
            session.lost = True

    def forget(self, key: ObjectKey) -> None:
        """The issuer is gone."""
        with self._lock:
            self._sessions.pop(key, None)

    def _session(self, issuer: Issuer, spec: AcmeSpec, key: AccountKey) -> _Session:
        made_from = (issuer.meta.uid, issuer.meta.generation, key.thumbprint)
        with self._lock:
            session = self._sessions.get(issuer.key)
            if session and session.made_from == made_from:
                return session
            transport = Transport(
                ca_bundle_pem=spec.ca_bundle or None,
                skip_tls_verify=spec.skip_tls_verify,
                pool_size=self._pool_size,
                user_agent=self._user_agent,
                on_request=self._on_request,
                allow_http=spec.allow_http,
                rule=everywhere(),
            )
            same_key = issuer.account.get("lastPrivateKeyHash") == key.thumbprint
            client = AcmeClient(
                directory_url=spec.server,
                key=key,
                transport=transport,
                account_url=(issuer.account.get("uri") or None) if same_key else None,
            )
            session = self._sessions[issuer.key] = _Session(client, made_from)
            return session

    def _register(self, issuer: Issuer, spec: AcmeSpec, client: AcmeClient) -> str:
        contact = _contact(spec.email.lower())
        account = client.register(contact=contact, terms_agreed=spec.terms_agreed, eab=self._binding(issuer, spec))
        if not account.created and contact and account.contact != contact:
            account = client.update_contact(contact)
        return account.url

    def _binding(self, issuer: Issuer, spec: AcmeSpec) -> ExternalAccountBinding | None:
        external = spec.external_account
        if external is None:
            return None
        value = self._places.value(issuer, external.key_ref.name, external.key_ref.key)
        return ExternalAccountBinding.from_text(external.key_id, value.decode("ascii", "replace"))

    def _key(self, issuer: Issuer, spec: AcmeSpec) -> AccountKey:
        """The account's key from its Secret, made when there is none and one may be made."""
        namespace, reference = self._places.namespace(issuer), spec.account_key
        where = f"Secret {namespace}/{reference.name}"
        secret = secrets.get(self._kube, namespace, reference.name)
        if secret is None and spec.generate_key:
            pem = keys.encode(keys.generate(PrivateKeySpec(spec.key_algorithm, spec.key_size, "PKCS8")), "PKCS8")
            try:
                secret = secrets.create(
                    self._kube,
                    namespace,
                    reference.name,
                    data={reference.key: pem},
                    labels={self._names.watched_label: "true"},
                )
            except AlreadyExists:
                secret = secrets.get(self._kube, namespace, reference.name)
        if secret is None:
            raise InvalidSpec(
                f"spec.acme.privateKeySecretRef: there is no {where} and spec.acme.disableAccountKeyGeneration is set; "
                "create it with the account's key",
                reason="SecretNotFound",
            )
        value = secret.data.get(reference.key)
        if not value:
            raise InvalidSpec(
                f"spec.acme.privateKeySecretRef: {where} has no value under {reference.key!r}; "
                "put the account's key there, or delete the Secret to have one made",
                reason="InvalidAccountKey",
            )
        try:
            return AccountKey.from_pem(value)
        except InvalidSpec as fault:
            raise InvalidSpec(f"{where}, {reference.key}: {fault.message}", reason="InvalidAccountKey") from None


def _server(spec: AcmeSpec) -> str:
    return directory_url(spec.server, allow_http=spec.allow_http)


def _contact(email: str) -> tuple[str, ...]:
    return (f"mailto:{email}",) if email else ()

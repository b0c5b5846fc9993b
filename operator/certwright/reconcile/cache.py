"""What the watches have told, as small as it can be kept, and which keys each piece of news concerns.

Holds no private key and no credential: of a Secret only facts stay. It may be behind; whoever acts asks the API server
first. Objects that we write are noted from the answer, so that our own echo is no news.
"""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass
from sys import intern
from typing import TYPE_CHECKING, Any, TypeVar

from certwright.core.ownership import owner_of
from certwright.errors import CertwrightError
from certwright.kube import secrets
from certwright.reconcile.bodies import names_secret, password_secrets, ready_of, slim, version_of
from certwright.reconcile.views import secret_view
from certwright.resources.issuer import issuer_key
from certwright.resources.meta import Meta
from certwright.resources.names import CERTIFICATE, CLUSTER_ISSUER, ISSUER, ObjectKey
from certwright.resources.values import parse_time

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from certwright.core.observation import SecretView
    from certwright.resources.names import Names

SECRET, DELETED = "Secret", "DELETED"
Place = tuple[str, str]
Group = TypeVar("Group", ObjectKey, Place)


@dataclass(frozen=True, slots=True)
class _Certificate:
    body: bytes
    resource_version: str
    issuer: ObjectKey
    secret: Place
    created: datetime | None
    ready: str
    uid: str
    renewal: datetime | None
    passwords: tuple[Place, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """A Certificate in an overview: its issuer, the status of its Ready condition, its renewal and its Secret."""

    key: ObjectKey
    issuer: ObjectKey
    ready: str
    renewal: datetime | None
    secret: SecretView | None


class Cache:
    """Bodies of Certificates and issuers, facts of Secrets, and the ways between them.

    Args:
        names: Spells groups and labels.
        cluster_namespace: Where the Secrets of ClusterIssuers are.
    """

    def __init__(self, names: Names, cluster_namespace: str) -> None:
        self._names = names
        self._cluster_namespace = cluster_namespace
        self._lock = threading.RLock()
        self._certificates: dict[ObjectKey, _Certificate] = {}
        self._issuers: dict[ObjectKey, dict[str, Any]] = {}
        self._secrets: dict[Place, SecretView] = {}
        self._orphans: dict[ObjectKey, bytes] = {}
        self._by_issuer: dict[ObjectKey, set[ObjectKey]] = {}
        self._by_secret: dict[Place, set[ObjectKey]] = {}
        self._by_password: dict[Place, set[ObjectKey]] = {}

    def note(self, kind: str, event: str, body: Mapping[str, Any]) -> set[ObjectKey]:
        """Take in one piece of news.

        Args:
            kind: Certificate, Issuer, ClusterIssuer or Secret.
            event: `DELETED`, or any other word for an object that is there.
            body: The object; for one that is gone its metadata suffices.

        Returns:
            The keys that must be looked at; none when it is no news.
        """
        with self._lock:
            if kind == SECRET:
                return self._note_secret(event, body)
            meta = body.get("metadata") or {}
            key = ObjectKey(kind, meta.get("namespace", ""), meta.get("name", ""))
            if kind == CERTIFICATE:
                return self._note_certificate(key, event, body)
            return self._note_issuer(key, event, body)

    def note_secret(self, secret: secrets.Secret) -> None:
        """Take in a Secret that was just read or written."""
        with self._lock:
            self._secrets[secret.meta.namespace, secret.meta.name] = secret_view(secret)

    def forget_secret(self, namespace: str, name: str) -> None:
        """Take in that a Secret is gone."""
        with self._lock:
            self._secrets.pop((namespace, name), None)

    def certificate_json(self, key: ObjectKey) -> bytes | None:
        """The body of a Certificate as JSON; None when there is none."""
        with self._lock:
            record = self._certificates.get(key)
        return record.body if record else None

    def uid(self, key: ObjectKey) -> str:
        """The uid of a Certificate; empty when there is none."""
        with self._lock:
            record = self._certificates.get(key)
        return record.uid if record else ""

    def take_orphan(self, key: ObjectKey) -> dict[str, Any] | None:
        """The last body of a Certificate that was deleted while an order was under way; handed out once."""
        with self._lock:
            body = self._orphans.pop(key, None)
        return json.loads(body) if body else None

    def put_orphan(self, key: ObjectKey, body: Mapping[str, Any]) -> None:
        """Give a body back whose traces could not be removed yet."""
        with self._lock:
            self._orphans[key] = json.dumps(body).encode()

    def issuer(self, key: ObjectKey) -> dict[str, Any] | None:
        """The body of an issuer; None when there is none."""
        with self._lock:
            return self._issuers.get(key)

    def secret(self, namespace: str, name: str) -> SecretView | None:
        """What is known of a Secret; None when there is none that is watched."""
        with self._lock:
            return self._secrets.get((namespace, name))

    def dependents(self, issuer: ObjectKey) -> set[ObjectKey]:
        """The Certificates that name an issuer."""
        with self._lock:
            return set(self._by_issuer.get(issuer, ()))

    def rival(self, key: ObjectKey) -> str:
        """The other Certificate that owns the Secret of this one; empty when this one does."""
        with self._lock:
            record = self._certificates.get(key)
            claims = self._by_secret.get(record.secret, set()) if record else set()
            if record is None or len(claims) < 2:  # noqa: PLR2004 - nobody else names it
                return ""
            view = self._secrets.get(record.secret)
            written_for = view.annotations.get(self._names.certificate_name, "") if view else ""
            owner = owner_of(((claim.name, self._certificates[claim].created) for claim in claims), written_for)
            return "" if owner == key.name else owner

    def keys(self, kind: str) -> list[ObjectKey]:
        """All keys of one kind."""
        with self._lock:
            table: Mapping[ObjectKey, object] = self._certificates if kind == CERTIFICATE else self._issuers
            return [key for key in table if key.kind == kind]

    def overview(self) -> list[Row]:
        """A row for each Certificate, for whoever counts them."""
        with self._lock:
            return [
                Row(key, item.issuer, item.ready, item.renewal, self._secrets.get(item.secret))
                for key, item in self._certificates.items()
            ]

    def _note_certificate(self, key: ObjectKey, event: str, body: Mapping[str, Any]) -> set[ObjectKey]:
        old = self._certificates.get(key)
        if event == DELETED:
            if old:
                self._keep_orphan(key, old)
            self._drop_certificate(key)
            return {key, *(self._by_secret.get(old.secret, set()) if old else ())}
        record = self._record(key, body)
        if old and (old.resource_version == record.resource_version or _older(record, old)):
            return set()
        if old and old.uid != record.uid:
            self._keep_orphan(key, old)
        self._drop_certificate(key)
        self._certificates[key] = record
        self._by_issuer.setdefault(record.issuer, set()).add(key)
        for place in record.passwords:
            self._by_password.setdefault(place, set()).add(key)
        claims = self._by_secret.setdefault(record.secret, set())
        claims.add(key)
        moved = old is not None and old.secret != record.secret
        rivals = set(claims) if len(claims) > 1 and (old is None or moved) else set()
        return {key} | rivals | (self._by_secret.get(old.secret, set()) if old and moved else set())

    def _keep_orphan(self, key: ObjectKey, old: _Certificate) -> None:
        """Keep the last body of a Certificate that is gone, where an order was under way."""
        if b'"order":{' in old.body:
            self._orphans[key] = old.body

    def _note_issuer(self, key: ObjectKey, event: str, body: Mapping[str, Any]) -> set[ObjectKey]:
        old = self._issuers.get(key)
        if event == DELETED:
            self._issuers.pop(key, None)
            return {key} | self.dependents(key)
        kept = slim(body)
        if old and version_of(old) == version_of(kept):
            return set()
        self._issuers[key] = kept
        return {key} | self.dependents(key)

    def _note_secret(self, event: str, body: Mapping[str, Any]) -> set[ObjectKey]:
        meta = body.get("metadata") or {}
        place = (meta.get("namespace", ""), meta.get("name", ""))
        if event == DELETED:
            self.forget_secret(*place)
        else:
            known = self._secrets.get(place)
            if known and known.resource_version == meta.get("resourceVersion"):
                # The echo of what we wrote or read: no news for its Certificate, but for an issuer that signs with it.
                return set(self._issuers_naming(place))
            try:
                self.note_secret(secrets.parse(body, manager=self._names.field_manager))
            except CertwrightError:
                self.forget_secret(*place)
        concerned = set(self._by_secret.get(place, ())) | self._by_password.get(place, set())
        for issuer in self._issuers_naming(place):
            concerned |= {issuer} | self.dependents(issuer)
        return concerned

    def _record(self, key: ObjectKey, body: Mapping[str, Any]) -> _Certificate:
        spec = body.get("spec") if isinstance(body.get("spec"), dict) else {}
        reference = (spec or {}).get("issuerRef") or {}
        name, kind = str(reference.get("name", "")), str(reference.get("kind") or ISSUER)
        kept = slim(body)
        meta = Meta.of(kept)
        return _Certificate(
            body=json.dumps(kept, separators=(",", ":")).encode(),
            resource_version=version_of(kept),
            issuer=issuer_key(kind, key.namespace, name),
            secret=(key.namespace, str((spec or {}).get("secretName", ""))),
            created=meta.created,
            ready=intern(ready_of(kept)),
            uid=meta.uid,
            renewal=parse_time((kept.get("status") or {}).get("renewalTime")),
            passwords=tuple((key.namespace, secret) for secret in password_secrets(spec)),
        )

    def _drop_certificate(self, key: ObjectKey) -> None:
        old = self._certificates.pop(key, None)
        if old:
            _discard(self._by_issuer, old.issuer, key)
            _discard(self._by_secret, old.secret, key)
            for place in old.passwords:
                _discard(self._by_password, place, key)

    def _issuers_naming(self, place: Place) -> list[ObjectKey]:
        """Issuers whose spec names a Secret anywhere; there are few issuers, so they are searched."""
        namespace, name = place
        return [
            key
            for key, body in self._issuers.items()
            if (self._cluster_namespace if key.kind == CLUSTER_ISSUER else key.namespace) == namespace
            and names_secret(body.get("spec"), name)
        ]


def _discard(table: dict[Group, set[ObjectKey]], group: Group, key: ObjectKey) -> None:
    """Take a key out of a group, and the group away when it is empty."""
    members = table.get(group, set())
    members.discard(key)
    if not members:
        table.pop(group, None)


def _older(new: _Certificate, old: _Certificate) -> bool:
    """Whether news is behind what we wrote ourselves; versions compare as numbers where they are numbers."""
    if new.resource_version.isdigit() and old.resource_version.isdigit():
        return int(new.resource_version) < int(old.resource_version)
    return False

"""Turns a Secret into what may be kept of it: facts and metadata, never a key."""

from __future__ import annotations

from sys import intern
from typing import TYPE_CHECKING

from certwright.core.observation import SecretView
from certwright.pki.secret import read_tls_secret
from certwright.resources.outputs import ENTRIES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from certwright.kube.secrets import Secret


def secret_view(secret: Secret) -> SecretView:
    """What the cache keeps of a TLS Secret."""
    return SecretView(
        name=secret.meta.name,
        uid=secret.meta.uid,
        resource_version=secret.meta.resource_version,
        type=intern(secret.type),
        labels=_interned(secret.meta.labels),
        annotations=_interned(secret.meta.annotations),
        facts=read_tls_secret(secret.data),
        owned=frozenset(intern(key) for key in secret.applied if _worth_knowing(key)),
        owner_uids=frozenset(secret.owner_uids),
    )


def _worth_knowing(owned: str) -> bool:
    """Of the data only what a spec may take back again."""
    part, _, name = owned.partition("/")
    return part != "data" or name in ENTRIES


def _interned(table: Mapping[str, str]) -> dict[str, str]:
    """Keys repeat from Secret to Secret, values often do; each is kept once."""
    return {intern(key): intern(value) if len(value) < 64 else value for key, value in table.items()}  # noqa: PLR2004

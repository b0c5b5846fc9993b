"""Writes a Certificate's status when it differs from what is there, and takes note of what came of it."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from certwright.core import status as statuses
from certwright.kube import certificates
from certwright.resources.certificate import parse_status
from certwright.resources.meta import Meta
from certwright.resources.names import CERTIFICATE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from certwright.core.observation import Observation
    from certwright.kube.client import Kube
    from certwright.reconcile.cache import Cache
    from certwright.resources.names import ObjectKey


class StatusWriter:
    """Writes statuses.

    Args:
        kube: The client.
        cache: Told of each write, so that its echo is no news.
    """

    def __init__(self, kube: Kube, cache: Cache) -> None:
        self._kube = kube
        self._cache = cache

    def write(self, observation: Observation, desired: Mapping[str, Any]) -> Observation:
        """Write what differs; nothing when nothing does.

        Returns:
            The observation with the status as written.

        Raises:
            Conflict: The Certificate changed since it was observed.
            NotFound: It is gone.
            CertwrightError: See `kube.faults`.
        """
        certificate = observation.certificate
        body = self.write_raw(certificate.key, certificate.meta, certificate.status.raw, desired)
        if body is None:
            return observation
        written = dataclasses.replace(certificate, meta=Meta.of(body), status=parse_status(body))
        return dataclasses.replace(observation, certificate=written)

    def write_raw(
        self, key: ObjectKey, meta: Meta, old: Mapping[str, Any], desired: Mapping[str, Any]
    ) -> dict[str, Any] | None:
        """Write what differs between two statuses; the object as written, None when nothing differs.

        Raises:
            As `write`.
        """
        changes = statuses.patch(old, desired)
        if not changes:
            return None
        body = certificates.patch_status(self._kube, key, resource_version=meta.resource_version, status=changes)
        self._cache.note(CERTIFICATE, "WRITTEN", body)
        return body

"""Zones of an account that may have several of one name: the public one is meant, or the one whose id the config gives.

The config's id spares the right to list zones, and decides where two public zones have one name.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

from certwright.errors import InvalidSpec
from certwright.providers.conditional import ConditionalSets
from certwright.providers.names import bare

if TYPE_CHECKING:
    from collections.abc import Iterable

    from certwright.providers.api import Api


class PublicZones(ConditionalSets):
    """A provider whose zones have ids.

    Args:
        api: The account.
        fixed: The id of the only zone to work with; empty for all public ones.
        field: The config's field that gives it.
    """

    def __init__(self, api: Api, fixed: str, *, field: str) -> None:
        super().__init__(api)
        self._fixed = fixed
        self._field = field
        self._apex = ""

    @abstractmethod
    def _apex_of(self, zone_id: str) -> str:
        """The name of a zone."""

    def find_zone(self, name: str) -> str | None:
        """See providers.base."""
        if not self._fixed:
            zone = super().find_zone(name)
            if zone:
                self._zone_id(zone)
            return zone
        if not self._apex:
            self._apex = bare(self._apex_of(self._fixed))
        return f"{self._apex}." if f".{bare(name)}".endswith(f".{self._apex}") else None

    def _zone_id(self, zone: str) -> str:
        known = self._fixed or super()._zone_id(zone)
        if " " in known:
            raise InvalidSpec(
                f"there are several public zones {bare(zone)} ({known}); set {self._field} to the one that the parent "
                "zone delegates to"
            )
        return known


def joined(zones: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Ids by name of (name, id), those of one name joined by a space: which of them is the one cannot be told."""
    ids: dict[str, list[str]] = {}
    for name, known in zones:
        ids.setdefault(bare(name), []).append(known)
    return {name: " ".join(known) for name, known in ids.items()}

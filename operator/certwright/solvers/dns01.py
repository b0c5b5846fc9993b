"""The DNS-01 solver (RFC 8555 section 8.4): from a key authorization to a TXT record, seen, and removed by value.

It joins the reading side (dns/) with the writing side (a provider) and keeps nothing between calls: what it plans goes
into the journal, and it works from the journal alone. It takes many names at once and solves them side by side.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

import dns.name

from certwright.dns import propagation
from certwright.dns.cname import following
from certwright.dns.names import canonical, challenge_name
from certwright.dns.transport import converse
from certwright.dns.zone import ZONE_NOT_FOUND
from certwright.errors import CertwrightError, InvalidSpec, Terminal
from certwright.providers.base import add_many, remove_many
from certwright.resources.order import Record
from certwright.solvers.base import Pace

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import timedelta

    from certwright.dns.transport import Conversation
    from certwright.dns.zone import Zones
    from certwright.providers.base import NamedValue, Provider
    from certwright.resources.order import SolverObject, Verdict
    from certwright.resources.reading import Fields

Place: TypeAlias = tuple[dns.name.Name, dns.name.Name]
"""The name of a record and the apex of its zone."""
FOLLOW, STAY = "Follow", "None"


def txt_value(key_authorization: str) -> str:
    """The record's value: the unpadded base64url of the key authorization's SHA-256 (RFC 8555 section 8.4)."""
    return base64.urlsafe_b64encode(hashlib.sha256(key_authorization.encode()).digest()).rstrip(b"=").decode()


class Dns01Solver:
    """Solves DNS-01 for one solver of one issuer; safe for threads.

    Args:
        config: `spec.acme.solvers[i].dns01`.
        zones: Finds zones; shared by all solvers with the same resolvers.
        provider: Changes the zone.
        provider_name: The provider's name, for the journal.
        wait: `waitInsteadOfSelfCheck`: how long to wait in place of looking; None looks.
        on_effect: Called after each change at the provider with a short text that names it.

    Raises:
        InvalidSpec: Naming the field of `config` that is wrong.
    """

    def __init__(
        self,
        config: Fields,
        *,
        zones: Zones,
        provider: Provider,
        provider_name: str,
        wait: timedelta | None = None,
        on_effect: Callable[[str], None] | None = None,
    ) -> None:
        self.propagation = propagation.Propagation.of(config.part("propagation"))
        if wait is not None:
            self.propagation = propagation.Propagation(mode=propagation.Mode.NONE, wait=wait)
        strategy = config.text("cnameStrategy", FOLLOW)
        if strategy not in {FOLLOW, STAY}:
            raise InvalidSpec(f"{config.at('cnameStrategy')}: {strategy[:40]!r} must be {FOLLOW} or {STAY}")
        self._follow_cnames = strategy == FOLLOW
        self._fqdn = _override(config, "fqdn")
        self._zone = _override(config, "zone")
        self._path = config.path
        self._zones = zones
        self._provider = provider
        self._provider_name = provider_name
        self._on_effect = on_effect or (lambda _: None)

    @property
    def pace(self) -> Pace:
        """As `dns01.propagation` says."""
        times = self.propagation
        return Pace(wait=times.wait, interval=times.interval, timeout=times.timeout)

    def plan_all(self, identifiers: Sequence[str]) -> list[Record | CertwrightError]:
        """Find out where the record of each identifier belongs, side by side; changes nothing.

        Args:
            identifiers: Host names, wildcards with or without their `*.`.

        Returns:
            One entry each, in order: a record without a value, or
            InvalidSpec when the name or an override does not fit,
            Retryable when DNS servers do not answer,
            Terminal when there is no zone, or CNAMEs lead nowhere.
        """
        places = converse([self._locating(item) for item in identifiers], limits=self._zones.resolvers.limits)
        return [self._record(*item) for item in zip(identifiers, places, strict=True)]

    def answer(self, planned: Record, *, token: str, key_authorization: str, order: str) -> Record:  # noqa: ARG002
        """The record with its value."""
        return replace(planned, value=txt_value(key_authorization))

    def objects(self, planned: Sequence[Record]) -> tuple[SolverObject, ...]:  # noqa: ARG002 - the interface
        """None: records are journaled with their identifiers."""
        return ()

    def present(self, records: Sequence[Record], whole: Sequence[Record] = ()) -> None:  # noqa: ARG002
        """Add the records, those of one zone together; raises what the provider raises."""
        for zone, items in _by_zone(records).items():
            add_many(self._provider, zone, items)
            self._on_effect(f"added {_several(items)} to {zone}")

    def check(self, records: Sequence[Record], whole: Sequence[Record] = ()) -> list[Verdict]:  # noqa: ARG002
        """Say of each record, in order, whether it can be seen; a fault of the DNS is a verdict and not raised."""
        return propagation.check(records, self._zones, self.propagation)

    def keep(self, whole: Sequence[Record]) -> None:
        """Nothing to do: what a zone was given stays in it."""

    def clean_up(self, records: Sequence[Record]) -> None:
        """Remove the records by value, those of one zone together.

        A zone that fails does not keep the others from being cleaned; the first fault is raised after all were tried.
        """
        faults: list[CertwrightError] = []
        for zone, items in _by_zone(records).items():
            try:
                remove_many(self._provider, zone, items)
            except CertwrightError as error:
                faults.append(error)
            else:
                self._on_effect(f"removed {_several(items)} from {zone}")
        if faults:
            raise faults[0]

    def _locating(self, identifier: str) -> Conversation[Place]:
        """Where the record for an identifier belongs: its name and its zone."""
        follow = self._follow_cnames and self._fqdn is None
        name = self._fqdn or challenge_name(identifier)
        if self._zone is not None and not follow:
            return name, self._zone
        try:
            chain = yield from following(self._zones, name, cnames=follow)
        except Terminal as error:
            if self._zone is None or error.reason != ZONE_NOT_FOUND:
                raise
            return name, self._zone  # a zone that is not delegated: its setting says more than the DNS
        return dns.name.from_text(chain.target), self._zone or dns.name.from_text(chain.zone.name)

    def _record(self, identifier: str, place: Place | CertwrightError) -> Record | CertwrightError:
        if isinstance(place, CertwrightError):
            return place
        name, zone = place
        if not name.is_subdomain(zone):
            return InvalidSpec(
                f"{self._path}.zone: {zone.to_text()} does not hold {name.to_text()}, where the record for "
                f"{identifier} belongs"
            )
        try:
            own = None if self._zone else self._provider.find_zone(name.to_text())
        except CertwrightError as error:
            return error
        return Record(name.to_text(), own or zone.to_text(), self._provider_name, "")


def _override(config: Fields, field: str) -> dns.name.Name | None:
    text = config.text(field)
    try:
        return canonical(text) if text else None
    except InvalidSpec as error:
        raise InvalidSpec(f"{config.at(field)}: {error.message}") from None


def _by_zone(records: Sequence[Record]) -> dict[str, list[NamedValue]]:
    """Names and values by zone, each once, in the order of the records."""
    zones: dict[str, dict[NamedValue, None]] = {}
    for record in records:
        zones.setdefault(record.zone, {})[record.name, record.value] = None
    return {zone: list(items) for zone, items in zones.items()}


def _several(items: Sequence[NamedValue]) -> str:
    more = f" and {len(items) - 1} more" if len(items) > 1 else ""
    return f"{items[0][0]}{more}"

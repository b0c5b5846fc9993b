"""The two ways in which APIs let one value of an RRset be changed, each done once for all providers.

Records: each value is a record of its own with an id, which is looked up by name and value whenever it is needed.
Sets: the API takes all values of a name at once. What was read may be old when it is written, so changes of one zone go
one after the other in this process, and every write is read back: what another process overwrote is written again. That
narrows the race between processes and does not end it; where an API changes single values, that is used.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final
from weakref import WeakValueDictionary

from certwright.errors import Retryable, Terminal
from certwright.providers.api import CONFLICT, ZONE_NOT_IN_ACCOUNT
from certwright.providers.names import bare, suffixes

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from certwright.providers.api import Api
    from certwright.providers.base import NamedValue

ATTEMPTS: Final = 4
"""Writes of one set before the others have won."""
MAX_NAMED: Final = 8
"""Zones that a message lists."""


class _Lock:
    """A lock that goes when nobody holds or awaits it."""

    __slots__ = ("__weakref__", "lock")

    def __init__(self) -> None:
        self.lock = threading.Lock()


_locks: WeakValueDictionary[tuple[str, str], _Lock] = WeakValueDictionary()
_locks_lock = threading.Lock()


@contextmanager
def one_at_a_time(account: str, what: str) -> Iterator[None]:
    """Keep others of this process from changing the same thing of the same account meanwhile."""
    with _locks_lock:
        found = _locks.get((account, what))
        if found is None:
            found = _locks[account, what] = _Lock()
    with found.lock:
        yield


class Account(ABC):
    """What both ways have in common: the zones of the account.

    Args:
        api: The account.
    """

    def __init__(self, api: Api) -> None:
        self._api = api
        self._known: dict[str, str | None] = {}

    @abstractmethod
    def _zone_ids(self, names: Sequence[str]) -> Mapping[str, str | None]:
        """Ask for zones: the id in the API's paths by the zone's name, None where the account has no such zone.

        Args:
            names: The zones in question, the most wanted first, without final dots. The answer has the first of them
                at least; more may be in it.
        """

    def find_zone(self, name: str) -> str | None:
        """The zone of this account that holds `name`; None where it has none."""
        candidates = list(suffixes(name))
        for place, zone in enumerate(candidates):
            if zone not in self._known:
                self._known |= self._zone_ids(candidates[place:])
            if self._known[zone] is not None:
                return f"{zone}."
        return None

    def _zone_id(self, zone: str) -> str:
        """The id of a zone.

        Raises:
            Terminal: The account has no such zone.
        """
        wanted = bare(zone)
        if wanted not in self._known:
            self._known |= self._zone_ids([wanted])
        found = self._known[wanted]
        if found is None:
            endpoint = self._api.endpoint
            others = sorted(name for name, known in self._known.items() if known is not None)
            have = (
                f" (it has {', '.join(others[:MAX_NAMED])}{' …' if len(others) > MAX_NAMED else ''})" if others else ""
            )
            raise Terminal(
                f"the {endpoint.vendor} account of {endpoint.where} has no zone {wanted}{have}; create the zone there, "
                f"or allow the credentials {endpoint.rights}",
                reason=ZONE_NOT_IN_ACCOUNT,
            )
        return found


def listed(names: Sequence[str], zones: Mapping[str, str]) -> dict[str, str | None]:
    """The answer of `_zone_ids` from a list of all zones of the account."""
    return {**dict.fromkeys(names), **{bare(zone): known for zone, known in zones.items()}}


class Records(Account):
    """A provider whose API has one record for each value.

    Attributes:
        lists_zones: The API cannot be asked for the records of one name. A list of many pages must not change while it
            is read, so changes of the whole zone go one after the other, and not only those of one name.
    """

    lists_zones = False

    @abstractmethod
    def _records(self, zone: str, name: str) -> Iterable[tuple[str, str]]:
        """The TXT records at a name: id and value of each."""

    @abstractmethod
    def _create(self, zone: str, name: str, value: str) -> None:
        """Make a record; succeeds when the API says that it is there."""

    @abstractmethod
    def _delete(self, zone: str, record: str) -> None:
        """Delete a record by its id; succeeds when it is gone."""

    def add_txt(self, zone: str, name: str, value: str) -> None:
        """See providers.base."""
        with self._alone(zone, name):
            if all(found != value for _, found in self._records(zone, name)):
                self._create(zone, name, value)

    def remove_txt(self, zone: str, name: str, value: str) -> None:
        """See providers.base; of a value that is there twice, both go."""
        with self._alone(zone, name):
            for record, found in list(self._records(zone, name)):
                if found == value:
                    self._delete(zone, record)

    def _alone(self, zone: str, name: str) -> AbstractContextManager[None]:
        return one_at_a_time(self._api.endpoint.account, bare(zone if self.lists_zones else name))


class Sets(Account):
    """A provider whose API takes all values of a name at once."""

    @abstractmethod
    def _read(self, zone: str, names: Sequence[str]) -> dict[str, list[str]]:
        """The values of the TXT RRset at each name."""

    @abstractmethod
    def _write(self, zone: str, sets: Mapping[str, Sequence[str]]) -> None:
        """Replace the RRsets of these names; one without values goes."""

    def add_txt(self, zone: str, name: str, value: str) -> None:
        """See providers.base."""
        self.add_many(zone, [(name, value)])

    def remove_txt(self, zone: str, name: str, value: str) -> None:
        """See providers.base."""
        self.remove_many(zone, [(name, value)])

    def add_many(self, zone: str, items: Sequence[NamedValue]) -> None:
        """See providers.base."""
        self._change(zone, items, lambda have, values: [*have, *(value for value in values if value not in have)])

    def remove_many(self, zone: str, items: Sequence[NamedValue]) -> None:
        """See providers.base."""
        self._change(zone, items, lambda have, values: [value for value in have if value not in values])

    def _change(self, zone: str, items: Sequence[NamedValue], change: _Change) -> None:
        wanted: dict[str, dict[str, None]] = {}
        for name, value in items:
            wanted.setdefault(name, {})[value] = None
        with one_at_a_time(self._api.endpoint.account, bare(zone)):
            for _ in range(ATTEMPTS):
                have = self._read(zone, list(wanted))
                sets = {name: change(have[name], list(values)) for name, values in wanted.items()}
                sets = {name: values for name, values in sets.items() if values != have[name]}
                if not sets:
                    return
                self._write(zone, sets)
                wanted = {name: wanted[name] for name in sets}
        raise Retryable(
            f"somebody else changes {', '.join(wanted)} in {zone} at the same time; tried again", reason=CONFLICT
        )


if TYPE_CHECKING:
    from collections.abc import Callable

    _Change = Callable[[list[str], list[str]], list[str]]

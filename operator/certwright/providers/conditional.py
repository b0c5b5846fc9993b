"""The third way to change one value: the API replaces whole RRsets, but only one that is still as it was read.

So nobody's change is lost, in whatever process it was made: who comes second is told, reads anew and tries again. What
others put into a set, its TTL and the very form of their values, stays as it is.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from certwright.errors import Retryable
from certwright.providers.api import CONFLICT
from certwright.providers.changes import Account, one_at_a_time
from certwright.providers.names import bare

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

    from certwright.providers.base import NamedValue

ATTEMPTS: Final = 5
"""Tries before the others have won."""


@dataclass(frozen=True, slots=True)
class Record:
    """One value, and the form in which the API has it."""

    value: str
    form: object


@dataclass(frozen=True, slots=True)
class RRset:
    """A TXT RRset as it was read; one without records is not there.

    Args:
        records: Its records, in the API's order.
        ttl: In seconds.
        version: What the API tells versions apart by, and what else it must get back.
    """

    records: tuple[Record, ...] = ()
    ttl: int = 0
    version: Any = None


@dataclass(frozen=True, slots=True)
class Change:
    """The set at a name: as it was read, and as it shall be."""

    name: str
    old: RRset
    records: tuple[Record, ...] = field(default=())

    def ttl(self, usual: int) -> int:
        """The TTL that it keeps, or the usual one of a new set."""
        return self.old.ttl if self.old.records else usual


class ConditionalSets(Account):
    """A provider whose API replaces whole sets on condition."""

    @abstractmethod
    def _read(self, zone: str, names: Sequence[str]) -> dict[str, RRset]:
        """The TXT RRset at each name."""

    @abstractmethod
    def _replace(self, zone: str, changes: Sequence[Change]) -> Collection[str]:
        """Make changes, each on condition that its set is as it was read; gives the names whose sets are not."""

    @abstractmethod
    def _form(self, value: str) -> object:
        """The form in which the API takes a value."""

    def add_txt(self, zone: str, name: str, value: str) -> None:
        """See providers.base."""
        self.add_many(zone, [(name, value)])

    def remove_txt(self, zone: str, name: str, value: str) -> None:
        """See providers.base."""
        self.remove_many(zone, [(name, value)])

    def add_many(self, zone: str, items: Sequence[NamedValue]) -> None:
        """See providers.base."""

        def added(have: tuple[Record, ...], values: Collection[str]) -> tuple[Record, ...]:
            known = {record.value for record in have}
            return (*have, *(Record(value, self._form(value)) for value in values if value not in known))

        self._change(zone, items, added)

    def remove_many(self, zone: str, items: Sequence[NamedValue]) -> None:
        """See providers.base."""
        self._change(zone, items, lambda have, values: tuple(record for record in have if record.value not in values))

    def _change(self, zone: str, items: Sequence[NamedValue], changed: _Changed) -> None:
        wanted: dict[str, dict[str, None]] = {}
        for name, value in items:
            wanted.setdefault(name, {})[value] = None
        # One after the other in this process, since all but one would fail otherwise.
        with one_at_a_time(self._api.endpoint.account, bare(zone)):
            for _ in range(ATTEMPTS):
                changes = []
                for name, old in self._read(zone, list(wanted)).items():
                    records = changed(old.records, wanted[name])
                    if records != old.records:
                        changes.append(Change(name, old, records))
                again = self._replace(zone, changes) if changes else ()
                if not again:
                    return
                wanted = {name: wanted[name] for name in again}
        raise Retryable(
            f"somebody else changes {', '.join(wanted)} in {zone} at the same time; tried again", reason=CONFLICT
        )


def batches(changes: Iterable[Change], *, records: int, characters: int) -> Iterator[list[Change]]:
    """Changes in as few groups as an API's limits allow; one that alone is over them is a group of its own.

    Args:
        changes: The changes.
        records: Most records of a group; a replaced set counts by its old ones and its new ones.
        characters: Most characters of their forms together.
    """
    group: list[Change] = []
    count = size = 0
    for change in changes:
        parts = [*change.old.records, *change.records]
        length = sum(len(str(part.form)) for part in parts)
        if group and (count + len(parts) > records or size + length > characters):
            yield group
            group, count, size = [], 0, 0
        group.append(change)
        count, size = count + len(parts), size + length
    if group:
        yield group


if TYPE_CHECKING:
    _Changed = Callable[[tuple[Record, ...], Collection[str]], tuple[Record, ...]]

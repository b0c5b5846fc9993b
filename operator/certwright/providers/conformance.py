"""What any DNS provider must do, as checks that run against a real or fake zone; a plugin's author runs them, too.

They need no test framework: each check is a name and a function that raises AssertionError. For pytest:

    @pytest.mark.parametrize("check", checks(), ids=lambda check: check.name)
    def test_conformance(check):
        check.run(Subject(make=..., read_txt=..., zone="example.com."))
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

from certwright.providers.base import add_many, remove_many

if TYPE_CHECKING:
    from collections.abc import Callable

    from certwright.providers.base import Provider


@dataclass(frozen=True, slots=True)
class Subject:
    """What is checked.

    Args:
        make: A new provider, as after a restart of the process; all share one account.
        read_txt: The values of the TXT RRset at a name, as the zone's server or API has them now.
        zone: A zone to write into, with its final dot.
    """

    make: Callable[[], Provider]
    read_txt: Callable[[str], list[str]]
    zone: str

    def new_name(self, label: str = "_acme-challenge") -> str:
        """A name in the zone that no other run uses."""
        return f"{label}.{uuid.uuid4().hex[:12]}.{self.zone}"

    def expect(self, name: str, *values: str) -> None:
        """Raise AssertionError unless the RRset at `name` has just these values."""
        found = sorted(self.read_txt(name))
        if found != sorted(values):
            raise AssertionError(f"{name} has the TXT values {found}, expected {sorted(values)}")


@dataclass(frozen=True, slots=True)
class Check:
    """One rule, by a name that states it."""

    name: str
    run: Callable[[Subject], None]


def checks() -> tuple[Check, ...]:
    """All rules."""
    return tuple(Check(rule.__name__.strip("_").replace("_", " "), rule) for rule in _RULES)


VALUES = tuple(f"{letter * 20}-_{letter.upper() * 21}" for letter in "abc")
"""Of the length and the signs of a challenge's value."""


def _two_values_stand_at_one_name(subject: Subject) -> None:
    provider, name = subject.make(), subject.new_name()
    provider.add_txt(subject.zone, name, VALUES[0])
    provider.add_txt(subject.zone, name, VALUES[1])
    subject.expect(name, *VALUES[:2])
    remove_many(provider, subject.zone, [(name, value) for value in VALUES[:2]])
    subject.expect(name)


def _removing_one_value_keeps_the_other(subject: Subject) -> None:
    provider, name = subject.make(), subject.new_name()
    add_many(provider, subject.zone, [(name, value) for value in VALUES])
    provider.remove_txt(subject.zone, name, VALUES[1])
    subject.expect(name, VALUES[0], VALUES[2])
    remove_many(provider, subject.zone, [(name, value) for value in VALUES])


def _adding_what_is_there_succeeds(subject: Subject) -> None:
    provider, name = subject.make(), subject.new_name()
    provider.add_txt(subject.zone, name, VALUES[0])
    provider.add_txt(subject.zone, name, VALUES[0])
    subject.make().add_txt(subject.zone, name, VALUES[0])
    subject.expect(name, VALUES[0])
    provider.remove_txt(subject.zone, name, VALUES[0])


def _removing_what_is_gone_succeeds(subject: Subject) -> None:
    provider, name = subject.make(), subject.new_name()
    provider.remove_txt(subject.zone, name, VALUES[0])
    provider.add_txt(subject.zone, name, VALUES[0])
    provider.remove_txt(subject.zone, name, VALUES[1])
    subject.expect(name, VALUES[0])
    provider.remove_txt(subject.zone, name, VALUES[0])
    provider.remove_txt(subject.zone, name, VALUES[0])
    subject.expect(name)


def _another_process_can_remove(subject: Subject) -> None:
    name = subject.new_name()
    subject.make().add_txt(subject.zone, name, VALUES[0])
    subject.make().remove_txt(subject.zone, name, VALUES[0])
    subject.expect(name)


def _values_of_another_client_stay(subject: Subject) -> None:
    ours, theirs, name = subject.make(), subject.make(), subject.new_name()
    theirs.add_txt(subject.zone, name, "of somebody else")
    ours.add_txt(subject.zone, name, VALUES[0])
    subject.expect(name, "of somebody else", VALUES[0])
    ours.remove_txt(subject.zone, name, VALUES[0])
    subject.expect(name, "of somebody else")
    theirs.remove_txt(subject.zone, name, "of somebody else")


def _names_beside_and_below_stay(subject: Subject) -> None:
    provider, name = subject.make(), subject.new_name()
    below = f"below.{name}"
    add_many(provider, subject.zone, [(name, VALUES[0]), (below, VALUES[0])])
    provider.remove_txt(subject.zone, name, VALUES[0])
    subject.expect(name)
    subject.expect(below, VALUES[0])
    provider.remove_txt(subject.zone, below, VALUES[0])


def _many_names_at_once(subject: Subject) -> None:
    provider = subject.make()
    items = [(subject.new_name(), value) for value in VALUES for _ in range(10)]
    add_many(provider, subject.zone, items)
    for name, value in items:
        subject.expect(name, value)
    remove_many(provider, subject.zone, items)
    for name, _ in items:
        subject.expect(name)


def _a_long_name(subject: Subject) -> None:
    provider, name = subject.make(), subject.new_name(f"_acme-challenge.{'l' * 63}.{'m' * 63}")
    provider.add_txt(subject.zone, name, VALUES[0])
    subject.expect(name, VALUES[0])
    provider.remove_txt(subject.zone, name, VALUES[0])
    subject.expect(name)


_RULES = (
    _two_values_stand_at_one_name,
    _removing_one_value_keeps_the_other,
    _adding_what_is_there_succeeds,
    _removing_what_is_gone_succeeds,
    _another_process_can_remove,
    _values_of_another_client_stay,
    _names_beside_and_below_stay,
    _many_names_at_once,
    _a_long_name,
)

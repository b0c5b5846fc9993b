"""What any DNS provider must do, as checks that run against a real or fake zone; a plugin's author runs them, too.

They need no test framework: each check is a name and a function that raises AssertionError. For pytest:

    @pytest.mark.parametrize("check", checks(), ids=lambda check: check.name)
    def test_conformance(check):
        check.run(Subject(make=..., read_txt=..., zone="example.com."))

A check whose `needs` the subject does not offer does nothing; give what can be given.
"""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from certwright.errors import CertwrightError, InvalidSpec, Retryable, Terminal
from certwright.providers.base import add_many, remove_many

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from certwright.providers.base import Provider


@dataclass(frozen=True, slots=True)
class Subject:
    """What is checked.

    Args:
        make: A new provider, as after a restart of the process; all share one account.
        read_txt: The values of the TXT RRset at a name, as the zone's server or API has them now.
        zone: A zone to write into, with its final dot.
        subzone: A zone of the same account below `zone`.
        throttled: While it is entered, the API refuses everything as too much.
        expired: Makes a provider whose credentials are not valid any more.
        credentials: Texts that no message may have.
        stranger: Puts a value at a name in another way than by a provider, as a person would.
    """

    make: Callable[[], Provider]
    read_txt: Callable[[str], list[str]]
    zone: str
    subzone: str | None = None
    throttled: Callable[[], AbstractContextManager[object]] | None = None
    expired: Callable[[], Provider] | None = None
    credentials: tuple[str, ...] = ()
    stranger: Callable[[str, str], object] | None = None

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
    """One rule.

    Args:
        name: States it.
        rule: Raises AssertionError where it is broken.
        needs: The subject's field that it works with; empty for none.
    """

    name: str
    rule: Callable[[Subject], None]
    needs: str = ""

    def run(self, subject: Subject) -> None:
        """Run it; raises AssertionError, and whatever the provider raises where it should not."""
        if not self.needs or getattr(subject, self.needs) is not None:
            self.rule(subject)


def checks() -> tuple[Check, ...]:
    """All rules."""
    return tuple(Check(rule.__name__.strip("_").replace("_", " "), rule, needs) for rule, needs in _RULES.items())


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


def _values_of_a_person_stay(subject: Subject) -> None:
    provider, name = subject.make(), subject.new_name()
    assert subject.stranger  # noqa: S101 - see Check.needs
    foreign = 'v=example; said "so" \\ twice'
    subject.stranger(name, foreign)
    provider.add_txt(subject.zone, name, VALUES[0])
    subject.expect(name, foreign, VALUES[0])
    provider.remove_txt(subject.zone, name, VALUES[0])
    subject.expect(name, foreign)
    provider.remove_txt(subject.zone, name, foreign)
    subject.expect(name)


def _the_zone_itself_can_have_a_value(subject: Subject) -> None:
    provider, below = subject.make(), subject.new_name()
    before = subject.read_txt(subject.zone)
    provider.add_txt(subject.zone, below, VALUES[2])
    provider.add_txt(subject.zone, subject.zone, VALUES[2])
    subject.expect(subject.zone, *before, VALUES[2])
    provider.remove_txt(subject.zone, subject.zone, VALUES[2])
    subject.expect(subject.zone, *before)
    subject.expect(below, VALUES[2])
    provider.remove_txt(subject.zone, below, VALUES[2])


def _the_zone_of_a_name_is_the_longest(subject: Subject) -> None:
    provider = subject.make()
    told = provider.find_zone(subject.new_name())
    if told not in {None, subject.zone}:
        raise AssertionError(f"find_zone says {told} of a name in {subject.zone}")


def _a_delegated_subzone_is_its_own_zone(subject: Subject) -> None:
    provider, zone = subject.make(), subject.subzone or ""
    name, beside = f"_acme-challenge.{zone}", f"_acme-challenge.not-{zone}"
    if provider.find_zone(name) not in {None, zone}:
        raise AssertionError(f"find_zone says {provider.find_zone(name)} of {name}")
    if provider.find_zone(beside) == zone:
        raise AssertionError(f"find_zone says {zone} of {beside}, which only ends with the same letters")
    provider.add_txt(zone, name, VALUES[0])
    subject.expect(name, VALUES[0])
    provider.remove_txt(zone, name, VALUES[0])
    subject.expect(name)


def _changes_at_the_same_time_all_take_effect(subject: Subject) -> None:
    name = subject.new_name()
    values = [f"{number:02}{VALUES[0][2:]}" for number in range(8)]

    def each(act: str) -> None:
        with ThreadPoolExecutor(len(values)) as pool:
            futures = [pool.submit(_until_done, subject.make(), act, (subject.zone, name, value)) for value in values]
            for future in futures:
                future.result()

    each("add_txt")
    subject.expect(name, *values)
    each("remove_txt")
    subject.expect(name)


def _until_done(provider: Provider, act: str, arguments: tuple[str, str, str]) -> None:
    """Do as the operator does: what can be tried again is tried again."""
    for _ in range(5):
        try:
            getattr(provider, act)(*arguments)
        except Retryable:
            continue
        return
    raise AssertionError(f"{act} is still refused after five attempts")


def _throttling_is_said_and_passes(subject: Subject) -> None:
    assert subject.throttled  # noqa: S101 - see Check.needs
    name = subject.new_name()
    with subject.throttled():
        fault = _fault(subject, subject.make())
    if not isinstance(fault, Retryable):
        raise AssertionError(f"an API that asks to slow down raises {fault!r} and not Throttled")  # noqa: TRY004
    subject.make().add_txt(subject.zone, name, VALUES[0])
    subject.make().remove_txt(subject.zone, name, VALUES[0])


def _expired_credentials_are_said(subject: Subject) -> None:
    assert subject.expired  # noqa: S101 - see Check.needs
    fault = _fault(subject, subject.expired())
    if not isinstance(fault, InvalidSpec | Terminal):
        raise AssertionError(f"credentials that are refused raise {fault!r}; to try again does not help")  # noqa: TRY004


def _fault(subject: Subject, provider: Provider) -> CertwrightError:
    """What adding a value raises."""
    try:
        provider.add_txt(subject.zone, subject.new_name(), VALUES[0])
    except CertwrightError as fault:
        if any(text in fault.message for text in subject.credentials):
            raise AssertionError("the message of a fault shows the credentials") from None
        return fault
    raise AssertionError("adding succeeds where it cannot")


_RULES: dict[Callable[[Subject], None], str] = {
    _two_values_stand_at_one_name: "",
    _removing_one_value_keeps_the_other: "",
    _adding_what_is_there_succeeds: "",
    _removing_what_is_gone_succeeds: "",
    _another_process_can_remove: "",
    _values_of_another_client_stay: "",
    _names_beside_and_below_stay: "",
    _many_names_at_once: "",
    _a_long_name: "",
    _the_zone_itself_can_have_a_value: "",
    _the_zone_of_a_name_is_the_longest: "",
    _changes_at_the_same_time_all_take_effect: "",
    _values_of_a_person_stay: "stranger",
    _a_delegated_subzone_is_its_own_zone: "subzone",
    _throttling_is_said_and_passes: "throttled",
    _expired_credentials_are_said: "expired",
}

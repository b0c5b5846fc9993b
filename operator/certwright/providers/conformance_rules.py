"""The rules of the conformance suite; `conformance` has the suite itself.

Each rule is a function that raises AssertionError where a provider breaks it; its name, in words, is the rule's.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

from certwright.errors import CertwrightError, InvalidSpec, Retryable, Terminal
from certwright.providers.base import add_many, remove_many
from certwright.providers.elsewhere import until_done, workers

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from certwright.providers.base import Provider
    from certwright.providers.conformance_subject import Subject

MAX_NAME: Final = 253
"""Characters of the longest name, without its final dot (RFC 1035 section 3.1)."""
ROUNDS: Final = 5
"""How often what another process has overwritten is written again, as the operator does with what nobody sees."""
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


def _the_longest_name(subject: Subject) -> None:
    provider, labels = subject.make(), f"_acme-challenge.{'l' * 63}"
    left = MAX_NAME - len(subject.new_name(labels).rstrip("."))
    while left > 1:
        labels += "." + "m" * min(63, left - 1)
        left = MAX_NAME - len(subject.new_name(labels).rstrip("."))
    name = subject.new_name(labels)
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


def _values_are_kept_as_they_are_or_refused(subject: Subject) -> None:
    provider, name = subject.make(), subject.new_name()
    for value in ('say "so"; a \\ and  two spaces', "x" * 300):
        try:
            provider.add_txt(subject.zone, name, value)
        except (InvalidSpec, Terminal):
            continue  # the values of challenges have none of this
        subject.expect(name, value)
        provider.remove_txt(subject.zone, name, value)
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
            futures = [pool.submit(until_done, subject.make(), act, (subject.zone, name, value)) for value in values]
            for future in futures:
                future.result()

    each("add_txt")
    subject.expect(name, *values)
    each("remove_txt")
    subject.expect(name)


def _changes_of_two_processes_all_take_effect(subject: Subject) -> None:
    assert subject.elsewhere  # noqa: S101 - see Check.needs
    name = subject.new_name()
    foreign = ["of a person"] if subject.stranger else []
    if subject.stranger:
        subject.stranger(name, foreign[0])
    values = [f"{number:02}{VALUES[0][2:]}" for number in range(8)]
    with workers(subject.elsewhere, 2) as pair:

        def each(act: str, wrong: Callable[[Collection[str]], list[str]]) -> None:
            for _ in range(ROUNDS):
                left = wrong(subject.read_txt(name))
                if not left:
                    return
                for place, worker in enumerate(pair):
                    worker.begin(act, subject.zone, name, [value for value in left if values.index(value) % 2 == place])
                for worker in pair:
                    worker.finish()

        each("add_txt", lambda found: [value for value in values if value not in found])
        subject.expect(name, *foreign, *values)
        each("remove_txt", lambda found: [value for value in values if value in found])
        subject.expect(name, *foreign)


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


RULES: Final[dict[Callable[[Subject], None], str]] = {
    _two_values_stand_at_one_name: "",
    _removing_one_value_keeps_the_other: "",
    _adding_what_is_there_succeeds: "",
    _removing_what_is_gone_succeeds: "",
    _another_process_can_remove: "",
    _values_of_another_client_stay: "",
    _names_beside_and_below_stay: "",
    _many_names_at_once: "",
    _the_longest_name: "",
    _values_are_kept_as_they_are_or_refused: "",
    _the_zone_itself_can_have_a_value: "",
    _the_zone_of_a_name_is_the_longest: "",
    _changes_at_the_same_time_all_take_effect: "",
    _changes_of_two_processes_all_take_effect: "elsewhere",
    _values_of_a_person_stay: "stranger",
    _a_delegated_subzone_is_its_own_zone: "subzone",
    _throttling_is_said_and_passes: "throttled",
    _expired_credentials_are_said: "expired",
}
"""Each rule, and the field of the subject that it works with; empty for none."""

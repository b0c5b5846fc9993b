"""Asks many DNS servers side by side from one thread, so that a dead server costs its time-out once and not per name.

What is to be asked is written as a conversation: a generator that yields a batch of queries and is sent their replies.
Any number of conversations run in one selector loop, and a question that several of them have open goes out once.
Nothing here knows what a reply means, no fault of the network raises, and nothing sleeps.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from certwright.dns.loop import Loop
from certwright.dns.talk import Conversation, Limits, Talk
from certwright.errors import CertwrightError

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Conversation", "Limits", "converse", "hold"]

T = TypeVar("T")


def converse(conversations: Iterable[Conversation[T]], *, limits: Limits | None = None) -> list[T | CertwrightError]:
    """Hold all conversations side by side and return their outcomes in the same order.

    Args:
        conversations: Generators that yield batches of queries, are sent the replies and return a result.
        limits: Bounds of the whole run.

    A CertwrightError that ends a conversation is its outcome and leaves the others alone; any other exception is a
    defect and passes through.
    """
    talks = [Talk(conversation) for conversation in conversations]
    loop = Loop(limits or Limits())
    try:
        loop.run(talks)
    finally:
        loop.close()
    return [talk.outcome for talk in talks]


def hold(conversation: Conversation[T], *, limits: Limits | None = None) -> T:
    """Hold one conversation and return its result, or raise what it raises."""
    (outcome,) = converse([conversation], limits=limits)
    if isinstance(outcome, CertwrightError):
        raise outcome
    return outcome

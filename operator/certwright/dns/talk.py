"""What a conversation with DNS servers is, and how long it may take; who holds it is `transport`."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, TypeAlias, TypeVar

from certwright.dns.wire import Query, Reply

if TYPE_CHECKING:
    from certwright.errors import CertwrightError

T = TypeVar("T")
Conversation: TypeAlias = Generator[Sequence[Query], Sequence[Reply], T]
"""A generator that yields batches of queries, is sent their replies in order, and returns a result."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one run.

    Args:
        udp: Seconds for an answer by UDP before TCP is tried.
        tcp: Seconds for an answer by TCP.
        tls: Seconds for an answer by TLS or HTTPS, the connection's making included.
        total: Seconds for everything; what is open then counts as not answered.
        sockets: How many may be open at once; the other queries queue.
    """

    udp: float = 1.5
    tcp: float = 2.0
    total: float = 10.0
    sockets: int = 100
    tls: float = 3.0


@dataclass(slots=True, eq=False)
class Talk(Generic[T]):
    """A conversation, the replies it waits for by their place in the batch, and how it ended."""

    conversation: Conversation[T]
    outcome: T | CertwrightError = field(init=False)
    expected: int = 0
    replies: dict[int, Reply] = field(default_factory=dict)

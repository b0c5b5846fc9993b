"""Asks many DNS servers side by side from one thread, so that a dead server costs its time-out once and not per name.

What is to be asked is written as a conversation: a generator that yields a batch of queries and is sent their replies.
Any number of conversations run in one selector loop, and a question that several of them have open goes out once.
Nothing here knows what a reply means, no fault of the network raises, and nothing sleeps. One UDP socket serves one
query, so that its port is the kernel's random choice and the kernel drops what other hosts send (RFC 5452).
"""

from __future__ import annotations

import errno
import heapq
import selectors
import socket
import time
from collections import deque
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeAlias, TypeVar

from certwright.dns.wire import Fault, Query, Reply, Via, matches, pack, read, truncated
from certwright.errors import CertwrightError

T = TypeVar("T")
Conversation: TypeAlias = Generator[Sequence[Query], Sequence[Reply], T]

_NO_ROUTE = {errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one run.

    Args:
        udp: Seconds for an answer by UDP before TCP is tried.
        tcp: Seconds for an answer by TCP.
        total: Seconds for everything; what is open then counts as not answered.
        sockets: How many may be open at once; the other queries queue.
    """

    udp: float = 1.5
    tcp: float = 2.0
    total: float = 10.0
    sockets: int = 100


def converse(conversations: Iterable[Conversation[T]], *, limits: Limits | None = None) -> list[T | CertwrightError]:
    """Hold all conversations side by side and return their outcomes in the same order.

    Args:
        conversations: Generators that yield batches of queries, are sent the replies and return a result.
        limits: Bounds of the whole run.

    A CertwrightError that ends a conversation is its outcome and leaves the others alone; any other exception is a
    defect and passes through.
    """
    talks = [_Talk(conversation) for conversation in conversations]
    loop = _Loop(limits or Limits())
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


@dataclass(slots=True, eq=False)
class _Talk(Generic[T]):
    """A conversation, the replies it waits for by their place in the batch, and how it ended."""

    conversation: Conversation[T]
    outcome: T | CertwrightError = field(init=False)
    expected: int = 0
    replies: dict[int, Reply] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class _Flight:
    """One query under way, and everyone who waits for its reply."""

    query: Query
    waiting: list[tuple[_Talk[Any], int]] = field(default_factory=list)
    sent: bytes = b""
    sock: socket.socket | None = None
    transport: str = "UDP"
    connecting: bool = False
    received: bytes = b""


class _Loop:
    """The selector loop of one run."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._selector = selectors.DefaultSelector()
        self._flights: dict[Query, _Flight] = {}
        self._queue: deque[_Flight] = deque()
        self._timers: list[tuple[float, int, _Flight, socket.socket]] = []
        self._sockets = self._opened = 0
        self._end = time.monotonic() + limits.total

    def run(self, talks: Sequence[_Talk[T]]) -> None:
        """Until every conversation has its outcome."""
        for talk in talks:
            self._advance(talk, None)
        while self._flights:
            if time.monotonic() >= self._end:
                self._queue.clear()
                for flight in tuple(self._flights.values()):
                    self._finish(flight, Fault.TIMEOUT)
                continue
            while self._queue and self._sockets < self._limits.sockets:
                self._ask(self._queue.popleft())
            if self._sockets:
                due = min(self._timers[0][0], self._end)
                for key, _ in self._selector.select(max(0.0, due - time.monotonic())):
                    self._receive(key.data)
                self._expire()

    def close(self) -> None:
        """Close what an exception may have left open."""
        for flight in self._flights.values():
            self._hang_up(flight)
        self._selector.close()

    def _advance(self, talk: _Talk[T], replies: Sequence[Reply] | None) -> None:
        """Let a conversation go on until it asks something or ends."""
        queries: Sequence[Query] = ()
        while not queries:
            try:
                queries = next(talk.conversation) if replies is None else talk.conversation.send(replies)
            except StopIteration as end:
                talk.outcome = end.value
                return
            except CertwrightError as error:
                talk.outcome = error
                return
            replies = ()
        talk.expected, talk.replies = len(queries), {}
        for place, query in enumerate(queries):
            flight = self._flights.get(query)
            if flight is None:
                flight = self._flights[query] = _Flight(query)
                self._queue.append(flight)
            flight.waiting.append((talk, place))

    def _finish(self, flight: _Flight, outcome: Reply | Fault) -> None:
        """Hand the outcome to everyone who waits for it."""
        self._hang_up(flight)
        del self._flights[flight.query]
        reply = outcome if isinstance(outcome, Reply) else Reply(flight.query, None, outcome, flight.transport)
        for talk, place in flight.waiting:
            talk.replies[place] = reply
            if len(talk.replies) == talk.expected:
                self._advance(talk, [talk.replies[index] for index in range(talk.expected)])

    def _ask(self, flight: _Flight) -> None:
        flight.sent = pack(flight.query)
        if flight.query.via is Via.TCP:
            self._ask_by_tcp(flight)
            return
        try:
            self._dial(flight, socket.SOCK_DGRAM, selectors.EVENT_READ, self._limits.udp).send(flight.sent)
        except OSError as error:
            self._fail(flight, error)

    def _ask_by_tcp(self, flight: _Flight) -> None:
        self._hang_up(flight)
        flight.transport, flight.connecting = "TCP", True
        try:
            self._dial(flight, socket.SOCK_STREAM, selectors.EVENT_WRITE, self._limits.tcp)
        except OSError as error:
            self._fail(flight, error)

    def _dial(self, flight: _Flight, kind: socket.SocketKind, events: int, seconds: float) -> socket.socket:
        endpoint = flight.query.endpoint
        sock = socket.socket(socket.AF_INET6 if ":" in endpoint.address else socket.AF_INET, kind)
        flight.sock = sock
        self._sockets += 1
        self._opened += 1
        sock.setblocking(False)
        self._selector.register(sock, events, flight)
        heapq.heappush(self._timers, (time.monotonic() + seconds, self._opened, flight, sock))
        status = sock.connect_ex((endpoint.address, endpoint.port))
        if status not in {0, errno.EINPROGRESS}:
            raise OSError(status, "connect")
        return sock

    def _hang_up(self, flight: _Flight) -> None:
        if flight.sock is not None:
            self._selector.unregister(flight.sock)
            flight.sock.close()
            flight.sock = None
            self._sockets -= 1

    def _fail(self, flight: _Flight, error: OSError) -> None:
        if isinstance(error, ConnectionError):
            self._finish(flight, Fault.CLOSED)
        elif isinstance(error, TimeoutError):
            self._finish(flight, Fault.TIMEOUT)
        else:
            self._finish(flight, Fault.NO_ROUTE if error.errno in _NO_ROUTE else Fault.LOCAL)

    def _expire(self) -> None:
        """Time-outs: UDP goes on by TCP, which also serves as the one repetition; TCP ends it."""
        now = time.monotonic()
        while self._timers and self._timers[0][0] <= now:
            *_, flight, sock = heapq.heappop(self._timers)
            if flight.sock is not sock:
                continue
            if flight.transport == "UDP" and flight.query.via is Via.EITHER:
                self._ask_by_tcp(flight)
            else:
                self._finish(flight, Fault.TIMEOUT)

    def _receive(self, flight: _Flight) -> None:
        if flight.sock is None:
            return
        try:
            if flight.transport == "UDP":
                self._datagram(flight, flight.sock.recv(65535))
            elif flight.connecting:
                flight.sock.sendall(len(flight.sent).to_bytes(2, "big") + flight.sent)
                flight.connecting = False
                self._selector.modify(flight.sock, selectors.EVENT_READ, flight)
            else:
                self._stream(flight, flight.sock.recv(65535))
        except BlockingIOError:
            return
        except OSError as error:
            self._fail(flight, error)

    def _datagram(self, flight: _Flight, octets: bytes) -> None:
        if not matches(octets, flight.sent):
            return  # a forgery or a late answer: the right one may still come
        if truncated(octets) and flight.query.via is Via.EITHER:
            self._ask_by_tcp(flight)
        else:
            self._finish(flight, read(flight.query, octets, "UDP"))

    def _stream(self, flight: _Flight, octets: bytes) -> None:
        flight.received += octets
        length = int.from_bytes(flight.received[:2], "big")
        if len(flight.received) >= 2 + max(length, 1):
            body = flight.received[2 : 2 + length]
            self._finish(flight, read(flight.query, body, "TCP") if matches(body, flight.sent) else Fault.MALFORMED)
        elif not octets:
            self._finish(flight, Fault.CLOSED)

"""The selector loop behind `transport`: sockets, time-outs, and who waits for which reply.

One UDP socket serves one query, so that its port is the kernel's random choice and the kernel drops what other hosts
send (RFC 5452). Connections by TLS are dear, and so a few of them serve all queries to one server. No fault of the
network raises: it becomes a Fault in the reply.
"""

from __future__ import annotations

import errno
import heapq
import selectors
import socket
import ssl
import time
from collections import Counter, defaultdict, deque
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING, Any, TypeVar

from certwright.dns.encrypted import Exchange, NotDNSError, framed, wrap
from certwright.dns.wire import Endpoint, Fault, Query, Reply, Scheme, Via, matches, pack, read, truncated
from certwright.errors import CertwrightError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from certwright.dns.talk import Limits, Talk

T = TypeVar("T")
_NO_ROUTE = {errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}


CONNECTIONS = 3
"""By TLS to one server."""


@dataclass(slots=True, eq=False)
class _Flight:
    """One query under way, and everyone who waits for its reply."""

    query: Query
    waiting: list[tuple[Talk[Any], int]] = field(default_factory=list)
    sent: bytes = b""
    sock: socket.socket | None = None
    transport: str = "UDP"
    connecting: bool = False
    received: bytes = b""
    exchange: Exchange | None = None


class Loop:
    """The selector loop of one run."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._selector = selectors.DefaultSelector()
        self._flights: dict[Query, _Flight] = {}
        self._queue: deque[_Flight] = deque()
        self._timers: list[tuple[float, int, _Flight, socket.socket]] = []
        self._sockets = self._opened = 0
        self._idle: dict[Endpoint, list[ssl.SSLSocket]] = defaultdict(list)
        self._busy: Counter[Endpoint] = Counter()
        self._waiting: dict[Endpoint, deque[_Flight]] = defaultdict(deque)
        self._end = time.monotonic() + limits.total

    def run(self, talks: Sequence[Talk[T]]) -> None:
        """Until every conversation has its outcome."""
        for talk in talks:
            self._advance(talk, None)
        while self._flights:
            if time.monotonic() >= self._end:
                self._queue.clear()
                self._waiting.clear()
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
        for sock in chain.from_iterable(self._idle.values()):
            sock.close()
        self._selector.close()

    def _advance(self, talk: Talk[T], replies: Sequence[Reply] | None) -> None:
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
        """Hand the outcome to everyone who waits for it; a fault is that of who waits for a connection there, too."""
        waiting = deque[_Flight]()
        if flight.exchange and isinstance(outcome, Fault) and outcome is not Fault.MALFORMED:
            waiting = self._waiting.pop(flight.query.endpoint, waiting)
        self._hang_up(flight)
        del self._flights[flight.query]
        for other in waiting:
            self._finish(other, outcome)
        reply = outcome if isinstance(outcome, Reply) else Reply(flight.query, None, outcome, flight.transport)
        for talk, place in flight.waiting:
            talk.replies[place] = reply
            if len(talk.replies) == talk.expected:
                self._advance(talk, [talk.replies[index] for index in range(talk.expected)])

    def _ask(self, flight: _Flight) -> None:
        if flight.query.endpoint.refused:
            self._finish(flight, Fault.REFUSED)
            return
        flight.sent = pack(flight.query)
        if flight.query.endpoint.scheme is not Scheme.PLAIN:
            self._ask_by_tls(flight)
            return
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

    def _ask_by_tls(self, flight: _Flight) -> None:
        """By a connection that is idle, else by a new one, else when one gets idle."""
        endpoint = flight.query.endpoint
        if self._busy[endpoint] >= CONNECTIONS:
            self._waiting[endpoint].append(flight)
            return
        flight.transport = endpoint.scheme.upper()
        idle = self._idle[endpoint]
        flight.exchange = Exchange(endpoint, framed(endpoint, flight.sent), fresh=not idle)
        try:
            if idle:
                self._watch(flight, idle.pop(), selectors.EVENT_WRITE, self._limits.tls)
            else:
                self._dial(flight, socket.SOCK_STREAM, selectors.EVENT_WRITE, self._limits.tls)
        except OSError as error:
            self._fail(flight, error)

    def _dial(self, flight: _Flight, kind: socket.SocketKind, events: int, seconds: float) -> socket.socket:
        endpoint = flight.query.endpoint
        sock = socket.socket(socket.AF_INET6 if ":" in endpoint.address else socket.AF_INET, kind)
        sock.setblocking(False)
        if flight.exchange:
            sock = wrap(sock, endpoint)
        self._watch(flight, sock, events, seconds)
        status = sock.connect_ex((endpoint.address, endpoint.port))
        if status not in {0, errno.EINPROGRESS}:
            raise OSError(status, "connect")
        return sock

    def _watch(self, flight: _Flight, sock: socket.socket, events: int, seconds: float) -> None:
        flight.sock = sock
        self._sockets += 1
        self._opened += 1
        if flight.exchange:
            self._busy[flight.query.endpoint] += 1
        self._selector.register(sock, events, flight)
        heapq.heappush(self._timers, (time.monotonic() + seconds, self._opened, flight, sock))

    def _hang_up(self, flight: _Flight, *, keep: bool = False) -> None:
        """Close a flight's socket, or keep its connection for the next question."""
        if flight.sock is None:
            return
        self._selector.unregister(flight.sock)
        if keep and isinstance(flight.sock, ssl.SSLSocket):
            self._idle[flight.query.endpoint].append(flight.sock)
        else:
            flight.sock.close()
        flight.sock = None
        self._sockets -= 1
        if flight.exchange:
            endpoint = flight.query.endpoint
            self._busy[endpoint] -= 1
            if self._waiting[endpoint]:
                self._queue.append(self._waiting[endpoint].popleft())

    def _fail(self, flight: _Flight, error: OSError) -> None:
        if isinstance(error, ssl.SSLError):
            untrusted = isinstance(error, ssl.SSLCertVerificationError)
            self._finish(flight, Fault.UNTRUSTED if untrusted else Fault.NO_TLS)
        elif isinstance(error, ConnectionError):
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
            if flight.exchange:
                self._encrypted(flight, flight.exchange)
            elif flight.transport == "UDP":
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

    def _encrypted(self, flight: _Flight, exchange: Exchange) -> None:
        assert isinstance(flight.sock, ssl.SSLSocket)  # noqa: S101 - for the type checker
        reused = not exchange.fresh and not exchange.received
        try:
            found = exchange.proceed(flight.sock)
        except NotDNSError:
            self._finish(flight, Fault.MALFORMED)
            return
        except ConnectionError:
            if not reused or exchange.received:
                raise
            self._hang_up(flight)  # the server closed it while it was idle
            self._queue.append(flight)
            return
        if isinstance(found, int):
            self._selector.modify(flight.sock, found, flight)
            return
        body, again = found
        self._hang_up(flight, keep=again)
        self._finish(
            flight, read(flight.query, body, flight.transport) if matches(body, flight.sent) else Fault.MALFORMED
        )

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

"""The server in the HTTP-01 solver's pod: it answers its order's tokens and nothing else.

A hundred names wait for this process, and a pod pays for its memory: it answers within 300 ms of its start and stays
under 25 MB. Hence one thread and one loop over non-blocking sockets, on nothing but the smallest modules of the
standard library: `http.server` alone brings `email` and `ssl`. Whoever connects is bounded in time, bytes and number.
"""

from __future__ import annotations

import re
import selectors
import socket
import sys
import time

from certwright.solvers.http01.server.request import BadRequestError, parse

PATH = "/.well-known/acme-challenge/"
HEAD_LIMIT = 8192  # bytes
TIMEOUT = 10.0  # seconds for a whole request
LINGER = 2.0  # seconds, and
LINGER_LIMIT = 1 << 20  # bytes of a body that nobody reads, before the connection is cut
CONNECTIONS = 128
_HEAD_END = re.compile(rb"\r?\n\r?\n")
_STATUS = {
    200: "OK",
    400: "Bad Request",
    404: "Not Found",
    405: "Method Not Allowed",
    408: "Request Timeout",
    431: "Request Header Fields Too Large",
}


class Log:
    """Lines at standard error: few, whatever is asked and how often.

    Args:
        now: Seconds of a clock that never goes back.
    """

    ANSWERS = 10  # lines for one host's token
    REFUSALS = 20  # lines at once; then one every
    PAUSE = 10.0  # seconds

    def __init__(self, now: float) -> None:
        self._answers: dict[tuple[str, str], int] = {}
        self._budget = float(self.REFUSALS)
        self._at = now
        self._unsaid = 0

    def answered(self, host: str, token: str, client: str) -> None:
        """A token was asked for and answered."""
        count = self._answers[host, token] = self._answers.get((host, token), 0) + 1
        if count <= self.ANSWERS:
            last = "; no more lines for it" if count == self.ANSWERS else ""
            self.say(f"answered host={host} token={token[:8]} client={client}{last}")

    def refused(self, status: int, reason: str, client: str, now: float) -> None:
        """Something else was asked for."""
        self._budget = min(self.REFUSALS, self._budget + (now - self._at) / self.PAUSE)
        self._at = now
        if self._budget < 1:
            self._unsaid += 1
            return
        self._budget -= 1
        unsaid, self._unsaid = (f"; {self._unsaid} more before it" if self._unsaid else ""), 0
        self.say(f"refused status={status} {reason} client={client}{unsaid}")

    @staticmethod
    def say(text: str) -> None:
        """Write one line."""
        sys.stderr.write(f"{text}\n")
        sys.stderr.flush()


class Connection:
    """One client, until it has its answer and has gone."""

    __slots__ = ("answered", "client", "deadline", "head", "socket", "wasted")

    def __init__(self, connected: socket.socket, client: str, deadline: float) -> None:
        self.socket = connected
        self.client = client
        self.deadline = deadline
        self.head = bytearray()
        self.answered = False
        self.wasted = 0


class Server:
    """Answers at one listening socket.

    Args:
        listener: It; closed by `run()`.
        answers: Body by host, in the form of `identifier()`, and token.
        header: Which of HEADERS carries the host.
        log: Where it tells of requests.
    """

    def __init__(
        self, listener: socket.socket, answers: dict[tuple[str, str], bytes], header: str, log: Log | None = None
    ) -> None:
        self._listener = listener
        self._answers = answers
        self._header = header
        self._log = log or Log(time.monotonic())
        self._selector = selectors.DefaultSelector()
        self._connections: dict[int, Connection] = {}  # by file descriptor, the oldest first

    def run(self, stop: socket.socket) -> None:
        """Serve until something can be read at `stop`."""
        self._listener.setblocking(False)
        for waited in (self._listener, stop):
            self._selector.register(waited, selectors.EVENT_READ)
        try:
            while True:
                for key, _ in self._selector.select(self._patience()):
                    if key.fileobj is stop:
                        return
                    if key.fileobj is self._listener:
                        self._accept()
                    elif connection := self._connections.get(key.fd):
                        self._read(connection)
                self._expire(time.monotonic())
        finally:
            for connection in list(self._connections.values()):
                self._drop(connection)
            self._selector.close()
            self._listener.close()

    def _patience(self) -> float | None:
        """Seconds until the first connection's time is up."""
        if not self._connections:
            return None
        return max(min(one.deadline for one in self._connections.values()) - time.monotonic(), 0)

    def _accept(self) -> None:
        try:
            connected, address = self._listener.accept()
        except OSError:  # it went away while it waited
            return
        if len(self._connections) >= CONNECTIONS:
            # The oldest has had more time than any honest client needs; turning newcomers away would stop the CA.
            self._drop(next(iter(self._connections.values())))
        connected.setblocking(False)
        client = str(address[0]).removeprefix("::ffff:")
        self._connections[connected.fileno()] = Connection(connected, client, time.monotonic() + TIMEOUT)
        self._selector.register(connected, selectors.EVENT_READ)

    def _read(self, connection: Connection) -> None:
        try:
            data = connection.socket.recv(HEAD_LIMIT)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._drop(connection)
        elif connection.answered:
            connection.wasted += len(data)
            if connection.wasted > LINGER_LIMIT:
                self._drop(connection)
        else:
            known = len(connection.head)
            connection.head += data
            end = _HEAD_END.search(connection.head, max(known - 3, 0))
            if end and end.start() <= HEAD_LIMIT:
                self._answer(connection, bytes(connection.head[: end.start()]))
            elif len(connection.head) > HEAD_LIMIT:
                self._refuse(connection, 431, "more than 8 KiB")

    def _answer(self, connection: Connection, head: bytes) -> None:
        try:
            request = parse(head, self._header)
        except BadRequestError as error:
            self._refuse(connection, 400, str(error))
            return
        token = request.path.removeprefix(PATH) if request.path.startswith(PATH) else ""
        body = self._answers.get((request.host, token))
        if request.method not in {"GET", "HEAD"}:
            self._refuse(connection, 405, f"method={request.method[:16]}", extra="Allow: GET, HEAD\r\n")
        elif body is None:
            reason = f"host={request.host[:80] or '?'} path={request.path[:80]}"
            self._refuse(connection, 404, reason, silent=request.method == "HEAD")
        else:
            self._log.answered(request.host, token, connection.client)
            self._send(connection, 200, body, kind="application/octet-stream", silent=request.method == "HEAD")

    def _refuse(
        self, connection: Connection, status: int, reason: str, *, silent: bool = False, extra: str = ""
    ) -> None:
        self._log.refused(status, reason, connection.client, time.monotonic())
        body = f"{_STATUS[status]}\n".encode()
        self._send(connection, status, body, kind="text/plain; charset=utf-8", silent=silent, extra=extra)

    def _send(
        self, connection: Connection, status: int, body: bytes, *, kind: str, silent: bool, extra: str = ""
    ) -> None:
        head = (
            f"HTTP/1.1 {status} {_STATUS[status]}\r\n"
            f"Date: {time.strftime('%a, %d %b %Y %H:%M:%S GMT', time.gmtime())}\r\n"
            f"Content-Type: {kind}\r\nContent-Length: {len(body)}\r\n{extra}"
            # What a cache in front keeps of a 404 would be served to the CA later.
            "Cache-Control: no-store\r\nConnection: close\r\n\r\n"
        )
        connection.answered = True
        connection.head.clear()
        connection.deadline = time.monotonic() + LINGER
        try:
            # It fits into any send buffer, which is empty. To close with bytes unread would destroy it on its way, so
            # the client is left to close first.
            connection.socket.send(head.encode() + (b"" if silent else body))
            connection.socket.shutdown(socket.SHUT_WR)
        except OSError:
            self._drop(connection)

    def _expire(self, now: float) -> None:
        for connection in [one for one in self._connections.values() if one.deadline <= now]:
            if connection.answered or not connection.head:
                self._drop(connection)
            else:
                self._refuse(connection, 408, "too slow")

    def _drop(self, connection: Connection) -> None:
        number = connection.socket.fileno()
        if self._connections.pop(number, None):
            self._selector.unregister(connection.socket)
        connection.socket.close()

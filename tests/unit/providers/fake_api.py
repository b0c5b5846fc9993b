"""What the vendors' fakes have in common: an HTTP server on the loopback interface with zones and records in memory.

The fakes are written from the vendors' documentation and share no code with the providers.
"""

from __future__ import annotations

import itertools
import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, unquote, urlsplit

ZONES = ("alpha.test", "beta.test", "example.com", "gamma.test", "sub.example.com")


@dataclass
class Record:
    """One record; the value is what DNS would give, whatever way the API writes it."""

    id: str
    name: str
    type: str
    value: str
    ttl: int


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: Any
    target: str = ""
    content: bytes = b""


@dataclass
class Answer(Exception):  # noqa: N818 - raised or returned alike
    status: int
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)


Route = tuple[str, str, Callable[..., Answer]]


class FakeApi:
    """One vendor's API.

    Attributes:
        zones: Records by zone.
        throttled: Every request is too many.
        expired: The credentials are not valid any more.
        requests: All that came.
    """

    prefix = ""
    raw = False
    """Whether bodies are handed on as they came; else they are JSON."""
    max_ttl = 86400
    min_ttl = 30

    def __init__(self) -> None:
        self.zones: dict[str, list[Record]] = {
            zone: [Record(f"ns-{zone}", zone, "NS", "ns1.vendor.example.", 3600)] for zone in ZONES
        }
        self.throttled = False
        self.expired = False
        self.requests: list[Request] = []
        self.override: Callable[[Request], Answer | None] = lambda _request: None
        self._ids = itertools.count(1001)
        self._lock = threading.RLock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self.url = f"http://127.0.0.1:{self._server.server_port}{self.prefix}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    # What a vendor's fake defines.

    def routes(self) -> list[Route]:
        """Method, pattern of the path below the prefix with groups, and what to call with request and groups."""
        raise NotImplementedError

    def authorized(self, request: Request) -> bool:
        raise NotImplementedError

    def unauthorized(self) -> Answer:
        return Answer(401, {"message": "Unauthorized"})

    def too_many(self) -> Answer:
        return Answer(429, {"message": "Too many requests"}, {"Retry-After": "1"})

    def unknown(self) -> Answer:
        return Answer(404, {"message": "Not found"})

    def parsed(self, kind: str, content: bytes) -> Any:
        """A request's body."""
        if self.raw:
            return content
        assert kind == "application/json"
        return json.loads(content)

    # State.

    def zone_of(self, name: str) -> str:
        return max((zone for zone in self.zones if name == zone or name.endswith(f".{zone}")), key=len)

    def txt(self, name: str) -> list[str]:
        bare = name.rstrip(".")
        with self._lock:
            return [each.value for each in self.zones[self.zone_of(bare)] if (each.name, each.type) == (bare, "TXT")]

    def foreign(self) -> list[object]:
        """All that no provider may change."""
        kept = [(zone, each) for zone, records in self.zones.items() for each in records if each.type != "TXT"]
        return [(zone, each.id, each.name, each.type, each.value, each.ttl) for zone, each in kept]

    def put(self, name: str, value: str, ttl: int = 3600) -> Record:
        bare = name.rstrip(".")
        with self._lock:
            record = Record(str(next(self._ids)), bare, "TXT", value, ttl)
            self.zones[self.zone_of(bare)].append(record)
        return record

    def drop(self, zone: str, record_id: str) -> bool:
        """Delete a record by its id; tells whether there was one."""
        before = len(self.zones[zone])
        self.zones[zone] = [record for record in self.zones[zone] if record.id != record_id]
        return len(self.zones[zone]) < before

    def at(self, zone: str, name: str, kind: str = "TXT") -> list[Record]:
        return [record for record in self.zones[zone] if record.name == name and record.type == kind]

    @contextmanager
    def throttling(self) -> Iterator[None]:
        self.throttled = True
        try:
            yield
        finally:
            self.throttled = False

    # HTTP.

    def answer(self, request: Request) -> Answer:
        with self._lock:
            self.requests.append(request)
            try:
                if self.throttled:
                    return self.too_many()
                if self.expired or not self.authorized(request):
                    return self.unauthorized()
                if overridden := self.override(request):
                    return overridden
                return self._routed(request)
            except Answer as refusal:
                return refusal

    def _routed(self, request: Request) -> Answer:
        path = request.path.removeprefix(self.prefix)
        for method, pattern, call in self.routes():
            match = re.fullmatch(pattern, path)
            if match and method == request.method and request.path.startswith(self.prefix):
                return call(request, *map(unquote, match.groups()))
        return self.unknown()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        fake = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True
            wbufsize = -1

            def handle_any(self) -> None:
                content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                parts = urlsplit(self.path)
                body = fake.parsed(self.headers["Content-Type"], content) if content else None
                query = {name: values[-1] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
                headers = {name.lower(): value for name, value in self.headers.items()}
                request = Request(self.command, parts.path, query, headers, body, self.path, content)
                answer = fake.answer(request)
                text = answer.body if isinstance(answer.body, str) else json.dumps(answer.body)
                sent = b"" if answer.body is None else text.encode()
                self.send_response(answer.status)
                for name, value in ({"Content-Type": "application/json"} | answer.headers).items():
                    self.send_header(name, value)
                if answer.status not in {204, 304}:
                    self.send_header("Content-Length", str(len(sent)))
                self.end_headers()
                if answer.status not in {204, 304}:
                    self.wfile.write(sent)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any  # noqa: N815 - the base class's names

            def log_message(self, *_: object) -> None:
                pass

        return Handler


def page_of(items: list[Any], *, page: int, size: int) -> list[Any]:
    return items[(page - 1) * size : page * size]


def relative(name: str, zone: str, apex: str = "@") -> str:
    return apex if name == zone else name.removesuffix(f".{zone}")


def absolute(name: str, zone: str, apex: str = "@") -> str:
    return zone if name == apex else f"{name}.{zone}"


def zone_file_value(text: str, *, base: int = 10) -> str | None:
    """What quoted strings mean; None for a text that is not made of quoted strings of 255 octets at most.

    `base` is that of the numbers of octets: 10 in zone files (RFC 1035 section 5.1).
    """

    def unescaped(match: re.Match[bytes]) -> bytes:
        return bytes([int(match[1], base)]) if match[1] else match[2]

    if not re.fullmatch(r'"(?:[^"\\]|\\.)*"(?: "(?:[^"\\]|\\.)*")*', text):
        return None
    strings = re.findall(r'"((?:[^"\\]|\\.)*)"', text)
    octets = [re.sub(rb"\\(\d{3})|\\(.)", unescaped, string.encode(), flags=re.DOTALL) for string in strings]
    if any(len(string) > 255 for string in octets):
        return None
    return b"".join(octets).decode(errors="replace")


def zone_file(value: str) -> str:
    """A value as a name server writes it into a zone file."""
    octets = value.encode()
    strings = [octets[start : start + 255] for start in range(0, max(len(octets), 1), 255)]
    return " ".join('"' + "".join(map(_escaped, string)) + '"' for string in strings)


def _escaped(octet: int) -> str:
    if octet in b'"\\':
        return "\\" + chr(octet)
    return chr(octet) if 32 <= octet < 127 else f"\\{octet:03}"

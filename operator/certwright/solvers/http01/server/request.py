"""What a client asks the HTTP-01 solver for: the head of a request, and the host that it is for (RFC 9112, RFC 7239).

The solver's pod imports this, and must answer within moments of its start and in little memory. So nothing here may
import `dataclasses`, `typing`, `ipaddress`, `http` or `email`, each of which costs more than all of this.
"""

from __future__ import annotations

import re
import socket

HEADERS = ("Host", "X-Forwarded-Host", "Forwarded")
"""Headers that may carry the host, as `--proxy-header` names them."""
_WORD = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_LINE = re.compile(rf"({_WORD}) ([\x21-\x7e]+) HTTP/1\.([01])")
_NAME = re.compile(_WORD)
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_ABSOLUTE = re.compile(r"https?://([^/?#]*)(.*)", re.IGNORECASE)
_HOST = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([0-9A-Za-z._-]+))(?::[0-9]{0,5})?")
_LABELS = re.compile(r"(?!.{254})[0-9a-z_-]{1,63}(?:\.[0-9a-z_-]{1,63})*")
# A value with a port would have to be quoted, as RFC 7239 has it; not every proxy does.
_PAIR = re.compile(rf"[ \t]*(?:({_WORD})=(?:([^\s\",;]+)|\"((?:[^\"\\]|\\.)*)\"))?[ \t]*(;|,|$)")


class BadRequestError(Exception):
    """A request that is none; the message says why, for the log."""


class Request:
    """The first line of a request and the header with the host.

    Args:
        method: As the client wrote it.
        path: The target without scheme and host, its query included.
        host: In the form of `identifier()`; empty where none can be told.
    """

    __slots__ = ("host", "method", "path")

    def __init__(self, method: str, path: str, host: str) -> None:
        self.method = method
        self.path = path
        self.host = host


def parse(head: bytes, header: str) -> Request:
    """Read a request.

    Args:
        head: Everything before the empty line.
        header: Which of HEADERS carries the host.

    Raises:
        BadRequestError: It is no HTTP/1 request, has no Host header or several, or a broken header.
    """
    first, *lines = head.decode("latin-1").split("\n")
    line = _LINE.fullmatch(first.removesuffix("\r"))
    if line is None:
        raise BadRequestError("no request line of HTTP/1")
    method, path, minor = line.groups()
    found: dict[str, list[str]] = {}
    for text in lines:
        name, colon, value = text.removesuffix("\r").partition(":")
        if not colon or not _NAME.fullmatch(name) or _CONTROL.search(value):
            raise BadRequestError("a header that is none")
        found.setdefault(name.lower(), []).append(value.strip(" \t"))
    hosts = found.get("host", [])
    if len(hosts) > 1 or (not hosts and minor == "1"):
        raise BadRequestError("several Host headers" if hosts else "no Host header")
    if absolute := _ABSOLUTE.fullmatch(path):  # what a proxy is sent; its host counts instead of the header's
        hosts, path = [absolute[1]], absolute[2] or "/"
    values = hosts if header == "Host" else found.get(header.lower(), [])
    return Request(method, path, _host(values[0], header) if values else "")


def identifier(text: str) -> str:
    """One spelling for a DNS name or an IP address (IPv6 without brackets); empty where it is neither.

    Names in lower case without a dot at the end, addresses as the C library writes them.
    """
    if ":" in text:
        return _address(socket.AF_INET6, text)
    name = text.lower().removesuffix(".")
    return name if _LABELS.fullmatch(name) else ""


def _host(value: str, header: str) -> str:
    if header == "X-Forwarded-Host":
        value = value.partition(",")[0].strip(" \t")
    elif header == "Forwarded":
        value = _forwarded(value)
    host = _HOST.fullmatch(value)
    if host is None:
        return ""
    return _address(socket.AF_INET6, host[1]) if host[1] else identifier(host[2])


def _forwarded(value: str) -> str:
    """`host` of the first element (RFC 7239 section 4); empty where it has none, or several, or cannot be read."""
    value, hosts, position, end = value.lstrip(" \t,"), [], 0, ";"
    while end == ";":
        pair = _PAIR.match(value, position)
        if pair is None:
            return ""
        if (pair[1] or "").lower() == "host":
            hosts.append(pair[2] or re.sub(r"\\(.)", r"\1", pair[3] or ""))
        position, end = pair.end(), pair[4]
    return hosts[0] if len(hosts) == 1 else ""


def _address(family: int, text: str) -> str:
    try:
        return socket.inet_ntop(family, socket.inet_pton(family, text))
    except OSError:
        return ""

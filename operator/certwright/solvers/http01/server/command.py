"""The command of the HTTP-01 solver's pod: `certwright-http-solver`.

Few modules, and small ones, may be imported here; `serving` says why.
"""

from __future__ import annotations

import argparse
import errno
import re
import signal
import socket
import sys

from certwright.solvers.http01.server.request import HEADERS, identifier
from certwright.solvers.http01.server.serving import CONNECTIONS, Log, Server
from certwright.solvers.http01.server.webroot import Webroot

_BASE64URL = re.compile(r"[A-Za-z0-9_-]{1,512}")


def listen(port: int) -> socket.socket:
    """Listen at all addresses, IPv6 and IPv4; at those of IPv4 alone where the kernel has no IPv6.

    Raises:
        OSError: The port is taken or may not be used.
    """
    try:
        return socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=CONNECTIONS)
    except (OSError, ValueError) as error:  # ValueError is how Python says that there is no dual stack
        if isinstance(error, OSError) and error.errno in {errno.EADDRINUSE, errno.EACCES}:
            raise
    return socket.create_server(("", port), backlog=CONNECTIONS)


def main(arguments: list[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT; return the exit code: 0, or 1 where the port or the webroot cannot be used."""
    # First of all: a process that is number 1 of its container is not ended by a signal that it does not handle.
    stop, wake = socket.socketpair()
    wake.setblocking(False)
    signal.set_wakeup_fd(wake.fileno(), warn_on_full_buffer=False)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: None)
    options = _parser().parse_args(arguments)
    answers = {(host, token): f"{token}.{options.thumbprint}".encode() for host, token in options.answers}
    webroot = Webroot(options.webroot) if options.webroot else None
    try:
        listener = listen(options.listen_port)
    except OSError as error:
        Log.say(f"error: --listen-port {options.listen_port}: {error.strerror or error}")
        return 1
    try:
        if webroot:
            webroot.publish({token: body for (_, token), body in answers.items()})
        hosts = len({host for host, _ in answers})
        Log.say(f"answering port={listener.getsockname()[1]} hosts={hosts} tokens={len(answers)}")
        Server(listener, answers, options.proxy_header).run(stop)
    except OSError as error:
        Log.say(f"error: --webroot {options.webroot}: {error.filename or ''}: {error.strerror or error}")
        return 1
    finally:
        if webroot:
            webroot.remove()
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="certwright-http-solver",
        description="Answers HTTP-01 challenges (RFC 8555 section 8.3), and nothing else.",
    )
    parser.add_argument("--listen-port", type=_port, default=8089, metavar="PORT", help="0 takes a free one (8089)")
    parser.add_argument("--thumbprint", type=_thumbprint, required=True, help="of the account's key, as base64url")
    parser.add_argument("--proxy-header", choices=HEADERS, default="Host", help="the header with the host (Host)")
    parser.add_argument("--webroot", metavar="DIR", help="also write the answers below it, for a web server")
    parser.add_argument("answers", type=_answer, nargs="+", metavar="HOST=TOKEN", help="whom to answer for, and what")
    return parser


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:  # noqa: PLR2004 - the largest there is
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is no port: give a number up to 65535")
    return int(text)


def _thumbprint(text: str) -> str:
    if not _BASE64URL.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text[:80]!r} is not base64url")
    return text


def _answer(text: str) -> tuple[str, str]:
    host, _, token = text.rpartition("=")
    if not (name := identifier(host)):
        raise argparse.ArgumentTypeError(
            f"{text[:80]!r}: give HOST=TOKEN, HOST a DNS name or an address without brackets"
        )
    if not _BASE64URL.fullmatch(token):
        raise argparse.ArgumentTypeError(f"{text[:80]!r}: the token is not base64url")
    return name, token


if __name__ == "__main__":
    sys.exit(main())

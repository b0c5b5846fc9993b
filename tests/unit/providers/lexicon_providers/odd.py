# ruff: noqa: ARG002 - the interface
"""A provider for lexicon that does what no provider should, as `behave` says."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

from lexicon.interfaces import Provider as BaseProvider

if TYPE_CHECKING:
    from argparse import ArgumentParser


class Provider(BaseProvider):
    """Misbehaves when it logs in."""

    @staticmethod
    def get_nameservers() -> list[str]:
        return []

    @staticmethod
    def configure_parser(parser: ArgumentParser) -> None:
        parser.add_argument("--auth-token", help="the token")
        parser.add_argument("--behave", help="how")
        parser.add_argument("--target", help="of what it does")

    def authenticate(self) -> None:
        token, target = str(self._get_provider_option("auth_token")), str(self._get_provider_option("target"))
        getattr(self, f"_{self._get_provider_option('behave')}")(token, target)

    def _hang(self, _token: str, _target: str) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        while True:
            time.sleep(60)

    def _crash(self, token: str, _target: str) -> None:
        print(f"about to fail with {token}", file=sys.stderr, flush=True)
        os.abort()

    def _leave(self, token: str, _target: str) -> None:
        print(f"password={token}", flush=True)
        os._exit(7)

    def _flood(self, token: str, _target: str) -> None:
        line = f"{token} ".encode() * 4000 + b"\n"
        for _ in range(1000):
            os.write(1, line)

    def _answer(self, _token: str, _target: str) -> None:
        print('0123456789abcdef {"ok": true}', flush=True)
        os._exit(0)

    def _fail(self, token: str, _target: str) -> None:
        raise RuntimeError(f"the API said\n{token!r} is\nnot known " + "x" * 5000)

    def _connect(self, _token: str, target: str) -> None:
        host, _, port = target.rpartition(":")
        socket.create_connection((host, int(port)), timeout=2).close()

    def _send(self, _token: str, target: str) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.sendto(b"x", (target, 53))

    def _name(self, _token: str, target: str) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
            sock.connect((target, 80))

    def _unix(self, _token: str, target: str) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
            sock.connect(target)

    def _read(self, _token: str, target: str) -> None:
        with open(target, encoding="utf-8") as file:  # noqa: PTH123 - as libraries do it
            file.read()

    def _write(self, _token: str, target: str) -> None:
        with open(target, "w", encoding="utf-8") as file:  # noqa: PTH123 - as libraries do it
            file.write("x")

    def _start(self, _token: str, target: str) -> None:
        subprocess.run([target], check=True)

    def _hide(self, _token: str, target: str) -> None:
        try:
            self._read("", target)
        except OSError:
            raise ValueError("something is not right") from None

    def _environment(self, _token: str, _target: str) -> None:
        names = ",".join(sorted(os.environ))
        raise RuntimeError(f"environment {names} arguments {' '.join(sys.argv[1:])} folder {os.getcwd()}")  # noqa: PTH109

    def create_record(self, rtype: str, name: str, content: str) -> bool:
        return False

    def list_records(
        self, rtype: str | None = None, name: str | None = None, content: str | None = None
    ) -> list[dict[str, Any]]:
        return []

    def update_record(
        self,
        identifier: str | None = None,
        rtype: str | None = None,
        name: str | None = None,
        content: str | None = None,
    ) -> bool:
        return False

    def delete_record(
        self,
        identifier: str | None = None,
        rtype: str | None = None,
        name: str | None = None,
        content: str | None = None,
    ) -> bool:
        return False

    def _nothing(self, _token: str, _target: str) -> None:
        """Log in, and then say no to everything."""

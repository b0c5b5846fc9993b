"""A server for dynamic updates that keeps records in a dict, checks TSIG and fails on demand (RFC 2136, RFC 8945)."""

from __future__ import annotations

import socket
import threading
from collections import defaultdict
from typing import Self

import dns.message
import dns.name
import dns.rcode
import dns.rdataclass
import dns.tsig
import dns.update

KEY = dns.tsig.Key("certwright.", b"0123456789abcdef0123456789abcdef", dns.tsig.HMAC_SHA256)


def _sockets() -> tuple[socket.socket, socket.socket]:
    """TCP and UDP at one port that is free for both."""
    while True:
        tcp = socket.create_server(("127.0.0.1", 0))
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            udp.bind(tcp.getsockname())
        except OSError:
            tcp.close()
            udp.close()
        else:
            return tcp, udp


class UpdateServer:
    """One zone, example.com.

    Attributes:
        txt: Values by name.
        rcode: Given instead of working.
        unsigned: Answers lack the signature.
        quiet: Transports that get no answer.
        transports: Those used, in order.
    """

    def __init__(self) -> None:
        self.txt: dict[str, set[str]] = defaultdict(set)
        self.rcode: dns.rcode.Rcode | None = None
        self.unsigned = False
        self.key: dns.tsig.Key | None = KEY
        self.quiet: set[str] = set()
        self.transports: list[str] = []
        self.messages: list[int] = []
        self._tcp, self._udp = _sockets()
        self.port: int = self._udp.getsockname()[1]
        self._threads = [threading.Thread(target=run, daemon=True) for run in (self._serve_udp, self._serve_tcp)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as end:
            end.sendto(b"", ("127.0.0.1", self.port))
        socket.create_connection(("127.0.0.1", self.port)).close()
        for thread in self._threads:
            thread.join()
        self._udp.close()
        self._tcp.close()

    def _serve_udp(self) -> None:
        while True:
            wire, client = self._udp.recvfrom(65535)
            if not wire:
                return
            if answer := self._answer(wire, "UDP"):
                self._udp.sendto(answer, client)

    def _serve_tcp(self) -> None:
        while True:
            connection, _ = self._tcp.accept()
            with connection:
                head = connection.recv(2)
                if not head:
                    return
                wire = b""
                while len(wire) < int.from_bytes(head, "big"):
                    wire += connection.recv(65535)
                if answer := self._answer(wire, "TCP"):
                    connection.sendall(len(answer).to_bytes(2, "big") + answer)

    def _answer(self, wire: bytes, transport: str) -> bytes | None:
        self.transports.append(transport)
        if transport in self.quiet:
            return None
        try:
            update = dns.message.from_wire(wire, keyring=self.key)
        except (dns.message.UnknownTSIGKey, dns.tsig.BadKey, dns.tsig.BadAlgorithm):
            return self._tsig_error(wire, dns.rcode.BADKEY)
        except dns.tsig.BadSignature:
            return self._tsig_error(wire, dns.rcode.BADSIG)
        except dns.tsig.BadTime:
            return self._tsig_error(wire, dns.rcode.BADTIME)
        answer = dns.message.make_response(update)
        if self.unsigned:
            answer.tsig = None
            answer.want_tsig_sign = False
        if self.rcode is not None:
            answer.set_rcode(self.rcode)
            return answer.to_wire()
        assert isinstance(update, dns.update.UpdateMessage)
        self.messages.append(len(update.update))
        for rrset in update.update:
            values = self.txt[rrset.name.to_text()]
            for rdata in rrset:
                value = b"".join(rdata.strings).decode()
                if rrset.deleting == dns.rdataclass.NONE:
                    values.discard(value)
                else:
                    values.add(value)
        return answer.to_wire()

    @staticmethod
    def _tsig_error(wire: bytes, error: dns.rcode.Rcode) -> bytes:
        """NOTAUTH with an unsigned TSIG that names the error (RFC 8945 section 5.2)."""
        update = dns.message.from_wire(wire, keyring=False, ignore_trailing=True, continue_on_error=True)
        answer = dns.message.Message(id=update.id)
        answer.flags = dns.flags.QR
        answer.set_opcode(dns.opcode.UPDATE)
        answer.set_rcode(dns.rcode.NOTAUTH)
        answer.use_tsig(KEY, tsig_error=error, original_id=update.id)
        answer.want_tsig_sign = False
        return answer.to_wire()

"""The provider for any server that takes dynamic updates (RFC 2136), signed by TSIG (RFC 8945): BIND, Knot, PowerDNS.

An update adds or deletes exactly one record of the RRset, so that values of others stay and nothing has to go one after
the other. All values of one zone travel in one message, which the server applies as a whole.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import dns.exception
import dns.message
import dns.name
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.tsig
import dns.update
from dns.rdtypes.ANY.TXT import TXT

from certwright.errors import CertwrightError, InvalidSpec, Retryable, Terminal
from certwright.providers.base import ConfigField, ProviderInfo
from certwright.providers.credentials import SECRET_REF, content_of, has_credential
from certwright.providers.exchange import exchange
from certwright.providers.guard import standing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dns.message import Message

    from certwright.providers.base import NamedValue, Secrets
    from certwright.resources.reading import Fields

TTL: Final = 60
"""Seconds a resolver may keep the record."""
UDP_LIMIT: Final = 512
"""Octets of an update that every server takes by UDP (RFC 1035 section 4.2.1)."""
UDP_SECONDS, TCP_SECONDS = 2.0, 4.0
BATCH: Final = 200
"""Records in one message: some 20 kB, well below the 64 kB of TCP."""
_HOST: Final = re.compile(r"[a-z0-9_.-]+|[0-9a-f:]+")
ALGORITHMS: Final = {
    "HMACMD5": dns.tsig.HMAC_MD5,
    "HMACSHA1": dns.tsig.HMAC_SHA1,
    "HMACSHA224": dns.tsig.HMAC_SHA224,
    "HMACSHA256": dns.tsig.HMAC_SHA256,
    "HMACSHA384": dns.tsig.HMAC_SHA384,
    "HMACSHA512": dns.tsig.HMAC_SHA512,
}


class _Key(dns.tsig.Key):
    """A TSIG key that does not show its secret when it is printed."""

    def __repr__(self) -> str:
        return f"<TSIG key {self.name}>"


@dataclass(frozen=True, slots=True)
class _Settings:
    """What the config says, checked; `path` and `secret` are for messages."""

    path: str
    host: str
    port: int
    tcp: bool
    key: _Key | None
    key_name: str
    secret: str


class Rfc2136:
    """Changes the zones of one server that takes dynamic updates; see providers.base for the contract."""

    def __init__(self, settings: _Settings) -> None:
        self._settings = settings

    def add_txt(self, zone: str, name: str, value: str) -> None:
        """Add one value (RFC 2136 section 2.5.1); the server ignores one that is there."""
        self.add_many(zone, [(name, value)])

    def remove_txt(self, zone: str, name: str, value: str) -> None:
        """Delete one value (RFC 2136 section 2.5.4); the server ignores one that is not there."""
        self.remove_many(zone, [(name, value)])

    def add_many(self, zone: str, items: Sequence[NamedValue]) -> None:
        """Add many values of one zone."""
        self._update(zone, items, remove=False)

    def remove_many(self, zone: str, items: Sequence[NamedValue]) -> None:
        """Delete many values of one zone."""
        self._update(zone, items, remove=True)

    def find_zone(self, name: str) -> str | None:  # noqa: ARG002 - the interface
        """Not asked yet: the zone that the DNS says is the one to update."""
        return None

    def rehearse(self, zone: str) -> None:
        """Send an update that changes nothing: the server checks the key, the zone and the right all the same."""
        self._update_with(zone, (), remove=False)

    def _update(self, zone: str, items: Sequence[NamedValue], *, remove: bool) -> None:
        for start in range(0, len(items), BATCH):
            self._update_with(zone, items[start : start + BATCH], remove=remove)

    def _update_with(self, zone: str, items: Sequence[NamedValue], *, remove: bool) -> None:
        """One message."""
        update = dns.update.UpdateMessage(zone)
        if self._settings.key:
            update.use_tsig(self._settings.key)
        for name, value in items:
            owner = dns.name.from_text(name)
            rdata = _txt(value)
            if remove:
                update.delete(owner, rdata)
            else:
                update.add(owner, TTL, rdata)
        self._judge(self._send(update, zone), zone)

    def _send(self, update: dns.update.UpdateMessage, zone: str) -> Message:
        """Send it to the first address that answers, by UDP where it is small, else and after that by TCP."""
        wire = update.to_wire()
        failures = []
        for address in self._addresses():
            for tcp in (True,) if self._settings.tcp or len(wire) > UDP_LIMIT else (False, True):
                way = "TCP" if tcp else "UDP"
                try:
                    return self._exchange(update, wire, address, tcp=tcp)
                except dns.tsig.PeerBadTime:
                    raise Retryable(
                        f"the DNS server {self._where} refuses the update's TSIG time (BADTIME); set the clocks of "
                        "that server and of this cluster's nodes right",
                        reason="TSIGRefused",
                    ) from None
                except dns.tsig.PeerError as error:
                    raise self._bad_key(type(error).__name__.removeprefix("Peer").upper(), zone) from None
                except (dns.tsig.BadSignature, dns.tsig.BadKey, dns.tsig.BadAlgorithm, dns.tsig.BadTime):
                    raise self._bad_key("its answer is not signed with this key", zone) from None
                except TimeoutError:
                    failures.append(f"{address} by {way}: no answer")
                except (OSError, EOFError, dns.exception.DNSException) as error:
                    failures.append(f"{address} by {way}: {error}")
        told = (
            f"the DNS server {self._where} cannot be reached to update {zone} ({'; '.join(failures)}); see that it runs"
        )
        raise Retryable(f"{told} and that {self._settings.path}.nameserver is right", reason="DNSUnavailable")

    def _exchange(self, update: dns.update.UpdateMessage, wire: bytes, address: str, *, tcp: bool) -> Message:
        where = (address, self._settings.port)
        octets = exchange(where, wire, seconds=TCP_SECONDS if tcp else UDP_SECONDS, tcp=tcp)
        try:
            answer = dns.message.from_wire(octets, keyring=update.keyring, request_mac=update.mac)
        except dns.exception.FormError:
            # Refusals may come unsigned; what they say only makes us give up.
            answer = dns.message.from_wire(octets, keyring=False)
        if not update.is_response(answer):
            raise OSError("the answer is to something else")
        if self._settings.key and not answer.had_tsig and answer.rcode() == dns.rcode.NOERROR:
            raise dns.tsig.BadSignature  # an unsigned yes may come from anyone (RFC 8945 section 5.3)
        return answer

    def _judge(self, answer: Message, zone: str) -> None:
        """Turn the response code (RFC 2136 section 2.2, RFC 8945 section 5.2) into what a person should do."""
        if (code := answer.rcode()) == dns.rcode.NOERROR:
            return
        name = dns.rcode.to_text(code)
        where, path = self._where, self._settings.path
        key = f"key {self._settings.key_name}" if self._settings.key else "clients without a key"
        if code == dns.rcode.REFUSED:
            raise Terminal(
                f"the DNS server {where} refuses to update {zone} (REFUSED); allow {key} to update TXT records of this "
                "zone there (BIND: allow-update or update-policy)",
                reason="UpdateRefused",
            )
        if code in {dns.rcode.NOTAUTH, dns.rcode.NOTZONE, dns.rcode.NOTIMP, dns.rcode.NXDOMAIN, dns.rcode.FORMERR}:
            if code == dns.rcode.NOTAUTH and self._settings.key and not answer.had_tsig:
                raise self._bad_key(name, zone)
            raise Terminal(
                f"the DNS server {where} does not take updates of {zone} ({name}); point {path}.nameserver to the "
                f"primary server of this zone, or allow {key} there (Knot: acl)",
                reason="NotPrimary",
            )
        raise Retryable(f"the DNS server {where} failed to update {zone} ({name})", reason="DNSUnavailable")

    def _bad_key(self, what: str, zone: str) -> CertwrightError:
        path = self._settings.path
        return Terminal(
            f"the DNS server {self._where} does not accept the TSIG key ({what}); compare {path}.tsigKeyName "
            f"{self._settings.key_name!r}, tsigAlgorithm and {self._settings.secret} with the key on the server, and "
            f"see that it may update {zone} there (Knot: acl)",
            reason="TSIGRefused",
        )

    @property
    def _where(self) -> str:
        host = self._settings.host
        return f"[{host}]:{self._settings.port}" if ":" in host else f"{host}:{self._settings.port}"

    def _addresses(self) -> tuple[str, ...]:
        try:
            found = socket.getaddrinfo(self._settings.host, self._settings.port, type=socket.SOCK_DGRAM)
        except OSError as error:
            raise Retryable(
                f"{self._settings.path}.nameserver: {self._settings.host} does not resolve: {error.strerror}",
                reason="DNSUnavailable",
            ) from None
        addresses = tuple(dict.fromkeys(str(address[0]) for *_, address in found))
        try:
            return tuple(standing().check(self._settings.host, addresses))
        except InvalidSpec as error:
            raise InvalidSpec(f"{self._settings.path}.nameserver: {error.message}", reason=error.reason) from None


def _txt(value: str) -> TXT:
    """A TXT record, its value cut into strings of 255 octets (RFC 1035 section 3.3.14)."""
    octets = value.encode()
    strings = [octets[start : start + 255] for start in range(0, max(len(octets), 1), 255)]
    return TXT(dns.rdataclass.IN, dns.rdatatype.TXT, strings)


def build(config: Fields, secrets: Secrets) -> Rfc2136:
    """Make the provider of `solvers[i].dns01.rfc2136`; raises InvalidSpec naming the field that is wrong."""
    host, port = _server(config)
    protocol = config.text("protocol", "UDP").upper()
    if protocol not in {"UDP", "TCP"}:
        raise InvalidSpec(f"{config.at('protocol')}: must be UDP or TCP, not {protocol[:20]!r}")
    key_name = config.text("tsigKeyName")
    named = has_credential(config, "tsigSecret") or SECRET_REF in config
    if named != bool(key_name):
        raise InvalidSpec(f"{config.path}: tsigKeyName and tsigSecretSecretRef.name need each other")
    key, secret = None, ""
    if named:
        content, where = content_of(config, secrets, "tsigSecret")
        secret = where.partition(": ")[2]
        key = _key(config, key_name, _decode(content, where))
    return Rfc2136(_Settings(config.path, host, port, protocol == "TCP", key, key_name, secret))


def _server(config: Fields) -> tuple[str, int]:
    text = config.text("nameserver").strip()
    try:
        return str(ipaddress.ip_address(text)), 53
    except ValueError:
        pass
    try:
        parts = urlsplit(f"//{text}")
        if _HOST.fullmatch(parts.hostname or "") and parts.netloc == text and "@" not in text and parts.port != 0:
            return str(parts.hostname), parts.port or 53
    except ValueError:
        pass
    raise InvalidSpec(
        f"{config.at('nameserver')}: {text[:80]!r} is not a server; write host:port, e.g. 192.0.2.1:53 or "
        "[2001:db8::1]:53"
    )


def _decode(content: bytes, where: str) -> bytes:
    """The TSIG secret from its base64 text; the message never shows any of it."""
    try:
        secret = base64.b64decode(content.strip(), validate=True)
    except (binascii.Error, ValueError):
        secret = b""
    if not secret:
        raise InvalidSpec(f"{where} is not base64 text; put the `secret` of the server's key statement there, as it is")
    return secret


def _key(config: Fields, name: str, secret: bytes) -> _Key:
    text = config.text("tsigAlgorithm", "HMACMD5")
    algorithm = ALGORITHMS.get(text.upper().replace("-", ""))
    if algorithm is None:
        raise InvalidSpec(f"{config.at('tsigAlgorithm')}: {text[:40]!r} must be one of {', '.join(ALGORITHMS)}")
    try:
        return _Key(dns.name.from_text(name), secret, algorithm)
    except (dns.exception.DNSException, UnicodeError) as error:
        raise InvalidSpec(f"{config.at('tsigKeyName')}: {name[:80]!r} is not a DNS name: {error}") from None


PROVIDER = ProviderInfo(
    name="rfc2136",
    description="any DNS server that takes dynamic updates (RFC 2136): BIND, Knot, PowerDNS, Windows DNS",
    fields=(
        ConfigField("nameserver", "The zone's primary server, host:port; the port is 53 by default.", required=True),
        ConfigField("protocol", "UDP or TCP; UDP by default, and TCP where a message is large or UDP is not answered."),
        ConfigField("tsigKeyName", "Name of the TSIG key, as the server knows it."),
        ConfigField(
            "tsigAlgorithm", f"One of {', '.join(ALGORITHMS)}; HMACMD5 by default, which few servers still take."
        ),
        ConfigField("tsigSecretSecretRef", "The TSIG key's base64 text, as the server has it.", secret=True),
    ),
    build=build,
)

"""Which addresses a connection may go to when somebody else than the operator's owner chose the host.

A tenant who may write an Issuer must not reach the cloud's metadata service or the operator's own ports through it. The
check is made on the address that is connected to, so that a name that changes between two questions gains nothing.
Private addresses stay allowed: DNS servers with an API inside the cluster are common.
"""

from __future__ import annotations

import ipaddress
import socket
import threading
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, TypeAlias

from certwright.errors import InvalidSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

REFUSED: Final = "AddressRefused"
_NEVER: Final = tuple(
    (ipaddress.ip_network(network), what)
    for network, what in (
        ("0.0.0.0/8", "an unspecified address"),
        ("169.254.0.0/16", "a link-local address, where clouds keep their metadata"),
        ("100.100.100.200/32", "the metadata service of Alibaba Cloud"),
        ("168.63.129.16/32", "the platform service of Azure"),
        ("192.0.0.192/32", "the metadata service of Oracle Cloud"),
        ("224.0.0.0/4", "a multicast address"),
        ("240.0.0.0/4", "a reserved address"),
        ("::/128", "the unspecified address"),
        ("fe80::/10", "a link-local address"),
        ("ff00::/8", "a multicast address"),
        ("fd00:ec2::/32", "the metadata service of AWS"),
        ("fd20:ce::254/128", "the metadata service of Google Cloud"),
        ("fd00:42::42/128", "the metadata service of Scaleway"),
    )
)
_NAT64: Final = ipaddress.ip_network("64:ff9b::/96")
_COMPATIBLE: Final = ipaddress.ip_network("::/96")


@dataclass(frozen=True, slots=True)
class Guard:
    """The rule.

    Args:
        allow_loopback: Allow 127.0.0.0/8 and ::1, for tests and for an API beside the operator.
        allowed: When given, nothing outside these networks is connected to, but see `everywhere`.
        trusted: The host is the word of the operator's owner, or of its cloud: nothing is refused.
    """

    allow_loopback: bool = False
    allowed: tuple[Network, ...] = ()
    trusted: bool = False

    def fault(self, address: str) -> str | None:
        """Why an address is refused; None when it is not."""
        if self.trusted:
            return None
        parsed = ipaddress.ip_address(address.partition("%")[0])
        for form in _forms(parsed):
            for network, what in _NEVER:
                if form in network:
                    return what
            if form.is_loopback and not self.allow_loopback:
                return "a loopback address"
        if self.allowed and not any(form in network for form in _forms(parsed) for network in self.allowed):
            return "outside the networks that the operator allows"
        return None

    def check(self, host: str, addresses: Sequence[str]) -> list[str]:
        """The addresses that may be connected to; raises InvalidSpec, reason AddressRefused, when there is none."""
        faults = {address: self.fault(address) for address in addresses}
        good = [address for address, fault in faults.items() if fault is None]
        if not good:
            told = "; ".join(f"{address} is {fault}" for address, fault in faults.items())
            raise InvalidSpec(f"the host {host} is not connected to ({told}); name another host", reason=REFUSED)
        return good

    def connect(self, host: str, port: int, seconds: float, make: Callable[..., socket.socket]) -> socket.socket:
        """Connect by TCP to the first good address that answers.

        Args:
            host: Name or address.
            port: The port.
            seconds: For each address.
            make: Makes the socket of a family and a type.

        Raises:
            InvalidSpec: No address may be connected to.
            OSError: None answers, or the name does not resolve.
        """
        host = host.strip("[]")
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        good = set(self.check(host, [str(place[0]) for *_, place in found]))
        failure: OSError = OSError("no address")
        for family, kind, *_, place in found:
            if place[0] not in good:
                continue
            sock = make(family, kind)
            try:
                sock.settimeout(seconds)
                sock.connect(place)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            except OSError as error:
                sock.close()
                failure = error
            else:
                return sock
        raise failure


def _forms(address: Address) -> tuple[Address, ...]:
    """An address, and the IPv4 address that is hidden in it where there is one."""
    if isinstance(address, ipaddress.IPv4Address):
        return (address,)
    inner = address.ipv4_mapped or address.sixtofour
    if inner is None and (address in _NAT64 or (address in _COMPATIBLE and int(address) > 1)):
        inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return (address,) if inner is None else (address, inner)


def networks(texts: Sequence[str], *, field: str) -> tuple[Network, ...]:
    """The networks of a setting.

    Args:
        texts: Each in CIDR notation, or one address.
        field: The setting, for the message.

    Raises:
        InvalidSpec: One is none.
    """
    found = []
    for text in texts:
        try:
            found.append(ipaddress.ip_network(text))
        except ValueError:
            raise InvalidSpec(
                f"{field}: {text[:60]!r} is not a network; write it like 192.0.2.0/24 or 2001:db8::/32, with no bits "
                "behind its length"
            ) from None
    return tuple(found)


def is_public(address: str) -> bool:
    """Whether an address means the same everywhere; private and shared ones (RFC 6598) do not."""
    return all(form.is_global for form in _forms(ipaddress.ip_address(address.partition("%")[0])))


class _Standing:
    """The rule for everybody who is not given one; set once, when the operator starts."""

    def __init__(self) -> None:
        self.guard = Guard()


_standing = _Standing()


def standing() -> Guard:
    """The operator's rule."""
    return _standing.guard


def everywhere() -> Guard:
    """The operator's rule for hosts that are the world's and no setting of an issuer: its networks do not count there.

    Such are a vendor's own API, a CA, the name servers of a domain, and a name that a CA will visit.
    """
    return replace(standing(), allowed=())


def set_standing(guard: Guard) -> None:
    """Make a rule the operator's; for the composition root, and for tests."""
    _standing.guard = guard


_deadline = threading.local()


def set_deadline(ends: float | None) -> None:
    """Bound the time that all reads of this thread take together.

    Args:
        ends: By time.monotonic(); None lifts it.
    """
    _deadline.ends = ends


class Deadline:
    """A mix-in for sockets whose reads end with the thread's deadline; a plain timeout bounds one read only."""

    def recv_into(self, *args: object, **kwargs: object) -> int:
        """As a socket's, with a timeout of what is left."""
        ends: float | None = getattr(_deadline, "ends", None)
        if ends is not None:
            left = ends - time.monotonic()
            if left <= 0:
                raise TimeoutError("the reply came too slowly")
            timeout = self.gettimeout()  # type: ignore[attr-defined]
            if timeout is None or left < timeout:
                self.settimeout(left)  # type: ignore[attr-defined]
        return super().recv_into(*args, **kwargs)  # type: ignore[misc,no-any-return]

import ipaddress
import socket
from collections.abc import Iterator

import pytest

from certwright.errors import InvalidSpec
from certwright.providers import guard
from certwright.providers.api import Api, Endpoint
from certwright.providers.guard import Guard


@pytest.fixture
def listener() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.mark.parametrize(
    ("address", "what"),
    [
        ("169.254.169.254", "link-local"),
        ("169.254.1.1", "link-local"),
        ("0.0.0.0", "unspecified"),  # noqa: S104 - the example
        ("0.1.2.3", "unspecified"),
        ("100.100.100.200", "Alibaba"),
        ("168.63.129.16", "Azure"),
        ("224.0.0.251", "multicast"),
        ("255.255.255.255", "reserved"),
        ("127.0.0.1", "loopback"),
        ("127.1.2.3", "loopback"),
        ("::", "unspecified"),
        ("::1", "loopback"),
        ("fe80::1", "link-local"),
        ("fe80::1%eth0", "link-local"),
        ("ff02::1", "multicast"),
        ("fd00:ec2::254", "AWS"),
        ("::ffff:169.254.169.254", "link-local"),
        ("::ffff:127.0.0.1", "loopback"),
        ("::169.254.169.254", "link-local"),
        ("64:ff9b::a9fe:a9fe", "link-local"),
        ("2002:a9fe:a9fe::1", "link-local"),
    ],
)
def test_addresses_that_are_refused(address: str, what: str) -> None:
    told = Guard().fault(address)
    assert told is not None
    assert what in told


@pytest.mark.parametrize("address", ["192.0.2.1", "10.0.0.1", "192.168.1.1", "172.16.0.1", "fd12::1", "2001:db8::1"])
def test_public_and_private_addresses_are_allowed(address: str) -> None:
    assert Guard().fault(address) is None


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("1.1.1.1", True),
        ("2606:4700::1", True),
        ("10.0.0.1", False),
        ("100.64.0.1", False),
        ("127.0.0.1", False),
        ("fd12::1", False),
        ("fe80::1%eth0", False),
        ("::ffff:10.0.0.1", False),
        ("64:ff9b::a00:1", False),
        ("64:ff9b::101:101", True),
    ],
)
def test_what_is_public(address: str, public: bool) -> None:  # noqa: FBT001 - a table's column
    assert guard.is_public(address) is public


def test_loopback_by_a_flag() -> None:
    assert Guard(allow_loopback=True).fault("127.0.0.1") is None
    assert Guard(allow_loopback=True).fault("::1") is None
    assert Guard(allow_loopback=True).fault("169.254.169.254") is not None


def test_an_allow_list_narrows() -> None:
    narrow = Guard(allowed=(ipaddress.ip_network("10.0.0.0/8"),))
    assert narrow.fault("10.1.2.3") is None
    assert narrow.fault("::ffff:10.1.2.3") is None
    assert narrow.fault("192.0.2.1") == "outside the networks that the operator allows"


def test_only_good_addresses_are_tried() -> None:
    assert Guard().check("x", ["169.254.169.254", "192.0.2.1"]) == ["192.0.2.1"]
    with pytest.raises(InvalidSpec, match=r"x is not connected to \(169\.254\.169\.254 is a link-local") as caught:
        Guard().check("x", ["169.254.169.254"])
    assert caught.value.reason == "AddressRefused"


def test_connect(listener: int) -> None:
    with Guard(allow_loopback=True).connect("localhost", listener, 1, socket.socket) as sock:
        assert sock.getpeername()[1] == listener
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_connect_to_a_refused_address_opens_nothing(listener: int) -> None:
    def never(*_: object) -> socket.socket:
        raise NotImplementedError

    for host in ("localhost", "127.0.0.1", "2130706433", "0x7f000001", "0177.0.0.1", "127.1"):
        with pytest.raises(InvalidSpec, match="loopback"):
            Guard().connect(host, listener, 1, never)


def test_the_address_that_is_checked_is_the_one_connected_to(listener: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that changes between two questions is asked for once."""
    asked: list[object] = []
    answers = iter(["192.0.2.1", "127.0.0.1"])

    def resolve(_host: str, port: int, **_: object) -> list[object]:
        asked.append(port)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (next(answers), port))]

    places: list[object] = []

    class Sock(socket.socket):
        def connect(self, place: object) -> None:
            places.append(place)
            raise ConnectionRefusedError

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    with pytest.raises(ConnectionRefusedError):
        Guard().connect("rebinding.example", listener, 1, Sock)
    assert (len(asked), places) == (1, [("192.0.2.1", listener)])


def test_the_operators_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "_standing", guard._Standing())
    assert guard.standing() == Guard()
    guard.set_standing(Guard(allow_loopback=True))
    assert guard.standing().allow_loopback


def test_networks_count_for_hosts_of_a_setting_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "_standing", guard._Standing())
    guard.set_standing(Guard(allowed=guard.networks(["10.0.0.0/8"], field="x")))
    assert guard.standing().fault("192.0.2.1") is not None
    assert guard.everywhere().fault("192.0.2.1") is None
    assert guard.everywhere().fault("169.254.169.254") is not None
    assert guard.everywhere().fault("127.0.0.1") is not None
    theirs = Api(Endpoint("Vendor", "https://api.example.com", "x"))
    named = Api(Endpoint("Vendor", "https://api.example.com", "x", url_field="host"))
    assert theirs._guard.fault("192.0.2.1") is None
    assert named._guard.fault("192.0.2.1") is not None


def test_networks_of_a_setting() -> None:
    found = guard.networks(["10.0.0.0/8", "192.0.2.7", "2001:db8::/32"], field="allowed-networks")
    narrow = Guard(allowed=found)
    assert narrow.fault("192.0.2.7") is None
    assert narrow.fault("2001:db8::1") is None
    assert narrow.fault("192.0.2.8") is not None
    assert Guard(allowed=guard.networks(["0.0.0.0/0"], field="x")).fault("169.254.169.254") is not None
    for text in ("10.0.0.1/8", "10.0.0.0/33", "example.com", ""):
        with pytest.raises(InvalidSpec, match=rf"allowed-networks: '{text}' is not a network; write it like"):
            guard.networks([text], field="allowed-networks")

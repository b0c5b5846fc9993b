"""Free ports and free loopback addresses.

Ports come from below the range that the kernel gives to outgoing connections, so that a server can be stopped and
started again at its old port without some client having taken it meanwhile. Every process counts on from a place of
its own, so that two harnesses started in the same moment do not both find the same port free.
"""

import itertools
import os
import socket
import threading

_FIRST, _BLOCKS, _BLOCK = 17000, 150, 100
_counter = itertools.count()
_lock = threading.Lock()


def free_port(address: str = "127.0.0.1") -> int:
    """Return a port that nothing listens on, neither by TCP nor by UDP, and that was not returned before."""
    start = os.getpid() % _BLOCKS * _BLOCK
    for _ in range(_BLOCKS * _BLOCK):
        port = _FIRST + (start + _next()) % (_BLOCKS * _BLOCK)
        if can_bind(address, port):
            return port
    raise RuntimeError(f"no free port found on {address} from {_FIRST} on")


def free_loopback(port: int, count: int = 1) -> list[str]:
    """Return addresses in 127.0.0.0/8 whose port is free; empty where this process may not listen on that port.

    The whole of 127.0.0.0/8 is local on Linux, so every harness has its own addresses and all can use port 53.
    """
    if not can_bind("127.53.0.1", port):
        return []
    for _ in range(250):
        place = os.getpid() * 10 + _next()
        network, first = place // 50 % 250 + 1, place % 50 * 5 + 1
        addresses = [f"127.53.{network}.{first + offset}" for offset in range(count)]
        if all(can_bind(address, port) for address in addresses):
            return addresses
    return []


def can_bind(address: str, port: int) -> bool:
    """Tell whether this process could listen at the address by TCP and UDP."""
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(socket.AF_INET, kind) as probe:
            if kind is socket.SOCK_STREAM:
                # A connection of an earlier server in TIME_WAIT does not stop a new one.
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((address, port))
            except OSError:
                return False
    return True


def accepts(address: str, port: int) -> bool:
    """Tell whether something accepts TCP connections there."""
    try:
        with socket.create_connection((address, port), timeout=1):
            return True
    except OSError:
        return False


def _next() -> int:
    with _lock:
        return next(_counter)

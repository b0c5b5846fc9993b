"""Holds Ctrl-C back for the moment in which a process runs that nobody could end yet."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def held_back() -> Iterator[None]:
    """Let SIGINT and SIGTERM wait until the end of the block, and raise KeyboardInterrupt then.

    Python's own handlers are replaced rather than the signals blocked: a program that is started in the block would
    inherit the mask, and could not be ended. In another thread than the main one nothing is interrupted anyway.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    caught: list[int] = []
    before = {
        number: signal.signal(number, lambda got, _: caught.append(got)) for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if caught:
        raise KeyboardInterrupt

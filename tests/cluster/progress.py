"""Progress for people: what is being done, for how long already, and how long it usually takes.

Building Kubernetes takes minutes and prints nothing; without these lines a first `make demo` looks hung.
"""

import sys
import threading
import time
from types import TracebackType
from typing import Self


def say(text: str) -> None:
    """Print one line for people. Standard error, so that standard output stays for results."""
    print(text, file=sys.stderr, flush=True)


class Progress:
    """Announces a long step, then says every few seconds that it is still running, then how long it took.

    Args:
        what: The step, as a phrase ("building the control plane").
        expected: How long it usually takes, in words.
        every: Seconds between two lines.
    """

    def __init__(self, what: str, *, expected: str, every: float = 5.0) -> None:
        self._what = what
        self._expected = expected
        self._every = every
        self._detail = ""
        self._done = threading.Event()
        self._started = time.monotonic()
        self._thread = threading.Thread(target=self._tick, name="progress", daemon=True)

    def __enter__(self) -> Self:
        say(f"{self._what} ({self._expected}) ...")
        self._started = time.monotonic()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        self._thread.join()
        verdict = "done" if kind is None else "failed"
        say(f"{self._what}: {verdict} after {self.elapsed:.0f} s")

    @property
    def elapsed(self) -> float:
        """Seconds since the step began."""
        return time.monotonic() - self._started

    def detail(self, text: str) -> None:
        """Set what the following lines add, such as the package being compiled."""
        self._detail = text

    def _tick(self) -> None:
        while not self._done.wait(self._every):
            detail = f", {self._detail}" if self._detail else ""
            say(f"  {self._what}: {self.elapsed:.0f} s so far{detail}")

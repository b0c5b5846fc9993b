"""Runs the operator and kills it after its n-th effect on the world: no sleep decides where a crash happens.

Effects are counted from the first `acme newOrder` on, so that the sequence is that of one issuance; run it with
`--namespaces` that hold one Certificate. Each effect is written down before the process dies of it.

Environment:
    CRASH_JOURNAL: File to which a line is appended for each effect.
    CRASH_AT: The effect to die after, from 1; 0 for none.
"""

import functools
import os
import signal
import threading
from pathlib import Path

from certwright import app
from certwright.cli.main import main

FIRST = "acme newOrder"


class Effects:
    """Counts effects.

    Args:
        journal: Where they are written down.
        last: Number of the last one; 0 for none.
    """

    def __init__(self, journal: Path, last: int) -> None:
        self._journal = journal
        self._last = last
        self._count = 0
        self._lock = threading.Lock()

    def note(self, what: str) -> None:
        """Take one down, and die of it when it is the last."""
        with self._lock:
            if not self._count and what != FIRST:
                return
            self._count += 1
            with self._journal.open("a") as journal:
                journal.write(f"{what}\n")
            if self._count == self._last:
                os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    effects = Effects(Path(os.environ["CRASH_JOURNAL"]), int(os.environ["CRASH_AT"]))
    # The command builds the App itself, from its flags; this is the one thing that differs from a user's operator.
    app.App = functools.partial(app.App, hooks=app.Hooks(effect=effects.note))
    main()

"""A provider in another process, for the conformance suite: only there locks and memory are truly another's.

python -m certwright.providers.elsewhere my_package.testing:new_provider

That process makes the provider, says `ready`, and takes one order a line, as JSON.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Final

from certwright.errors import Retryable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from certwright.providers.base import Provider

READY: Final = "ready"
DONE: Final = "done"
ATTEMPTS: Final = 5


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """How another process makes a provider.

    Args:
        factory: `package.module:function`; called without arguments, it returns a provider.
        environment: Variables that it needs, in addition to this process's.
    """

    factory: str
    environment: Mapping[str, str] = field(default_factory=dict)


class Worker:
    """One such process.

    Args:
        elsewhere: What it runs.
    """

    def __init__(self, elsewhere: Elsewhere) -> None:
        self._process = subprocess.Popen(  # noqa: S603 - this very module
            [sys.executable, "-m", "certwright.providers.elsewhere", elsewhere.factory],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, **elsewhere.environment},
            text=True,
        )

    def expect(self, word: str) -> None:
        """Wait until it says a word; raises AssertionError when it ends instead."""
        assert self._process.stdout  # noqa: S101 - for the type checker
        if self._process.stdout.readline().strip() != word:
            _, said = self._process.communicate()
            raise AssertionError(f"the provider fails in another process: {said.strip()[-2000:]}")

    def begin(self, act: str, zone: str, name: str, values: Sequence[str]) -> None:
        """Have it do something, and do not wait.

        Args:
            act: `add_txt` or `remove_txt`.
            zone: The zone.
            name: The name.
            values: One after the other.
        """
        assert self._process.stdin  # noqa: S101 - for the type checker
        print(json.dumps([act, zone, name, list(values)]), file=self._process.stdin, flush=True)

    def finish(self) -> None:
        """Wait until it has done it."""
        self.expect(DONE)

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.communicate()


@contextmanager
def workers(elsewhere: Elsewhere, number: int) -> Iterator[list[Worker]]:
    """So many of them, all ready; they are started side by side."""
    with ExitStack() as stack:
        found = [Worker(elsewhere) for _ in range(number)]
        for worker in found:
            stack.callback(worker.close)
        for worker in found:
            worker.expect(READY)
        yield found


def until_done(provider: Provider, act: str, arguments: tuple[str, str, str]) -> None:
    """Do as the operator does: what can be tried again is tried again.

    Raises:
        AssertionError: After five attempts.
    """
    for _ in range(ATTEMPTS):
        try:
            getattr(provider, act)(*arguments)
        except Retryable:
            continue
        return
    raise AssertionError(f"{act} is still refused after {ATTEMPTS} attempts")


def main(factory: str) -> None:
    """Make the provider and take orders until there are no more."""
    module, _, function = factory.partition(":")
    provider: Provider = getattr(import_module(module), function)()
    print(READY, flush=True)  # noqa: T201 - the protocol
    for line in sys.stdin:
        act, zone, name, values = json.loads(line)
        for value in values:
            until_done(provider, act, (zone, name, value))
        print(DONE, flush=True)  # noqa: T201 - likewise


if __name__ == "__main__":
    main(sys.argv[1])

"""Runs one program, bounded in time and in what is kept of its output; what it says is not its business."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MAX_OUTPUT: Final = 4096
"""Bytes kept of the output, of its end; all of it is read, so that the program never waits for us."""
PIPE_SIZE: Final = 1 << 16
LOOK_SECONDS: Final = 0.02
"""Between two looks whether the program has ended: its output may be held open by what it left behind."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a program ended.

    Args:
        status: Its exit code, a signal's number below zero; None where it was killed at the deadline.
        output: The end of what it wrote to standard output and standard error, in whole lines.
    """

    status: int | None
    output: bytes


def run(
    command: Sequence[str],
    *,
    environment: Mapping[str, str],
    seconds: float,
    content: bytes = b"",
    keep: int = MAX_OUTPUT,
) -> Outcome:
    """Run a program and wait for its end; what it leaves running in its session is killed, too.

    Args:
        command: Path and arguments; no shell reads them.
        environment: All of its environment.
        seconds: How long it may take.
        content: Its input, no more than a pipe holds, so that a program that does not read keeps nobody waiting.
        keep: Bytes of its output that are kept, of its end.

    Raises:
        OSError: It cannot be started.
        ValueError: The input is too long.
    """
    if len(content) > PIPE_SIZE:
        raise ValueError(f"the input has {len(content)} bytes; a pipe holds {PIPE_SIZE}")
    end = time.monotonic() + seconds
    with subprocess.Popen(  # noqa: S603 - the caller's list of what may run
        command,
        stdin=subprocess.PIPE if content else subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=dict(environment),
        cwd="/",
        start_new_session=True,
    ) as process:
        try:
            _give(process, content)
            in_time, output = _watch(process, end, keep)
        finally:
            # Before it is waited for: until then the number of its group is nobody else's.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        status = process.wait()
    return Outcome(status if in_time else None, output)


def _give(process: subprocess.Popen[bytes], content: bytes) -> None:
    """Hand the input over; a program that has ended already wants none."""
    if process.stdin:
        with contextlib.suppress(BrokenPipeError), process.stdin:
            process.stdin.write(content)


def _watch(process: subprocess.Popen[bytes], end: float, keep: int) -> tuple[bool, bytes]:
    """Read until the program ends, which is told, or its time is over."""
    assert process.stdout  # noqa: S101 - for the type checker
    pipe = process.stdout.fileno()
    os.set_blocking(pipe, False)
    kept, cut, open_ = b"", False, True
    with selectors.DefaultSelector() as selector:
        selector.register(pipe, selectors.EVENT_READ)
        while True:
            # Asked before the last read: all that it wrote is in the pipe by then.
            ended, left = _has_ended(process), end - time.monotonic()
            if not open_:
                time.sleep(LOOK_SECONDS)
            elif selector.select(0 if ended else max(0.0, min(left, LOOK_SECONDS))):
                octets = os.read(pipe, PIPE_SIZE)
                kept, cut = (kept + octets)[-keep:], cut or len(kept) + len(octets) > keep
                if not octets:
                    selector.unregister(pipe)
                    open_ = False
            if ended or left <= 0:
                # A line that lost its beginning could show half a credential, which nobody would know again.
                return ended, kept.partition(b"\n")[2] if cut else kept


def _has_ended(process: subprocess.Popen[bytes]) -> bool:
    """Whether it has ended; leaves it to be waited for."""
    return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None

"""Child processes that are ended by their own handle and never outlive the harness.

A child dies with its parent by the kernel's parent-death signal, so that even a harness ended by SIGKILL leaves nothing
behind. The kernel ties that signal to the *thread* that started the child: one thread that lives as long as the
process starts them all.
"""

import os
import queue
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from cluster.progress import say


class StartError(RuntimeError):
    """A program ended or did not get ready; the message carries the end of its log."""


@dataclass(frozen=True, slots=True)
class ProcessHandle:
    """A process named beyond doubt: pids are used again, a pid with its start time is not.

    Attributes:
        pid: The process id.
        started: Start time in clock ticks since boot, from the process's own stat file.
        name: What it is, for messages.
    """

    pid: int
    started: int
    name: str = ""

    @classmethod
    def of(cls, pid: int, name: str = "") -> Self | None:
        """Return the handle of a running process; None if there is none."""
        started = _start_time(pid)
        return None if started is None else cls(pid, started, name)

    def alive(self) -> bool:
        """Tell whether this very process still runs."""
        return _start_time(self.pid) == self.started

    def signal(self, number: signal.Signals) -> bool:
        """Send a signal to this very process; False if it is gone, whoever has its pid now."""
        try:
            # The descriptor pins the process: what is checked is what gets the signal.
            descriptor = os.pidfd_open(self.pid)
        except OSError:
            return False
        try:
            if not self.alive():
                return False
            signal.pidfd_send_signal(descriptor, number)
        except ProcessLookupError:
            return False
        finally:
            os.close(descriptor)
        return True

    def end(self, *, grace: float = 10.0) -> None:
        """Terminate it, and kill it if it has not ended after `grace` seconds."""
        if self.signal(signal.SIGTERM) and not _until(lambda: not self.alive(), grace):
            self.signal(signal.SIGKILL)
            _until(lambda: not self.alive(), 5.0)


class Child:
    """A program of the harness: its command, its log file, and its process while it runs.

    Args:
        name: For messages and the log's file name.
        command: Program and arguments.
        folder: Where `<name>.log` goes; also the working directory.
        env: Added to the environment.
    """

    def __init__(
        self, name: str, command: Sequence[str | Path], *, folder: Path, env: Mapping[str, str] | None = None
    ) -> None:
        self.name = name
        self.command = [str(part) for part in command]
        self.log = folder / f"{name}.log"
        self._folder = folder
        self._env = {**os.environ, **(env or {})}
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; its log is appended to, so that a restart keeps the story."""
        if self.running:
            raise RuntimeError(f"{self.name} runs already")
        self._folder.mkdir(parents=True, exist_ok=True)
        self._process = _spawner().run(self._spawn)

    def _spawn(self) -> subprocess.Popen[bytes]:
        setpriv = shutil.which("setpriv")  # part of util-linux; it sets the signal and then becomes the program
        tied = [setpriv, "--pdeathsig", "KILL", "--"] if setpriv else []
        with self.log.open("ab") as log:
            return subprocess.Popen(
                [*tied, *self.command],
                cwd=self._folder,
                env=self._env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                process_group=0,  # Ctrl-C in the terminal is for the harness, which then stops them in order
            )

    @property
    def pid(self) -> int:
        """The process id; raises RuntimeError before the first start."""
        if self._process is None:
            raise RuntimeError(f"{self.name} was never started")
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether it runs now."""
        return self._process is not None and self._process.poll() is None

    def handle(self) -> ProcessHandle | None:
        """Return what names the process to others; None if it does not run."""
        return ProcessHandle.of(self.pid, self.name) if self.running else None

    def stop(self, *, grace: float = 10.0) -> None:
        """Terminate it, and kill it if it has not ended after `grace` seconds."""
        process = self._process
        if process is None or process.poll() is not None:
            return
        process.terminate()
        try:
            process.wait(grace)
        except subprocess.TimeoutExpired:
            say(f"{self.name} did not end within {grace:.0f} s and was killed")
            self.kill9()

    def kill9(self) -> None:
        """Kill it at once, as a crash would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def restart(self) -> None:
        """Stop it and start it with the same command."""
        self.stop()
        self.start()

    def wait_until(self, ready: Callable[[], bool], *, seconds: float = 60.0) -> None:
        """Wait until `ready()`; fail at once when the program ends instead.

        Raises:
            StartError: it ended, or was not ready in time.
        """
        if not _until(lambda: not self.running or ready(), seconds):
            raise StartError(f"{self.name} was not ready after {seconds:.0f} s:\n{self.log_tail()}")
        if not self.running:
            raise StartError(f"{self.name} ended instead of getting ready:\n{self.log_tail()}")

    def log_tail(self, lines: int = 15) -> str:
        """Return the last lines of its log."""
        if not self.log.exists():
            return "(no log)"
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])


class _Spawner:
    """The one thread that starts children. See the module's docstring."""

    def __init__(self) -> None:
        self._wanted: queue.SimpleQueue[tuple[Callable[[], subprocess.Popen[bytes]], Future[subprocess.Popen[bytes]]]]
        self._wanted = queue.SimpleQueue()
        threading.Thread(target=self._serve, name="spawner", daemon=True).start()

    def run(self, spawn: Callable[[], subprocess.Popen[bytes]]) -> subprocess.Popen[bytes]:
        outcome: Future[subprocess.Popen[bytes]] = Future()
        self._wanted.put((spawn, outcome))
        return outcome.result()

    def _serve(self) -> None:
        while True:
            spawn, outcome = self._wanted.get()
            try:
                outcome.set_result(spawn())
            except BaseException as error:  # noqa: BLE001 - it is raised again by whoever asked
                outcome.set_exception(error)


_shared: list[_Spawner] = []
_shared_lock = threading.Lock()


def _spawner() -> _Spawner:
    with _shared_lock:
        if not _shared:
            _shared.append(_Spawner())
        return _shared[0]


def _start_time(pid: int) -> int | None:
    """Return a process's start time; None if it is gone or only waits to be reaped."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    # The second field is the program's name in parentheses and may hold blanks: count from its end.
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] in {"Z", "X"} else int(fields[19])


def _until(condition: Callable[[], bool], seconds: float) -> bool:
    """Wait until the condition holds; tell whether it came to hold in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True

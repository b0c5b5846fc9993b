"""What the kernel charged a process."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Self

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class Usage:
    """CPU seconds so far, bytes resident now, threads now."""

    cpu: float
    resident: int
    threads: int

    def __sub__(self, before: Self) -> "Usage":
        return Usage(self.cpu - before.cpu, self.resident, self.threads)


def usage(pid: int) -> Usage:
    """Read it from the process's stat file (proc_pid_stat(5): fields 14, 15, 20 and 24)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    cpu = (int(fields[11]) + int(fields[12])) / _TICKS
    return Usage(cpu, int(fields[21]) * _PAGE, int(fields[17]))

"""Many Certificates as a table: one line each, and what is wrong with those that are not Ready below it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from certwright.cli.printing import BAD, BUSY, GOOD
from certwright.cli.times import relative

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from rich.console import Console, ConsoleOptions, RenderResult

    from certwright.cli.situation import Situation

STYLES = {"True": GOOD, "False": BAD}
COLUMNS = ("NAMESPACE", "NAME", "READY", "ISSUER", "EXPIRES", "RENEWS", "SECRET")
SPARED = ("SECRET", "RENEWS", "ISSUER")
"""Left out one after the other where the terminal is too narrow: a name that is cut is of no use."""


class Overview:
    """The table, as wide as there is room for.

    Args:
        situations: In the order to show.
        now: The moment that times are relative to.
    """

    def __init__(self, situations: Sequence[Situation], now: datetime) -> None:
        self._situations = situations
        self._now = now

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for spared in range(len(SPARED) + 1):
            grid = self._grid([column for column in COLUMNS if column not in SPARED[:spared]])
            if console.measure(grid, options=options.update(max_width=sys.maxsize)).maximum <= options.max_width:
                break
        yield grid
        for item in self._situations:
            if not item.is_ready:
                yield Text.assemble("\n", (f"{item.namespace}/{item.name}", "bold"), f" {item.reason}:")
                yield Padding(Text(item.message), (0, 0, 0, 2), expand=False)

    def _grid(self, columns: Sequence[str]) -> Table:
        grid = Table(*columns, box=None, pad_edge=False, header_style="bold")
        for item in self._situations:
            cells = self._cells(item)
            grid.add_row(*(cells[column] for column in columns))
        return grid

    def _cells(self, item: Situation) -> dict[str, Text]:
        expired = item.not_after is not None and item.not_after <= self._now
        late = item.renewal_time is not None and item.renewal_time <= self._now
        return {
            "NAMESPACE": Text(item.namespace),
            "NAME": Text(item.name),
            "READY": Text(item.ready, STYLES.get(item.ready, BUSY)),
            "ISSUER": Text(item.issuer),
            "EXPIRES": Text(_when(item.not_after, self._now), BAD if expired else ""),
            "RENEWS": Text(_when(item.renewal_time, self._now), BUSY if late else ""),
            "SECRET": Text(item.secret_name),
        }


def _when(moment: datetime | None, now: datetime) -> str:
    return relative(moment, now) if moment else "-"

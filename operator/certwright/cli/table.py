"""Many Certificates as a table: one line each, and what is wrong with those that are not Ready below it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from certwright.cli.printing import BAD, BUSY, GOOD
from certwright.cli.times import relative

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from rich.console import RenderableType

    from certwright.cli.situation import Situation

STYLES = {"True": GOOD, "False": BAD}
COLUMNS = ("NAMESPACE", "NAME", "READY", "ISSUER", "EXPIRES", "RENEWS", "SECRET")
CUT = {"ISSUER", "SECRET"}
"""Columns that lose their end first where the terminal is narrow."""


def table(situations: Sequence[Situation], now: datetime) -> RenderableType:
    """The table.

    Args:
        situations: In the order to show.
        now: The moment that times are relative to.
    """
    grid = Table(box=None, pad_edge=False, header_style="bold")
    for column in COLUMNS:
        cut = column in CUT
        grid.add_column(column, no_wrap=cut, overflow="ellipsis" if cut else "fold")
    for item in situations:
        soon = item.not_after is not None and item.renewal_time is not None and item.renewal_time < now
        grid.add_row(
            item.namespace,
            item.name,
            Text(item.ready, STYLES.get(item.ready, BUSY)),
            item.issuer,
            Text(_when(item.not_after, now), BAD if item.not_after and item.not_after <= now else ""),
            Text(_when(item.renewal_time, now), BUSY if soon else ""),
            item.secret_name,
        )
    return Group(grid, *(_complaint(item) for item in situations if not item.is_ready))


def _when(moment: datetime | None, now: datetime) -> str:
    return relative(moment, now) if moment else "-"


def _complaint(item: Situation) -> RenderableType:
    head = Text.assemble("\n", (f"{item.namespace}/{item.name}", "bold"), f" {item.reason}:")
    return Group(head, Padding(Text(item.message), (0, 0, 0, 2), expand=False))

"""DNS providers for people: all of them as a table, one with its fields and the part of a solver that chooses it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from certwright.cli.printing import BAD, FAINT
from certwright.errors import CertwrightError
from certwright.providers.page import TYPED, entry, place

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.console import Console, ConsoleOptions, RenderResult

    from certwright.providers.base import ConfigField, ProviderInfo


class Overview:
    """All providers.

    Args:
        found: By name; a fault where a plugin is broken.
    """

    def __init__(self, found: Mapping[str, ProviderInfo | CertwrightError]) -> None:
        self._found = found

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        grid = _grid("NAME", "IN A SOLVER", "WORKS WITH")
        for name, item in sorted(self._found.items(), key=lambda pair: pair[0].lower()):
            if isinstance(item, CertwrightError):
                grid.add_row(Text(name), Text("-"), Text(item.message, BAD))
            else:
                grid.add_row(Text(name), Text(place(name)), Text(item.description))
        yield grid


class Details:
    """One provider.

    Args:
        info: The provider.
        behind: The names of those that stand behind it.
    """

    def __init__(self, info: ProviderInfo, behind: Sequence[str] = ()) -> None:
        self._info = info
        self._behind = behind

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        info = self._info
        yield Text.assemble((info.name, "bold"), f": {info.description}")
        yield Text("")
        grid = _grid("FIELD", "NEEDED", "ENTRY", "MEANING")
        for field in info.fields:
            grid.add_row(field.name, "yes" if field.required else "", entry(field), Text(field.help))
        yield grid
        if any(field.secret for field in info.fields):
            yield Text(
                "\nA field xSecretRef is {name, key} of a Secret; where it is missing, the entry x of the Secret in "
                "provider.secretRef is read.",
                FAINT,
            )
        if self._behind:
            yield Text(f"\nBehind it are {', '.join(self._behind)}.")
            yield Text(f"`certwright providers {info.name}/NAME` shows the options of one.", FAINT)
        optional = any(field.secret and not field.required for field in info.fields) and info.name in TYPED
        yield Text("\nIn a solver" + ", without what does not apply" * optional + ":\n")
        yield Padding(Text(_example(info)), (0, 0, 0, 2), expand=False)


class Behind:
    """One of those that stand behind a provider.

    Args:
        name: With the provider's name before it.
        fields: Its own.
    """

    def __init__(self, name: str, fields: Sequence[ConfigField]) -> None:
        self._name = name
        self._fields = fields

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield Text(self._name, "bold")
        yield Text("")
        grid = _grid("FIELD", "MEANING")
        for field in self._fields:
            grid.add_row(field.name, Text(field.help))
        yield grid


def _grid(*columns: str) -> Table:
    grid = Table(box=None, pad_edge=False, header_style="bold")
    for number, column in enumerate(columns, 1):
        # What people read may be broken into lines, what they copy may not.
        grid.add_column(column, no_wrap=number < len(columns))
    return grid


def _example(info: ProviderInfo) -> str:
    """The solver's part, with a placeholder for what has to be given."""
    secrets = [field for field in info.fields if field.secret]
    config: dict[str, Any] = {field.name: f"<{field.name}>" for field in info.fields if field.required}
    if info.name in TYPED:
        chosen = [field for field in secrets if field.required] or secrets
        config |= {field.name: {"name": f"my-{info.name.lower()}", "key": entry(field)} for field in chosen}
        solver: dict[str, Any] = {info.name: config}
    else:
        plain = {name: value for name, value in config.items() if name not in {field.name for field in secrets}}
        solver = {"provider": {"name": info.name, **({"config": plain} if plain else {})}}
        if secrets:
            solver["provider"]["secretRef"] = {"name": f"my-{info.name}"}
    return str(yaml.safe_dump({"dns01": solver}, sort_keys=False)).rstrip()

"""How results reach the terminal or the pipe: colours for people only, no cut lines in a pipe, documents for scripts.

rich honours NO_COLOR, TERM and COLUMNS by itself.
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
import sys
from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Any

from certwright.cli.options import Format
from certwright.resources.values import format_time

if TYPE_CHECKING:
    from rich.console import Console

UNBOUNDED = 10_000
"""Columns of a pipe: whoever reads it wants whole lines."""
GOOD, BAD, BUSY, FAINT = "green", "red", "yellow", "dim"
"""Styles, by what they say."""


def console() -> Console:
    """Standard output for people."""
    from rich.console import Console  # noqa: PLC0415 - not for JSON

    fixed = sys.stdout.isatty() or "COLUMNS" in os.environ
    return Console(highlight=False, emoji=False, markup=False, width=None if fixed else UNBOUNDED)


def document(value: object, form: Format) -> str:
    """A value as JSON or YAML, without a line end."""
    if form is Format.YAML:
        import yaml  # noqa: PLC0415 - likewise

        return str(yaml.safe_dump(value, sort_keys=False, allow_unicode=True)).rstrip("\n")
    return json.dumps(value, indent=2, ensure_ascii=False)


def plain(value: object) -> Any:  # noqa: ANN401 - what json takes
    """Dataclasses and times as JSON has them; fields in camel case, as in Kubernetes."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = dataclasses.fields(value)
        return {_camel(field.name): plain(getattr(value, field.name)) for field in fields}
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, datetime):
        return format_time(value)
    return value.value if isinstance(value, Enum) else value


def _camel(name: str) -> str:
    return re.sub(r"_(\w)", lambda match: match[1].upper(), name)

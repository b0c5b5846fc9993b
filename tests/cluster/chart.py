"""What the chart says of itself: its values with their comments, and the table of them that its README shows.

python -m cluster.chart    write the table into the README anew
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

CHART = Path(__file__).resolve().parents[2] / "helm" / "certwright"
README, VALUES, SCHEMA = CHART / "README.md", CHART / "values.yaml", CHART / "values.schema.json"
BEGIN, END = "<!-- values -->\n", "<!-- end of values -->\n"
#: Defaults that are one value to the reader though they have parts.
WHOLE = ("resources", "strategy", "topologySpreadConstraints")


@dataclass(frozen=True, slots=True)
class Value:
    """One value of the chart.

    Attributes:
        path: With dots, such as `image.tag`.
        default: What it is when nobody sets it.
        comment: The line above it in values.yaml, without its mark; empty when there is none.
    """

    path: str
    default: Any
    comment: str


def values() -> list[Value]:
    """Return every value in the order of values.yaml."""
    text = VALUES.read_text()
    root = yaml.compose(text)
    assert isinstance(root, yaml.MappingNode)
    return list(_walk(root, (), text.splitlines()))


def _walk(node: yaml.MappingNode, above: tuple[str, ...], lines: list[str]) -> Iterator[Value]:
    for key, value in node.value:
        path = (*above, key.value)
        name = ".".join(path)
        if isinstance(value, yaml.MappingNode) and value.value and name not in WHOLE:
            yield from _walk(value, path, lines)
        else:
            before = lines[key.start_mark.line - 1].strip() if key.start_mark.line else ""
            comment = before.removeprefix("#").strip() if before.startswith("#") else ""
            yield Value(name, yaml.SafeLoader("").construct_object(value, deep=True), comment)


def table() -> str:
    """Return the table of the README."""
    rows = [f"| `{value.path}` | {_shown(value.default)} | {_cell(value.comment)} |" for value in values()]
    return "\n".join(["| value | default | meaning |", "|---|---|---|", *rows, ""])


def _shown(default: Any) -> str:
    if isinstance(default, (dict, list)) and default:
        return "see values.yaml"
    return f"`{json.dumps(default)}`"


def _cell(text: str) -> str:
    return text.replace("|", r"\|")


def shown_table() -> str:
    """Return the table that the README has; empty when it has none."""
    return README.read_text().partition(BEGIN)[2].partition(END)[0]


def write_table() -> None:
    """Put the table into the README, between its marks."""
    before, _, rest = README.read_text().partition(BEGIN)
    README.write_text(f"{before}{BEGIN}{table()}{END}{rest.partition(END)[2]}")


if __name__ == "__main__":
    write_table()

"""Names as providers' APIs want them: without the final dot, or relative to the zone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from certwright.errors import InvalidSpec

if TYPE_CHECKING:
    from collections.abc import Iterator


def bare(name: str) -> str:
    """A name without its final dot, in lower case."""
    return name.rstrip(".").lower()


def relative(name: str, zone: str, *, apex: str = "@") -> str:
    """A name below its zone: `_acme-challenge.www` of `_acme-challenge.www.example.com.`.

    Args:
        name: The absolute name.
        zone: The zone.
        apex: What stands for the zone itself.

    Raises:
        InvalidSpec: The name is not in the zone; labels are compared, not texts.
    """
    short, end = bare(name), bare(zone)
    if short == end:
        return apex
    if not short.endswith(f".{end}"):
        raise InvalidSpec(f"the name {name} is not in the zone {zone}")
    return short[: -len(end) - 1]


def suffixes(name: str) -> Iterator[str]:
    """The names that could be the zone of a name, longest first, without final dots and without the last label."""
    labels = bare(name).split(".")
    for start in range(len(labels) - 1):
        yield ".".join(labels[start:])

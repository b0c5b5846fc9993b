"""Reads fields of an untyped object and says which field is wrong, since an object may be older than its schema."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from certwright.errors import InvalidSpec


class Fields:
    """One mapping of an object's body, with the path it stands at.

    Args:
        body: The mapping; None counts as empty.
        path: Where it stands, e.g. `spec.privateKey`.

    Every method raises InvalidSpec, naming the field, when the value has the wrong type.
    """

    __slots__ = ("body", "path")

    def __init__(self, body: object, path: str) -> None:
        if body is not None and not isinstance(body, Mapping):
            raise InvalidSpec(f"{path}: must be an object, not {type(body).__name__}")
        self.body: Mapping[str, Any] = body or {}
        self.path = path

    def __bool__(self) -> bool:
        return bool(self.body)

    def __contains__(self, name: str) -> bool:
        return self.body.get(name) is not None

    def at(self, name: str) -> str:
        """The full path of one field."""
        return f"{self.path}.{name}" if self.path else name

    def _typed(self, name: str, kind: type, what: str) -> Any:  # noqa: ANN401 - the caller narrows it
        value = self.body.get(name)
        if value is not None and (not isinstance(value, kind) or (kind is int and isinstance(value, bool))):
            raise InvalidSpec(f"{self.at(name)}: must be {what}, not {type(value).__name__}")
        return value

    def text(self, name: str, default: str = "") -> str:
        """A string."""
        value: str | None = self._typed(name, str, "a string")
        return default if value is None else value

    def number(self, name: str) -> int | None:
        """A whole number, or None."""
        value: int | None = self._typed(name, int, "a whole number")
        return value

    def flag(self, name: str, *, default: bool = False) -> bool:
        """A boolean."""
        value: bool | None = self._typed(name, bool, "true or false")
        return default if value is None else value

    def texts(self, name: str) -> tuple[str, ...]:
        """A list of strings."""
        values: list[object] = self._typed(name, list, "a list") or []
        for index, value in enumerate(values):
            if not isinstance(value, str):
                raise InvalidSpec(f"{self.at(name)}[{index}]: must be a string, not {type(value).__name__}")
        return tuple(str(value) for value in values)

    def table(self, name: str) -> dict[str, str]:
        """A mapping of strings to strings."""
        values = Fields(self.body.get(name), self.at(name)).body
        for key, value in values.items():
            if not isinstance(value, str):
                raise InvalidSpec(f"{self.at(name)}[{key}]: must be a string, not {type(value).__name__}")
        return dict(values)

    def part(self, name: str) -> Fields:
        """A nested mapping; empty when absent."""
        return Fields(self.body.get(name), self.at(name))

    def parts(self, name: str) -> tuple[Fields, ...]:
        """A list of mappings."""
        values: list[object] = self._typed(name, list, "a list") or []
        return tuple(Fields(value, f"{self.at(name)}[{index}]") for index, value in enumerate(values))

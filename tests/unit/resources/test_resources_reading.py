from typing import Any

import pytest

from certwright.errors import InvalidSpec
from certwright.resources.reading import Fields

BODY: dict[str, Any] = {
    "text": "x",
    "number": 5,
    "flag": True,
    "texts": ["a", "b"],
    "table": {"a": "b"},
    "part": {"inner": "y"},
    "parts": [{"inner": "y"}, {}],
    "null": None,
}


def test_fields_are_read_by_type() -> None:
    fields = Fields(BODY, "spec")
    assert fields
    assert (fields.text("text"), fields.number("number"), fields.flag("flag")) == ("x", 5, True)
    assert (fields.texts("texts"), fields.table("table")) == (("a", "b"), {"a": "b"})
    assert fields.part("part").text("inner") == "y"
    assert [part.path for part in fields.parts("parts")] == ["spec.parts[0]", "spec.parts[1]"]
    assert "text" in fields
    assert "null" not in fields


@pytest.mark.parametrize("body", [None, {}, {"null": None}])
def test_what_is_absent_has_its_default(body: object) -> None:
    fields = Fields(body, "")
    assert (fields.text("null"), fields.text("null", "d"), fields.number("null")) == ("", "d", None)
    assert (fields.flag("null"), fields.flag("null", default=True)) == (False, True)
    assert (fields.texts("null"), fields.table("null"), fields.parts("null")) == ((), {}, ())
    assert not fields.part("null")
    assert fields.at("null") == "null"


WRONG = {
    "a number for a text": ("text", 5, "spec.part.field: must be a string, not int"),
    "a text for a number": ("number", "5", "spec.part.field: must be a whole number, not str"),
    "a boolean for a number": ("number", True, "spec.part.field: must be a whole number, not bool"),
    "a fraction for a number": ("number", 1.5, "spec.part.field: must be a whole number, not float"),
    "a text for a flag": ("flag", "true", "spec.part.field: must be true or false, not str"),
    "a text for a list": ("texts", "a", "spec.part.field: must be a list, not str"),
    "a number in a list": ("texts", ["a", 5], "spec.part.field[1]: must be a string, not int"),
    "a list for a table": ("table", ["a"], "spec.part.field: must be an object, not list"),
    "a number in a table": ("table", {"a": 5}, "spec.part.field[a]: must be a string, not int"),
    "a text for a part": ("part", "a", "spec.part.field: must be an object, not str"),
    "a table for parts": ("parts", {}, "spec.part.field: must be a list, not dict"),
    "a text in parts": ("parts", [{}, "a"], "spec.part.field[1]: must be an object, not str"),
}


@pytest.mark.parametrize(("method", "value", "message"), WRONG.values(), ids=WRONG)
def test_a_wrong_type_names_the_field(method: str, value: object, message: str) -> None:
    fields = Fields({"field": value}, "spec.part")
    with pytest.raises(InvalidSpec) as fault:
        getattr(fields, method)("field")
    assert fault.value.message == message

import dns.rdata
import pytest
from hypothesis import given
from hypothesis import strategies as st

from certwright.errors import InvalidSpec
from certwright.providers import txt
from certwright.providers.names import bare, relative, suffixes

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=700)


@given(TEXTS)
def test_what_is_quoted_reads_the_same(value: str) -> None:
    assert txt.unquote(txt.quote(value)) == value
    assert txt.loose(txt.quote(value)) == value


@given(TEXTS)
def test_quoted_values_are_what_dns_means_by_them(value: str) -> None:
    rdata = dns.rdata.from_text("IN", "TXT", txt.quote(value))
    assert b"".join(rdata.strings) == value.encode()  # type: ignore[attr-defined]
    assert txt.unquote(rdata.to_text()) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [("bare", "bare"), ('"a" "b"', "ab"), ("a b", "ab"), (r'"\228\"\\"', '\ufffd"\\'), ('""', ""), ("", "")],
)
def test_other_forms(text: str, value: str) -> None:
    assert txt.unquote(text) == value


def test_a_value_without_quotes_may_have_blanks() -> None:
    assert txt.loose('v=spf1 "x" -all') == 'v=spf1 "x" -all'


def test_names() -> None:
    assert bare("Example.COM.") == "example.com"
    assert relative("_acme-challenge.www.example.com.", "example.com.") == "_acme-challenge.www"
    assert relative("example.com.", "example.com") == "@"
    assert relative("example.com.", "example.com.", apex="") == ""
    assert list(suffixes("a.b.example.com.")) == ["a.b.example.com", "b.example.com", "example.com"]


@pytest.mark.parametrize("name", ["www.notexample.com.", "com.", "example.com.org."])
def test_a_name_outside_the_zone(name: str) -> None:
    with pytest.raises(InvalidSpec, match="is not in the zone"):
        relative(name, "example.com.")

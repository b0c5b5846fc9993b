import dns.name
import pytest

from certwright.dns.names import ancestors, canonical, challenge_name
from certwright.dns.suffixes import is_public_suffix
from certwright.errors import InvalidSpec

LONGEST = ".".join(["a" * 63, "b" * 63, "c" * 63, "d" * 61])


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("example.com", "example.com."),
        ("Example.COM.", "example.com."),
        ("bücher.example", "xn--bcher-kva.example."),
        ("xn--bcher-kva.example", "xn--bcher-kva.example."),
        ("_dmarc.example.com", "_dmarc.example.com."),
        (LONGEST, LONGEST + "."),
    ],
)
def test_names_become_lower_case_a_labels(text: str, name: str) -> None:
    assert canonical(text).to_text() == name


@pytest.mark.parametrize(
    "text", ["", ".", "a..b", "a b.example", "*.example.com", "-a.example", "a-.example", "a" * 64 + ".example",
             LONGEST + "e", "exa\\046mple.com", "a/b.example", "ex\x00.example"],
)  # fmt: skip
def test_what_is_no_host_name(text: str) -> None:
    with pytest.raises(InvalidSpec, match="is not a DNS name"):
        canonical(text)


def test_a_wildcard_is_proven_at_its_parent() -> None:
    assert challenge_name("*.Example.com").to_text() == "_acme-challenge.example.com."
    assert challenge_name("example.com").to_text() == "_acme-challenge.example.com."


def test_a_name_too_long_for_the_challenge_says_so() -> None:
    with pytest.raises(InvalidSpec, match="too long for DNS-01"):
        challenge_name(LONGEST)


def test_ancestors_end_before_the_root() -> None:
    assert [name.to_text() for name in ancestors(dns.name.from_text("a.b.c."))] == ["a.b.c.", "b.c.", "c."]


@pytest.mark.parametrize("text", ["com.", "co.uk.", "com.ac.", "xn--p1ai.", "anything.ck.", "."])
def test_public_suffixes(text: str) -> None:
    assert is_public_suffix(dns.name.from_text(text))


@pytest.mark.parametrize("text", ["example.com.", "github.io.", "corp.", "internal.", "www.ck.", "x.co.uk."])
def test_no_public_suffixes(text: str) -> None:
    assert not is_public_suffix(dns.name.from_text(text))

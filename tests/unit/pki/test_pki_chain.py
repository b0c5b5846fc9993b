from __future__ import annotations

from datetime import timedelta

import pytest
from pki_examples import NOW, RSA, below, digest_of, key, root_data, signed, spec

from certwright.errors import InvalidSpec
from certwright.pki import chain

ROOT = root_data()
MIDDLE = below(ROOT)
CHAIN = signed(MIDDLE, spec(common_name="a.test", dns_names=("a.test",))).chain_pem
END = CHAIN.index(b"-----END") + len("-----END CERTIFICATE-----\n")
LEAF, REST = CHAIN[:END], CHAIN[END:]
OTHER = root_data()["tls.crt"]


def test_a_chain_is_found_in_any_order() -> None:
    leaf, *pool = chain.split(LEAF + OTHER + ROOT["tls.crt"] + REST, "x")
    found = chain.climb(leaf, pool)
    assert [one.subject.rfc4514_string() for one in found] == ["CN=a.test", "CN=Intermediate", "CN=Root"]
    assert chain.bundle(found) == chain.Bundle(CHAIN, ROOT["tls.crt"])


def test_two_roots_of_one_name_are_told_apart_by_signature() -> None:
    leaf, *pool = chain.split(CHAIN + OTHER, "x")
    assert len(chain.climb(leaf, pool)) == 2


def test_a_root_alone_is_chain_and_ca() -> None:
    assert chain.bundle(chain.split(OTHER, "x")) == chain.Bundle(OTHER, OTHER)


@pytest.mark.parametrize(
    ("pem", "text"),
    [
        (CHAIN, None),
        (LEAF, None),
        (b"Subject: CN=a\n" + LEAF + b"\nmore\n" + REST, None),
        (LEAF + OTHER + REST, None),
        (REST, "the first certificate is not for the key of the request"),
        (LEAF + OTHER, "none of the other certificates has signed the first one"),
        (b"", "the chain: there is no certificate in PEM"),
        (b"<html>", "the chain: there is no certificate in PEM"),
        (LEAF[:200], "the chain: a certificate in it is damaged"),
        (LEAF.replace(b"M", b"?", 1), "the chain: a certificate in it is damaged"),
        (LEAF * 50, f"the chain: 50 certificates in {50 * len(LEAF)} bytes are more than a chain can have"),
        (LEAF + b" " * (1 << 20), f"the chain: 1 certificates in {len(LEAF) + (1 << 20)} bytes are more"),
    ],
)
def test_problems(pem: bytes, text: str | None) -> None:
    found = chain.problem(pem, digest_of(key()), now=NOW)
    assert found == text if text is None else (found or "").startswith(text)


def test_problems_of_key_and_date() -> None:
    assert (
        chain.problem(CHAIN, digest_of(key(RSA)), now=NOW) == "the first certificate is not for the key of the request"
    )
    late = NOW + timedelta(days=90)
    assert chain.problem(CHAIN, digest_of(key()), now=late) == "the certificate has expired at 2027-02-22T12:00:00Z"


def test_split_says_where() -> None:
    with pytest.raises(InvalidSpec, match=r"^Secret a/b, tls\.crt: there is no certificate"):
        chain.split(b"\x00", "Secret a/b, tls.crt")

from __future__ import annotations

import os
import random
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from certwright.pki import jks_format, rc2
from certwright.pki.jks_format import Entry, Keystore
from unit.pki import jks_reader

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
STORE = Keystore({"own": Entry(b"a key", (b"leaf", b"middle"))}, {"ca": b"root"})


@given(
    st.dictionaries(st.text(max_size=8).map(str.lower), st.binary(max_size=50), max_size=3),
    st.dictionaries(st.text(max_size=8).map(str.lower), st.binary(max_size=50), max_size=3),
    st.text(max_size=10),
)
def test_what_is_written_is_read(keys: dict[str, bytes], trusted: dict[str, bytes], password: str) -> None:
    store = Keystore({alias: Entry(key, (key, b"x")) for alias, key in keys.items()}, trusted)
    try:
        data = jks_format.write(store, password, created=NOW)
    except UnicodeEncodeError:
        assert any("\ud800" <= one <= "\udfff" for one in password)
        return
    lowered = Keystore({alias.lower(): one for alias, one in store.keys.items()}, trusted)
    assert jks_reader.read(data, password) == lowered


def test_the_bytes_of_a_truststore() -> None:
    """By the format: it has no salt, so that it is the same each time."""
    data = jks_format.write(Keystore({}, {"ca": b"root"}), "changeit", created=NOW)
    head = "feedfeed 00000002 00000001 00000002 0002 6361 0000019ab5a9c400 0005 582e353039 00000004 726f6f74"
    assert data[:-20].hex() == head.replace(" ", "").replace("0000019ab5a9c400", f"{int(NOW.timestamp() * 1000):016x}")
    assert len(data[-20:]) == 20
    assert data == jks_format.write(Keystore({}, {"ca": b"root"}), "changeit", created=NOW)


@pytest.mark.parametrize(
    ("alias", "encoded"),
    [("own", "0003 6f776e"), ("ä", "0002 c3a4"), ("\0", "0002 c080"), ("\U0001f600", "0006 eda0bdedb880")],
)
def test_aliases_are_in_java_s_own_utf_8(alias: str, encoded: str) -> None:
    data = jks_format.write(Keystore({}, {alias: b"x"}), "p", created=NOW)
    assert bytes.fromhex(encoded) in data
    assert list(jks_reader.read(data, "p").trusted) == [alias]


def test_another_password_is_told() -> None:
    data = jks_format.write(STORE, "changeit", created=NOW)
    with pytest.raises(jks_reader.UnreadableError):
        jks_reader.read(data, "changed")


def _sealed(body: bytes) -> bytes:
    return body + jks_format._seal(body, jks_format._secret("p"))


GOOD = jks_format.write(STORE, "p", created=NOW)[:-20]
OTHERS_KEY = jks_format.write(STORE, "q", created=NOW)[:-20]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        GOOD[:-1],
        b"\xca\xfe\xba\xbe" + GOOD[4:],
        GOOD[:7] + b"\x01" + GOOD[8:],
        GOOD[:11] + b"\x09" + GOOD[12:],
        GOOD[:15] + b"\x07" + GOOD[16:],
        OTHERS_KEY,
    ],
    ids=["empty", "cut", "magic", "version", "count", "kind", "a key of another password"],
)
def test_a_file_that_is_sealed_and_odd_inside_is_told(body: bytes) -> None:
    with pytest.raises(jks_reader.UnreadableError):
        jks_reader.read(_sealed(body), "p")


def test_any_damage_is_told() -> None:
    data = jks_format.write(STORE, "p", created=NOW)
    for index in range(len(data)):
        bad = bytearray(data)
        bad[index] ^= 1 << random.Random(index).randrange(8)
        with pytest.raises(jks_reader.UnreadableError):
            jks_reader.read(bytes(bad), "p")


def test_no_repr_shows_a_key() -> None:
    assert "a key" not in repr(STORE)


@pytest.mark.parametrize(
    ("key", "plain", "cipher"),
    [
        ("ffffffffffffffff", "ffffffffffffffff", "278b27e42e2f0d49"),
        ("3000000000000000", "1000000000000001", "30649edf9be7d2c2"),
        ("88bca90e90875a7f0f79c384627bafb2", "0000000000000000", "2269552ab0f85ca6"),
    ],
)
def test_rc2_by_the_examples_of_its_rfc(key: str, plain: str, cipher: str) -> None:
    """RFC 2268 section 5, those whose effective length is the key's; the padding makes a second block."""
    found = rc2.encrypt(bytes.fromhex(key), bytes(8), bytes.fromhex(plain))
    assert found[:8].hex() == cipher
    assert len(found) == 16


def test_rc2_chains_its_blocks() -> None:
    key, first = os.urandom(5), os.urandom(8)
    both = rc2.encrypt(key, bytes(8), first + first)
    assert both[8:16] == rc2.encrypt(key, both[:8], first)[:8]
    assert both[:8] != both[8:16]

"""Keystores of every kind and profile: what is in them, and the stamps by which they are known again."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from cryptography.hazmat import asn1
from cryptography.hazmat.primitives.serialization import Encoding, load_der_private_key, pkcs12
from hypothesis import given
from hypothesis import strategies as st
from pki_examples import EC256, KINDS, RSA, below, key, needs_openssl, openssl, root_data, signed, spec

from certwright.errors import InvalidSpec
from certwright.pki import chain, formats, keys, keystores
from certwright.pki.secret import read_tls_secret, tls_secret_data
from certwright.resources.meta import SecretRef
from certwright.resources.outputs import KEYSTORES, PROFILES, TRUSTSTORES, Keystore, Outputs
from unit.pki import jks_reader

if TYPE_CHECKING:
    from certwright.resources.certificate import PrivateKeySpec

PASSWORD = "changeit"
ROOT = root_data()
MIDDLE = below(ROOT)
JKS = Keystore("jks", SecretRef("password", "password"), alias="Own")
P12 = {profile: Keystore("pkcs12", SecretRef("password", "password"), profile=profile) for profile in PROFILES}
STORES: dict[str, Keystore] = {"JKS": JKS, **P12}
each_store = pytest.mark.parametrize("store", STORES.values(), ids=STORES)
each_profile = pytest.mark.parametrize("store", P12.values(), ids=P12)


def data_of(kind: PrivateKeySpec = EC256, *, ca: bool = True, **fields: Any) -> dict[str, bytes]:
    """The data of a Secret without its keystores, from an intermediate CA."""
    wanted = spec(**{"dns_names": ("a.test",), "private_key": kind, **fields})
    bundle = signed(MIDDLE, wanted)
    return tls_secret_data(wanted, key(kind), chain_pem=bundle.chain_pem, ca_pem=bundle.ca_pem if ca else b"")


DATA = data_of()


def made(store: Keystore, data: dict[str, bytes] = DATA, password: str = PASSWORD) -> dict[str, bytes]:
    return keystores.entries([(store, password)], data, {})[0]


def certificates(pem: bytes) -> list[x509.Certificate]:
    return chain.split(pem, "x")


def ders(pem: bytes) -> tuple[bytes, ...]:
    return tuple(one.public_bytes(Encoding.DER) for one in certificates(pem))


def digest(private: Any) -> str:
    return keys.public_digest(private.public_key())


@each_profile
@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
@pytest.mark.parametrize("password", [PASSWORD, "p\u00e4ss \u20ac", "x"])
def test_what_is_in_a_pkcs12_keystore(store: Keystore, kind: PrivateKeySpec, password: str) -> None:
    """As OpenSSL reads it, of which the library has a version that knows all profiles."""
    data = data_of(kind)
    found = made(store, data, password)
    opened = pkcs12.load_pkcs12(found["keystore.p12"], password.encode())
    leaf, middle = certificates(data["tls.crt"])
    assert digest(opened.key) == digest(key(kind))
    assert opened.cert
    assert (opened.cert.certificate, opened.cert.friendly_name) == (leaf, None)
    assert [one.certificate for one in opened.additional_certs] == [middle, *certificates(data["ca.crt"])]
    trusted = pkcs12.load_pkcs12(found["truststore.p12"], password.encode())
    assert (trusted.key, trusted.cert) == (None, None)
    assert [one.certificate for one in trusted.additional_certs] == certificates(data["ca.crt"])
    assert trusted.additional_certs[0].friendly_name == b"CN=Root"
    for name, value in found.items():
        with pytest.raises(ValueError, match="password"):
            pkcs12.load_pkcs12(value, b"another")
        assert profile_of(value) == store.profile, name


def profile_of(data: bytes) -> str:
    """By the algorithms that a file names."""
    marks = {
        "LegacyRC2": "1.2.840.113549.1.12.1.6",
        "Modern2026": "1.2.840.113549.1.5.14",
        "Modern2023": "1.2.840.113549.1.5.13",
        "LegacyDES": "1.2.840.113549.1.12.1.3",
    }
    return next(name for name, oid in marks.items() if asn1.encode_der(x509.ObjectIdentifier(oid)) in data)


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
@pytest.mark.parametrize("password", [PASSWORD, "p\u00e4ss \u20ac", "x"])
def test_what_is_in_a_jks_keystore(kind: PrivateKeySpec, password: str) -> None:
    data = data_of(kind)
    found = made(JKS, data, password)
    opened = jks_reader.read(found["keystore.jks"], password)
    ((alias, entry),) = opened.keys.items()
    assert alias == "own", "Java knows no large letters there"
    assert digest(load_der_private_key(entry.key, None)) == digest(key(kind))
    assert entry.chain == ders(data["tls.crt"])
    assert opened.trusted == {"ca": ders(data["ca.crt"])[0]}
    assert jks_reader.read(found["truststore.jks"], password) == jks_reader.Keystore({}, opened.trusted)
    for value in found.values():
        with pytest.raises(jks_reader.UnreadableError):
            jks_reader.read(value, "another")


@each_store
def test_there_is_a_truststore_only_where_there_is_a_ca(store: Keystore) -> None:
    assert set(made(store, data_of(ca=False))) == {KEYSTORES[store.kind]}
    assert set(made(store)) == {KEYSTORES[store.kind], TRUSTSTORES[store.kind]}


def test_both_kinds_side_by_side() -> None:
    found, _ = keystores.entries([(JKS, "one"), (P12["Modern2023"], "two")], DATA, {})
    assert set(found) == {*KEYSTORES.values(), *TRUSTSTORES.values()}
    assert jks_reader.read(found["keystore.jks"], "one").keys
    assert pkcs12.load_pkcs12(found["keystore.p12"], b"two").key


def test_an_alias_that_is_the_ca_s_is_the_key_s() -> None:
    opened = jks_reader.read(made(replace(JKS, alias="CA"))["keystore.jks"], PASSWORD)
    assert (set(opened.keys), set(opened.trusted)) == ({"ca"}, set())


@each_profile
def test_a_self_signed_certificate_stands_once_in_pkcs12(store: Keystore) -> None:
    """It is its own CA."""
    found = pkcs12.load_pkcs12(made(store, ROOT)["keystore.p12"], PASSWORD.encode())
    assert found.cert
    assert found.additional_certs == []


def test_several_certificates_of_a_ca_are_all_trusted() -> None:
    data = {**DATA, "ca.crt": DATA["ca.crt"] + root_data()["tls.crt"]}
    opened = jks_reader.read(made(JKS, data)["truststore.jks"], PASSWORD)
    assert opened.trusted == dict(zip(("ca", "ca-1"), ders(data["ca.crt"]), strict=True))
    trusted = pkcs12.load_pkcs12(made(P12["LegacyRC2"], data)["truststore.p12"], PASSWORD.encode())
    assert [one.certificate for one in trusted.additional_certs] == certificates(data["ca.crt"])


@each_store
def test_a_ca_with_an_odd_name_is_trusted_all_the_same(store: Keystore) -> None:
    """Java knows it by its name, where not every letter fits."""
    data = {**DATA, "ca.crt": root_data(common_name="R\U0001f600t \u00e4")["tls.crt"]}
    assert made(store, data)[TRUSTSTORES[store.kind]]


@pytest.mark.parametrize("missing", ["tls.key", "tls.crt"])
def test_without_key_or_certificate_there_is_nothing_to_make(missing: str) -> None:
    for make in (
        lambda data: keystores.entries([(JKS, PASSWORD)], data, {}),
        lambda data: keystores.stamps_of([(JKS, PASSWORD)], data),
    ):
        with pytest.raises(InvalidSpec, match=missing.replace(".", r"\.")):
            make({**DATA, missing: b""})


@each_store
def test_one_that_bears_its_stamp_is_not_made_anew(store: Keystore) -> None:
    """Salts are random, so a second one would be another."""
    first, stamps = keystores.entries([(store, PASSWORD)], DATA, {})
    again, same = keystores.entries([(store, PASSWORD)], {**DATA, **first}, stamps)
    assert (again, same) == (first, stamps)
    assert keystores.stamps_of([(store, PASSWORD)], {**DATA, **first}) == stamps
    fresh, others = keystores.entries([(store, PASSWORD)], {**DATA, **first}, {})
    assert fresh[KEYSTORES[store.kind]] != first[KEYSTORES[store.kind]]
    assert others[KEYSTORES[store.kind]] != stamps[KEYSTORES[store.kind]]


@each_store
@pytest.mark.parametrize("encoding", ["PKCS1", "PKCS8"])
def test_a_stamp_does_not_depend_on_how_the_key_is_written(store: Keystore, encoding: str) -> None:
    first, stamps = keystores.entries([(store, PASSWORD)], DATA, {})
    other = {**DATA, **first, "tls.key": keys.encode(key(), encoding)}
    assert keystores.stamps_of([(store, PASSWORD)], other) == stamps


@each_store
def test_what_a_stamp_depends_on(store: Keystore) -> None:
    keystore, truststore = KEYSTORES[store.kind], TRUSTSTORES[store.kind]
    first, stamps = keystores.entries([(store, PASSWORD)], DATA, {})
    data = {**DATA, **first}
    other_pair = {name: data_of(RSA)[name] for name in ("tls.key", "tls.crt")}
    changes: dict[str, tuple[Keystore, str, dict[str, bytes], set[str]]] = {
        "another password": (store, "another", {}, {keystore, truststore}),
        "another alias": (replace(store, alias="other"), PASSWORD, {}, {keystore, truststore}),
        "another profile": (replace(store, profile="other"), PASSWORD, {}, {keystore, truststore}),
        "gone": (store, PASSWORD, {keystore: b""}, {keystore}),
        "damaged": (store, PASSWORD, {keystore: data[keystore] + b"x"}, {keystore}),
        "another certificate": (store, PASSWORD, {"tls.crt": data_of()["tls.crt"]}, {keystore, truststore}),
        "another pair": (store, PASSWORD, other_pair, {keystore, truststore}),
        "another CA": (store, PASSWORD, {"ca.crt": root_data()["tls.crt"]}, {keystore, truststore}),
        "the truststore gone": (store, PASSWORD, {truststore: b""}, {truststore}),
        "the truststore damaged": (store, PASSWORD, {truststore: b"rubbish"}, {truststore}),
    }
    for what, (changed, password, values, concerned) in changes.items():
        found = keystores.stamps_of([(changed, password)], {**data, **values})
        assert {name for name in found if found[name] != stamps[name]} == concerned, what


def test_a_stamp_tells_a_password_only_to_whom_has_the_key() -> None:
    """With another key, and all else the same, it is another one."""
    data = {**DATA, **made(JKS)}
    stamps = keystores.stamps_of([(JKS, PASSWORD)], data)
    others = keystores.stamps_of([(JKS, PASSWORD)], {**data, "tls.key": keys.encode(keys.generate(EC256), "PKCS8")})
    assert not set(stamps.values()) & set(others.values())
    assert all(len(stamp) == keystores.STAMP_LENGTH for stamp in stamps.values())


def test_stamps_in_an_annotation() -> None:
    stamps = {"truststore.jks": "b2", "keystore.jks": "a1"}
    assert keystores.written(stamps) == "keystore.jks=a1,truststore.jks=b2"
    assert keystores.read(keystores.written(stamps)) == stamps
    assert keystores.read("") == keystores.read("nonsense,,") == {}


@given(st.text(max_size=60))
def test_any_annotation_is_read(text: str) -> None:
    assert all(isinstance(one, str) for pair in keystores.read(text).items() for one in pair)


# What cert-manager v1.21.1 has made: a Certificate with both kinds of keystores and both additional formats.
THEIRS = {
    name: base64.b64decode(value)
    for name, value in json.loads(Path(__file__).with_name("cert_manager_keystores.json").read_text()).items()
}


def test_cert_manager_s_keystores_have_the_same_in_them() -> None:
    ours, _ = keystores.entries(
        [(replace(JKS, alias="own"), PASSWORD), (P12["Modern2023"], PASSWORD)],
        {name: THEIRS[name] for name in ("tls.key", "tls.crt", "ca.crt")},
        {},
    )
    assert set(ours) == {name for name in THEIRS if "store." in name}
    for name in ("keystore.jks", "truststore.jks"):
        one, other = (jks_reader.read(found[name], PASSWORD) for found in (ours, THEIRS))
        assert (set(one.keys), one.trusted) == (set(other.keys), other.trusted)
        assert [entry.chain for entry in one.keys.values()] == [entry.chain for entry in other.keys.values()]
    for name in ("keystore.p12", "truststore.p12"):
        first, second = (pkcs12.load_pkcs12(found[name], PASSWORD.encode()) for found in (ours, THEIRS))
        assert (first.cert, first.additional_certs) == (second.cert, second.additional_certs)
        assert (first.key and digest(first.key)) == (second.key and digest(second.key))
        assert profile_of(ours[name]) == profile_of(THEIRS[name]) == "Modern2023"


def test_additional_formats_are_made_as_cert_manager_makes_them() -> None:
    found = formats.entries(("DER", "CombinedPEM"), THEIRS["tls.key"], THEIRS["tls.crt"])
    assert found == {name: THEIRS[name] for name in ("key.der", "tls-combined.pem")}
    facts = read_tls_secret(THEIRS)
    assert (set(facts.extras), facts.worn) == (set(THEIRS) - {"tls.key", "tls.crt", "ca.crt"}, ())


@needs_openssl
@pytest.mark.parametrize("encoding", ["PKCS1", "PKCS8"])
@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_openssl_reads_the_key_in_der(kind: PrivateKeySpec, encoding: str) -> None:
    private = replace(kind, encoding=encoding)
    wanted = spec(dns_names=("a.test",), private_key=private, outputs=Outputs(("DER", "CombinedPEM")))
    bundle = signed(ROOT, wanted)
    data = tls_secret_data(wanted, key(private), chain_pem=bundle.chain_pem)
    read = openssl("pkey", "-inform", "DER", "-pubout", stdin=data["key.der"])
    assert read == openssl("pkey", "-pubout", stdin=data["tls.key"])
    assert read == openssl("pkey", "-pubout", stdin=data["tls-combined.pem"])
    assert read == openssl("x509", "-noout", "-pubkey", stdin=data["tls-combined.pem"])


@pytest.mark.parametrize(
    ("change", "worn"),
    [
        ({}, ()),
        ({"key.der": b"x"}, ("key.der",)),
        ({"tls-combined.pem": b"x"}, ("tls-combined.pem",)),
        ({"tls.crt": DATA["tls.crt"]}, ("tls-combined.pem",)),
        ({"tls.key": DATA["tls.key"]}, ("key.der", "tls-combined.pem")),
        ({"tls.key": b"x"}, ("key.der", "tls-combined.pem")),
        ({"tls.key": b"-----BEGIN PRIVATE KEY-----A-----END PRIVATE KEY-----"}, ("key.der", "tls-combined.pem")),
        ({"key.der": b"", "tls-combined.pem": b""}, ()),
    ],
)
def test_a_format_that_does_not_follow_from_key_and_chain_is_worn(
    change: dict[str, bytes], worn: tuple[str, ...]
) -> None:
    assert read_tls_secret({**THEIRS, **change}).worn == worn


@needs_openssl
@pytest.mark.parametrize(
    ("profile", "said"),
    [
        ("LegacyRC2", ("MAC: sha1", "pbeWithSHA1And40BitRC2-CBC", "Keybag: pbeWithSHA1And3-KeyTripleDES-CBC")),
        ("LegacyDES", ("MAC: sha1", "Encrypted data: pbeWithSHA1And3-KeyTripleDES-CBC")),
        ("Modern2023", ("MAC: sha256, Iteration 2048", "PBES2, PBKDF2, AES-256-CBC", "PRF hmacWithSHA256")),
    ],
)
def test_openssl_opens_each_profile(profile: str, said: tuple[str, ...], tmp_path: Path) -> None:
    """The program on the machine; Modern2026 needs OpenSSL 3.4, so that one is for the library's alone."""
    for name, value in made(P12[profile]).items():
        (tmp_path / name).write_bytes(value)
        where = ("-in", str(tmp_path / name), "-passin", f"pass:{PASSWORD}", "-legacy")
        told = openssl("pkcs12", "-info", "-noout", *where)
        assert [word for word in said if word not in told and name == "keystore.p12"] == []
        pem = openssl("pkcs12", "-nodes", *where)
        assert pem.count("BEGIN CERTIFICATE") == (3 if name == "keystore.p12" else 1)
        assert ("BEGIN PRIVATE KEY" in pem) is (name == "keystore.p12")

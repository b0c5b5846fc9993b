"""Keystores of every kind and profile: round trips, what makes one worn, and what cert-manager has made."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, pkcs12
from pki_examples import EC256, KINDS, RSA, below, key, needs_openssl, openssl, root_data, signed, spec

from certwright.errors import InvalidSpec
from certwright.pki import chain, formats, jks_format, keystores, pkcs12_profiles
from certwright.pki.secret import read_tls_secret, tls_secret_data
from certwright.resources.meta import SecretRef
from certwright.resources.outputs import KEYSTORES, PROFILES, TRUSTSTORES, Keystore, Outputs

if TYPE_CHECKING:
    from certwright.resources.certificate import PrivateKeySpec

PASSWORD = "changeit"
ROOT = root_data()
MIDDLE = below(ROOT)
JKS = Keystore("jks", SecretRef("password", "password"), alias="Own")
P12 = {profile: Keystore("pkcs12", SecretRef("password", "password"), profile=profile) for profile in PROFILES}
STORES: dict[str, Keystore] = {"JKS": JKS, **P12}
each_store = pytest.mark.parametrize("store", STORES.values(), ids=STORES)


def data_of(kind: PrivateKeySpec = EC256, *, ca: bool = True, **fields: Any) -> dict[str, bytes]:
    """The data of a Secret without its keystores, from an intermediate CA."""
    wanted = spec(**{"dns_names": ("a.test",), "private_key": kind, **fields})
    bundle = signed(MIDDLE, wanted)
    return tls_secret_data(wanted, key(kind), chain_pem=bundle.chain_pem, ca_pem=bundle.ca_pem if ca else b"")


DATA = data_of()


def made(store: Keystore, data: dict[str, bytes] = DATA, password: str = PASSWORD) -> dict[str, bytes]:
    return {**data, **keystores.entries([(store, password)], data)}


@each_store
@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
@pytest.mark.parametrize("password", [PASSWORD, "p\u00e4ss \u20ac", "x"])
def test_what_is_made_is_right_and_is_not_made_anew(store: Keystore, kind: PrivateKeySpec, password: str) -> None:
    """Salts are random, so a second keystore would be another one."""
    data = made(store, data_of(kind), password)
    assert keystores.worn([(store, password)], data) == ""
    assert made(store, data, password) == data
    fresh = made(store, {name: data[name] for name in ("tls.key", "tls.crt", "ca.crt")}, password)
    assert fresh[KEYSTORES[store.kind]] != data[KEYSTORES[store.kind]]


@each_store
def test_there_is_a_truststore_only_where_there_is_a_ca(store: Keystore) -> None:
    without = data_of(ca=False)
    assert set(keystores.entries([(store, PASSWORD)], without)) == {KEYSTORES[store.kind]}
    assert keystores.worn([(store, PASSWORD)], made(store, without)) == ""
    assert set(keystores.entries([(store, PASSWORD)], DATA)) == {KEYSTORES[store.kind], TRUSTSTORES[store.kind]}
    lacking = {name: value for name, value in made(store).items() if name != TRUSTSTORES[store.kind]}
    assert keystores.worn([(store, PASSWORD)], lacking) == TRUSTSTORES[store.kind]


def test_both_kinds_side_by_side() -> None:
    stores = [(JKS, "one"), (P12["Modern2023"], "two")]
    data = {**DATA, **keystores.entries(stores, DATA)}
    assert set(data) == {*DATA, *KEYSTORES.values(), *TRUSTSTORES.values()}
    assert keystores.worn(stores, data) == ""
    assert keystores.worn([(JKS, "one"), (P12["Modern2023"], "one")], data) == "keystore.p12"


def _flipped(data: bytes) -> bytes:
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]


@each_store
def test_what_makes_a_keystore_worn(store: Keystore) -> None:
    keystore, truststore = KEYSTORES[store.kind], TRUSTSTORES[store.kind]
    data = made(store)
    changes: dict[str, tuple[dict[str, bytes], str]] = {
        "gone": ({keystore: b""}, keystore),
        "damaged": ({keystore: _flipped(data[keystore])}, keystore),
        "rubbish": ({keystore: b"rubbish"}, keystore),
        "a truststore": ({keystore: data[truststore]}, keystore),
        "another certificate": ({"tls.crt": data_of()["tls.crt"]}, keystore),
        "another key and certificate": ({name: data_of(RSA)[name] for name in ("tls.key", "tls.crt")}, keystore),
        "another CA": ({"ca.crt": root_data()["tls.crt"]}, keystore),
        "no chain": ({"tls.crt": _leaf_only(data["tls.crt"])}, keystore),
        "truststore gone": ({truststore: b""}, truststore),
        "truststore damaged": ({truststore: _flipped(data[truststore])}, truststore),
        "a keystore": ({truststore: data[keystore]}, truststore),
    }
    found = {name: keystores.worn([(store, PASSWORD)], {**data, **change}) for name, (change, _) in changes.items()}
    assert found == {name: entry for name, (_, entry) in changes.items()}
    assert keystores.worn([(store, "another")], data) == keystore


def _leaf_only(pem: bytes) -> bytes:
    return chain.split(pem, "x")[0].public_bytes(Encoding.PEM)


def test_another_profile_makes_a_keystore_worn() -> None:
    for profile, store in P12.items():
        data = made(store)
        assert pkcs12_profiles.profile_of(data["keystore.p12"]) == profile
        assert pkcs12_profiles.profile_of(data["truststore.p12"]) == profile
        for other in P12.values():
            assert keystores.worn([(other, PASSWORD)], data) == ("" if other is store else "keystore.p12")


def test_another_alias_makes_a_keystore_worn() -> None:
    data = made(JKS)
    assert keystores.worn([(replace(JKS, alias="OWN"), PASSWORD)], data) == ""  # Java knows no large letters there
    assert keystores.worn([(replace(JKS, alias="other"), PASSWORD)], data) == "keystore.jks"


def test_an_alias_that_is_the_ca_s_is_the_key_s() -> None:
    store = replace(JKS, alias="ca")
    opened = jks_format.read(made(store)["keystore.jks"], PASSWORD)
    assert (set(opened.keys), set(opened.trusted)) == ({"ca"}, set())
    assert keystores.worn([(store, PASSWORD)], made(store)) == ""


def test_a_self_signed_certificate_stands_once() -> None:
    """It is its own CA."""
    for profile, store in P12.items():
        data = made(store, ROOT)
        found = pkcs12.load_pkcs12(data["keystore.p12"], PASSWORD.encode())
        assert found.cert
        assert found.additional_certs == [], profile
        assert keystores.worn([(store, PASSWORD)], data) == ""
    opened = jks_format.read(made(JKS, ROOT)["keystore.jks"], PASSWORD)
    assert opened.keys["own"].chain == (opened.trusted["ca"],)


def test_several_certificates_of_a_ca_are_all_trusted() -> None:
    data = {**DATA, "ca.crt": DATA["ca.crt"] + root_data()["tls.crt"]}
    opened = jks_format.read(made(JKS, data)["truststore.jks"], PASSWORD)
    assert set(opened.trusted) == {"ca", "ca-1"}
    for store in STORES.values():
        assert keystores.worn([(store, PASSWORD)], made(store, data)) == ""


@pytest.mark.parametrize("missing", ["tls.key", "tls.crt"])
def test_without_key_or_certificate_there_is_nothing_to_make(missing: str) -> None:
    with pytest.raises(InvalidSpec, match=missing.replace(".", r"\.")):
        keystores.entries([(JKS, PASSWORD)], {**DATA, missing: b""})


# What cert-manager v1.21.1 has made: a Certificate with both kinds of keystores and both additional formats.
THEIRS = {
    name: base64.b64decode(value)
    for name, value in json.loads(Path(__file__).with_name("cert_manager_keystores.json").read_text()).items()
}


def test_what_cert_manager_made_is_right_as_it_is() -> None:
    stores = [(replace(JKS, alias="own"), PASSWORD), (P12["Modern2023"], PASSWORD)]
    assert keystores.worn(stores, THEIRS) == ""
    assert keystores.entries(stores, THEIRS) == {name: THEIRS[name] for name in THEIRS if "store." in name}
    facts = read_tls_secret(THEIRS)
    assert (set(facts.extras), facts.worn) == (set(THEIRS) - {"tls.key", "tls.crt", "ca.crt"}, ())


def test_additional_formats_are_made_as_cert_manager_makes_them() -> None:
    found = formats.entries(("DER", "CombinedPEM"), THEIRS["tls.key"], THEIRS["tls.crt"])
    assert found == {name: THEIRS[name] for name in ("key.der", "tls-combined.pem")}


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
    """Modern2026 needs OpenSSL 3.4; the library brings a newer one, by which the round trips above go."""
    data = made(P12[profile])
    for name in ("keystore.p12", "truststore.p12"):
        (tmp_path / name).write_bytes(data[name])
        where = ("-in", str(tmp_path / name), "-passin", f"pass:{PASSWORD}", "-legacy")
        told = openssl("pkcs12", "-info", "-noout", *where)
        assert [word for word in said if word not in told and name == "keystore.p12"] == []
        pem = openssl("pkcs12", "-nodes", *where)
        count = 3 if name == "keystore.p12" else 1
        assert pem.count("BEGIN CERTIFICATE") == count
        assert ("BEGIN PRIVATE KEY" in pem) is (name == "keystore.p12")


def test_a_modern_mac_is_told_from_another_password() -> None:
    """RFC 9579: OpenSSL, of which the library has a version that knows it, verifies it on opening."""
    data = made(P12["Modern2026"])["keystore.p12"]
    assert pkcs12.load_pkcs12(data, PASSWORD.encode()).key
    with pytest.raises(ValueError, match="password"):
        pkcs12.load_pkcs12(data, b"another")

"""Keystores and further formats by the real operator, read by openssl, by keytool and by what wrote none of it."""

import base64
import secrets as random
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from bad_input_support import authority_pair, leaks, secret, watched
from cryptography import x509
from cryptography.hazmat.primitives.serialization import pkcs12
from waits import client, status, until, wait_condition, wait_ready
from waits import secret as read_secret

from certwright.kube.client import MERGE_PATCH
from certwright.kube.paths import CORE, path
from cluster import java
from cluster.environment import Environment
from cluster.manifests import GROUP, Manifest, acme_issuer, apply, certificate, issuer, tsig_secret
from cluster.operator import Operator
from cluster.packages import MissingProgramError
from unit.pki import jks_reader

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(120)]

PASSWORD, BETTER, INLINE = "changeit", "correct horse", "inline-secret"
REF = {"name": "store", "key": "password"}
PROFILES = ("LegacyRC2", "LegacyDES", "Modern2023", "Modern2026")
ALL = {"tls.crt", "tls.key", "ca.crt", "key.der", "tls-combined.pem",
       "keystore.jks", "truststore.jks", "keystore.p12", "truststore.p12"}  # fmt: skip
JKS: dict[str, Any] = {"create": True, "alias": "web", "passwordSecretRef": REF}
P12: dict[str, Any] = {"create": True, "profile": "Modern2023", "passwordSecretRef": REF}
FORMATS = [{"type": "DER"}, {"type": "CombinedPEM"}]
WANTED = {"keystores": {"jks": JKS, "pkcs12": P12}, "additionalOutputFormats": FORMATS}


@pytest.fixture(scope="module")
def space(env: Environment, operator: Operator) -> Iterator[str]:
    """A namespace with a CA issuer, and the Secret of a password, whose changes are seen."""
    assert operator.child.running
    name = f"stores-{random.token_hex(3)}"
    crt, key = authority_pair()
    apply(
        env,
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}},
        secret(name, "ca", tls_crt=crt, tls_key=key),
        issuer(name, "ca", ca={"secretName": "ca"}),
        watched(secret(name, "store", password=PASSWORD)),
    )
    yield name
    env.kubectl("delete", "namespace", name, "--wait=false", check=False)


def made(env: Environment, space: str, **spec: Any) -> str:
    """A Certificate that is Ready; its name."""
    name = f"web-{random.token_hex(3)}"
    apply(env, certificate(space, name, "web.example.test", issuer="ca", **spec))
    wait_ready(env, space, name, 20)
    return name


def data(env: Environment, space: str, name: str) -> dict[str, bytes]:
    return read_secret(env, space, f"{name}-tls") or {}


def change(env: Environment, space: str, name: str, **spec: Any) -> None:
    kube = client(env.kubeconfig)
    where = path(kube.group_path, "certificates", space, name)
    kube.request("PATCH", where, body={"spec": spec}, content_type=MERGE_PATCH)


def meddle(env: Environment, space: str, name: str, **values: bytes | None) -> None:
    encoded = {k.replace("_", "."): v and base64.b64encode(v).decode() for k, v in values.items()}
    where = path(CORE, "secrets", space, name)
    client(env.kubeconfig).request("PATCH", where, body={"data": encoded}, content_type=MERGE_PATCH)


def serial(found: dict[str, bytes]) -> int:
    return x509.load_pem_x509_certificate(found["tls.crt"]).serial_number


def opens(found: dict[str, bytes], password: str) -> bool:
    """Whether all four open by a password and hold the certificate."""
    leaf = x509.load_pem_x509_certificate(found["tls.crt"])
    try:
        bundle = pkcs12.load_pkcs12(found["keystore.p12"], password.encode())
        pkcs12.load_pkcs12(found["truststore.p12"], password.encode())
        opened = jks_reader.read(found["keystore.jks"], password)
        jks_reader.read(found["truststore.jks"], password)
    except Exception:  # noqa: BLE001 - whatever it is, it does not open
        return False
    return bundle.cert is not None and bundle.cert.certificate == leaf and "web" in opened.keys


@pytest.mark.parametrize("profile", PROFILES)
def test_a_pkcs12_keystore_of_each_profile(env: Environment, space: str, tmp_path: Path, profile: str) -> None:
    name = made(env, space, keystores={"pkcs12": {**P12, "profile": profile}})
    found = data(env, space, name)
    assert set(found) == {"tls.crt", "tls.key", "ca.crt", "keystore.p12", "truststore.p12"}
    opened = pkcs12.load_pkcs12(found["keystore.p12"], PASSWORD.encode())
    assert opened.cert is not None
    assert opened.cert.certificate == x509.load_pem_x509_certificate(found["tls.crt"])
    assert {one.certificate for one in opened.additional_certs} == {x509.load_pem_x509_certificate(found["ca.crt"])}
    if profile == "Modern2026":
        return  # the library's OpenSSL has read it; the machine's may be older than PBMAC1
    file = tmp_path / "keystore.p12"
    file.write_bytes(found["keystore.p12"])
    command = ["openssl", "pkcs12", "-in", file, "-nodes", "-legacy", "-passin", f"pass:{PASSWORD}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("BEGIN CERTIFICATE") == 2


def test_all_at_once_and_by_keytool(env: Environment, space: str, tmp_path: Path) -> None:
    name = made(env, space, **WANTED)
    found = data(env, space, name)
    assert set(found) == ALL
    assert opens(found, PASSWORD)
    assert found["tls-combined.pem"] == found["tls.key"] + b"\n" + found["tls.crt"]
    command = ["openssl", "pkey", "-inform", "DER", "-pubout"]
    public = subprocess.run(command, input=found["key.der"], capture_output=True, check=True).stdout
    command = ["openssl", "x509", "-noout", "-pubkey"]
    assert subprocess.run(command, input=found["tls.crt"], capture_output=True, check=True).stdout == public
    for entry in ("keystore.jks", "truststore.jks", "keystore.p12", "truststore.p12"):
        (tmp_path / entry).write_bytes(found[entry])
    try:
        listed = java.listed(tmp_path / "keystore.jks", PASSWORD)
    except MissingProgramError as error:
        pytest.skip(f"without keytool: {error}")
    assert "Alias name: web" in listed
    assert "Entry type: PrivateKeyEntry" in listed
    assert "Entry type: PrivateKeyEntry" in java.listed(tmp_path / "keystore.p12", PASSWORD)
    for entry in ("truststore.jks", "truststore.p12"):
        assert "Entry type: trustedCertEntry" in java.listed(tmp_path / entry, PASSWORD)


def test_an_acme_certificate_has_keystores_and_nothing_to_trust(env: Environment, space: str) -> None:
    apply(env, tsig_secret(env, space), acme_issuer(env, space))
    name = f"web-{random.token_hex(3)}"
    apply(env, certificate(space, name, f"{name}.example.test", issuer="acme", **WANTED))
    wait_ready(env, space, name)
    assert set(data(env, space, name)) == ALL - {"ca.crt", "truststore.jks", "truststore.p12"}


def test_a_new_password_needs_no_new_certificate(env: Environment, space: str) -> None:
    apply(env, watched(secret(space, "rotated", password=PASSWORD)))
    ref = {"name": "rotated"}
    stores = {"jks": {**JKS, "passwordSecretRef": ref}, "pkcs12": {**P12, "passwordSecretRef": ref}}
    name = made(env, space, keystores=stores)
    before = data(env, space, name)
    apply(env, watched(secret(space, "rotated", password=BETTER)))
    until(lambda: opens(data(env, space, name), BETTER), 15, "the keystores open by the new password")
    assert serial(data(env, space, name)) == serial(before)
    assert status(env, space, name)["revision"] == 1


REPAIRS: dict[str, bytes | None] = {
    "keystore_jks": None,
    "truststore_jks": b"rubbish",
    "keystore_p12": b"rubbish",
    "truststore_p12": None,
    "key_der": b"rubbish",
    "tls-combined_pem": None,
}


@pytest.mark.parametrize("entry", REPAIRS)
def test_what_was_damaged_is_repaired_without_a_new_certificate(env: Environment, space: str, entry: str) -> None:
    name = made(env, space, **WANTED)
    before = data(env, space, name)
    meddle(env, space, f"{name}-tls", theirs=b"x", **{entry: REPAIRS[entry]})

    def repaired() -> bool:
        now = data(env, space, name)
        return set(now) == {*ALL, "theirs"} and opens(now, PASSWORD) and now["key.der"] == before["key.der"]

    until(repaired, 15, f"{entry} is repaired", lambda: sorted(data(env, space, name)))
    after = data(env, space, name)
    assert {key for key in ALL if after[key] != before[key]} <= {entry.replace("_", ".")}
    assert status(env, space, name)["revision"] == 1


REMOVALS: dict[str, tuple[Manifest, set[str]]] = {
    "a format": ({"additionalOutputFormats": [{"type": "DER"}]}, {"tls-combined.pem"}),
    "all formats": ({"additionalOutputFormats": None}, {"tls-combined.pem", "key.der"}),
    "a keystore": ({"keystores": {"jks": None}}, {"keystore.jks", "truststore.jks"}),
    "a keystore that is not to be made": (
        {"keystores": {"pkcs12": {"create": False}}},
        {"keystore.p12", "truststore.p12"},
    ),
    "all": (
        {"keystores": None, "additionalOutputFormats": None},
        ALL - {"tls.crt", "tls.key", "ca.crt"},
    ),
}


@pytest.mark.parametrize("what", REMOVALS)
def test_what_is_no_longer_wanted_goes_and_the_rest_stays(env: Environment, space: str, what: str) -> None:
    name = made(env, space, **WANTED)
    before = data(env, space, name)
    spec, gone = REMOVALS[what]
    change(env, space, name, **spec)
    until(lambda: set(data(env, space, name)) == ALL - gone, 15, f"{gone} are gone")
    after = data(env, space, name)
    assert after == {key: before[key] for key in ALL - gone}
    wait_ready(env, space, name)


def test_another_profile_and_alias_change_only_what_they_concern(env: Environment, space: str) -> None:
    name = made(env, space, **WANTED)
    before = data(env, space, name)
    change(env, space, name, keystores={"pkcs12": {"profile": "LegacyDES"}})
    until(lambda: data(env, space, name)["keystore.p12"] != before["keystore.p12"], 15, "it is made anew")
    after = data(env, space, name)
    assert {key for key in ALL if after[key] != before[key]} == {"keystore.p12", "truststore.p12"}
    change(env, space, name, keystores={"jks": {"alias": "other"}})
    until(lambda: data(env, space, name)["keystore.jks"] != before["keystore.jks"], 15, "it has another alias")
    assert list(jks_reader.read(data(env, space, name)["keystore.jks"], PASSWORD).keys) == ["other"]
    assert serial(data(env, space, name)) == serial(before)


def test_no_password_is_told_anywhere(env: Environment, operator: Operator, space: str) -> None:
    name = made(env, space, keystores={"jks": {"create": True, "password": INLINE}, "pkcs12": P12})
    until(lambda: "keystore.jks" in data(env, space, name), 10, "it is there")
    jks_reader.read(data(env, space, name)["keystore.jks"], INLINE)
    change(env, space, name, keystores={"pkcs12": {"passwordSecretRef": {"name": "nowhere"}}})
    wait_condition(env, space, name, "Issuing", "False", reason="KeystorePasswordSecretNotFound")
    assert wait_condition(env, space, name, "Ready")["status"] == "True"
    assert leaks(env, [space], operator.log(), [PASSWORD, BETTER, INLINE]) == []
    listed = client(env.kubeconfig).request("GET", path(CORE, "secrets", space))["items"]
    notes = [str(item["metadata"].get("annotations")) for item in listed if GROUP in str(item["metadata"])]
    assert notes
    assert not [text for text in notes if INLINE in text]

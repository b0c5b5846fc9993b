"""Keystores as Java programs see them: by keytool, in every kind and profile that its version knows."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from certwright.pki import csr, keys, keystores, signing
from certwright.pki.secret import tls_secret_data
from certwright.resources.certificate import CertificateSpec, IssuerRef, PrivateKeySpec
from certwright.resources.outputs import PROFILES, Keystore
from cluster import java
from cluster.packages import MissingProgramError

pytestmark = pytest.mark.timeout(180)

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
PASSWORD = "changeit"
KINDS = {
    "rsa": PrivateKeySpec("RSA", 2048, "PKCS1"),
    "ecdsa": PrivateKeySpec("ECDSA", 384, "PKCS8"),
    "ed25519": PrivateKeySpec("Ed25519", 0, "PKCS8"),
}
STORES = {
    "JKS": Keystore("jks", None, has_password=True, alias="Own"),
    **{profile: Keystore("pkcs12", None, has_password=True, profile=profile) for profile in PROFILES},
}


@dataclass(frozen=True, slots=True)
class Listed:
    """One entry as keytool tells of it: its kind, and the owners of its certificates."""

    kind: str
    owners: tuple[str, ...]


@pytest.fixture(scope="module")
def look() -> Callable[[Path, str], dict[str, Listed]]:
    """Read a keystore's entries by alias."""
    try:
        java.keytool()
    except MissingProgramError as error:
        pytest.skip(f"without keytool: {error}")

    def entries(file: Path, password: str) -> dict[str, Listed]:
        found = {}
        for part in java.listed(file, password).split("Alias name: ")[1:]:
            kind = re.search(r"^Entry type: (\w+)", part, re.MULTILINE)
            owners = re.findall(r"^Owner: (.*)$", part, re.MULTILINE)
            found[part.splitlines()[0]] = Listed(kind[1] if kind else "", tuple(owners))
        return found

    return entries


def _spec(name: str, kind: PrivateKeySpec, *, is_ca: bool = False) -> CertificateSpec:
    return CertificateSpec(
        "x", IssuerRef("ca"), common_name=name, is_ca=is_ca, private_key=kind, duration=timedelta(days=9)
    )


@pytest.fixture(scope="module", params=KINDS)
def data(request: pytest.FixtureRequest) -> dict[str, bytes]:
    """The data of a Secret whose certificate comes from an intermediate CA."""
    kind = KINDS[request.param]
    wanted, own = _spec("Root", kind, is_ca=True), keys.generate(kind)
    made = signing.self_sign(wanted, own, now=NOW)
    for name, is_ca in (("Middle", True), ("web", False)):
        above = tls_secret_data(wanted, own, chain_pem=made.chain_pem, ca_pem=made.ca_pem)
        authority = signing.load_authority(above, where="Secret ca", now=NOW)
        wanted, own = _spec(name, kind, is_ca=is_ca), keys.generate(kind)
        made = signing.sign(csr.make_csr(wanted, own), wanted, authority, now=NOW)
    return tls_secret_data(wanted, own, chain_pem=made.chain_pem, ca_pem=made.ca_pem)


def _known(look: Callable[[Path, str], dict[str, Listed]], file: Path, store: Keystore) -> dict[str, Listed]:
    try:
        return look(file, PASSWORD)
    except AssertionError as error:
        if store.profile == "Modern2026" and "1.2.840.113549.1.5.14 not available" in str(error):
            pytest.skip("this version of Java does not know PBMAC1 (RFC 9579) yet")
        raise


@pytest.mark.parametrize("store", STORES.values(), ids=STORES)
def test_java_reads_a_keystore(
    look: Callable[[Path, str], dict[str, Listed]], data: dict[str, bytes], store: Keystore, tmp_path: Path
) -> None:
    """A key with its chain; beside it the CA, which JKS has as an entry of its own and PKCS#12 in the chain."""
    made, _ = keystores.entries([(store, PASSWORD)], data, {})
    file = tmp_path / "keystore"
    file.write_bytes(next(value for name, value in made.items() if name.startswith("keystore")))
    found = _known(look, file, store)
    chain = ("CN=web", "CN=Middle")
    if store.kind == "jks":
        assert found == {"own": Listed("PrivateKeyEntry", chain), "ca": Listed("trustedCertEntry", ("CN=Root",))}
    else:
        assert found == {"1": Listed("PrivateKeyEntry", (*chain, "CN=Root"))}


@pytest.mark.parametrize("store", STORES.values(), ids=STORES)
def test_java_trusts_what_is_in_a_truststore(
    look: Callable[[Path, str], dict[str, Listed]], data: dict[str, bytes], store: Keystore, tmp_path: Path
) -> None:
    made, _ = keystores.entries([(store, PASSWORD)], data, {})
    file = tmp_path / "truststore"
    file.write_bytes(next(value for name, value in made.items() if name.startswith("truststore")))
    alias = "ca" if store.kind == "jks" else "cn=root"
    assert _known(look, file, store) == {alias: Listed("trustedCertEntry", ("CN=Root",))}


@pytest.mark.parametrize("store", [STORES["JKS"], STORES["LegacyRC2"]], ids=["JKS", "LegacyRC2"])
def test_java_refuses_another_password(
    look: Callable[[Path, str], dict[str, Listed]], data: dict[str, bytes], store: Keystore, tmp_path: Path
) -> None:
    made, _ = keystores.entries([(store, PASSWORD)], data, {})
    file = tmp_path / "keystore"
    file.write_bytes(next(iter(made.values())))
    with pytest.raises(AssertionError, match="password was incorrect"):
        look(file, "another")

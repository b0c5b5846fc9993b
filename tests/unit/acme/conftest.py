"""An account key, and a server on TLS that answers as a test says."""

from __future__ import annotations

import datetime as dt
import ipaddress
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from odd_server import OddServer

from certwright.acme.jws import AccountKey

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def pem_of(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


@pytest.fixture(scope="session")
def account_key() -> AccountKey:
    return AccountKey.from_pem(pem_of(ec.generate_private_key(ec.SECP256R1())))


@pytest.fixture(scope="session")
def server_pem(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate for localhost, its key behind it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "odd server")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(
            x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]),
            critical=False,
        )
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("odd") / "server.pem"
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM) + pem_of(key))
    return path


@pytest.fixture(scope="session")
def ca_bundle(server_pem: Path) -> bytes:
    """Two certificates: the one that counts comes second."""
    text = server_pem.read_bytes()
    certificate = text[: text.index(b"-----BEGIN PRIVATE")]
    other = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "other")])
    now = dt.datetime.now(dt.UTC)
    decoy = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(other.public_key())
        .serial_number(2)
        .not_valid_before(now)
        .not_valid_after(now + dt.timedelta(days=1))
        .sign(other, hashes.SHA256())
    )
    return decoy.public_bytes(serialization.Encoding.PEM) + certificate


@pytest.fixture
def server(server_pem: Path) -> Iterator[OddServer]:
    with OddServer(certificate=server_pem) as odd:
        yield odd

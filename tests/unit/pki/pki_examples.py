"""Specs, keys and CAs to test with, and the openssl program to read what was made."""

from __future__ import annotations

import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import pytest

from certwright.pki import csr, keys, secret, signing
from certwright.resources.certificate import CertificateSpec, IssuerRef, PrivateKeySpec

NOW = datetime(2026, 11, 24, 12, 0, 0, tzinfo=UTC)
RSA, EC256, EC384, EC521, ED25519 = (
    PrivateKeySpec("RSA", 2048, "PKCS1"),
    PrivateKeySpec("ECDSA", 256, "PKCS8"),
    PrivateKeySpec("ECDSA", 384, "PKCS8"),
    PrivateKeySpec("ECDSA", 521, "PKCS1"),
    PrivateKeySpec("Ed25519", 0, "PKCS8"),
)
KINDS = {"rsa": RSA, "p256": EC256, "p384": EC384, "p521": EC521, "ed25519": ED25519}

needs_openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="there is no openssl program")


def spec(**fields: Any) -> CertificateSpec:
    return CertificateSpec(**{"secret_name": "web-tls", "issuer_ref": IssuerRef("ca"), "private_key": EC256, **fields})


def key(kind: PrivateKeySpec = EC256) -> keys.PrivateKey:
    return _key(kind)


def digest_of(private: keys.PrivateKey) -> str:
    return keys.facts(private).public_key_digest


@cache
def _key(kind: PrivateKeySpec) -> keys.PrivateKey:
    return keys.generate(kind)


def root_data(kind: PrivateKeySpec = EC256, **fields: Any) -> dict[str, bytes]:
    wanted = spec(**{"common_name": "Root", "is_ca": True, "duration": timedelta(days=3650), **fields})
    own = keys.generate(kind)
    made = signing.self_sign(wanted, own, now=NOW)
    return secret.tls_secret_data(wanted, own, chain_pem=made.chain_pem, ca_pem=made.ca_pem)


def below(data: dict[str, bytes], **fields: Any) -> dict[str, bytes]:
    """The Secret of a CA that another CA has signed."""
    wanted = spec(**{"common_name": "Intermediate", "is_ca": True, "duration": timedelta(days=1000), **fields})
    own = keys.generate(EC256)
    authority = signing.load_authority(data, where="Secret pki/root", now=NOW)
    made = signing.sign(csr.make_csr(wanted, own), wanted, authority, now=NOW)
    return secret.tls_secret_data(wanted, own, chain_pem=made.chain_pem, ca_pem=made.ca_pem)


def signed(data: dict[str, bytes], wanted: CertificateSpec, **options: Any) -> signing.SignedBundle:
    now = options.pop("now", NOW)
    authority = signing.load_authority(data, where="Secret pki/ca", now=now)
    return signing.sign(csr.make_csr(wanted, key(wanted.private_key)), wanted, authority, now=now, **options)


def openssl(*arguments: str, stdin: bytes = b"", status: int = 0) -> str:
    done = subprocess.run(["openssl", *arguments], input=stdin, capture_output=True, check=False, timeout=60)
    output = (done.stdout + done.stderr).decode()
    assert done.returncode == status, output
    return output


def certificate_text(pem: bytes) -> str:
    return openssl("x509", "-noout", "-text", "-nameopt", "oneline", stdin=pem)

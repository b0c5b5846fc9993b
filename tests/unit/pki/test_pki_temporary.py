from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from pki_examples import KINDS, NOW, certificate_text, key, needs_openssl, root_data, signed, spec

from certwright.errors import InvalidSpec
from certwright.pki.certificate import parse_chain
from certwright.pki.keys import facts
from certwright.pki.temporary import is_temporary, temporary_chain

if TYPE_CHECKING:
    from certwright.resources.certificate import PrivateKeySpec


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_a_temporary_certificate_is_for_the_key_and_the_names(kind: PrivateKeySpec) -> None:
    wanted = spec(dns_names=("a.test", "*.a.test"), private_key=kind, duration=timedelta(hours=5))
    found, length = parse_chain(temporary_chain(wanted, key(kind), now=NOW))
    assert length == 1, "nobody is to trust its CA"
    assert found.public_key_digest == facts(key(kind)).public_key_digest
    assert (found.dns_names, found.is_ca, found.issuer) == (("a.test", "*.a.test"), False, "CN=temporary certificate")
    assert (found.not_before, found.not_after) == (NOW, NOW + timedelta(hours=5))
    assert is_temporary(found)


@needs_openssl
def test_whoever_looks_at_it_sees_what_it_is() -> None:
    text = certificate_text(temporary_chain(spec(dns_names=("a.test",)), key(), now=NOW))
    assert "Issuer: CN = temporary certificate\n" in text
    assert "DNS:a.test" in text


def test_a_real_one_is_not_temporary() -> None:
    assert not is_temporary(parse_chain(signed(root_data(), spec(dns_names=("a.test",))).chain_pem)[0])


def test_cert_manager_s_temporary_certificates_are_known() -> None:
    theirs = signed(root_data(common_name="cert-manager.local"), spec(dns_names=("a.test",)))
    assert is_temporary(parse_chain(theirs.chain_pem)[0])


def test_what_cannot_be_encoded_is_said_with_its_field() -> None:
    with pytest.raises(InvalidSpec, match=r"spec\.dnsNames"):
        temporary_chain(spec(dns_names=("ü",)), key(), now=NOW)

from __future__ import annotations

from typing import Any

import pytest
from cryptography import x509
from pki_examples import EC256, KINDS, key, needs_openssl, openssl, spec

from certwright.errors import InvalidSpec
from certwright.pki import csr, keys, usages
from certwright.resources.certificate import PrivateKeySpec, Subject

ALL_SUBJECT = Subject(
    organizations=("Example",),
    countries=("DE",),
    organizationalUnits=("Ops", "Dev"),
    localities=("Berlin",),
    provinces=("BE",),
    streetAddresses=("Street 1",),
    postalCodes=("10115",),
    serialNumber="42",
)


def _text(**fields: Any) -> str:
    der = csr.make_csr(spec(**fields), key())
    return openssl("req", "-inform", "DER", "-noout", "-verify", "-text", "-nameopt", "oneline", stdin=der)


@needs_openssl
def test_the_subject_is_in_the_order_of_cert_manager() -> None:
    text = _text(common_name="everything", subject=ALL_SUBJECT)
    assert (
        "Subject: C = DE, ST = BE, L = Berlin, street = Street 1, postalCode = 10115, O = Example, "
        "OU = Dev + OU = Ops, CN = everything, serialNumber = 42\n"
    ) in text


@needs_openssl
def test_every_kind_of_name_once_and_in_order() -> None:
    text = _text(
        common_name="a.example.com",
        dns_names=("a.example.com", "*.example.com", "xn--bcher-kva.example", "a.example.com"),
        email_addresses=("a@example.com",),
        ip_addresses=("10.0.0.1", "2001:DB8:0::1", "2001:db8::1", "::ffff:192.0.2.1"),
        uris=("spiffe://example.com/ns/a",),
    )
    assert "X509v3 Subject Alternative Name: \n" in text
    assert (
        "DNS:a.example.com, DNS:*.example.com, DNS:xn--bcher-kva.example, email:a@example.com, IP Address:10.0.0.1, "
        "IP Address:2001:DB8:0:0:0:0:0:1, IP Address:192.0.2.1, URI:spiffe://example.com/ns/a\n"
    ) in text


@needs_openssl
@pytest.mark.parametrize(
    ("fields", "there", "absent"),
    [
        ({"dns_names": ("a.test",)}, ["Alternative Name: critical", "Digital Signature, Key Encipherment"], ["CN ="]),
        ({"common_name": "Root", "is_ca": True}, ["Certificate Sign"], ["Alternative Name", "Basic Constraints"]),
        ({"dns_names": ("a.test",), "encode_usages": False}, ["DNS:a.test"], ["Key Usage"]),
        (
            {"dns_names": ("a.test",), "usages": ("server auth", "any")},
            ["X509v3 Extended Key Usage: \n", "TLS Web Server Authentication, Any Extended"],
            ["X509v3 Key Usage"],
        ),
        ({"common_name": "c" * 65, "dns_names": ("a.test",)}, ["Alternative Name: critical"], ["CN ="]),
        ({"common_name": "c" * 64, "dns_names": ("a.test",)}, ["CN = cccc"], ["critical\n                    DNS"]),
    ],
)
def test_extensions(fields: dict[str, Any], there: list[str], absent: list[str]) -> None:
    text = _text(**fields)
    assert [word for word in there if word not in text] == []
    assert [word for word in absent if word in text] == []


def test_the_common_name_can_be_left_out() -> None:
    der = csr.make_csr(spec(common_name="a.test", dns_names=("a.test",)), key(), common_name_in_subject=False)
    assert not csr.load_csr(der).subject.rdns


@needs_openssl
@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_every_kind_of_key_signs(kind: PrivateKeySpec) -> None:
    der = csr.make_csr(spec(dns_names=("a.test",)), key(kind))
    assert "verify OK" in openssl("req", "-inform", "DER", "-noout", "-verify", stdin=der)
    assert keys.facts(csr.load_csr(der).public_key()) == keys.facts(key(kind))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"dns_names": ("a.test", "bücher.test")}, "spec.dnsNames[1]: 'bücher.test' cannot be in a certificate"),
        ({"dns_names": ("",)}, "spec.dnsNames[0]: '' cannot be in a certificate: it is empty"),
        ({"common_name": "ü" * 64}, "spec.commonName: 'üüüü"),
        ({"ip_addresses": ("300.1.1.1",)}, "spec.ipAddresses[0]: '300.1.1.1' cannot be in a certificate"),
        ({"ip_addresses": ("fe80::1%eth0",)}, "spec.ipAddresses[0]: 'fe80::1%eth0' cannot be in a certificate"),
        ({"uris": ("https://bücher.test",)}, "spec.uris[0]: "),
        ({"email_addresses": ("ü@a.test",)}, "spec.emailAddresses[0]: "),
        ({"subject": Subject(countries=("Germany",))}, "spec.subject.countries: 'Germany' cannot be in a certificate"),
        (
            {"subject": Subject(serialNumber="a;b")},
            "spec.subject.serialNumber: 'a;b' cannot be in a certificate: it may",
        ),
        ({"subject": Subject(organizations=("\ud800",))}, "spec.subject.organizations: '\\ud800' cannot be in a "),
        ({"dns_names": ("\ud800",)}, "spec.dnsNames[0]: '\\ud800' cannot be in a certificate"),
        ({"subject": Subject(organizations=("",))}, "spec.subject.organizations: '' cannot be in a certificate"),
        ({"common_name": "a", "usages": ("server",)}, "spec.usages: there is no usage 'server'"),
        ({"common_name": "a", "usages": ("encipher only",)}, "spec.usages: 'encipher only' means nothing without"),
    ],
)
def test_what_cannot_be_encoded_is_said_with_its_field(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidSpec) as caught:
        csr.make_csr(spec(**fields), key())
    assert caught.value.message.startswith(message)


def test_repeated_subject_values_stand_once() -> None:
    der = csr.make_csr(spec(subject=Subject(organizations=("A", "B", "A"))), key())
    assert [item.value for item in csr.load_csr(der).subject] == ["A", "B"]


@pytest.mark.parametrize("name", [*usages.KEY_USAGES, *usages.EXTENDED_USAGES, *usages.SYNONYMS])
def test_every_usage_survives(name: str) -> None:
    wanted = usages.canonical((name, "key agreement"), is_ca=False)
    found = {type(extension): extension for extension, _ in usages.extensions(wanted)}
    read = usages.names_in(found.get(x509.KeyUsage), found.get(x509.ExtendedKeyUsage))  # type: ignore[arg-type]
    assert set(read) == {usages.SYNONYMS.get(name, name), "key agreement"}


def test_there_are_23_usages() -> None:
    assert len({*usages.KEY_USAGES, *usages.EXTENDED_USAGES, *usages.SYNONYMS}) == 23


def test_usages_by_default_and_for_a_ca() -> None:
    assert usages.canonical((), is_ca=True) == ("digital signature", "key encipherment", "cert sign")
    assert usages.canonical(("signing", "digital signature"), is_ca=False) == ("digital signature",)
    unknown = x509.ExtendedKeyUsage([x509.ObjectIdentifier("1.2.3.4")])
    assert usages.names_in(None, unknown) == ("1.2.3.4",)


def _forged() -> bytes:
    der = bytearray(csr.make_csr(spec(dns_names=("good.test",)), key(EC256)))
    der[der.index(b"good.test") : der.index(b"good.test") + 4] = b"evil"
    return bytes(der)


@pytest.mark.parametrize(
    ("der", "text"),
    [
        (b"", "cannot be read"),
        (b"\x30\x03\x02\x01\x00", "cannot be read"),
        (_forged(), "not signed by the key it names"),
    ],
)
def test_bad_requests_are_refused(der: bytes, text: str) -> None:
    with pytest.raises(InvalidSpec, match=text):
        csr.load_csr(der)

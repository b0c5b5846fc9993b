from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pki_examples import EC384, ED25519, NOW, RSA, key, root_data, signed, spec

from certwright.errors import InvalidSpec
from certwright.pki import keys, signing
from certwright.pki.annotations import secret_annotations
from certwright.pki.certificate import CertificateFacts, parse_chain
from certwright.pki.difference import describe_difference, request_digest
from certwright.resources.certificate import IssuerRef, PrivateKeySpec, Subject, parse_spec

CERT_MANAGER = json.loads(Path(__file__).with_name("cert_manager.json").read_text())
"""Certificates that cert-manager v1.21.1 has issued, with their specs and annotations."""


@pytest.mark.parametrize("name", CERT_MANAGER)
def test_what_cert_manager_issued_satisfies_its_spec(name: str) -> None:
    item = CERT_MANAGER[name]
    wanted = parse_spec({"spec": item["spec"]})
    facts, length = parse_chain(item["tls.crt"].encode())
    acme = wanted.issuer_ref.name == "acme"
    assert describe_difference(wanted, facts, fuzzy=acme) is None
    assert secret_annotations(facts) == item["annotations"]
    assert length == (2 if acme else 1)


def facts_of(**fields: Any) -> CertificateFacts:
    wanted = spec(**fields)
    return parse_chain(signed(ROOT, wanted).chain_pem)[0]


ROOT = root_data()
FULL: dict[str, Any] = {
    "common_name": "a.test",
    "dns_names": ("a.test", "*.A.test"),
    "ip_addresses": ("10.0.0.1", "2001:db8::1", "::ffff:10.0.0.2"),
    "uris": ("spiffe://a/b",),
    "email_addresses": ("a@a.test",),
    "subject": Subject(organizations=("C", "A, B"), serialNumber="7"),
    "usages": ("signing", "server auth"),
    "duration": timedelta(hours=2),
}


def test_facts() -> None:
    facts = facts_of(**FULL, is_ca=True)
    assert facts == CertificateFacts(
        serial=facts.serial,
        not_before=NOW,
        not_after=NOW + timedelta(hours=2),
        common_name="a.test",
        subject=FULL["subject"],
        dns_names=("a.test", "*.A.test"),
        ip_addresses=("10.0.0.1", "2001:db8::1", "10.0.0.2"),
        uris=("spiffe://a/b",),
        emails=("a@a.test",),
        is_ca=True,
        usages=("digital signature", "cert sign", "server auth"),
        public_key_digest=keys.facts(key()).public_key_digest,
        issuer="CN=Root",
    )
    assert int(facts.serial, 16) > 0


@pytest.mark.parametrize(
    ("change", "exact", "fuzzy"),
    [
        ({}, None, None),
        ({"dns_names": ("*.a.test", "A.test")}, None, None),
        ({"dns_names": ("a.test",)}, "spec.dnsNames: it has, unasked, *.a.test", "same"),
        (
            {"dns_names": ("*.a.test", "a.test", "b", "c", "d", "e")},
            "spec.dnsNames: it lacks b, c, d and 1 more",
            "same",
        ),
        ({"ip_addresses": ("10.0.0.1",)}, "spec.ipAddresses: it has, unasked, 10.0.0.2, 2001:db8::1", "same"),
        ({"ip_addresses": (*FULL["ip_addresses"], "10.0.0.3")}, "spec.ipAddresses: it lacks 10.0.0.3", "same"),
        ({"ip_addresses": ("10.0.0.1", "10.0.0.2", "2001:DB8:0::1")}, None, None),
        ({"uris": ()}, "spec.uris: it has, unasked, spiffe://a/b", None),
        ({"email_addresses": ("b@a.test",)}, "spec.emailAddresses: it lacks b@a.test", None),
        ({"common_name": ""}, "spec.commonName: it has a.test", None),
        ({"common_name": "b.test"}, "spec.commonName: it has a.test", "spec.commonName: it lacks b.test"),
        ({"common_name": "*.a.test"}, "spec.commonName: it has a.test", None),
        ({"subject": Subject()}, "spec.subject.organizations: it has, unasked, A, B, C", None),
        ({"subject": replace(FULL["subject"], serialNumber="8")}, "spec.subject.serialNumber: it lacks 8", None),
        ({"is_ca": True}, "spec.usages: it lacks cert sign", None),
        ({"is_ca": True, "usages": ("signing", "server auth", "cert sign")}, "spec.usages: it lacks cert sign", None),
        ({"usages": ("server auth", "digital signature")}, None, None),
        ({"usages": ("server auth",)}, "spec.usages: it has, unasked, digital signature", None),
        ({"duration": timedelta(hours=9)}, None, None),
    ],
)
def test_difference(change: dict[str, Any], exact: str | None, fuzzy: str | None) -> None:
    wanted, facts = spec(**{**FULL, **change}), facts_of(**FULL)
    assert describe_difference(wanted, facts, fuzzy=False) == exact
    assert describe_difference(wanted, facts, fuzzy=True) == (exact if fuzzy == "same" else fuzzy)


def test_difference_of_a_ca() -> None:
    usages = ("cert sign",)
    facts = facts_of(common_name="a", usages=usages)
    assert describe_difference(spec(common_name="a", usages=usages, is_ca=True), facts, fuzzy=False) == (
        "spec.isCA: it is no CA"
    )


@pytest.mark.parametrize(
    ("asked", "got", "difference"),
    [
        # The CA drops the common name, puts it among the names, or takes one from among them.
        ({"common_name": "a", "dns_names": ("b",)}, {"dns_names": ("b", "a")}, None),
        ({"common_name": "a"}, {"dns_names": ("a",)}, None),
        ({"dns_names": ("a", "b")}, {"common_name": "a", "dns_names": ("a", "b")}, None),
        ({"dns_names": ("a", "b")}, {"common_name": "a", "dns_names": ("b",)}, None),
        ({"common_name": "10.0.0.1"}, {"ip_addresses": ("10.0.0.1",)}, None),
        ({"common_name": "a", "dns_names": ("a",)}, {"common_name": "A", "dns_names": ("A",)}, None),
        # A name that was taken out of the spec is a difference, even where the CA made it the common name.
        ({"dns_names": ("b",)}, {"common_name": "a", "dns_names": ("a", "b")}, "spec.dnsNames: it has, unasked, a"),
        ({"common_name": "c", "dns_names": ("b",)}, {"dns_names": ("b",)}, "spec.commonName: it lacks c"),
    ],
)
def test_fuzzy_common_names(asked: dict[str, Any], got: dict[str, Any], difference: str | None) -> None:
    assert describe_difference(spec(**asked), facts_of(**got), fuzzy=True) == difference


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({"dns_names": ("*.a.test", "A.TEST")}, True),
        ({"ip_addresses": ("::ffff:10.0.0.2", "2001:DB8::1", "10.0.0.1", "10.0.0.1")}, True),
        ({"usages": ("server auth", "digital signature")}, True),
        ({"subject": Subject(organizations=("A, B", "C"), serialNumber="7")}, True),
        ({"secret_name": "other"}, True),
        ({"secret_labels": {"a": "b"}, "secret_annotations": {"a": "b"}}, True),
        ({"renew_before": timedelta(hours=1)}, True),
        ({"private_key": PrivateKeySpec("ECDSA", 256, "PKCS1", "Never")}, True),
        ({"issuer_ref": IssuerRef("ca", "Issuer", "certwright.dev")}, True),
        ({"duration": timedelta(hours=3)}, True),
        ({"duration_set": True}, False),
        ({"issuer_ref": IssuerRef("ca2")}, False),
        ({"issuer_ref": IssuerRef("ca", "ClusterIssuer")}, False),
        ({"private_key": EC384}, False),
        ({"private_key": RSA}, False),
        ({"private_key": ED25519}, False),
        ({"common_name": "b.test"}, False),
        ({"dns_names": ("a.test",)}, False),
        ({"ip_addresses": ()}, False),
        ({"uris": ()}, False),
        ({"email_addresses": ()}, False),
        ({"subject": Subject(countries=("DE",))}, False),
        ({"subject": Subject(organizations=("C", "A, B"), serialNumber="8")}, False),
        ({"is_ca": True}, False),
        ({"usages": ("client auth",)}, False),
        ({"encode_usages": False}, False),
    ],
)
def test_digest(change: dict[str, Any], same: bool) -> None:  # noqa: FBT001 - a column of the table
    assert (request_digest(spec(**{**FULL, **change})) == request_digest(spec(**FULL))) is same


def test_a_digest_stays_what_it_was() -> None:
    """It rests in annotations: a new way to make it would renew every certificate there is."""
    assert request_digest(spec(**FULL)) == "5ddf8c44a0dedef5e9b3"
    assert request_digest(spec(**FULL, duration_set=True)) != request_digest(
        spec(**{**FULL, "duration": timedelta(hours=3)}, duration_set=True)
    )


def test_a_bad_address_is_a_fault_of_the_spec() -> None:
    with pytest.raises(InvalidSpec, match=r"spec\.ipAddresses: 'x'"):
        request_digest(spec(ip_addresses=("x",)))


@pytest.mark.parametrize(
    ("values", "line"),
    [
        ((), ""),
        (("a", "b"), "a,b"),
        (("a, b", "c"), '"a, b",c'),
        (('say "x"',), '"say ""x"""'),
        ((" a", "a "), '" a",a '),
        (("a\nb",), '"a\nb"'),
        ((r"\.",), r'"\."'),
    ],
)
def test_annotations_are_csv(values: tuple[str, ...], line: str) -> None:
    facts = replace(facts_of(common_name="a"), uris=values, emails=values)
    found = secret_annotations(facts)
    assert found["uri-sans"] == line
    assert found.get("email-sans", "") == line
    assert ("email-sans" in found) is bool(values)


def test_annotations() -> None:
    assert secret_annotations(facts_of(**FULL)) == {
        "common-name": "a.test",
        "alt-names": "a.test,*.A.test",
        "ip-sans": "10.0.0.1,2001:db8::1,10.0.0.2",
        "uri-sans": "spiffe://a/b",
        "email-sans": "a@a.test",
        "subject-organizations": 'C,"A, B"',
        "subject-serialnumber": "7",
    }


def test_a_certificate_without_names() -> None:
    made = signing.self_sign(spec(), key(), now=NOW)
    facts, _ = parse_chain(made.chain_pem)
    assert (facts.common_name, facts.dns_names, facts.issuer) == ("", (), "")

import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from certwright.core.validation import dns_name_problem, validate, validate_for_acme
from certwright.errors import InvalidSpec
from certwright.resources.names import Names
from certwright.resources.other_names import OtherName
from unit.core.factories import NAMES, make_spec

LONG_LABEL = "a" * 63
LONGEST = ".".join([LONG_LABEL, LONG_LABEL, LONG_LABEL, "a" * 61])

GOOD: dict[str, dict[str, Any]] = {
    "a plain one": {},
    "a wildcard": {"dnsNames": ["*.example.com", "example.com"]},
    "an underscore, as in SRV-like names": {"dnsNames": ["_dmarc.example.com"]},
    "the longest label and the longest name": {"dnsNames": [LONGEST]},
    "a name in its xn-- form": {"dnsNames": ["xn--bcher-kva.example"]},
    "one label": {"dnsNames": ["localhost"]},
    "a common name alone": {"dnsNames": None, "commonName": "web"},
    "a common name of 64 characters": {"commonName": "x" * 64},
    "addresses alone": {"dnsNames": None, "ipAddresses": ["192.0.2.1", "2001:db8::1"]},
    "URIs alone": {"dnsNames": None, "uris": ["spiffe://cluster/ns/x", "urn:uuid:1"]},
    "an email address alone": {"dnsNames": None, "emailAddresses": ["Someone.Else+x@example.com"]},
    "an issuer of our group by name": {"issuerRef": {"name": "x", "kind": "ClusterIssuer", "group": "certwright.dev"}},
    "the shortest duration": {"duration": "1h", "renewBefore": "5m"},
    "a percentage": {"renewBeforePercentage": 99},
    "the smallest RSA key": {"privateKey": {"algorithm": "RSA", "size": 2048}},
    "the largest RSA key": {"privateKey": {"algorithm": "RSA", "size": 8192}},
    "P-521": {"privateKey": {"algorithm": "ECDSA", "size": 521}},
    "Ed25519 with a size that it does not need": {"privateKey": {"algorithm": "Ed25519", "size": 256}},
    "a key that is kept": {"privateKey": {"rotationPolicy": "Never", "encoding": "PKCS8"}},
    "a template": {"secretTemplate": {"labels": {"team": "a"}, "annotations": {"example.com/x": "y"}}},
    "a template that allows injection": {"secretTemplate": {"annotations": {NAMES.direct_injection: "true"}}},
    "a label that merely ends like our group": {"secretTemplate": {"labels": {"notcertwright.dev/x": "y"}}},
    "an annotation without a prefix": {"secretTemplate": {"annotations": {"certwright.dev": "y"}}},
    "every usage there is for keys": {"usages": ["signing", "key agreement", "encipher only", "server auth"]},
    "a subject": {"subject": {"countries": ["DE"], "organizations": ["Ä & Co."]}},
    "neutral values of fields that come later": {"copies": {}, "restart": [], "revokeOnDelete": False},
    "a literal subject": {"literalSubject": "CN=web,OU=ops,O=Example", "dnsNames": None},
    "a literal subject without a CN beside names": {"literalSubject": "O=Example"},
    "an other name alone": {"dnsNames": None, "otherNames": [{"oid": "1.3.6.1.4.1.311.20.2.3", "utf8Value": "a@b"}]},
    "constraints of a CA": {"isCA": True, "nameConstraints": {"permitted": {"ipRanges": ["10.0.0.0/8"]}}},
    "constraints that constrain nothing": {"nameConstraints": {"permitted": {}}},
    "a signature algorithm that fits the key": {"signatureAlgorithm": "ECDSAWithSHA512"},
    "must-staple": {"mustStaple": True},
    "usages that the request does not name": {"encodeUsagesInRequest": False},
    "formats and keystores": {
        "additionalOutputFormats": [{"type": "DER"}, {"type": "CombinedPEM"}],
        "keystores": {
            "jks": {"create": True, "alias": "x", "passwordSecretRef": {"name": "p", "key": "k"}},
            "pkcs12": {"create": True, "profile": "Modern2026", "password": "changeit"},
        },
    },
    "keystores that are not to be made": {"keystores": {"jks": {"create": False}, "pkcs12": {"profile": "Odd"}}},
    "renewal windows": {
        "renewal": {
            "policy": "RenewBefore",
            "windows": [{"cron": "0 2 * * 1-5", "windowDuration": "1h30m", "timezone": "Europe/Berlin"}],
        }
    },
    "no renewal": {"renewal": {"policy": "Disabled"}},
    "a history of requests": {"revisionHistoryLimit": 3},
    "a key from a Secret": {"privateKey": {"secretRef": {"name": "own"}}},
    "a key of a kind from a Secret": {"privateKey": {"algorithm": "RSA", "secretRef": {"name": "own"}}},
    "a key of some size from a Secret": {"privateKey": {"size": 4096, "secretRef": {"name": "own"}}},
    "a key from a Secret and an algorithm to sign with": {
        "privateKey": {"secretRef": {"name": "own"}},
        "signatureAlgorithm": "SHA512WithRSA",
    },
    "a request that somebody else made": {"csrSecretRef": {"name": "request"}, "dnsNames": None, "privateKey": None},
    "a request and what an issuer grants": {
        "csrSecretRef": {"name": "request", "key": "x.csr"},
        "dnsNames": None,
        "usages": ["server auth"],
        "isCA": True,
        "duration": "100h",
    },
    "a Secret with dots in its name": {"secretName": "web.example.com-tls"},
}

BAD: dict[str, tuple[dict[str, Any], str]] = {
    "no Secret": ({"secretName": None}, "spec.secretName: missing"),
    "a Secret whose name is a path": ({"secretName": "../kube-system"}, "spec.secretName: '../kube-system'"),
    "a Secret in upper case": ({"secretName": "Web"}, "spec.secretName"),
    "a Secret with a final newline": ({"secretName": "web\n"}, "spec.secretName"),
    "a Secret with too long a name": ({"secretName": "a" * 254}, "spec.secretName"),
    "no issuer": ({"issuerRef": {}}, "spec.issuerRef.name: missing"),
    "an issuer of another group": ({"issuerRef": {"name": "x", "group": "awspca.example"}}, "spec.issuerRef.group"),
    "an issuer of another kind": ({"issuerRef": {"name": "x", "kind": "Thing"}}, "spec.issuerRef.kind: 'Thing'"),
    "no name at all": ({"dnsNames": None}, "spec.dnsNames: no name is asked for"),
    "a common name of 65 characters": ({"commonName": "x" * 65}, "spec.commonName: has 65 bytes"),
    "an empty DNS name": ({"dnsNames": [""]}, "spec.dnsNames[0]: '' has an empty label"),
    "a bare wildcard": ({"dnsNames": ["*."]}, "spec.dnsNames[0]"),
    "a star": ({"dnsNames": ["ok.example", "*"]}, "spec.dnsNames[1]: '*' may have a * as its whole leftmost label"),
    "two stars": ({"dnsNames": ["*.*.example.com"]}, "whole leftmost label only"),
    "a star within a label": ({"dnsNames": ["a*.example.com"]}, "whole leftmost label only"),
    "an empty label": ({"dnsNames": ["a..b"]}, "has an empty label"),
    "a leading dot": ({"dnsNames": [".example.com"]}, "has an empty label"),
    "a final dot": ({"dnsNames": ["example.com."]}, "ends with a dot"),
    "a name that is not ASCII": ({"dnsNames": ["bücher.example"]}, "xn-- form"),
    "a label of 64 characters": ({"dnsNames": [f"{'a' * 64}.example"]}, "more than 63"),
    "a name of 254 characters": ({"dnsNames": [f"{LONGEST}a"]}, "has 254 characters"),
    "a hyphen at the end": ({"dnsNames": ["a-.example"]}, "is not a DNS name"),
    "a space": ({"dnsNames": ["a b.example"]}, "is not a DNS name"),
    "a newline": ({"dnsNames": ["a.example\n"]}, "is not a DNS name"),
    "a NUL": ({"dnsNames": ["a\0.example"]}, "is not a DNS name"),
    "an address among the names": ({"dnsNames": ["192.0.2.1"]}, "put it under spec.ipAddresses"),
    "a name among the addresses": ({"ipAddresses": ["example.com"]}, "spec.ipAddresses[0]: 'example.com'"),
    "a network among the addresses": ({"ipAddresses": ["192.0.2.0/24"]}, "spec.ipAddresses[0]"),
    "an address with a zone": ({"ipAddresses": ["fe80::1%eth0"]}, "spec.ipAddresses[0]"),
    "a URI without a scheme": ({"uris": ["//host/x"]}, "spec.uris[0]"),
    "a URI with a scheme only": ({"uris": ["spiffe:"]}, "spec.uris[0]"),
    "a URI with a space": ({"uris": ["spiffe://a b"]}, "spec.uris[0]"),
    "a URI that is not ASCII": ({"uris": ["spiffe://ä"]}, "spec.uris[0]"),
    "a URI that cannot be split": ({"uris": ["spiffe://[x"]}, "spec.uris[0]"),
    "an email address without a host": ({"emailAddresses": ["someone@"]}, "spec.emailAddresses[0]"),
    "an email address without an at": ({"emailAddresses": ["example.com"]}, "spec.emailAddresses[0]"),
    "an email address without a person": ({"emailAddresses": ["@example.com"]}, "spec.emailAddresses[0]"),
    "an email address at a wildcard": ({"emailAddresses": ["a@*.example.com"]}, "spec.emailAddresses[0]"),
    "an email address that is not ASCII": ({"emailAddresses": ["ä@example.com"]}, "spec.emailAddresses[0]"),
    "an email address with a space": ({"emailAddresses": ["a b@example.com"]}, "spec.emailAddresses[0]"),
    "an unknown key algorithm": ({"privateKey": {"algorithm": "DSA"}}, "spec.privateKey.algorithm: 'DSA'"),
    "an RSA key that is too small": ({"privateKey": {"size": 1024, "algorithm": "RSA"}}, "it has from 2048 to 8192"),
    "an RSA key that is too large": ({"privateKey": {"size": 8193, "algorithm": "RSA"}}, "spec.privateKey.size"),
    "a curve that is not there": ({"privateKey": {"algorithm": "ECDSA", "size": 255}}, "it has 256, 384, 521"),
    "an unknown encoding": ({"privateKey": {"encoding": "DER"}}, "spec.privateKey.encoding"),
    "an unknown rotation policy": ({"privateKey": {"rotationPolicy": "Sometimes"}}, "spec.privateKey.rotationPolicy"),
    "an unknown usage": ({"usages": ["flying"]}, "spec.usages: there is no usage 'flying'"),
    "a usage that means nothing alone": ({"usages": ["encipher only"]}, "spec.usages"),
    "a country that is none": ({"subject": {"countries": ["Atlantis"]}}, "spec.subject.countries"),
    "no duration to speak of": ({"duration": "0s"}, "spec.duration"),
    "a duration below an hour": ({"duration": "59m"}, "spec.duration"),
    "a negative duration": ({"duration": "-2h"}, "spec.duration"),
    "two times of renewal": ({"renewBefore": "1h", "renewBeforePercentage": 5}, "contradicts"),
    "a renewal right before the end": ({"renewBefore": "4m59s"}, "spec.renewBefore"),
    "a renewal as soon as it is issued": ({"duration": "2h", "renewBefore": "2h"}, "spec.renewBefore"),
    "a percentage of nothing": ({"renewBeforePercentage": 0}, "spec.renewBeforePercentage"),
    "a percentage of all": ({"renewBeforePercentage": 100}, "spec.renewBeforePercentage"),
    "an annotation of ours": ({"secretTemplate": {"annotations": {"certwright.dev/x": ""}}}, "certwright.dev/x"),
    "a label of ours": ({"secretTemplate": {"labels": {"controller.certwright.dev/fao": ""}}}, "set by the operator"),
    "a label that allows injection": ({"secretTemplate": {"labels": {NAMES.direct_injection: ""}}}, "set by the"),
    "a field that comes later": ({"copies": {"namespaces": ["x"]}}, "spec.copies: this version does not"),
    "an unknown format": ({"additionalOutputFormats": [{"type": "PFX"}]}, "'PFX' is none of DER, CombinedPEM"),
    "a format without a type": ({"additionalOutputFormats": [{}]}, "spec.additionalOutputFormats: '' is none of"),
    "a format twice": ({"additionalOutputFormats": [{"type": "DER"}, {"type": "DER"}]}, "DER is there twice"),
    "an unknown profile": (
        {"keystores": {"pkcs12": {"create": True, "password": "x", "profile": "Old"}}},
        "spec.keystores.pkcs12.profile: 'Old' is none of LegacyRC2, LegacyDES, Modern2023, Modern2026",
    ),
    "two passwords": (
        {"keystores": {"jks": {"create": True, "password": "x", "passwordSecretRef": {"name": "y"}}}},
        "spec.keystores.jks.password: contradicts passwordSecretRef",
    ),
    "no password": (
        {"keystores": {"jks": {"create": True, "passwordSecretRef": {"name": ""}}}},
        "spec.keystores.jks.passwordSecretRef: missing",
    ),
    "a key from a Secret without a name": (
        {"privateKey": {"secretRef": {"key": "x"}}},
        "spec.privateKey.secretRef.name: missing",
    ),
    "a key of an unknown kind from a Secret": (
        {"privateKey": {"algorithm": "DSA", "secretRef": {"name": "own"}}},
        "spec.privateKey.algorithm: 'DSA'",
    ),
    "a key of an odd size from a Secret": (
        {"privateKey": {"algorithm": "RSA", "size": 1000, "secretRef": {"name": "own"}}},
        "spec.privateKey.size: 1000 bits",
    ),
    "a request in a Secret without a name": (
        {"csrSecretRef": {"key": "x"}, "dnsNames": None},
        "spec.csrSecretRef.name: missing",
    ),
    "a request and names": ({"csrSecretRef": {"name": "x"}}, "spec.dnsNames: means nothing with csrSecretRef"),
    "a request and a subject": (
        {"csrSecretRef": {"name": "x"}, "dnsNames": None, "subject": {"countries": ["DE"]}},
        "spec.subject: means nothing with csrSecretRef",
    ),
    "a request and a key": (
        {"csrSecretRef": {"name": "x"}, "dnsNames": None, "privateKey": {"secretRef": {"name": "y"}}},
        "spec.privateKey.secretRef: means nothing with csrSecretRef",
    ),
    "a request and a keystore": (
        {
            "csrSecretRef": {"name": "x"},
            "dnsNames": None,
            "keystores": {"jks": {"create": True, "password": "changeit"}},
        },
        "spec.keystores: cannot be made without the key",
    ),
    "a request and a format": (
        {"csrSecretRef": {"name": "x"}, "dnsNames": None, "additionalOutputFormats": [{"type": "DER"}]},
        "spec.additionalOutputFormats: cannot be made without the key",
    ),
    "an unknown policy": ({"renewal": {"policy": "Sometimes"}}, "spec.renewal.policy: 'Sometimes' is none of"),
    "windows without renewals": (
        {"renewal": {"policy": "Disabled", "windows": [{"cron": "@daily", "windowDuration": "1h"}]}},
        "spec.renewal.windows: mean nothing with policy Disabled",
    ),
    "a window that is none": (
        {"renewal": {"windows": [{"cron": "@daily", "windowDuration": "1h"}, {"cron": "x", "windowDuration": "1h"}]}},
        "spec.renewal.windows[1].cron: 'x' is no cron expression",
    ),
    "a history of nothing": ({"revisionHistoryLimit": 0}, "spec.revisionHistoryLimit: must be 1 or more"),
    "two common names": ({"literalSubject": "CN=x", "commonName": "x"}, "spec.literalSubject: contradicts spec.comm"),
    "two subjects": (
        {"literalSubject": "CN=x", "subject": {"organizations": ["a"]}},
        "spec.literalSubject: contradicts spec.subject",
    ),
    "a literal subject of nobody": (
        {"literalSubject": "O=x", "dnsNames": None},
        "or a literalSubject with a CN",
    ),
    "an unknown type in a literal subject": ({"literalSubject": "FOO=x"}, "spec.literalSubject: the type 'FOO'"),
    "a common name of 65 bytes in a literal subject": (
        {"literalSubject": f"CN={'ü' * 33}"},
        "cannot be in a certificate",
    ),
    "an other name without a type": ({"otherNames": [{"utf8Value": "a"}]}, "spec.otherNames[0].oid"),
    "an other name without a value": ({"otherNames": [{"oid": "1.2.3"}]}, "spec.otherNames[0].utf8Value"),
    "constraints of one that is no CA": (
        {"nameConstraints": {"permitted": {"dnsDomains": ["x"]}}},
        "spec.nameConstraints: only a CA can have them",
    ),
    "constraints that are none": (
        {"isCA": True, "nameConstraints": {"excluded": {"ipRanges": ["x"]}}},
        "spec.nameConstraints.excluded.ipRanges",
    ),
    "a signature algorithm for another key": (
        {"signatureAlgorithm": "SHA256WithRSA"},
        "spec.signatureAlgorithm: 'SHA256WithRSA' is not for a key of ECDSA; use ECDSAWithSHA256",
    ),
    "a signature algorithm that is none": ({"signatureAlgorithm": "MD5"}, "spec.signatureAlgorithm: 'MD5'"),
}


@pytest.mark.parametrize("fields", GOOD.values(), ids=GOOD)
def test_a_spec_is_let_through_with(fields: dict[str, Any]) -> None:
    spec = make_spec(**fields)
    validate(spec, NAMES)
    assert spec.unsupported == ()


@pytest.mark.parametrize(("fields", "message"), BAD.values(), ids=BAD)
def test_a_spec_is_refused_with(fields: dict[str, Any], message: str) -> None:
    spec = make_spec(**fields)
    with pytest.raises(InvalidSpec) as fault:
        validate(spec, NAMES)
    assert fault.value.message.startswith("spec.")
    assert message in fault.value.message
    assert len(fault.value.message) < 600


def test_what_is_ours_follows_the_group() -> None:
    spec = make_spec(secretTemplate={"annotations": {"cert-manager.io/issuer-name": "x"}})
    validate(spec, NAMES)
    with pytest.raises(InvalidSpec):
        validate(spec, Names("cert-manager.io"))


@given(st.text(max_size=300), st.booleans())
def test_any_text_is_a_dns_name_or_has_a_problem(text: str, wildcard: bool) -> None:  # noqa: FBT001 - drawn by hypothesis
    problem = dns_name_problem(text, wildcard=wildcard)
    if problem is None:
        bare = text.removeprefix("*.")
        assert bare.isascii()
        assert 0 < len(text) <= 253
        assert all(0 < len(label) <= 63 for label in bare.split("."))


@given(st.lists(st.text(max_size=40), max_size=3), st.sampled_from(["dns_names", "ip_addresses", "uris"]))
def test_no_value_breaks_the_validation(values: list[str], field: str) -> None:
    spec = dataclasses.replace(make_spec(), **{field: tuple(values)})
    try:
        validate(spec, NAMES)
    except InvalidSpec as fault:
        assert fault.message.startswith("spec.")  # noqa: PT017 - either outcome is right


NOT_FOR_ACME = {
    "a URI": ({"uris": ("spiffe://cluster.local/ns/a",)}, "spec.uris"),
    "an email address": ({"email_addresses": ("ops@example.com",)}, "spec.emailAddresses"),
    "an other name": ({"other_names": (OtherName("1.2.3", "a"),)}, "spec.otherNames"),
    "a CA": ({"is_ca": True}, "spec.isCA"),
}


@pytest.mark.parametrize(("more", "field"), NOT_FOR_ACME.values(), ids=NOT_FOR_ACME)
def test_an_acme_issuer_refuses(more: dict[str, Any], field: str) -> None:
    spec = make_spec()
    validate_for_acme(spec)
    with pytest.raises(InvalidSpec, match=field):
        validate_for_acme(dataclasses.replace(spec, **more))

from __future__ import annotations

import ipaddress
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st
from pki_examples import EC256, EC384, ED25519, NOW, key, root_data, signed, spec

from certwright.pki import signing, usages
from certwright.pki.annotations import secret_annotations
from certwright.pki.difference import describe_difference, request_digest
from certwright.pki.secret import read_tls_secret, tls_secret_data
from certwright.resources.certificate import SUBJECT_FIELDS, Subject

if TYPE_CHECKING:
    from certwright.resources.certificate import CertificateSpec

ROOT = root_data()
LABELS = st.from_regex(r"[a-zA-Z0-9]([a-zA-Z0-9-]{0,10}[a-zA-Z0-9])?", fullmatch=True)
DNS_NAMES = (
    st.lists(LABELS, min_size=1, max_size=4).map(".".join).flatmap(lambda name: st.sampled_from((name, f"*.{name}")))
)
ADDRESSES = st.ip_addresses().map(str) | st.ip_addresses(v=4).map(lambda ip: str(ipaddress.IPv6Address(f"::ffff:{ip}")))
TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), min_size=1, max_size=64)
COMMON_NAMES = TEXTS.filter(lambda text: len(text.encode()) <= 64)
PRINTABLE = st.from_regex(r"[A-Za-z0-9 '()+,\-./:=?]{1,20}", fullmatch=True)
COUNTRIES = st.from_regex(r"[A-Z]{2}", fullmatch=True)


def several(values: st.SearchStrategy[str]) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(values, max_size=4).map(tuple)


SUBJECTS = st.builds(
    Subject,
    **{field: several(COUNTRIES if field == "countries" else TEXTS) for field in SUBJECT_FIELDS},
    serialNumber=st.just("") | PRINTABLE,
)
USAGES = several(st.sampled_from([*usages.KEY_USAGES, *usages.EXTENDED_USAGES, *usages.SYNONYMS])).map(
    lambda names: (*names, "key agreement") if {"encipher only", "decipher only"} & {*names} else names
)
SPECS = st.builds(
    spec,
    common_name=st.just("") | COMMON_NAMES,
    dns_names=several(DNS_NAMES),
    ip_addresses=several(ADDRESSES),
    uris=several(LABELS.map("spiffe://example.test/{}".format)),
    email_addresses=several(LABELS.map("{}@example.test".format)),
    subject=SUBJECTS,
    usages=USAGES,
    is_ca=st.booleans(),
    encode_usages=st.booleans(),
    private_key=st.sampled_from((EC256, EC384, ED25519)),
    duration=st.timedeltas(timedelta(hours=1), timedelta(days=365 * 50)),
)


@settings(max_examples=200, deadline=None)
@given(SPECS, st.booleans())
def test_what_is_signed_for_a_spec_satisfies_it(wanted: CertificateSpec, by_itself: bool) -> None:  # noqa: FBT001
    own = key(wanted.private_key)
    bundle = signing.self_sign(wanted, own, now=NOW) if by_itself else signed(ROOT, wanted)
    facts = read_tls_secret(tls_secret_data(wanted, own, chain_pem=bundle.chain_pem, ca_pem=bundle.ca_pem))
    assert facts.problem is None
    assert facts.key_matches_certificate
    assert facts.certificate is not None
    assert describe_difference(wanted, facts.certificate, fuzzy=False) is None
    assert describe_difference(wanted, facts.certificate, fuzzy=True) is None
    assert facts.certificate.not_before == NOW
    assert facts.certificate.not_after == bundle.not_after <= NOW + wanted.duration
    assert all(isinstance(value, str) for value in secret_annotations(facts.certificate).values())


@given(SPECS, st.randoms())
def test_order_and_repetition_change_no_digest(wanted: CertificateSpec, randomness: object) -> None:
    def mixed(values: tuple[str, ...]) -> tuple[str, ...]:
        again = [*values, *values[:1]]
        randomness.shuffle(again)  # type: ignore[attr-defined]
        return tuple(again)

    lists = ("dns_names", "ip_addresses", "uris", "email_addresses", "usages")
    same = replace(wanted, **{name: mixed(getattr(wanted, name)) for name in lists})
    assert request_digest(same) == request_digest(wanted)


@given(SPECS, SPECS)
def test_the_digest_differs_where_the_certificate_would(one: CertificateSpec, other: CertificateSpec) -> None:
    facts = read_tls_secret({"tls.crt": signing.self_sign(one, key(one.private_key), now=NOW).chain_pem}).certificate
    assert facts is not None
    if describe_difference(other, facts, fuzzy=False):
        assert request_digest(one) != request_digest(other)

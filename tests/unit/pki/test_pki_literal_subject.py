"""Names as RFC 4514 writes them, read back by openssl from the request they went into."""

from __future__ import annotations

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st
from pki_examples import key, needs_openssl, openssl, spec

from certwright.errors import InvalidSpec
from certwright.pki import csr
from certwright.pki.literal_subject import TYPES, parse
from certwright.pki.subject import asked_common_name, layout

READ = {
    "order is kept": ("CN=web,OU=b,O=Example,OU=a,C=DE", "CN=web,OU=b,O=Example,OU=a,C=DE"),
    "every type": (
        "CN=a,OU=b,O=c,L=d,ST=e,STREET=f,C=DE,DC=g,DC=h,UID=i,SERIALNUMBER=5",
        "CN=a,OU=b,O=c,L=d,ST=e,street=f,C=DE,DC=g,DC=h,UID=i,serialNumber=5",
    ),
    "spaces around do not count": (" CN = web , O=Example ", "CN=web,O=Example"),
    "small letters": ("cn=web,o=Example", "CN=web,O=Example"),
    "semicolons, as LDAPv2 had them": ("CN=web;O=Example", "CN=web,O=Example"),
    "several in one RDN": ("CN=web+UID=7,O=Example", "UID=7+CN=web,O=Example"),
    "an escaped comma": (r"CN=a\,b,O=c\2cd", r"CN=a\,b,O=c\,d"),
    "an escaped plus, quote and backslash": (r"CN=a\+b\"c\\", r"CN=a\+b\"c\\"),
    "an escaped hash and an equals sign": (r"CN=\#a=b", r"CN=\#a=b"),
    "an escaped space at the end": (r"CN=a\ ,O=b", r"CN=a\ ,O=b"),
    "UTF-8": ("O=Köln", r"O=K\C3\B6ln"),
    "UTF-8 in hex": (r"O=K\c3\B6ln", r"O=K\C3\B6ln"),
    "a number for a type": ("2.5.4.97=NTRDE-1,CN=a", "organizationIdentifier=NTRDE-1,CN=a"),
    "a number as others write it": ("OID.2.5.4.97=NTRDE-1", "organizationIdentifier=NTRDE-1"),
    "a value in hex": ("O=#0c0161", "O=a"),
}


@needs_openssl
@pytest.mark.parametrize(("text", "wanted"), READ.values(), ids=READ)
def test_openssl_reads_what_was_written(text: str, wanted: str) -> None:
    der = csr.make_csr(spec(literal_subject=text, dns_names=("a.test",)), key())
    read = openssl("req", "-inform", "DER", "-noout", "-subject", "-nameopt", "RFC2253", stdin=der)
    assert read.removeprefix("subject=").strip("\n") == wanted


def test_strings_have_the_types_that_others_give_them() -> None:
    """RFC 5280 appendix A.1: a domain component is IA5String, a country is PrintableString, the rest may be UTF-8."""
    kinds = {item.oid: item._type.name for item in parse("CN=a,C=DE,DC=example,SERIALNUMBER=1")}
    assert kinds == {
        NameOID.COMMON_NAME: "UTF8String",
        NameOID.COUNTRY_NAME: "PrintableString",
        NameOID.DOMAIN_COMPONENT: "IA5String",
        NameOID.SERIAL_NUMBER: "PrintableString",
    }


REFUSED = {
    "an unknown type": ("CN=a,FOO=b", "the type 'FOO' is not known; use one of C, O, OU, CN,"),
    "a number that is none": ("1.2.=b", "the type '1.2.' is not known"),
    "a number that cannot be": ("2.999999999999999999999999999999999999999999=b", "cannot be in a certificate"),
    "no equals sign": ("CN=a,b", "'b' is no TYPE=value, like O=Example; write a comma as"),
    "no type": ("=a", "'=a' is no TYPE=value"),
    "nothing between commas": ("CN=a,,O=b", "'' is no TYPE=value"),
    "nothing after a comma": ("CN=a,", "'' is no TYPE=value"),
    "no value": ("CN=,O=b", "'' cannot be in a certificate: it is empty"),
    "a backslash at the end": ("CN=a\\", "has a backslash that escapes nothing"),
    "a backslash before a letter": ("CN=a\\z", "has a backslash that escapes nothing"),
    "half a character": ("CN=a\\c3", "is not UTF-8 once its escapes are read"),
    "half a character of another kind": ("CN=\ud800", "is not UTF-8 once its escapes are read"),
    "hex that is none": ("CN=#xy", "is not '#' and the value's encoding in hex"),
    "hex that is no text": ("2.5.4.45=#03020101", "is"),
    "a country of three letters": ("C=DEU", "'DEU' cannot be in a certificate"),
    "a serial number of odd letters": ("SERIALNUMBER=a_b", "it may have letters, digits, spaces"),
    "a common name of 65 letters": (f"CN={'a' * 65}", "cannot be in a certificate"),
    "the same twice in one RDN": ("CN=a+CN=a", "cannot be in a certificate"),
}


@pytest.mark.parametrize(("text", "says"), REFUSED.values(), ids=REFUSED)
def test_what_is_wrong_is_told_with_the_field(text: str, says: str) -> None:
    with pytest.raises(InvalidSpec) as caught:
        parse(text)
    assert caught.value.message.startswith("spec.literalSubject: ")
    assert says in caught.value.message
    assert len(caught.value.message) < 400


@given(st.text(max_size=60) | st.text(alphabet="CNO=,+;\\# a1.", max_size=30))
def test_any_text_is_a_name_or_a_fault(text: str) -> None:
    try:
        name = parse(text)
    except InvalidSpec as fault:
        assert fault.message.startswith("spec.literalSubject")  # noqa: PT017 - either outcome is right
    else:
        assert name.rdns
        assert all(item.value for item in name)


ATTRIBUTES = st.tuples(
    st.sampled_from(sorted(set(TYPES) - {"C", "SERIALNUMBER", "DC"})), st.text(min_size=1, max_size=20)
).filter(lambda pair: max(pair[1]) < "\ud800" and "\0" not in pair[1])


@given(st.lists(ATTRIBUTES, min_size=1, max_size=6))
def test_what_the_library_writes_is_read(pairs: list[tuple[str, str]]) -> None:
    name = x509.Name(x509.NameAttribute(TYPES[word], value) for word, value in pairs)
    assert parse(name.rfc4514_string()) == name


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("CN=a,O=b,C=DE", ""),
        ("SERIALNUMBER=1,CN=a,OU=c+OU=b,C=DE", ""),
        ("O=b,CN=a", "O=b,CN=a"),
        ("CN=a,OU=b,OU=c", "CN=a,OU=b,OU=c"),
        ("CN=a+O=b", "CN=a+O=b"),
        ("O=b+CN=a", "CN=a+O=b"),
        ("CN=a,DC=test", "CN=a,DC=test"),
    ],
)
def test_the_layout_tells_what_fields_cannot(text: str, wanted: str) -> None:
    assert layout(parse(text)) == wanted


@pytest.mark.parametrize(("text", "wanted"), [("O=b,CN=a", "a"), ("O=b", ""), ("", "")])
def test_the_common_name_of_a_literal_subject(text: str, wanted: str) -> None:
    assert asked_common_name(spec(literal_subject=text)) == wanted


def test_the_common_name_of_fields() -> None:
    assert asked_common_name(spec(common_name="c")) == "c"

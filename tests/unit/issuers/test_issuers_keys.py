import base64
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from certwright.errors import Conflict, InvalidSpec
from certwright.issuers.base import Issued, Request
from certwright.issuers.ca import Ca
from certwright.issuers.next_key import NextKeys
from certwright.issuers.places import Places
from certwright.issuers.self_signed import SelfSigned
from certwright.pki import keys
from certwright.pki.certificate import parse_chain
from certwright.resources.certificate import Certificate, PrivateKeySpec, parse_certificate
from certwright.resources.issuer import Issuer, parse_issuer
from unit.core.factories import data_for, make_spec
from unit.reconcile.fake_kube import FakeKube
from unit.reconcile.operating import certificate_body

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
NEVER = {"privateKey": {"algorithm": "ECDSA", "rotationPolicy": "Never"}}


@pytest.fixture
def kube() -> Any:
    return FakeKube()


def put_secret(
    kube: FakeKube, name: str, data: Mapping[str, bytes], *, namespace: str = "shop", **meta: Any
) -> dict[str, Any]:
    encoded = {key: base64.b64encode(value).decode() for key, value in data.items()}
    body = {"metadata": {"namespace": namespace, "name": name, **meta}, "type": "Opaque", "data": encoded}
    return kube.put("secrets", body)


def put_certificate(kube: FakeKube, **changes: Any) -> Certificate:
    return parse_certificate(kube.put("certificates", certificate_body(**changes)))


def a_pem(algorithm: str = "ECDSA", size: int = 256) -> bytes:
    return keys.encode(keys.generate(PrivateKeySpec(algorithm, size)), "PKCS8")


def same(one: keys.PrivateKey | None, other: keys.PrivateKey | None) -> bool:
    return one is not None and other is not None and keys.facts(one) == keys.facts(other)


def test_a_next_key_rests_in_a_labelled_secret_of_its_certificate(kube: Any) -> None:
    certificate = put_certificate(kube)
    next_keys = NextKeys(kube, kube.names)
    key = next_keys.lay(certificate)
    (body,) = kube.all("secrets")
    assert body["metadata"]["name"] == next_keys.secret_name(certificate)
    assert body["metadata"]["labels"] == {kube.names.next_key_label: "true"}
    assert [owner["uid"] for owner in body["metadata"]["ownerReferences"]] == [certificate.meta.uid]
    assert base64.b64decode(body["data"]["tls.key"]).startswith(b"-----BEGIN PRIVATE KEY-----")
    assert keys.facts(key).algorithm == "ECDSA"
    assert len(kube.writes) == 1


def test_a_next_key_outlives_the_process(kube: Any) -> None:
    certificate = put_certificate(kube)
    key = NextKeys(kube, kube.names).lay(certificate)
    again = NextKeys(kube, kube.names)
    assert same(again.lay(certificate), key)
    assert same(again.find(certificate), key)
    again.drop(certificate)
    again.drop(certificate)
    assert again.find(certificate) is None
    assert kube.all("secrets") == []


USELESS = {
    "of another algorithm": {"tls.key": a_pem("Ed25519")},
    "of another size": {"tls.key": a_pem("ECDSA", 384)},
    "damaged": {"tls.key": b"nonsense"},
    "not there": {},
}


@pytest.mark.parametrize("data", USELESS.values(), ids=USELESS)
def test_a_resting_key_is_thrown_away_when_it_is(kube: Any, data: Mapping[str, bytes]) -> None:
    certificate = put_certificate(kube)
    next_keys = NextKeys(kube, kube.names)
    owners = [{"uid": certificate.meta.uid, "kind": "Certificate", "name": "web"}]
    put_secret(kube, next_keys.secret_name(certificate), data, ownerReferences=owners)
    with pytest.raises(Conflict):
        next_keys.lay(certificate)
    assert kube.all("secrets") == []
    assert same(next_keys.lay(certificate), next_keys.find(certificate))


def test_somebody_elses_secret_of_that_name_is_not_touched(kube: Any) -> None:
    certificate = put_certificate(kube)
    next_keys = NextKeys(kube, kube.names)
    there = put_secret(kube, next_keys.secret_name(certificate), {"tls.key": a_pem()})
    for call in (next_keys.lay, next_keys.find):
        with pytest.raises(InvalidSpec, match="belongs to somebody else") as fault:
            call(certificate)
        assert fault.value.reason == "NameTaken"
    assert kube.all("secrets") == [there]


def test_a_key_is_new_each_time_unless_the_spec_keeps_it(kube: Any) -> None:
    next_keys = NextKeys(kube, kube.names)
    put_secret(kube, "web-tls", {"tls.key": a_pem()})
    always, never = put_certificate(kube), put_certificate(kube, **NEVER)
    assert not same(next_keys.passing(always), next_keys.passing(always))
    kept = next_keys.passing(never)
    assert same(kept, next_keys.passing(never))
    assert same(kept, next_keys.lay(never))
    assert same(kept, next_keys.find(never))
    assert kube.writes == [], "a key that is kept rests nowhere else"


@pytest.mark.parametrize("data", [None, {}, {"tls.key": b""}], ids=["no Secret", "no key", "an empty key"])
def test_a_key_that_is_to_be_kept_is_made_when_there_is(kube: Any, data: Mapping[str, bytes] | None) -> None:
    if data is not None:
        put_secret(kube, "web-tls", data)
    assert keys.facts(NextKeys(kube, kube.names).passing(put_certificate(kube, **NEVER))).size == 256


def test_a_key_that_is_to_be_kept_and_does_not_fit_stops_the_issuance(kube: Any) -> None:
    put_secret(kube, "web-tls", {"tls.key": a_pem("ECDSA", 384)})
    with pytest.raises(InvalidSpec, match="set it to Always, or delete the key") as fault:
        NextKeys(kube, kube.names).passing(put_certificate(kube, **NEVER))
    assert fault.value.reason == "CannotRegenerateKey"


def test_a_key_that_is_to_be_kept_and_is_damaged_says_where(kube: Any) -> None:
    put_secret(kube, "web-tls", {"tls.key": b"nonsense"})
    with pytest.raises(InvalidSpec, match=r"Secret web-tls, tls\.key"):
        NextKeys(kube, kube.names).passing(put_certificate(kube, **NEVER))


def an_issuer(spec: Mapping[str, Any], *, kind: str = "Issuer") -> Issuer:
    return parse_issuer({"kind": kind, "metadata": {"namespace": "shop", "name": "it"}, "spec": spec})


CA_DATA = data_for(make_spec(isCA=True, commonName="root", dnsNames=None), begin=NOW)
CA_SPEC = {"ca": {"secretName": "root", "crlDistributionPoints": ["http://ca.test/crl"]}}


def ask(certificate: Certificate) -> Request:
    return Request(certificate, "digest", NOW + timedelta(hours=1))


@pytest.mark.parametrize(("kind", "namespace"), [("Issuer", "shop"), ("ClusterIssuer", "certwright")])
def test_a_ca_signs_with_the_key_pair_of_its_own_namespace(kube: Any, kind: str, namespace: str) -> None:
    ca = Ca(kube, NextKeys(kube, kube.names), Places(kube, "certwright"))
    issuer = an_issuer(CA_SPEC, kind=kind)
    elsewhere = {"shop": "certwright", "certwright": "shop"}[namespace]
    put_secret(kube, "root", CA_DATA, namespace=elsewhere)
    with pytest.raises(InvalidSpec, match=f"no Secret root in namespace {namespace}") as fault:
        ca.check(issuer, NOW)
    assert fault.value.reason == "SecretNotFound"
    put_secret(kube, "root", CA_DATA, namespace=namespace)
    assert ca.check(issuer, NOW).reason == "KeyPairVerified"
    issued = ca.advance(issuer, ask(put_certificate(kube)))
    assert isinstance(issued, Issued)
    facts, length = parse_chain(issued.chain)
    assert (facts.dns_names, facts.issuer, length) == (("web.example.com",), "CN=root", 1)
    assert issued.ca == CA_DATA["tls.crt"]
    assert keys.facts(issued.key).public_key_digest == facts.public_key_digest
    assert kube.writes == []


BAD_CAS = {
    "it is empty": ({}, "it has no tls.crt"),
    "it has no key": ({"tls.crt": CA_DATA["tls.crt"]}, "it has no tls.key"),
    "its key is another's": ({**CA_DATA, "tls.key": a_pem()}, "not the key of tls.crt"),
    "it is no CA": (data_for(make_spec(), begin=NOW), "Secret shop/root"),
    "it has expired": (
        data_for(make_spec(isCA=True, commonName="root", dnsNames=None), begin=NOW - timedelta(days=100)),
        "expired",
    ),
}


@pytest.mark.parametrize(("data", "message"), BAD_CAS.values(), ids=BAD_CAS)
def test_a_ca_cannot_sign_when(kube: Any, data: Mapping[str, bytes], message: str) -> None:
    put_secret(kube, "root", data)
    ca = Ca(kube, NextKeys(kube, kube.names), Places(kube, "certwright"))
    with pytest.raises(InvalidSpec, match=message):
        ca.check(an_issuer(CA_SPEC), NOW)
    with pytest.raises(InvalidSpec, match=message):
        ca.advance(an_issuer(CA_SPEC), ask(put_certificate(kube)))


def test_a_self_signed_certificate_is_its_own_ca(kube: Any) -> None:
    issuer = an_issuer({"selfSigned": {}})
    backend = SelfSigned(NextKeys(kube, kube.names))
    assert backend.check(issuer, NOW).reason == "IsReady"
    issued = backend.advance(issuer, ask(put_certificate(kube)))
    assert isinstance(issued, Issued)
    assert issued.chain == issued.ca
    assert parse_chain(issued.chain)[0].dns_names == ("web.example.com",)
    assert (kube.writes, kube.reads) == ([], [])


def test_an_issuer_reads_its_own_namespace_and_no_other(kube: Any) -> None:
    places = Places(kube, "certwright")
    for namespace in ("shop", "certwright", "other"):
        put_secret(kube, "token", {"k": namespace.encode()}, namespace=namespace)
    one, all_of_them = an_issuer({"selfSigned": {}}), an_issuer({"selfSigned": {}}, kind="ClusterIssuer")
    assert (places.namespace(one), places.value(one, "token", "k")) == ("shop", b"shop")
    assert (places.namespace(all_of_them), places.value(all_of_them, "token", "k")) == ("certwright", b"certwright")
    assert {line.split()[2].partition("/")[0] for line in kube.reads} == {"shop", "certwright"}


@pytest.mark.parametrize("name", ["../other/secrets/token", "..", "other/token", "token?x", "token\n", "Token"])
def test_no_name_of_a_secret_leaves_the_namespace(kube: Any, name: str) -> None:
    put_secret(kube, "token", {"k": b"x"}, namespace="other")
    with pytest.raises(InvalidSpec, match="cannot be the name of an object"):
        Places(kube, "certwright").value(an_issuer({"selfSigned": {}}), name, "k")
    assert kube.reads == []


@pytest.mark.parametrize(
    ("kind", "flags", "flag"),
    [
        ("Issuer", {}, "--issuer-ambient-credentials"),
        ("Issuer", {"issuer_ambient": True}, ""),
        ("ClusterIssuer", {}, ""),
        ("ClusterIssuer", {"cluster_issuer_ambient": False}, "--cluster-issuer-ambient-credentials"),
        ("ClusterIssuer", {"cluster_issuer_ambient": False, "issuer_ambient": True}, "--cluster-issuer-ambient-"),
        ("Issuer", {"cluster_issuer_ambient": True}, "--issuer-ambient-credentials"),
    ],
)
def test_who_may_use_the_operators_own_credentials(kube: Any, kind: str, flags: dict[str, bool], flag: str) -> None:
    identity = Places(kube, "certwright", **flags).identity(an_issuer({"selfSigned": {}}, kind=kind))
    if not flag:
        identity.ambient()
        return
    with pytest.raises(
        InvalidSpec, match=f"are not for {kind}s; name credentials .* the operator with {flag}"
    ) as fault:
        identity.ambient()
    assert fault.value.reason == "AmbientCredentialsRefused"


def test_a_value_that_is_not_there_says_where_it_was_looked_for(kube: Any) -> None:
    places, issuer = Places(kube, "certwright"), an_issuer({"selfSigned": {}})
    with pytest.raises(InvalidSpec, match="no Secret token in namespace shop; create it"):
        places.value(issuer, "token", "k")
    put_secret(kube, "token", {"b": b"secret-b", "a": b"secret-a", "k": b""})
    with pytest.raises(InvalidSpec) as fault:
        places.value(issuer, "token", "k")
    assert fault.value.message == "Secret shop/token has no value under 'k'; the keys it has: a, b, k"
    put_secret(kube, "token", {})
    with pytest.raises(InvalidSpec, match="the keys it has: none"):
        places.value(issuer, "token", "k")


NAMED: dict[str, Any] = {"privateKey": {"secretRef": {"name": "own"}}}


@pytest.mark.parametrize("key", ["tls.key", "own.pem"])
@pytest.mark.parametrize(("algorithm", "size"), [("RSA", 3072), ("ECDSA", 384), ("Ed25519", 0)])
def test_a_key_is_taken_from_the_secret_that_the_spec_names(kube: Any, algorithm: str, size: int, key: str) -> None:
    """Whatever it is, for every issuer, and with no Secret for a next key."""
    pem = a_pem(algorithm, size)
    put_secret(kube, "own", {key: pem})
    reference = {"name": "own"} if key == "tls.key" else {"name": "own", "key": key}
    certificate = put_certificate(kube, privateKey={"secretRef": reference})
    next_keys, wanted = NextKeys(kube, kube.names), keys.load(pem, "x")
    assert same(next_keys.passing(certificate), wanted)
    assert same(next_keys.lay(certificate), wanted)
    assert same(next_keys.find(certificate), wanted)
    assert not kube.writes


NOT_TAKEN: dict[str, tuple[dict[str, bytes] | None, dict[str, Any], str, str]] = {
    "there is no Secret": (None, {}, "SecretNotFound", "there is no Secret own in namespace shop; create it with"),
    "it has no such entry": (
        {"key.pem": b"x"},
        {},
        "SecretNotFound",
        "Secret own has no value under 'tls.key'; the keys it has: key.pem",
    ),
    "it has nothing": ({}, {}, "SecretNotFound", "the keys it has: none"),
    "it is no key": ({"tls.key": b"x"}, {}, "InvalidSpec", "Secret own, tls.key: there is no private key in PEM"),
    "it is another kind": (
        {"tls.key": a_pem()},
        {"algorithm": "RSA"},
        "InvalidSpec",
        "Secret own: the key is ECDSA of 256 bits and RSA is asked for; change it, or spec.privateKey",
    ),
    "it has another size": (
        {"tls.key": a_pem()},
        {"algorithm": "ECDSA", "size": 384},
        "InvalidSpec",
        "the key is ECDSA of 256 bits and ECDSA of 384 bits is asked for",
    ),
}


@pytest.mark.parametrize(("data", "more", "reason", "says"), NOT_TAKEN.values(), ids=NOT_TAKEN)
def test_a_named_key_is_not_taken_because(
    kube: Any, data: dict[str, bytes] | None, more: dict[str, Any], reason: str, says: str
) -> None:
    if data is not None:
        put_secret(kube, "own", data)
    put_secret(kube, "own", {"tls.key": a_pem()}, namespace="elsewhere")
    certificate = put_certificate(kube, privateKey={**NAMED["privateKey"], **more})
    with pytest.raises(InvalidSpec) as caught:
        NextKeys(kube, kube.names).passing(certificate)
    assert caught.value.message.startswith("spec.privateKey.secretRef: ")
    assert says in caught.value.message
    assert caught.value.reason == reason

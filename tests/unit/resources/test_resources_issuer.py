import base64
from typing import Any

import pytest

from certwright.errors import InvalidSpec
from certwright.resources.issuer import (
    LATER_ACME_FIELDS,
    CaSpec,
    ExternalAccount,
    Selector,
    SelfSignedSpec,
    issuer_key,
    parse_issuer,
)
from certwright.resources.meta import SecretRef
from certwright.resources.names import ObjectKey

META = {"name": "it", "namespace": "shop", "uid": "u", "generation": 2}
ACME: dict[str, Any] = {"privateKeySecretRef": {"name": "account"}}


def issuer_of(spec: Any, **rest: Any) -> Any:
    return parse_issuer({"kind": "Issuer", "metadata": META, "spec": spec, **rest})


def test_the_defaults_of_an_acme_issuer() -> None:
    issuer = issuer_of({"acme": ACME})
    acme = issuer.acme
    assert (issuer.type, issuer.reference, issuer.key) == ("acme", "Issuer/it", ObjectKey("Issuer", "shop", "it"))
    assert (acme.server, acme.email, acme.account_key) == ("letsencrypt", "", SecretRef("account", "tls.key"))
    assert (acme.key_algorithm, acme.key_size, acme.external_account) == ("ECDSA", 256, None)
    assert (acme.terms_agreed, acme.generate_key, acme.skip_tls_verify, acme.allow_http) == (True, True, False, False)
    assert (acme.ca_bundle, acme.nameservers, acme.solvers) == (b"", (), ())


def test_every_field_of_an_acme_issuer() -> None:
    acme = issuer_of(
        {
            "acme": {
                "server": "https://ca.test/dir",
                "email": "A@example.com",
                "privateKeySecretRef": {"name": "account", "key": "k"},
                "privateKey": {"algorithm": "RSA"},
                "externalAccountBinding": {"keyID": "id", "keySecretRef": {"name": "eab"}},
                "termsOfServiceAgreed": False,
                "disableAccountKeyGeneration": True,
                "caBundle": base64.b64encode(b"pem").decode(),
                "skipTLSVerify": True,
                "allowInsecureHTTP": True,
                "nameservers": ["192.0.2.1:53"],
                "solvers": [
                    {"dns01": {"rfc2136": {}}, "selector": {"matchLabels": {"a": "b"}, "dnsZones": ["z"]}},
                    {"http01": {"ingress": {}}, "selector": {"dnsNames": ["n"]}},
                ],
            }
        }
    ).acme
    assert (acme.server, acme.email, acme.account_key) == ("https://ca.test/dir", "A@example.com",
                                                           SecretRef("account", "k"))  # fmt: skip
    assert (acme.key_algorithm, acme.key_size) == ("RSA", 2048)
    assert acme.external_account == ExternalAccount("id", SecretRef("eab", "secret"))
    assert (acme.terms_agreed, acme.generate_key, acme.skip_tls_verify, acme.allow_http) == (False, False, True, True)
    assert (acme.ca_bundle, acme.nameservers) == (b"pem", ("192.0.2.1:53",))
    first, second = acme.solvers
    assert (first.challenge, first.config.path) == ("dns-01", "spec.acme.solvers[0].dns01")
    assert first.selector == Selector({"a": "b"}, (), ("z",))
    assert (second.challenge, second.selector) == ("http-01", Selector({}, ("n",), ()))


def test_a_ca_issuer() -> None:
    issuer = issuer_of({"ca": {"secretName": "s", "crlDistributionPoints": ["c"], "ocspServers": ["o"],
                               "issuingCertificateURLs": ["i"]}})  # fmt: skip
    assert (issuer.type, issuer.ca) == ("ca", CaSpec("s", ("c",), ("o",), ("i",)))


def test_a_self_signed_issuer() -> None:
    issuer = issuer_of({"selfSigned": {}})
    assert (issuer.type, issuer.self_signed) == ("selfSigned", SelfSignedSpec(()))


def test_the_status_of_an_issuer_is_read_as_far_as_it_goes() -> None:
    status = {"conditions": [{"type": "Ready", "status": "True"}, "x"], "acme": {"uri": "u", "n": 5}}
    issuer = issuer_of({"selfSigned": {}}, status=status)
    assert ([item.type for item in issuer.conditions], issuer.account) == (["Ready"], {"uri": "u", "n": "5"})
    for nonsense in ("x", {"acme": "x", "conditions": None}):
        issuer = issuer_of({"selfSigned": {}}, status=nonsense)
        assert (issuer.conditions, issuer.account) == ((), {})


def test_a_cluster_issuer_has_no_namespace() -> None:
    assert issuer_key("ClusterIssuer", "shop", "le") == ObjectKey("ClusterIssuer", "", "le")
    assert parse_issuer({"kind": "ClusterIssuer", "metadata": META, "spec": {"selfSigned": {}}}).key == ObjectKey(
        "ClusterIssuer", "", "it"
    )


def acme(**fields: Any) -> dict[str, Any]:
    return {"acme": {**ACME, **fields}}


REFUSED: dict[str, tuple[Any, str]] = {
    "nothing is set": ({}, "spec: exactly one of acme, ca, selfSigned must be set, not none"),
    "two types are set": ({"ca": {"secretName": "s"}, "selfSigned": {}}, "not ca and selfSigned"),
    "it is of a type that comes later": ({"vault": {}}, "spec.vault: this kind of issuer is not supported"),
    "it allows namespaces, which comes later": ({"selfSigned": {}, "allow": [{}]}, "spec.allow"),
    "the CA's Secret is not named": ({"ca": {}}, "spec.ca.secretName: missing"),
    "the account's Secret is not named": ({"acme": {}}, "spec.acme.privateKeySecretRef.name: missing"),
    "the account's Secret has no name": (acme(privateKeySecretRef={"key": "k"}), "privateKeySecretRef.name: missing"),
    "a binding has no key": (acme(externalAccountBinding={"keyID": "i"}), "spec.acme.externalAccountBinding: keyID"),
    "a binding has no key's name": (
        acme(externalAccountBinding={"keyID": "i", "keySecretRef": {"key": "k"}}), "spec.acme.externalAccountBinding",
    ),
    "a binding has no key id": (
        acme(externalAccountBinding={"keySecretRef": {"name": "k"}}), "spec.acme.externalAccountBinding",
    ),
    "the bundle is PEM": (acme(caBundle="-----BEGIN"), "spec.acme.caBundle: is not base64"),
    "the bundle is not ASCII": (acme(caBundle="ä"), "spec.acme.caBundle: is not base64"),
    "a solver solves nothing": (acme(solvers=[{}]), "spec.acme.solvers[0]: exactly one of dns01, http01, tlsALPN01"),
    "a solver solves twice": (acme(solvers=[{"dns01": {}, "http01": {}}]), "not dns01 and http01"),
    "a solver is a text": (acme(solvers=["dns01"]), "spec.acme.solvers[0]: must be an object"),
}  # fmt: skip


@pytest.mark.parametrize("name", ["vault", "venafi"])
def test_a_type_that_comes_later_is_refused_by_the_reason_of_all_that_does(name: str) -> None:
    with pytest.raises(InvalidSpec) as fault:
        issuer_of({name: {}})
    assert fault.value.reason == "NotSupported"


@pytest.mark.parametrize(("spec", "message"), REFUSED.values(), ids=REFUSED)
def test_an_issuer_is_refused_when(spec: Any, message: str) -> None:
    with pytest.raises(InvalidSpec) as fault:
        issuer_of(spec)
    assert fault.value.message.startswith("spec")
    assert message in fault.value.message


@pytest.mark.parametrize("name", LATER_ACME_FIELDS)
def test_an_acme_field_that_comes_later_is_never_silently_ignored(name: str) -> None:
    with pytest.raises(InvalidSpec, match=f"spec.acme.{name}: this version") as fault:
        issuer_of(acme(**{name: "something"}))
    assert fault.value.reason == "NotSupported"
    for neutral in LATER_ACME_FIELDS[name]:
        assert issuer_of(acme(**{name: neutral})).type == "acme"

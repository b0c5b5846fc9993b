from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from certwright.errors import InvalidSpec
from certwright.resources.certificate import (
    LATER_FIELDS,
    CertificateStatus,
    IssuerRef,
    PrivateKeySpec,
    Subject,
    parse_certificate,
    parse_spec,
    parse_status,
)
from certwright.resources.meta import Meta, SecretRef
from certwright.resources.names import Names, ObjectKey
from certwright.resources.other_names import NameConstraints, OtherName, Subtrees
from certwright.resources.outputs import Keystore, Outputs
from certwright.resources.renewal import Renewal, Window

LEAST: dict[str, Any] = {"secretName": "web-tls", "issuerRef": {"name": "ca"}}


def spec_of(**fields: Any) -> Any:
    return parse_spec({"spec": {**LEAST, **fields}})


def test_defaults_are_filled_in() -> None:
    spec = spec_of()
    assert spec.issuer_ref == IssuerRef("ca", "Issuer", "")
    assert spec.private_key == PrivateKeySpec("RSA", 2048, "PKCS1", "Always")
    assert (spec.duration, spec.duration_set) == (timedelta(days=90), False)
    assert (spec.usages, spec.encode_usages) == (("digital signature", "key encipherment"), True)
    assert (spec.renew_before, spec.renew_before_percentage, spec.is_ca, spec.unsupported) == (None, None, False, ())
    assert (spec.secret_labels, spec.secret_annotations, spec.subject) == ({}, {}, Subject())


def test_every_field_is_read() -> None:
    spec = spec_of(
        issuerRef={"name": "le", "kind": "ClusterIssuer", "group": "certwright.dev"},
        commonName="cn",
        dnsNames=["a"],
        ipAddresses=["b"],
        uris=["c"],
        emailAddresses=["d"],
        otherNames=[{"oid": "1.2.3", "utf8Value": "e"}, {}],
        literalSubject="CN=f",
        nameConstraints={"critical": True, "permitted": {"dnsDomains": ["g"]}, "excluded": {"ipRanges": ["h"]}},
        signatureAlgorithm="i",
        mustStaple=True,
        subject={"organizations": ["o"], "serialNumber": "s"},
        duration="100h",
        renewBefore="10h",
        renewBeforePercentage=5,
        isCA=True,
        usages=["any"],
        encodeUsagesInRequest=False,
        privateKey={"algorithm": "ECDSA", "encoding": "PKCS8", "rotationPolicy": "Never"},
        secretTemplate={"labels": {"a": "b"}, "annotations": {"c": "d"}},
    )
    assert spec.issuer_ref == IssuerRef("le", "ClusterIssuer", "certwright.dev")
    assert (spec.common_name, spec.dns_names, spec.ip_addresses) == ("cn", ("a",), ("b",))
    assert (spec.uris, spec.email_addresses) == (("c",), ("d",))
    assert spec.other_names == (OtherName("1.2.3", "e"), OtherName("", ""))
    assert (spec.literal_subject, spec.signature_algorithm, spec.must_staple) == ("CN=f", "i", True)
    assert spec.name_constraints == NameConstraints(True, Subtrees(("g",)), Subtrees(ip_ranges=("h",)))
    assert spec.subject == Subject(organizations=("o",), serialNumber="s")
    assert (spec.duration, spec.duration_set, spec.renew_before) == (timedelta(hours=100), True, timedelta(hours=10))
    assert (spec.renew_before_percentage, spec.is_ca, spec.usages, spec.encode_usages) == (5, True, ("any",), False)
    assert spec.private_key == PrivateKeySpec("ECDSA", 256, "PKCS8", "Never")
    assert (spec.secret_labels, spec.secret_annotations) == ({"a": "b"}, {"c": "d"})


STORE = {"create": True, "passwordSecretRef": {"name": "x"}}
OUTPUTS: dict[str, tuple[dict[str, Any], Outputs]] = {
    "nothing": ({"keystores": {}, "additionalOutputFormats": []}, Outputs()),
    "formats": ({"additionalOutputFormats": [{"type": "CombinedPEM"}, {}]}, Outputs(("CombinedPEM", ""))),
    "defaults": (
        {"keystores": {"jks": STORE, "pkcs12": STORE}},
        Outputs(
            keystores=(
                Keystore("jks", SecretRef("x", "password"), alias="certificate"),
                Keystore("pkcs12", SecretRef("x", "password"), profile="LegacyRC2"),
            )
        ),
    ),
    "all fields": (
        {
            "keystores": {
                "jks": {"create": True, "alias": "a", "passwordSecretRef": {"name": "x", "key": "k"}},
                "pkcs12": {"create": True, "profile": "Modern2023", "password": "changeit"},
            }
        },
        Outputs(
            keystores=(
                Keystore("jks", SecretRef("x", "k"), alias="a"),
                Keystore("pkcs12", None, has_password=True, profile="Modern2023"),
            )
        ),
    ),
    "an inline password beside an empty reference": (
        {"keystores": {"jks": {"create": True, "password": "p", "passwordSecretRef": {"name": ""}}}},
        Outputs(keystores=(Keystore("jks", None, has_password=True, alias="certificate"),)),
    ),
    "not to be made": ({"keystores": {"jks": {"create": False, "password": "p"}, "pkcs12": {}}}, Outputs()),
}


@pytest.mark.parametrize(("fields", "outputs"), OUTPUTS.values(), ids=OUTPUTS)
def test_what_is_wanted_beside_pem_is_read(fields: dict[str, Any], outputs: Outputs) -> None:
    found = spec_of(**fields)
    assert found.outputs == outputs
    assert bool(found.outputs) is (outputs != Outputs())
    assert "changeit" not in repr(found)


def test_the_entries_that_outputs_make() -> None:
    outputs = spec_of(keystores={"jks": STORE}, additionalOutputFormats=[{"type": "DER"}, {"type": "odd"}]).outputs
    assert outputs.entries(has_ca=False) == {"key.der", "keystore.jks"}
    assert outputs.entries(has_ca=True) == {"key.der", "keystore.jks", "truststore.jks"}


def test_renewals_are_read() -> None:
    assert spec_of().renewal == spec_of(renewal={}).renewal == Renewal("RenewBefore", ())
    assert spec_of(renewal={"policy": "Disabled"}).renewal == Renewal("Disabled")
    windows = [
        {"cron": "0 2 * * *", "windowDuration": "90m", "timezone": "Europe/Berlin"},
        {"cron": "@daily", "windowDuration": "1h"},
    ]
    assert spec_of(renewal={"windows": windows}).renewal.windows == (
        Window("0 2 * * *", timedelta(minutes=90), "Europe/Berlin"),
        Window("@daily", timedelta(hours=1)),
    )
    assert (spec_of().revision_history_limit, spec_of(revisionHistoryLimit=5).revision_history_limit) == (None, 5)
    with pytest.raises(InvalidSpec, match=r"spec\.renewal\.windows\[0\]\.windowDuration: '' is not a duration"):
        spec_of(renewal={"windows": [{"cron": "@daily"}]})


@pytest.mark.parametrize(("algorithm", "size"), [("RSA", 2048), ("ECDSA", 256), ("Ed25519", 0), ("Unknown", 0)])
def test_each_algorithm_has_its_own_size(algorithm: str, size: int) -> None:
    assert spec_of(privateKey={"algorithm": algorithm}).private_key.size == size


@pytest.mark.parametrize("name", LATER_FIELDS)
def test_a_field_that_comes_later_is_never_silently_ignored(name: str) -> None:
    assert spec_of(**{name: {"some": "thing"}}).unsupported == (f"spec.{name}",)
    for neutral in LATER_FIELDS[name]:
        assert spec_of(**{name: neutral}).unsupported == ()


TAKEN: dict[str, tuple[dict[str, Any], PrivateKeySpec]] = {
    "whatever it is": ({}, PrivateKeySpec("", 0, secret_ref=SecretRef("x", "tls.key"))),
    "of an algorithm": ({"algorithm": "RSA"}, PrivateKeySpec("RSA", 0, secret_ref=SecretRef("x", "tls.key"))),
    "of a size": (
        {"algorithm": "ECDSA", "size": 384},
        PrivateKeySpec("ECDSA", 384, secret_ref=SecretRef("x", "tls.key")),
    ),
}


@pytest.mark.parametrize(("more", "wanted"), TAKEN.values(), ids=TAKEN)
def test_a_key_is_taken_from_a_secret(more: dict[str, Any], wanted: PrivateKeySpec) -> None:
    assert spec_of(privateKey={"secretRef": {"name": "x"}, **more}).private_key == wanted
    assert spec_of(privateKey={"secretRef": {}}).private_key == PrivateKeySpec()


def test_a_request_is_named() -> None:
    assert spec_of(csrSecretRef={"name": "x"}).csr_ref == SecretRef("x", "tls.csr")
    assert spec_of(csrSecretRef={"name": "x", "key": "y"}).csr_ref == SecretRef("x", "y")
    assert spec_of(csrSecretRef={}).csr_ref is None


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "the spec is a list": ({"spec": []}, "spec: must be an object"),
    "names are one text": ({"spec": {**LEAST, "dnsNames": "a"}}, "spec.dnsNames: must be a list"),
    "the issuer is a text": ({"spec": {"issuerRef": "x"}}, "spec.issuerRef: must be an object"),
    "a size is a text": ({"spec": {"privateKey": {"size": "2048"}}}, "spec.privateKey.size: must be a whole number"),
    "a duration is no duration": ({"spec": {"duration": "90d"}}, "spec.duration: '90d' is not a duration"),
    "a duration is a number": ({"spec": {"renewBefore": 5}}, "spec.renewBefore: must be a string"),
}


@pytest.mark.parametrize(("body", "message"), WRONG.values(), ids=WRONG)
def test_a_spec_cannot_be_read_when(body: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidSpec) as fault:
        parse_certificate(body)
    assert fault.value.message.startswith(message)


def test_a_status_is_read() -> None:
    raw: dict[str, Any] = {
        "conditions": [{"type": "Ready", "status": "True"}, "nonsense"],
        "order": {"url": "u"},
        "revision": 4,
        "failedIssuanceAttempts": 2,
        "lastFailureTime": "2026-11-23T12:00:00Z",
        "nextPrivateKeySecretName": "web-next",
    }
    status = parse_status({"status": raw})
    ready = status.condition("Ready")
    assert ready is not None
    assert (ready.status, status.condition("Issuing")) == ("True", None)
    assert status.order is not None
    assert (status.order.url, status.revision, status.failed_attempts) == ("u", 4, 2)
    assert status.last_failure_time == datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
    assert (status.next_key_secret, status.raw) == ("web-next", raw)


@pytest.mark.parametrize("raw", [None, [], "x", 5])
def test_a_status_that_is_none_counts_as_absent(raw: object) -> None:
    assert parse_status({"status": raw}) == CertificateStatus(raw={})


def test_a_status_that_is_anybodys_is_read_as_far_as_it_goes() -> None:
    raw = {"conditions": "x", "order": "x", "revision": "4", "failedIssuanceAttempts": None, "lastFailureTime": 5}
    assert parse_status({"status": raw}) == CertificateStatus(raw=raw)


def test_metadata_is_read() -> None:
    body = {
        "metadata": {
            "name": "web", "namespace": "shop", "uid": "u", "generation": 3, "resourceVersion": "7",
            "creationTimestamp": "2026-11-23T12:00:00Z", "deletionTimestamp": "2026-11-23T13:00:00Z",
            "labels": {"a": "b"}, "annotations": {"c": "d"},
        }
    }  # fmt: skip
    created = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
    assert Meta.of(body) == Meta("shop", "web", "u", 3, "7", created, True, {"a": "b"}, {"c": "d"})
    assert Meta.of({}) == Meta("", "", "", 0, "", None, False, {}, {})
    assert parse_certificate({**body, "spec": LEAST}).key == ObjectKey("Certificate", "shop", "web")


def test_keys_are_told_apart_from_a_cluster_scoped_kind() -> None:
    assert str(ObjectKey("Certificate", "shop", "web")) == "Certificate/shop/web"
    assert str(ObjectKey("ClusterIssuer", "", "le")) == "ClusterIssuer/le"


def test_every_name_follows_the_group() -> None:
    ours, theirs = Names(), Names("cert-manager.io")
    assert (ours.field_manager, theirs.field_manager) == ("certwright", "cert-manager-certificates-issuing")
    assert theirs.api_version == "cert-manager.io/v1"
    assert theirs.secret_selector == "controller.cert-manager.io/fao=true"
    assert theirs.next_key_label == "cert-manager.io/next-private-key"
    words = [theirs.certificate_name, theirs.issuer_name, theirs.issuer_kind, theirs.issuer_group]
    assert words == [f"cert-manager.io/{word}" for word in ("certificate-name", "issuer-name", "issuer-kind",
                                                            "issuer-group")]  # fmt: skip


def test_the_next_keys_secret_is_one_certificates_own() -> None:
    names = Names()
    assert names.next_key_secret("web", "uid-1") == names.next_key_secret("web", "uid-1")
    assert names.next_key_secret("web", "uid-1") != names.next_key_secret("web", "uid-2")
    assert len(names.next_key_secret("w" * 253, "uid")) <= 253
    assert "-.-next" not in names.next_key_secret("w" * 198 + "-.x", "uid")

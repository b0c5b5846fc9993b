"""Keystores and further formats in the Secret: made, kept stable, repaired, and removed; no password is told."""

import base64
import dataclasses
import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
import structlog
from cryptography.hazmat.primitives.serialization import pkcs12

from certwright.reconcile.bodies import WITHHELD, password_secrets, slim
from certwright.reconcile.keystores import LOOKED_AT_EVERY, NOT_FOUND
from unit.pki import jks_reader
from unit.reconcile.fake_kube import FakeKube
from unit.reconcile.operating import WEB, Operator, certificate_body, issuer_body

REF = {"name": "store-password"}
JKS = {"jks": {"create": True, "passwordSecretRef": REF}}
P12 = {"pkcs12": {"create": True, "passwordSecretRef": REF, "profile": "Modern2023"}}
BOTH: dict[str, Any] = {**JKS, **P12}
FORMATS = [{"type": "DER"}, {"type": "CombinedPEM"}]
FILES = {"keystore.jks", "truststore.jks", "keystore.p12", "truststore.p12"}
GOOD = {"Ready": ("True", "Ready")}


def password(kube: FakeKube, value: str = "changeit", *, key: str = "password", watched: bool = False) -> None:
    labels = {kube.names.watched_label: "true"} if watched else {}
    meta = {"namespace": "shop", "name": "store-password", "labels": labels}
    kube.put("secrets", {"metadata": meta, "data": {key: base64.b64encode(value.encode()).decode()}})


def start(*, with_password: bool = True, watched: bool = False, acme: bool = False, **spec: Any) -> Operator:
    """An operator with one Certificate that has keystores; its issuer signs at once unless told otherwise."""
    kube = FakeKube()
    if with_password:
        password(kube, watched=watched)
    kube.put("issuers", issuer_body() if acme else issuer_body({"selfSigned": {}}))
    kube.put("certificates", certificate_body(**{"keystores": BOTH, **spec}))
    return Operator(kube)


def settle(it: Operator) -> None:
    """Bring it to rest; the look into the keystores an hour later is left to the tests that are about it."""
    seconds = it.settle(patience=LOOKED_AT_EVERY.total_seconds() - 1)
    assert seconds is not None


def change(it: Operator, **spec: Any) -> None:
    it.kube.put("certificates", {**certificate_body(**spec), "status": it.status()})
    settle(it)


def data(it: Operator) -> dict[str, bytes]:
    secret = it.kube.get("secrets", "web-tls")
    assert secret is not None
    return {key: base64.b64decode(value) for key, value in secret["data"].items()}


def meddle(it: Operator, **values: bytes | None) -> None:
    """Change entries of the Secret as somebody else; an underscore stands for the dot."""
    secret = it.kube.get("secrets", "web-tls")
    assert secret is not None
    changed = {key.replace("_", "."): value for key, value in values.items()}
    kept = {key: value for key, value in secret["data"].items() if key not in changed}
    added = {key: base64.b64encode(value).decode() for key, value in changed.items() if value is not None}
    it.kube.put("secrets", {**secret, "data": {**kept, **added}})


def opens(found: Mapping[str, bytes], jks: str, p12: str) -> bool:
    jks_reader.read(found["keystore.jks"], jks)
    jks_reader.read(found["truststore.jks"], jks)
    pkcs12.load_pkcs12(found["truststore.p12"], p12.encode())
    return pkcs12.load_pkcs12(found["keystore.p12"], p12.encode()).key is not None


def test_keystores_and_formats_cost_no_further_write() -> None:
    it = start(additionalOutputFormats=FORMATS)
    settle(it)
    assert it.kube.writes == [
        "patch secrets shop/web-tls", "patch certificates/status shop/web", "create events shop",
    ]  # fmt: skip
    assert set(data(it)) == {"tls.key", "tls.crt", "ca.crt", "key.der", "tls-combined.pem", *FILES}
    assert opens(data(it), "changeit", "changeit")
    assert it.conditions() == GOOD


def test_looking_again_writes_nothing() -> None:
    """Neither at rest, nor when the keystores are opened an hour later, nor after a restart, which opens them, too."""
    it = start()
    settle(it)
    before, writes = data(it), list(it.kube.writes)
    reads = len(it.kube.reads)
    it.reconcile()
    assert it.kube.reads[reads:] == []
    it.now += LOOKED_AT_EVERY
    settle(it)
    assert it.kube.reads[reads:] == ["get secrets shop/web-tls", "get secrets shop/store-password"]
    again = Operator(it.kube, it.world, now=it.now)
    settle(again)
    assert (it.kube.writes, data(it)) == (writes, before)


def test_an_acme_certificate_has_them_too() -> None:
    it = start(acme=True, additionalOutputFormats=FORMATS)
    settle(it)
    assert set(data(it)) == {"tls.key", "tls.crt", "key.der", "tls-combined.pem", "keystore.jks", "keystore.p12"}
    assert "keystores" not in json.dumps(it.status())


CHANGES: dict[str, tuple[dict[str, Any], set[str], set[str]]] = {
    "another alias": ({"keystores": {**P12, "jks": {**JKS["jks"], "alias": "other"}}}, {"keystore.jks"}, set()),
    "another profile": (
        {"keystores": {**JKS, "pkcs12": {**P12["pkcs12"], "profile": "LegacyRC2"}}},
        {"keystore.p12", "truststore.p12"},
        set(),
    ),
    "no JKS": ({"keystores": P12}, set(), {"keystore.jks", "truststore.jks"}),
    "no PKCS#12": (
        {"keystores": {**JKS, "pkcs12": {**P12["pkcs12"], "create": False}}},
        set(),
        {"keystore.p12", "truststore.p12"},
    ),
    "none at all": ({}, set(), FILES),
    "a format": ({"keystores": BOTH, "additionalOutputFormats": FORMATS[:1]}, {"key.der"}, set()),
    "another encoding": (
        {"keystores": BOTH, "privateKey": {"algorithm": "ECDSA", "encoding": "PKCS8"}},
        {"tls.key"},
        set(),
    ),
    "an inline password": (
        {"keystores": {**P12, "jks": {"create": True, "password": "inline"}}},
        {"keystore.jks", "truststore.jks"},
        set(),
    ),
    "nothing of it": ({"keystores": BOTH, "renewBefore": "100h"}, set(), set()),
}


@pytest.mark.parametrize(("spec", "changed", "gone"), CHANGES.values(), ids=CHANGES)
def test_a_change_of_the_spec_is_made_good_without_a_new_certificate(
    spec: dict[str, Any], changed: set[str], gone: set[str]
) -> None:
    it = start()
    settle(it)
    before = data(it)
    change(it, **spec)
    after = data(it)
    assert set(before) - set(after) == gone
    assert {name for name, value in after.items() if before.get(name) != value} == changed
    assert it.status()["revision"] == 1
    assert it.conditions() == GOOD
    writes = list(it.kube.writes)
    it.now += LOOKED_AT_EVERY
    settle(it)
    assert it.kube.writes == writes


MEDDLINGS: dict[str, dict[str, bytes | None]] = {
    "a keystore is gone": {"keystore_jks": None},
    "a truststore is gone": {"truststore_p12": None},
    "a keystore is emptied": {"keystore_p12": b""},
    "a keystore is damaged": {"keystore_p12": b"rubbish"},
    "a truststore is damaged": {"truststore_jks": b"rubbish"},
    "a format is gone": {"key_der": None},
    "a format is damaged": {"tls-combined_pem": b"rubbish"},
}


@pytest.mark.parametrize("values", MEDDLINGS.values(), ids=MEDDLINGS)
def test_what_somebody_else_changed_is_repaired(values: dict[str, bytes | None]) -> None:
    """By one write, and what is right stays as it is."""
    it = start(additionalOutputFormats=FORMATS)
    settle(it)
    before, writes = data(it), len(it.kube.writes)
    meddle(it, theirs=b"x", **values)
    settle(it)
    after = data(it)
    assert it.kube.writes[writes:] == ["patch secrets shop/web-tls"]
    assert opens(after, "changeit", "changeit")
    touched = {name.replace("_", ".") for name in values}
    assert {name for name in before if after[name] != before[name]} <= touched
    assert after["theirs"] == b"x"
    assert after["key.der"] == before["key.der"]
    assert it.status()["revision"] == 1


def test_a_keystore_of_somebody_else_s_is_left_alone() -> None:
    it = start(keystores={})
    settle(it)
    meddle(it, keystore_jks=b"theirs")
    settle_quietly = it.settle()
    assert settle_quietly is not None
    assert data(it)["keystore.jks"] == b"theirs"


def test_a_new_password_is_seen_at_once_where_its_secret_is_watched() -> None:
    it = start(watched=True)
    settle(it)
    password(it.kube, "better", watched=True)
    assert WEB in it.queued
    settle(it)
    assert opens(data(it), "better", "better")
    assert it.status()["revision"] == 1


def test_a_new_password_is_seen_within_the_hour_where_its_secret_is_not_watched() -> None:
    it = start()
    settle(it)
    password(it.kube, "better")
    assert WEB not in it.queued
    it.now += LOOKED_AT_EVERY - timedelta(seconds=1)
    assert it.reconcile() == 1.0
    assert opens(data(it), "changeit", "changeit")
    it.now += timedelta(seconds=1)
    settle(it)
    assert opens(data(it), "better", "better")
    assert it.status()["revision"] == 1


def test_a_new_password_is_seen_at_a_restart() -> None:
    it = start()
    settle(it)
    password(it.kube, "better")
    again = Operator(it.kube, it.world, now=it.now)
    settle(again)
    assert opens(data(it), "better", "better")


def test_a_new_inline_password_is_seen_at_once_and_never_kept() -> None:
    it = start(keystores={"jks": {"create": True, "password": "first"}, **P12})
    settle(it)
    assert opens(data(it), "first", "changeit")
    change(it, keystores={"jks": {"create": True, "password": "second"}, **P12})
    assert opens(data(it), "second", "changeit")
    assert it.status()["revision"] == 1
    kept = it.cache.certificate_json(WEB) or b""
    assert WITHHELD.encode() in kept
    assert b"second" not in kept


MISSING: dict[str, tuple[Any, str]] = {
    "the Secret": (
        lambda kube: kube.remove("secrets", "store-password"),
        "there is no Secret store-password in namespace shop; create it",
    ),
    "its entry": (
        lambda kube: password(kube, key="pass"),
        "Secret store-password has no value under 'password'; the keys it has: pass",
    ),
    "its value": (
        lambda kube: password(kube, ""),
        "Secret store-password has no value under 'password'; the keys it has: password",
    ),
}


@pytest.mark.parametrize("acme", [False, True], ids=["signs at once", "acme"])
@pytest.mark.parametrize(("take", "message"), MISSING.values(), ids=MISSING)
def test_a_password_that_is_not_there_is_told_and_waited_for(take: Any, message: str, acme: bool) -> None:  # noqa: FBT001
    it = start(acme=acme)
    take(it.kube)
    seconds = it.reconcile()
    assert seconds is not None
    assert 0 < seconds <= 300
    assert it.conditions() == {"Ready": ("False", "DoesNotExist"), "Issuing": ("False", NOT_FOUND)}
    assert it.message("Issuing") == f"spec.keystores.jks.passwordSecretRef: {message}"
    assert it.events() == [("Warning", NOT_FOUND)]
    assert not it.world.orders, "no order is spent on it"
    assert it.kube.get("secrets", "web-tls") is None
    writes = len(it.kube.writes)
    it.reconcile()
    assert len(it.kube.writes) == writes
    password(it.kube)
    settle(it)
    assert it.conditions() == GOOD
    assert "keystore.jks" in data(it)


def test_a_password_that_went_away_leaves_the_certificate_ready() -> None:
    it = start()
    settle(it)
    before = data(it)
    it.kube.remove("secrets", "store-password")
    it.now += LOOKED_AT_EVERY
    assert it.reconcile() == 5.0
    assert it.conditions() == {"Ready": ("True", "Ready"), "Issuing": ("False", NOT_FOUND)}
    assert data(it) == before
    password(it.kube)
    settle(it)
    assert it.conditions() == GOOD
    assert data(it) == before


def test_a_password_that_is_not_utf_8_is_told() -> None:
    it = start()
    meta = {"namespace": "shop", "name": "store-password"}
    it.kube.put("secrets", {"metadata": meta, "data": {"password": base64.b64encode(b"\xff\xfe").decode()}})
    it.reconcile()
    assert it.message("Issuing") == ("spec.keystores.jks: its password is not UTF-8; choose one of ASCII characters")


def test_a_secret_that_changes_before_it_is_opened_is_observed_anew() -> None:
    it = start()
    settle(it)
    before = data(it)
    it.now += LOOKED_AT_EVERY

    def interfere(method: str, path: str) -> None:
        if method == "GET" and path.endswith("web-tls"):
            it.kube.before = lambda *_: None
            meddle(it, keystore_jks=b"rubbish")

    it.kube.before = interfere
    settle(it)
    assert opens(data(it), "changeit", "changeit")
    assert data(it)["keystore.p12"] == before["keystore.p12"]


def test_a_spec_that_changes_before_its_password_is_read_is_observed_anew() -> None:
    it = start(keystores={"jks": {"create": True, "password": "first"}})
    calls = []

    def interfere(method: str, path: str) -> None:
        if method == "GET" and path.endswith("certificates/web"):
            calls.append(path)
            if len(calls) == 2:
                it.kube.before = lambda *_: None
                it.kube.put("certificates", certificate_body(keystores=P12))

    it.kube.before = interfere
    settle(it)
    assert {name for name in data(it) if "store." in name} == {"keystore.p12", "truststore.p12"}


STAMPS = "certwright.dev/keystores-digest"


def annotations(it: Operator) -> dict[str, str]:
    secret = it.kube.get("secrets", "web-tls")
    assert secret is not None
    return dict(secret["metadata"]["annotations"])


def annotate(it: Operator, **changes: str | None) -> None:
    """Change annotations of the Secret as somebody else; None takes one away."""
    secret = it.kube.get("secrets", "web-tls")
    assert secret is not None
    names = {f"certwright.dev/{word.replace('_', '-')}": value for word, value in changes.items()}
    kept = {key: value for key, value in {**annotations(it), **names}.items() if value is not None}
    it.kube.put("secrets", {**secret, "metadata": {**secret["metadata"], "annotations": kept}})


def test_the_stamps_stand_on_the_secret_and_go_with_the_keystores() -> None:
    it = start()
    settle(it)
    assert {part.partition("=")[0] for part in annotations(it)[STAMPS].split(",")} == FILES
    change(it, keystores=JKS)
    assert {part.partition("=")[0] for part in annotations(it)[STAMPS].split(",")} == {"keystore.jks", "truststore.jks"}
    change(it)
    assert STAMPS not in annotations(it)


def taken_over() -> Operator:
    """Keystores that somebody else has made: they bear no stamps. The process is a new one."""
    it = start()
    settle(it)
    annotate(it, keystores_digest=None)
    return Operator(it.kube, it.world, now=it.now)


def test_keystores_without_stamps_are_taken_as_they_are() -> None:
    it = taken_over()
    before, writes = data(it), len(it.kube.writes)
    settle(it)
    it.now += LOOKED_AT_EVERY
    settle(it)
    assert (data(it), it.kube.writes[writes:]) == (before, [])


def test_keystores_without_stamps_outlive_the_repair_of_something_else() -> None:
    """From then on they bear stamps."""
    it = taken_over()
    before, writes = data(it), len(it.kube.writes)
    annotate(it, alt_names=None)
    settle(it)
    assert it.kube.writes[writes:] == ["patch secrets shop/web-tls"]
    assert data(it) == before
    assert STAMPS in annotations(it)


@pytest.mark.parametrize(
    "meddle_with",
    [
        lambda it: password(it.kube, "better"),
        lambda it: meddle(it, keystore_jks=b"rubbish"),
        lambda it: meddle(it, truststore_p12=None),
    ],
    ids=["a password", "an entry that was changed", "an entry that is gone"],
)
def test_keystores_without_stamps_are_made_anew_when_something_changes(meddle_with: Any) -> None:
    it = taken_over()
    settle(it)
    meddle_with(it)
    it.now += LOOKED_AT_EVERY
    settle(it)
    secret = it.kube.get("secrets", "store-password")
    assert secret is not None
    now = base64.b64decode(secret["data"]["password"]).decode()
    assert opens(data(it), now, now)
    assert it.status()["revision"] == 1
    assert STAMPS in annotations(it)


def test_a_stamp_that_is_forged_makes_keystores_anew() -> None:
    it = start()
    settle(it)
    before = data(it)
    annotate(it, keystores_digest="keystore.jks=00,keystore.p12=00")
    settle(it)
    after = data(it)
    assert opens(after, "changeit", "changeit")
    assert {name for name in before if before[name] != after[name]} <= FILES
    assert "=00" not in annotations(it)[STAMPS]


def test_no_password_is_told_anywhere() -> None:
    with structlog.testing.capture_logs() as logs:
        it = start(keystores={"jks": {"create": True, "password": "hunter2-inline"}, **P12})
        password(it.kube, "hunter2-referred")
        settle(it)
        meddle(it, keystore_jks=b"rubbish", keystore_p12=b"rubbish")
        settle(it)
        it.kube.remove("secrets", "store-password")
        it.now += LOOKED_AT_EVERY
        it.reconcile()
    secret = it.kube.get("secrets", "web-tls")
    assert secret is not None
    told = [json.dumps(logs, default=repr), json.dumps(it.kube.all("events")), json.dumps(it.status())]
    told += [json.dumps(secret["metadata"]), repr(it.cache.certificate_json(WEB)), repr(vars(it.certificates))]
    body = it.kube.get("certificates", "web")
    assert body is not None
    told.append(repr(dataclasses.replace(it.certificates._observer.look(WEB))))  # type: ignore[type-var]
    assert "hunter2-inline" in json.dumps(body["spec"])
    assert [text for text in told if "hunter2" in text] == []


def test_a_certificate_that_is_gone_is_forgotten() -> None:
    it = start()
    settle(it)
    views = it.certificates._store.keystores._views
    assert list(views) == [WEB]
    it.kube.remove("certificates", "web")
    it.settle()
    assert not views


def test_bodies_are_kept_without_passwords() -> None:
    spec = {"secretName": "x", "keystores": {"jks": {"password": "p", "alias": "a"}, "pkcs12": {"create": True}}}
    kept = slim({"metadata": {"name": "web"}, "spec": spec})
    assert kept["spec"] == {
        "secretName": "x",
        "keystores": {"jks": {"password": WITHHELD, "alias": "a"}, "pkcs12": {"create": True}},
    }
    assert spec["keystores"]["jks"]["password"] == "p", "the body itself is the watch's"  # type: ignore[index]


@pytest.mark.parametrize(
    "spec", [None, [], {}, {"keystores": None}, {"keystores": []}, {"keystores": {"jks": None, "pkcs12": "x"}},
             {"keystores": {"jks": {"passwordSecretRef": "x", "password": 5}}},
             {"keystores": {"jks": {"passwordSecretRef": {"name": ""}}}}],
)  # fmt: skip
def test_odd_bodies_are_kept_and_name_no_secret(spec: Any) -> None:
    kept = slim({"metadata": {"name": "web"}, "spec": spec})
    assert password_secrets(spec) == ()
    assert "5" not in repr(kept)


def test_the_secrets_that_a_spec_has_passwords_from() -> None:
    assert password_secrets({"keystores": BOTH}) == ("store-password",)

import dataclasses
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from certwright.core.desired import drift, secret_annotation_set, secret_labels
from certwright.core.observation import Observation, SecretView
from certwright.core.ownership import owner_of
from certwright.resources.names import Names
from unit.core.factories import NAMES, UID, annotated, make_certificate, make_spec, make_view, observe, with_facts

TEMPLATE: dict[str, Any] = {"labels": {"team": "a"}, "annotations": {"example.com/x": "y"}}
VIEW = make_view(make_certificate(secretTemplate=TEMPLATE))
OWNED_BY_US = dataclasses.replace(VIEW, owner_uids=frozenset({UID}))


def templated(view: SecretView | None, *, template: dict[str, Any] | None = TEMPLATE, **rest: Any) -> Observation:
    return observe(view=view, spec={"secretTemplate": template}, no_secret=view is None, **rest)


def labelled(**labels: str) -> SecretView:
    return dataclasses.replace(VIEW, labels={**VIEW.labels, **labels})


DRIFTED = {
    "our label is gone": (templated(dataclasses.replace(VIEW, labels={"team": "a"})), "label controller."),
    "a label of the template changed": (templated(labelled(team="b")), "label team is not as wanted"),
    "an annotation of the template is gone": (
        templated(dataclasses.replace(VIEW, annotations={k: v for k, v in VIEW.annotations.items() if "/x" not in k})),
        "annotation example.com/x",
    ),
    "an annotation of ours changed": (templated(annotated(VIEW, alt_names="x")), "annotation certwright.dev/alt-names"),
    "the template lost a label": (templated(VIEW, template=None), "annotations/example.com/x is no longer wanted"),
    "the encoding changed": (
        observe(view=make_view(make_certificate()), spec={"privateKey": {"algorithm": "ECDSA", "encoding": "PKCS8"}}),
        "the key's encoding is PKCS1, not PKCS8",
    ),
    "the owner reference is missing": (templated(VIEW, owner_wanted=True), "owner reference"),
    "the owner reference is one too many": (templated(OWNED_BY_US), "owner reference"),
}


@pytest.mark.parametrize(("observation", "message"), DRIFTED.values(), ids=DRIFTED)
def test_the_secret_is_written_anew_because(observation: Observation, message: str) -> None:
    found = drift(observation, NAMES)
    assert found is not None
    assert (found.word, message in found.message) == ("SecretDrift", True)


ED25519 = make_certificate(privateKey={"algorithm": "Ed25519"})
STORE = {"create": True, "passwordSecretRef": {"name": "x"}}
BOTH = {"jks": STORE, "pkcs12": STORE}
FORMATS = [{"type": "DER"}, {"type": "CombinedPEM"}]
WANTED: dict[str, Any] = {"keystores": BOTH, "additionalOutputFormats": FORMATS}
ALL_ENTRIES = ("key.der", "tls-combined.pem", "keystore.jks", "keystore.p12", "truststore.jks", "truststore.p12")
PLAIN = make_view(make_certificate())


def holding(*entries: str, worn: tuple[str, ...] = (), owned: bool = True, **facts: Any) -> SecretView:
    """A Secret with further entries."""
    view = with_facts(PLAIN, extras=entries, worn=worn, **facts)
    return dataclasses.replace(view, owned=view.owned | {f"data/{name}" for name in entries if owned})


ENTRIES_DRIFTED = {
    "a keystore is missing": (holding(*ALL_ENTRIES[:2], *ALL_ENTRIES[3:]), WANTED, "lacks keystore.jks"),
    "a truststore is missing": (holding(*ALL_ENTRIES[:5]), WANTED, "lacks truststore.p12"),
    "all is missing": (PLAIN, WANTED, "lacks key.der, keystore.jks, keystore.p12, tls-combined.pem, truststore.jks"),
    "a format does not follow from the key": (
        holding(*ALL_ENTRIES, worn=("key.der",)),
        WANTED,
        "key.der does not follow from its key and chain",
    ),
    "a format is no longer wanted": (holding("key.der"), {}, "data/key.der is no longer wanted"),
    "a keystore is no longer wanted": (
        holding(*ALL_ENTRIES),
        {**WANTED, "keystores": {"jks": STORE}},
        "data/keystore.p12 is no longer wanted",
    ),
    "a truststore has no CA any more": (
        holding(*ALL_ENTRIES, has_ca=False),
        WANTED,
        "data/truststore.jks is no longer wanted",
    ),
}


@pytest.mark.parametrize(("view", "spec", "message"), ENTRIES_DRIFTED.values(), ids=ENTRIES_DRIFTED)
def test_entries_are_written_anew_because(view: SecretView, spec: dict[str, Any], message: str) -> None:
    found = drift(observe(view=view, spec=spec), NAMES)
    assert found is not None
    assert message in found.message


ENTRIES_KEPT = {
    "all is there": (holding(*ALL_ENTRIES), WANTED),
    "there is no CA to trust": (holding(*ALL_ENTRIES[:4], has_ca=False), WANTED),
    "it is somebody else's": (holding(*ALL_ENTRIES, owned=False), {}),
    "it is somebody else's and odd": (holding("key.der", owned=False, worn=("key.der",)), {}),
    "it is gone already": (dataclasses.replace(PLAIN, owned=PLAIN.owned | {"data/key.der"}), {}),
}


@pytest.mark.parametrize(("view", "spec"), ENTRIES_KEPT.values(), ids=ENTRIES_KEPT)
def test_entries_are_left_alone_when(view: SecretView, spec: dict[str, Any]) -> None:
    assert drift(observe(view=view, spec=spec), NAMES) is None


KEPT = {
    "all is as wanted": templated(VIEW),
    "others' labels and annotations are there": templated(
        dataclasses.replace(labelled(other="x"), annotations={**VIEW.annotations, "other.example/x": "y"})
    ),
    "a label that we once owned is gone already": templated(
        dataclasses.replace(VIEW, owned=VIEW.owned | {"labels/old", "annotations/old"})
    ),
    "the issuer's group is empty, which means ours": templated(annotated(VIEW, issuer_group="")),
    "the digest of the request is there": templated(annotated(VIEW, request_digest="anything")),
    "an Ed25519 key has one encoding only": Observation(ED25519, make_view(ED25519), templated(VIEW).issuer),
    "the owner reference is wanted and there": templated(OWNED_BY_US, owner_wanted=True),
    "there is no Secret": templated(None),
    "there is no certificate in it": templated(with_facts(VIEW, certificate=None)),
    "there is no key in it": templated(with_facts(VIEW, key=None)),
}


@pytest.mark.parametrize("observation", KEPT.values(), ids=KEPT)
def test_the_secret_is_left_alone_when(observation: Observation) -> None:
    assert drift(observation, NAMES) is None


def test_our_labels_and_annotations_win_over_the_templates() -> None:
    names = Names("cert-manager.io")
    spec = make_spec(
        secretTemplate={
            "labels": {names.watched_label: "false", "team": "a"},
            "annotations": {names.issuer_name: "forged", "example.com/x": "y"},
        }
    )
    facts = VIEW.facts.certificate
    assert facts is not None
    assert secret_labels(spec, names) == {"controller.cert-manager.io/fao": "true", "team": "a"}
    annotations = secret_annotation_set("web", spec, names, facts)
    assert annotations == {
        "example.com/x": "y",
        "cert-manager.io/common-name": "",
        "cert-manager.io/alt-names": "web.example.com",
        "cert-manager.io/ip-sans": "",
        "cert-manager.io/uri-sans": "",
        "cert-manager.io/certificate-name": "web",
        "cert-manager.io/issuer-name": "ca",
        "cert-manager.io/issuer-kind": "Issuer",
        "cert-manager.io/issuer-group": "cert-manager.io",
    }


OLD, YOUNG = datetime(2025, 1, 1, tzinfo=UTC), datetime(2025, 1, 1, tzinfo=UTC) + timedelta(days=1)
OWNERS = {
    "the one that it was written for": ([("old", OLD), ("young", YOUNG)], "young", "young"),
    "the oldest when it was written for nobody": ([("young", YOUNG), ("old", OLD)], "", "old"),
    "the oldest when it was written for one that is gone": ([("young", YOUNG), ("old", OLD)], "gone", "old"),
    "the first by name of two equally old": ([("b", OLD), ("a", OLD)], "", "a"),
    "one whose age is known": ([("a", None), ("b", YOUNG)], "", "b"),
    "the first by name when no age is known": ([("b", None), ("a", None)], "", "a"),
}


@pytest.mark.parametrize(("claims", "written_for", "owner"), OWNERS.values(), ids=OWNERS)
def test_a_secret_belongs_to(claims: list[tuple[str, datetime | None]], written_for: str, owner: str) -> None:
    assert owner_of(claims, written_for) == owner
    assert owner_of(reversed(claims), written_for) == owner

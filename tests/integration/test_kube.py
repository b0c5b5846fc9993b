"""The functions of kube/ against a real API server."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from certwright.errors import Conflict, InvalidSpec, Retryable
from certwright.kube import certificates, events, issuers, leases, lists, secrets
from certwright.kube.client import Kube
from certwright.kube.faults import AlreadyExists, Forbidden, NamespaceTerminating, NotFound, UnknownResource
from certwright.resources.names import CERTIFICATE, CLUSTER_ISSUER, ISSUER, Names, ObjectKey
from cluster.environment import Environment

pytestmark = pytest.mark.cluster
NAMES = Names()


@pytest.fixture
def writes() -> list[str]:
    return []


@pytest.fixture
def kube(env: Environment, writes: list[str]) -> Iterator[Kube]:
    client = Kube(kubeconfig=str(env.kubeconfig), names=NAMES, user_agent="kube-test", on_write=writes.append)
    yield client
    client.close()


def certificate(env: Environment, namespace: str, name: str = "web") -> dict[str, Any]:
    body = {
        "apiVersion": NAMES.api_version,
        "kind": CERTIFICATE,
        "metadata": {"namespace": namespace, "name": name},
        "spec": {"secretName": "web-tls", "dnsNames": ["a.example.test"], "issuerRef": {"name": "ca"}},
    }
    return dict(json.loads(env.kubectl("create", "-o", "json", "-f", "-", input=json.dumps(body))))


class TestCertificates:
    def test_status_is_merged(self, env: Environment, namespace: str, kube: Kube, writes: list[str]) -> None:
        version = certificate(env, namespace)["metadata"]["resourceVersion"]
        key = ObjectKey(CERTIFICATE, namespace, "web")
        first = certificates.patch_status(
            kube, key, resource_version=version, status={"revision": 1, "failedIssuanceAttempts": 2}
        )
        after = certificates.patch_status(
            kube,
            key,
            resource_version=first["metadata"]["resourceVersion"],
            status={"failedIssuanceAttempts": None},
        )
        assert after["status"] == {"revision": 1}
        assert writes == [f"patch certificates/status {namespace}/web"] * 2

    def test_a_stale_version_conflicts_and_writes_nothing(
        self, env: Environment, namespace: str, kube: Kube, writes: list[str]
    ) -> None:
        version = certificate(env, namespace)["metadata"]["resourceVersion"]
        env.kubectl("-n", namespace, "annotate", "certificates.certwright.dev/web", "touched=yes")
        with pytest.raises(Conflict):
            certificates.patch_status(
                kube,
                ObjectKey(CERTIFICATE, namespace, "web"),
                resource_version=version,
                status={"revision": 1},
            )
        assert writes == []

    def test_what_is_not_there(self, namespace: str, kube: Kube) -> None:
        key = ObjectKey(CERTIFICATE, namespace, "none")
        assert certificates.get(kube, key) is None
        assert issuers.get(kube, ObjectKey(ISSUER, namespace, "none")) is None
        assert issuers.get(kube, ObjectKey(CLUSTER_ISSUER, "", "none")) is None
        with pytest.raises(NotFound, match=r"certificates/status .*/none does not exist"):
            certificates.patch_status(kube, key, resource_version="1", status={})

    def test_a_refused_status_names_the_field(self, env: Environment, namespace: str, kube: Kube) -> None:
        version = certificate(env, namespace)["metadata"]["resourceVersion"]
        with pytest.raises(InvalidSpec, match=r"status\.revision"):
            certificates.patch_status(
                kube, ObjectKey(CERTIFICATE, namespace, "web"), resource_version=version, status={"revision": "many"}
            )


class TestSecrets:
    def test_apply_keeps_what_others_wrote_and_removes_what_we_drop(
        self, env: Environment, namespace: str, kube: Kube
    ) -> None:
        data = {"tls.crt": b"certificate", "tls.key": b"key"}
        first = secrets.apply(kube, namespace, "web", data=data, labels={"ours": "1", "old": "1"})
        env.kubectl("-n", namespace, "label", "secret", "web", "theirs=2")
        env.kubectl("-n", namespace, "patch", "secret", "web", "-p", '{"data":{"theirs":"dGhlaXJz"}}')
        again = secrets.apply(kube, namespace, "web", data={**data, "tls.key": b"new"}, labels={"ours": "1"})
        assert again.meta.uid == first.meta.uid
        assert again.meta.labels == {"ours": "1", "theirs": "2"}
        assert again.data == {"tls.crt": b"certificate", "tls.key": b"new", "theirs": b"theirs"}
        assert again.applied == {"labels/ours", "data/tls.crt", "data/tls.key"}
        assert first.applied == {"labels/ours", "labels/old", "data/tls.crt", "data/tls.key"}

    def test_the_same_again_changes_nothing(self, namespace: str, kube: Kube) -> None:
        data = {"tls.crt": b"certificate", "tls.key": b"key"}
        first = secrets.apply(kube, namespace, "web", data=data)
        assert secrets.apply(kube, namespace, "web", data=data) == first

    def test_apply_takes_over_a_field_of_another(self, env: Environment, namespace: str, kube: Kube) -> None:
        env.kubectl("-n", namespace, "create", "secret", "generic", "mine", "--from-literal=a=b")
        taken = secrets.apply(kube, namespace, "mine", data={"a": b"c"}, type=secrets.OPAQUE)
        assert taken.data == {"a": b"c"}

    def test_preconditions(self, namespace: str, kube: Kube) -> None:
        first = secrets.create(kube, namespace, "one", data={"a": b"1"})
        second = secrets.apply(
            kube,
            namespace,
            "one",
            data={"a": b"2"},
            type=secrets.OPAQUE,
            resource_version=first.meta.resource_version,
            uid=first.meta.uid,
        )
        for wrong in (
            {"resource_version": first.meta.resource_version},
            {"uid": "00000000-0000-0000-0000-000000000000"},
        ):
            with pytest.raises(Conflict):
                secrets.apply(kube, namespace, "one", data={"a": b"3"}, type=secrets.OPAQUE, **wrong)
            with pytest.raises(Conflict):
                secrets.delete(kube, namespace, "one", **wrong)
        with pytest.raises(Conflict):
            secrets.apply(kube, namespace, "gone", data={}, type=secrets.OPAQUE, uid=first.meta.uid)
        secrets.delete(kube, namespace, "one", resource_version=second.meta.resource_version, uid=second.meta.uid)
        assert secrets.get(kube, namespace, "one") is None
        secrets.delete(kube, namespace, "one")

    def test_create_twice(self, namespace: str, kube: Kube, writes: list[str]) -> None:
        secrets.create(kube, namespace, "one", data={})
        with pytest.raises(AlreadyExists):
            secrets.create(kube, namespace, "one", data={})
        assert writes == [f"create secrets {namespace}"]

    def test_another_type_is_refused_without_a_value_in_the_text(self, namespace: str, kube: Kube) -> None:
        secrets.create(kube, namespace, "one", data={"a": b"hidden-value"})
        with pytest.raises(InvalidSpec, match="type: ") as refused:
            secrets.apply(kube, namespace, "one", data={"tls.crt": b"", "tls.key": b"hidden-value"})
        assert "hidden" not in refused.value.message

    def test_owners(self, env: Environment, namespace: str, kube: Kube) -> None:
        uid = certificate(env, namespace)["metadata"]["uid"]
        owner = {"apiVersion": NAMES.api_version, "kind": CERTIFICATE, "name": "web", "uid": uid}
        assert secrets.create(kube, namespace, "one", data={}, owners=[owner]).owner_uids == (uid,)

    @pytest.mark.parametrize("name", ["../../default/secrets/x", "..", "A", "a/b", "a?b", "-a", "a" * 254])
    def test_a_name_that_is_none_goes_nowhere(self, namespace: str, kube: Kube, name: str) -> None:
        with pytest.raises(InvalidSpec, match="cannot be the name of an object"):
            secrets.get(kube, namespace, name)


class TestEvents:
    def test_repeats_are_counted_into_the_first(self, env: Environment, namespace: str, kube: Kube) -> None:
        uid = certificate(env, namespace)["metadata"]["uid"]
        about = events.Regarding(NAMES.api_version, CERTIFICATE, namespace, "web", uid)
        for message in ("first", "second", "third"):
            events.record(kube, about, type=events.WARNING, reason="Refused", message=message, now=datetime.now(UTC))
        events.record(kube, about, type=events.NORMAL, reason="Issued", message="done", now=datetime.now(UTC))
        items = json.loads(env.kubectl("-n", namespace, "get", "events", "-o", "json"))["items"]
        assert {(item["reason"], item["count"], item["message"]) for item in items} == {
            ("Refused", 3, "third"),
            ("Issued", 1, "done"),
        }
        described = env.kubectl("-n", namespace, "describe", "certificates.certwright.dev", "web")
        assert "(x3 over" in described
        assert "Issued" in described

    def test_a_cluster_scoped_object_has_them_in_default(self, env: Environment, kube: Kube) -> None:
        about = events.Regarding(NAMES.api_version, CLUSTER_ISSUER, "", "ca", "uid-of-it")
        events.record(kube, about, type=events.NORMAL, reason="Ready", message="done", now=datetime.now(UTC))
        assert "clusterissuer/ca" in env.kubectl("-n", "default", "get", "events")


class TestLists:
    def test_pages_cover_everything(self, namespace: str, kube: Kube, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(lists, "PAGE_SIZE", 2)
        for number in range(5):
            secrets.create(kube, namespace, f"s{number}", data={"a": b"b"}, labels={"odd": str(number % 2)})
        whole = list(lists.of_kind(kube, lists.SECRET, namespace=namespace))
        assert {item["metadata"]["name"] for item in whole} == {f"s{number}" for number in range(5)}
        assert all("data" in item for item in whole)
        odd = list(lists.of_kind(kube, lists.SECRET, namespace=namespace, selector="odd=1", metadata_only=True))
        assert [item["metadata"]["name"] for item in odd] == ["s1", "s3"]
        assert not any("data" in item for item in odd)

    def test_a_kind_without_crd(self, env: Environment) -> None:
        kube = Kube(kubeconfig=str(env.kubeconfig), names=Names("absent.example"))
        with pytest.raises(UnknownResource, match=r"certificates\.absent\.example; install"):
            list(lists.of_kind(kube, CERTIFICATE))


class TestFaults:
    @pytest.mark.needs("users")
    def test_a_missing_right_is_named(self, env: Environment, namespace: str) -> None:
        kube = Kube(kubeconfig=str(env.kubeconfig_for("nobody", [])), names=NAMES)
        with pytest.raises(Forbidden, match=f"may not get secrets in namespace {namespace}; grant it by RBAC"):
            secrets.get(kube, namespace, "x")
        with pytest.raises(
            Forbidden, match=r"may not patch certificates/status of API group certwright\.dev in namespace"
        ):
            certificates.patch_status(kube, ObjectKey(CERTIFICATE, namespace, "x"), resource_version="1", status={})
        with pytest.raises(Forbidden, match=r"may not list clusterissuers .* in the whole cluster"):
            list(lists.of_kind(kube, CLUSTER_ISSUER))

    def test_a_quota_is_told_from_a_right(self, env: Environment, namespace: str, kube: Kube) -> None:
        env.kubectl("-n", namespace, "create", "quota", "none", "--hard=secrets=0")
        with pytest.raises(Forbidden, match="exceeded quota: none"):
            secrets.create(kube, namespace, "x", data={})

    def test_a_namespace_that_is_not_there(self, kube: Kube) -> None:
        with pytest.raises(NotFound, match="namespace absent does not exist"):
            secrets.create(kube, "absent", "x", data={})

    @pytest.mark.needs("controllers")
    def test_a_namespace_that_is_being_deleted(self, env: Environment, namespace: str, kube: Kube) -> None:
        env.kubectl("-n", namespace, "create", "configmap", "stays")
        env.kubectl("-n", namespace, "patch", "configmap", "stays", "-p", '{"metadata":{"finalizers":["test/stay"]}}')
        env.kubectl("delete", "namespace", namespace, "--wait=false")
        try:
            with pytest.raises(NamespaceTerminating, match=namespace):
                secrets.create(kube, namespace, "late", data={})
        finally:
            env.kubectl("-n", namespace, "patch", "configmap", "stays", "-p", '{"metadata":{"finalizers":null}}')

    @pytest.mark.needs("outages")
    def test_an_api_server_that_is_down(self, env: Environment, namespace: str, kube: Kube) -> None:
        control_plane = env.require("outages")
        assert secrets.get(kube, namespace, "x") is None
        control_plane.stop_apiserver()
        try:
            with pytest.raises(Retryable, match=r"does not answer: .*[Cc]onnection refused"):
                secrets.get(kube, namespace, "x")
        finally:
            control_plane.start_apiserver()
        assert secrets.get(kube, namespace, "x") is None


def test_a_lease_is_written_by_version(namespace: str, kube: Kube) -> None:
    assert leases.get(kube, namespace, "lead", timeout=5) is None
    mine = leases.Lease("me", 15, "2026-01-01T00:00:00.000000Z", "2026-01-01T00:00:00.000000Z")
    first = leases.put(kube, namespace, "lead", lease=mine, timeout=5)
    with pytest.raises(Conflict):
        leases.put(kube, namespace, "lead", lease=mine, timeout=5)
    leases.put(kube, namespace, "lead", lease=first, timeout=5)
    assert leases.get(kube, namespace, "lead", timeout=5).holder == "me"  # type: ignore[union-attr]
    other = leases.Lease("other", 15, first.acquired, first.renewed, 1, "1")
    with pytest.raises(Conflict):
        leases.put(kube, namespace, "lead", lease=other, timeout=5)

"""The TLS Secret after it was written: what asks for a new certificate, and what is repaired without one."""

import base64
import secrets as random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from bad_input_support import authority_pair, secret
from cryptography import x509
from waits import client, fetch_certificate, renew, status, until, wait_ready

from certwright.errors import CertwrightError
from certwright.kube.client import MERGE_PATCH
from certwright.kube.paths import CORE, path
from cluster.environment import Environment
from cluster.manifests import GROUP, Manifest, apply, certificate, condition, issuer
from cluster.operator import Operator

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(60)]

TEMPLATE = {"labels": {"team": "web"}, "annotations": {"note": "ours"}}


@dataclass(frozen=True, slots=True)
class Site:
    """One Certificate from a ca issuer, with its Secret."""

    env: Environment
    namespace: str
    name: str

    def change(self, **spec: Any) -> None:
        """Merge into the Certificate's spec."""
        self._patch(f"/apis/{GROUP}/v1/namespaces/{self.namespace}/certificates/{self.name}", {"spec": spec})

    def meddle(self, body: Manifest) -> None:
        """Merge into the Secret, as somebody else."""
        self._patch(path(CORE, "secrets", self.namespace, self.secret_name), body)

    @property
    def secret_name(self) -> str:
        """Of the Secret."""
        return f"{self.name}-tls"

    def secret(self) -> Manifest:
        """The whole Secret; empty when there is none."""
        try:
            return client(self.env.kubeconfig).request("GET", path(CORE, "secrets", self.namespace, self.secret_name))
        except CertwrightError:
            return {}

    def data(self, key: str) -> bytes:
        """One value of the Secret; empty when there is none."""
        return base64.b64decode((self.secret().get("data") or {}).get(key) or "")

    def serial(self) -> int:
        """Serial number of the certificate; 0 when there is none that can be read."""
        try:
            return x509.load_pem_x509_certificate(self.data("tls.crt")).serial_number
        except ValueError:
            return 0

    def ready(self) -> int:
        """Wait until it is Ready; its serial number."""
        wait_ready(self.env, self.namespace, self.name, 15)
        return self.serial()

    def revision(self) -> int:
        """`status.revision`."""
        return int(status(self.env, self.namespace, self.name)["revision"])

    def _patch(self, where: str, body: Manifest) -> None:
        client(self.env.kubeconfig).request("PATCH", where, body=body, content_type=MERGE_PATCH)


@pytest.fixture(scope="module")
def space(env: Environment, operator: Operator) -> Iterator[str]:
    """A namespace with two issuers of one type."""
    assert operator.child.running
    name = f"secret-{random.token_hex(3)}"
    objects = []
    for word in ("ca", "other"):
        crt, key = authority_pair()
        objects += [secret(name, word, tls_crt=crt, tls_key=key), issuer(name, word, ca={"secretName": word})]
    apply(env, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}, *objects)
    yield name
    env.kubectl("delete", "namespace", name, "--wait=false", check=False)


@pytest.fixture
def site(env: Environment, space: str) -> Site:
    """A Certificate that is Ready."""
    name = f"web-{random.token_hex(3)}"
    made = certificate(space, name, "web.example.test", issuer="ca", secretTemplate=TEMPLATE)
    kube = client(env.kubeconfig)
    kube.request("POST", path(kube.group_path, "certificates", space), body=made)
    found = Site(env, space, name)
    found.ready()
    return found


def _delete_secret(site: Site) -> None:
    client(site.env.kubeconfig).request("DELETE", path(CORE, "secrets", site.namespace, site.secret_name))


def _set(key: str, value: bytes) -> Any:
    return lambda site: site.meddle({"data": {key: base64.b64encode(value).decode()}})


def _other_pair(site: Site) -> None:
    crt, key = authority_pair()
    site.meddle({"data": {"tls.crt": base64.b64encode(crt).decode(), "tls.key": base64.b64encode(key).decode()}})


REISSUES = {
    "secret-deleted": _delete_secret,
    "certificate-emptied": _set("tls.crt", b""),
    "certificate-corrupted": _set("tls.crt", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
    "key-corrupted": _set("tls.key", b"nothing"),
    "key-of-another": _set("tls.key", authority_pair()[1]),
    "pair-of-another": _other_pair,
    "issuer-annotation-changed": lambda site: site.meddle({"metadata": {"annotations": {f"{GROUP}/issuer-name": "x"}}}),
    "name-annotation-changed": lambda site: site.meddle(
        {"metadata": {"annotations": {f"{GROUP}/certificate-name": "nobody"}}}
    ),
    "names-changed": lambda site: site.change(dnsNames=["web.example.test", "more.example.test"]),
    "issuer-changed": lambda site: site.change(issuerRef={"name": "other"}),
    "algorithm-changed": lambda site: site.change(privateKey={"algorithm": "Ed25519"}),
    "size-changed": lambda site: site.change(privateKey={"size": 384}),
    "usages-changed": lambda site: site.change(usages=["digital signature", "server auth"]),
    "common-name-changed": lambda site: site.change(commonName="web.example.test"),
    "subject-changed": lambda site: site.change(subject={"organizations": ["Example"]}),
    "duration-changed": lambda site: site.change(duration="100h"),
    "ca-wanted": lambda site: site.change(isCA=True),
    "addresses-changed": lambda site: site.change(ipAddresses=["192.0.2.1"]),
    "by-hand": lambda site: renew(site.env, site.namespace, site.name),
}


@pytest.mark.parametrize("why", REISSUES)
def test_a_reason_for_a_new_certificate(site: Site, why: str) -> None:
    serial, key = site.serial(), site.data("tls.key")
    REISSUES[why](site)
    until(lambda: site.serial() not in {0, serial} and site.revision() == 2, 15, why, site.secret)
    after = site.ready()
    assert site.revision() == 2
    assert site.data("tls.key") != key  # rotationPolicy is Always unless told otherwise
    time.sleep(0.3)
    assert site.serial() == after  # once is enough


def _meta(kind: str, key: str, value: str | None) -> Any:
    return lambda site: site.meddle({"metadata": {kind: {key: value}}})


def _of(kind: str, key: str) -> Any:
    return lambda site: (site.secret()["metadata"].get(kind) or {}).get(key)


REPAIRS: dict[str, tuple[Any, Any, object]] = {
    "our-label-removed": (
        _meta("labels", f"controller.{GROUP}/fao", None),
        _of("labels", f"controller.{GROUP}/fao"),
        "true",
    ),
    "label-changed": (_meta("labels", "team", "mail"), _of("labels", "team"), "web"),
    "label-removed": (_meta("labels", "team", None), _of("labels", "team"), "web"),
    "annotation-changed": (_meta("annotations", "note", "theirs"), _of("annotations", "note"), "ours"),
    "alt-names-changed": (
        _meta("annotations", f"{GROUP}/alt-names", "x"),
        _of("annotations", f"{GROUP}/alt-names"),
        "web.example.test",
    ),
    "issuer-kind-removed": (
        _meta("annotations", f"{GROUP}/issuer-kind", None),
        _of("annotations", f"{GROUP}/issuer-kind"),
        "Issuer",
    ),
    "template-label-added": (
        lambda site: site.change(secretTemplate={"labels": {"new": "one"}}),
        _of("labels", "new"),
        "one",
    ),
    "template-label-taken-away": (
        lambda site: site.change(secretTemplate={"labels": {"team": None}}),
        _of("labels", "team"),
        None,
    ),
    "template-annotation-added": (
        lambda site: site.change(secretTemplate={"annotations": {"new": "one"}}),
        _of("annotations", "new"),
        "one",
    ),
    "template-taken-away": (
        lambda site: site.change(secretTemplate=None),
        lambda site: (_of("labels", "team")(site), _of("annotations", "note")(site)),
        (None, None),
    ),
    "encoding-changed": (
        lambda site: site.change(privateKey={"encoding": "PKCS8"}),
        lambda site: site.data("tls.key").splitlines()[0],
        b"-----BEGIN PRIVATE KEY-----",
    ),
}


@pytest.mark.parametrize("what", REPAIRS)
def test_a_repair_without_a_new_certificate(site: Site, what: str) -> None:
    """What somebody else keeps in the Secret is there afterwards."""
    site.meddle({"metadata": {"labels": {"theirs": "1"}, "annotations": {"theirs": "2"}}, "data": {"theirs": "Mw=="}})
    serial = site.serial()
    break_it, look, wanted = REPAIRS[what]
    break_it(site)
    until(lambda: look(site) == wanted, 15, f"{what} is repaired", site.secret)
    site.ready()
    assert look(site) == wanted
    assert site.serial() == serial
    assert site.revision() == 1
    assert _of("labels", "theirs")(site) == "1"
    assert _of("annotations", "theirs")(site) == "2"
    assert site.data("theirs") == b"3"


def test_foreign_parts_survive_a_new_certificate(site: Site) -> None:
    site.meddle({"metadata": {"labels": {"theirs": "1"}, "annotations": {"theirs": "2"}}, "data": {"theirs": "Mw=="}})
    serial = site.serial()
    site.change(dnsNames=["new.example.test"])
    until(lambda: site.serial() not in {0, serial}, 15, "renewed")
    site.ready()
    assert (_of("labels", "theirs")(site), _of("annotations", "theirs")(site), site.data("theirs")) == ("1", "2", b"3")


def test_a_key_is_kept_where_that_is_asked(site: Site) -> None:
    site.change(privateKey={"rotationPolicy": "Never"})
    serial, key = site.ready(), site.data("tls.key")
    renew(site.env, site.namespace, site.name)
    until(lambda: site.serial() not in {0, serial}, 15, "renewed")
    site.ready()
    assert site.data("tls.key") == key
    assert site.revision() == 2


def test_another_secret_name_makes_another_secret(site: Site) -> None:
    """The Secret under the old name may be in use: it stays."""
    serial = site.serial()
    site.change(secretName=f"{site.name}-moved")
    moved = path(CORE, "secrets", site.namespace, f"{site.name}-moved")
    until(lambda: _exists(site, moved), 15, "the new Secret is there")
    wait_ready(site.env, site.namespace, site.name, 15)
    assert site.serial() == serial


def test_a_secret_stays_when_its_certificate_is_deleted(site: Site) -> None:
    kube = client(site.env.kubeconfig)
    kube.request("DELETE", path(kube.group_path, "certificates", site.namespace, site.name))
    until(lambda: not fetch_certificate(site.env, site.namespace, site.name), 10, "it is gone")
    time.sleep(1)  # the garbage collector would have been quicker
    assert site.serial()


def test_ready_stays_true_while_a_certificate_is_renewed(site: Site) -> None:
    serial = site.serial()
    renew(site.env, site.namespace, site.name)
    seen = set()

    def look() -> bool:
        seen.add(condition(fetch_certificate(site.env, site.namespace, site.name), "Ready")["status"])
        return site.serial() not in {0, serial}

    until(look, 15, "renewed")
    assert seen == {"True"}


def _exists(site: Site, where: str) -> bool:
    try:
        return bool(client(site.env.kubeconfig).request("GET", where))
    except CertwrightError:
        return False

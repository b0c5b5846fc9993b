import base64
import gc
from collections.abc import Iterable
from types import FunctionType, ModuleType
from typing import Any

import pytest

from certwright.core.observation import SecretView
from certwright.pki import keys
from certwright.reconcile.bodies import LAST_APPLIED
from certwright.reconcile.cache import SECRET, Cache
from certwright.resources.certificate import PrivateKeySpec
from certwright.resources.names import CERTIFICATE, CLUSTER_ISSUER, ISSUER, Names, ObjectKey
from certwright.resources.values import format_time
from unit.core.factories import NOW, data_for, make_spec

NAMES = Names()
WEB, API = ObjectKey(CERTIFICATE, "shop", "web"), ObjectKey(CERTIFICATE, "shop", "api")
IT, LE = ObjectKey(ISSUER, "shop", "it"), ObjectKey(CLUSTER_ISSUER, "", "le")
ACME = {"acme": {"privateKeySecretRef": {"name": "account"},
                 "solvers": [{"dns01": {"rfc2136": {"tsigSecretSecretRef": {"name": "tsig"}}}}]}}  # fmt: skip
DATA = data_for(make_spec(), begin=NOW)
REF_LE = {"name": "le", "kind": CLUSTER_ISSUER}


def certificate(name: str = "web", version: str = "1", secret: str = "web-tls", **more: Any) -> dict[str, Any]:
    meta = {"namespace": "shop", "name": name, "uid": f"uid-{name}", "resourceVersion": version,
            "creationTimestamp": "2026-01-01T00:00:00Z", **more.pop("meta", {})}  # fmt: skip
    return {"metadata": meta, "spec": {"secretName": secret, "issuerRef": more.pop("ref", {"name": "it"})}, **more}


def issuer(spec: Any = None, *, kind: str = ISSUER, version: str = "1") -> dict[str, Any]:
    meta = {"name": "it", "namespace": "shop"} if kind == ISSUER else {"name": "le"}
    return {"metadata": {**meta, "resourceVersion": version}, "spec": spec or ACME}


def secret(name: str = "web-tls", version: str = "1", namespace: str = "shop", **more: Any) -> dict[str, Any]:
    meta = {"namespace": namespace, "name": name, "uid": f"uid-{name}", "resourceVersion": version}
    data = {key: base64.b64encode(value).decode() for key, value in DATA.items()}
    return {"metadata": {**meta, **more.pop("meta", {})}, "data": data, "type": "kubernetes.io/tls", **more}


@pytest.fixture
def cache() -> Cache:
    return Cache(NAMES, "certwright")


def told(cache: Cache, kind: str, *bodies: dict[str, Any], event: str = "LISTED") -> set[ObjectKey]:
    """Note all; the keys of the last one."""
    keys: set[ObjectKey] = set()
    for body in bodies:
        keys = cache.note(kind, event, body)
    return keys


def test_a_certificate_is_news_until_it_is_known(cache: Cache) -> None:
    assert told(cache, CERTIFICATE, certificate()) == {WEB}
    assert told(cache, CERTIFICATE, certificate()) == set()
    assert told(cache, CERTIFICATE, certificate(version="2")) == {WEB}
    assert cache.keys(CERTIFICATE) == [WEB]
    assert b'"secretName":"web-tls"' in (cache.certificate_json(WEB) or b"")
    assert cache.certificate_json(API) is None


def test_our_own_write_makes_its_echo_no_news(cache: Cache) -> None:
    told(cache, CERTIFICATE, certificate(version="9"))
    cache.note(CERTIFICATE, "WRITTEN", certificate(version="10", status={"revision": 1}))
    assert told(cache, CERTIFICATE, certificate(version="10", status={"revision": 1}), event="MODIFIED") == set()


def test_news_from_before_our_own_write_is_passed_over(cache: Cache) -> None:
    cache.note(CERTIFICATE, "WRITTEN", certificate(version="10", status={"revision": 1}))
    assert told(cache, CERTIFICATE, certificate(version="9")) == set()
    assert b"revision" in (cache.certificate_json(WEB) or b"")


def test_versions_that_are_no_numbers_are_taken_as_they_come(cache: Cache) -> None:
    cache.note(CERTIFICATE, "WRITTEN", certificate(version="z"))
    assert told(cache, CERTIFICATE, certificate(version="a")) == {WEB}


def test_a_certificate_that_is_gone(cache: Cache) -> None:
    told(cache, CERTIFICATE, certificate())
    assert told(cache, CERTIFICATE, certificate(), event="DELETED") == {WEB}
    assert (cache.certificate_json(WEB), cache.keys(CERTIFICATE), cache.dependents(IT)) == (None, [], set())
    assert told(cache, CERTIFICATE, certificate(), event="DELETED") == {WEB}
    assert cache.take_orphan(WEB) is None
    assert cache._by_issuer == {}
    assert cache._by_secret == {}


def test_a_certificate_that_goes_mid_order_leaves_its_journal_once(cache: Cache) -> None:
    told(cache, CERTIFICATE, certificate(status={"order": {"url": "u"}}))
    told(cache, CERTIFICATE, {"metadata": {"namespace": "shop", "name": "web"}}, event="DELETED")
    orphan = cache.take_orphan(WEB)
    assert orphan is not None
    assert orphan["status"]["order"] == {"url": "u"}
    assert cache.take_orphan(WEB) is None
    cache.put_orphan(WEB, orphan)
    assert cache.take_orphan(WEB) == orphan


def test_news_of_an_issuer_concerns_those_that_name_it(cache: Cache) -> None:
    told(cache, CERTIFICATE, certificate(), certificate("api", secret="api-tls", ref=REF_LE))
    assert told(cache, ISSUER, issuer()) == {IT, WEB}
    assert told(cache, ISSUER, issuer()) == set()
    assert told(cache, CLUSTER_ISSUER, issuer(kind=CLUSTER_ISSUER)) == {LE, API}
    assert (cache.keys(ISSUER), cache.keys(CLUSTER_ISSUER)) == ([IT], [LE])
    assert told(cache, ISSUER, issuer(), event="DELETED") == {IT, WEB}
    assert cache.issuer(IT) is None


def test_a_certificate_that_names_another_issuer_leaves_the_first(cache: Cache) -> None:
    told(cache, CERTIFICATE, certificate(), certificate(version="2", ref={"name": "other"}))
    assert told(cache, ISSUER, issuer()) == {IT}


def test_news_of_a_secret_concerns_those_that_name_it(cache: Cache) -> None:
    told(cache, CERTIFICATE, certificate(), certificate("api", secret="web-tls"))
    assert told(cache, SECRET, secret()) == {WEB, API}
    assert told(cache, SECRET, secret()) == set()
    assert told(cache, SECRET, secret(version="2")) == {WEB, API}
    assert told(cache, SECRET, secret("other")) == set()
    assert told(cache, SECRET, secret(), event="DELETED") == {WEB, API}
    assert cache.secret("shop", "web-tls") is None


def test_news_of_a_password_concerns_those_whose_keystores_it_is_for(cache: Cache) -> None:
    def stored(name: str, password: str, version: str = "1") -> dict[str, Any]:
        body = certificate(name, version, f"{name}-tls")
        body["spec"]["keystores"] = {"jks": {"create": True, "passwordSecretRef": {"name": password}}}
        return body

    told(cache, CERTIFICATE, stored("web", "password"), stored("api", "other"))
    assert told(cache, SECRET, secret("password")) == {WEB}
    assert told(cache, SECRET, secret("password", namespace="elsewhere")) == set()
    told(cache, CERTIFICATE, stored("web", "other", "2"))
    assert told(cache, SECRET, secret("password", "2")) == set()
    assert told(cache, SECRET, secret("other")) == {WEB, API}
    told(cache, CERTIFICATE, stored("web", "other", "2"), event="DELETED")
    assert told(cache, SECRET, secret("other", "2")) == {API}


def test_a_secret_that_cannot_be_read_counts_as_none(cache: Cache) -> None:
    told(cache, CERTIFICATE, certificate())
    told(cache, SECRET, secret())
    assert told(cache, SECRET, secret(version="2", data={"tls.key": "a"})) == {WEB}
    assert cache.secret("shop", "web-tls") is None


NAMED = {
    "the key of an account": ("account", "shop", {IT, WEB}),
    "the credentials of a solver": ("tsig", "shop", {IT, WEB}),
    "a Secret of that name elsewhere": ("tsig", "other", set()),
    "a ClusterIssuer's Secret": ("tsig", "certwright", {LE, API}),
    "one that nobody names": ("else", "shop", set()),
}


@pytest.mark.parametrize(("name", "namespace", "concerned"), NAMED.values(), ids=NAMED)
def test_news_of_a_secret_that_an_issuer_names(
    cache: Cache, name: str, namespace: str, concerned: set[ObjectKey]
) -> None:
    told(cache, CERTIFICATE, certificate(), certificate("api", secret="api-tls", ref=REF_LE))
    told(cache, ISSUER, issuer())
    told(cache, CLUSTER_ISSUER, issuer(kind=CLUSTER_ISSUER))
    assert told(cache, SECRET, secret(name, namespace=namespace)) == concerned


def test_the_echo_of_a_cas_secret_is_news_for_its_issuer(cache: Cache) -> None:
    told(cache, CERTIFICATE, certificate(ref={"name": "root"}))
    told(cache, ISSUER, issuer({"ca": {"secretName": "web-tls"}}))
    told(cache, SECRET, secret())
    assert told(cache, SECRET, secret()) == {IT}


def test_of_two_certificates_with_one_secret_the_older_owns_it(cache: Cache) -> None:
    told(cache, CERTIFICATE, certificate())
    assert cache.rival(WEB) == ""
    younger = certificate("api", meta={"creationTimestamp": "2026-02-01T00:00:00Z"})
    assert told(cache, CERTIFICATE, younger) == {WEB, API}
    assert (cache.rival(WEB), cache.rival(API)) == ("", "web")
    told(cache, SECRET, secret(meta={"annotations": {NAMES.certificate_name: "api"}}))
    assert (cache.rival(WEB), cache.rival(API)) == ("api", "")
    moved = certificate("api", secret="api-tls", version="2")
    assert told(cache, CERTIFICATE, moved) == {WEB, API}
    assert (cache.rival(WEB), cache.rival(API)) == ("", "")
    assert cache.rival(ObjectKey(CERTIFICATE, "shop", "nobody")) == ""


def test_the_end_of_a_rival_is_news_for_who_waits(cache: Cache) -> None:
    told(cache, CERTIFICATE, certificate(), certificate("api"))
    assert told(cache, CERTIFICATE, certificate(), event="DELETED") == {WEB, API}


@pytest.mark.parametrize("spec", [None, [], "x", {}, {"issuerRef": None}])
def test_a_certificate_whose_spec_is_nonsense_is_kept_all_the_same(cache: Cache, spec: object) -> None:
    assert cache.note(CERTIFICATE, "ADDED", {**certificate(), "spec": spec}) == {WEB}


def test_the_overview_tells_of_each_certificate(cache: Cache) -> None:
    ready = {"conditions": [{"type": "Other"}, {"type": "Ready", "status": "True"}], "renewalTime": format_time(NOW)}
    told(cache, CERTIFICATE, certificate(status=ready), certificate("api", secret="api-tls"))
    told(cache, SECRET, secret())
    rows = {row.key.name: row for row in cache.overview()}
    assert (rows["web"].issuer, rows["web"].ready, rows["web"].renewal) == (IT, "True", NOW)
    assert rows["web"].secret == cache.secret("shop", "web-tls")
    assert (rows["api"].ready, rows["api"].renewal, rows["api"].secret) == ("Unknown", None, None)


def test_a_certificate_made_anew_under_its_name_leaves_an_orphan(cache: Cache) -> None:
    order = {"order": {"url": "https://ca.test/order/1"}}
    told(cache, CERTIFICATE, certificate(status=order))
    told(cache, CERTIFICATE, certificate(meta={"uid": "uid-another", "resourceVersion": "99"}))
    assert (cache.take_orphan(WEB) or {})["status"] == order
    assert cache.take_orphan(WEB) is None


def test_what_is_long_and_never_looked_at_is_not_kept(cache: Cache) -> None:
    meta = {"managedFields": ["x" * 1000], "annotations": {LAST_APPLIED: "x" * 1000, "mine": "y"}}
    told(cache, CERTIFICATE, certificate(meta=meta))
    body = cache.certificate_json(WEB) or b""
    assert b"xxxx" not in body
    assert b'"mine":"y"' in body


def reachable(roots: Iterable[object]) -> Iterable[object]:
    """Everything that can be reached from some objects, code left out."""
    seen: set[int] = set()
    todo = list(roots)
    while todo:
        item = todo.pop()
        if id(item) in seen or isinstance(item, ModuleType | type | FunctionType):
            continue
        seen.add(id(item))
        yield item
        todo.extend(gc.get_referents(item))


def test_no_private_key_can_be_reached_from_the_cache(cache: Cache) -> None:
    rest = keys.encode(keys.generate(PrivateKeySpec("ECDSA", 256)), "PKCS8")
    told(cache, CERTIFICATE, certificate())
    told(cache, ISSUER, issuer())
    told(cache, SECRET, secret())
    encoded = {"tls.key": base64.b64encode(rest).decode()}
    told(cache, SECRET, secret("account", data=encoded))
    found = list(reachable([cache]))
    assert any(isinstance(item, SecretView) for item in found)
    texts = [item.encode() if isinstance(item, str) else bytes(item) for item in found if isinstance(item, str | bytes)]
    assert any(b"web-tls" in text for text in texts)
    lines = [line for pem in (DATA["tls.key"], rest) for line in pem.splitlines() if b"-----" not in line]
    needles = [b"PRIVATE KEY", *lines, *(base64.b64encode(line)[4:-4] for line in lines)]
    assert not [text for text in texts if any(needle in text for needle in needles)]
    assert not [item for item in found if isinstance(item, keys.PrivateKey)]

"""The objects of an HTTP-01 solver as manifests, and rules in somebody else's Ingress."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from certwright.errors import InvalidSpec
from certwright.resources.meta import Meta
from certwright.resources.names import Names
from certwright.resources.order import SolverObject
from certwright.resources.reading import Fields
from certwright.solvers.http01.answer import Answer
from certwright.solvers.http01.config import Http01Config
from certwright.solvers.http01.objects import Image, Manifests
from certwright.solvers.http01.rules import EXACT, SPECIFIC, rules, with_rules, without_rules

BUNDLE = "certwright-http-solver-1"
NAMES = Names()


def meta(**annotations: str) -> Meta:
    body = {"metadata": {"namespace": "shop", "name": "web", "uid": "u-1", "annotations": annotations}}
    return Meta.of(body)


def config(body: dict[str, Any], **annotations: str) -> Http01Config:
    return Http01Config.of(Fields(body, "spec.acme.solvers[0].http01"), meta(**annotations), NAMES)


def manifests(body: dict[str, Any], image: str = "registry.test/certwright:1") -> Manifests:
    return Manifests(config(body), meta(), NAMES, Image(image))


def answers(*names: str) -> list[Answer]:
    return [Answer(name, f"token{number}", f"token{number}.thumb", BUNDLE) for number, name in enumerate(names)]


def test_a_hundred_names_are_one_pod_one_service_and_one_ingress() -> None:
    made = manifests({"ingress": {"ingressClassName": "traefik"}})
    hundred = answers(*(f"w{number}.example.com" for number in range(100)))
    assert made.objects(BUNDLE, hundred) == (
        SolverObject("Pod", BUNDLE),
        SolverObject("Service", BUNDLE),
        SolverObject("Ingress", BUNDLE),
    )
    (container,) = made.pod(BUNDLE, hundred)["spec"]["containers"]
    assert container["args"][:3] == ["--listen-port=8089", "--thumbprint=thumb", "--proxy-header=Host"]
    assert container["args"][3:] == [f"w{number}.example.com=token{number}" for number in range(100)]
    ingress = made.ingress(BUNDLE, hundred, EXACT)
    assert ingress["spec"]["ingressClassName"] == "traefik"
    assert [rule["host"] for rule in ingress["spec"]["rules"]] == [answer.identifier for answer in hundred]


def test_the_pod_is_restricted_and_fits_a_quota() -> None:
    pod = manifests({"ingress": {}}).pod(BUNDLE, answers("example.com"))
    spec, (container,) = pod["spec"], pod["spec"]["containers"]
    assert spec["automountServiceAccountToken"] is False
    assert spec["securityContext"] == {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
    }
    for kind in ("requests", "limits"):
        assert set(container["resources"][kind]) == {"cpu", "memory", "ephemeral-storage"}
    annotations, labels = pod["metadata"]["annotations"], pod["metadata"]["labels"]
    assert annotations["sidecar.istio.io/inject"] == labels["sidecar.istio.io/inject"] == "false"
    assert annotations["cluster-autoscaler.kubernetes.io/safe-to-evict"] == "true"
    assert labels["acme.certwright.dev/http01-solver"] == "true"
    assert "http-solver" in pod["metadata"]["name"]
    assert pod["metadata"]["ownerReferences"][0]["uid"] == "u-1"


def test_templates_win_but_for_what_the_service_finds_the_pod_by() -> None:
    template = {
        "metadata": {"labels": {"acme.certwright.dev/order": "x", "team": "a"}, "annotations": {"a": "b"}},
        "spec": {
            "nodeSelector": {"zone": "1"},
            "resources": {"requests": {"cpu": "1m"}},
            "securityContext": {"runAsUser": 7},
            "hostNetwork": True,
        },
    }
    made = manifests(
        {
            "ingress": {
                "class": "old",
                "serviceType": "ClusterIP",
                "podTemplate": template,
                "ingressTemplate": {"metadata": {"annotations": {"kubernetes.io/ingress.class": "other"}}},
            }
        }
    )
    pod = made.pod(BUNDLE, answers("example.com"))
    assert pod["metadata"]["labels"]["team"] == "a"
    assert pod["metadata"]["labels"]["acme.certwright.dev/order"] == BUNDLE
    assert pod["metadata"]["annotations"]["a"] == "b"
    assert pod["spec"]["nodeSelector"] == {"zone": "1"}
    assert pod["spec"]["securityContext"] == {"runAsUser": 7}
    assert "hostNetwork" not in pod["spec"]
    assert pod["spec"]["containers"][0]["resources"] == {"requests": {"cpu": "1m"}}
    service = made.service(BUNDLE)
    assert (service["spec"]["type"], service["spec"]["selector"]) == (
        "ClusterIP",
        {"acme.certwright.dev/order": BUNDLE},
    )
    ingress = made.ingress(BUNDLE, answers("example.com"), EXACT)
    assert ingress["metadata"]["annotations"]["kubernetes.io/ingress.class"] == "other"


def test_addresses_have_no_host() -> None:
    (named, bare) = rules(answers("example.com", "192.0.2.1", "2001:db8::1"), BUNDLE, EXACT)
    assert named["host"] == "example.com"
    assert "host" not in bare
    assert [path["path"] for path in bare["http"]["paths"]] == [
        "/.well-known/acme-challenge/token1",
        "/.well-known/acme-challenge/token2",
    ]


def test_a_route_holds_sixteen_names() -> None:
    made = manifests({"gatewayHTTPRoute": {"parentRefs": [{"name": "gw"}], "labels": {"a": "b"}}})
    many = answers(*(f"w{number}.example.com" for number in range(33)), "192.0.2.1")
    routes = made.routes(BUNDLE, many)
    assert [len(route["spec"].get("hostnames", ())) for route in routes] == [16, 16, 1, 0]
    assert sum(len(route["spec"]["rules"][0]["matches"]) for route in routes) == 34
    assert [item.name for item in made.objects(BUNDLE, many)[2:]] == [route["metadata"]["name"] for route in routes]
    assert len({route["metadata"]["name"] for route in routes}) == 4
    assert routes[0]["metadata"]["labels"]["a"] == "b"


def test_a_webroot_is_a_pod_with_the_volume() -> None:
    made = manifests({"webroot": {"claimName": "files", "path": "/htdocs/"}})
    pod = made.pod(BUNDLE, answers("example.com"))
    assert "--webroot=/webroot/htdocs" in pod["spec"]["containers"][0]["args"]
    assert pod["spec"]["volumes"][0]["persistentVolumeClaim"] == {"claimName": "files"}
    assert made.objects(BUNDLE, answers("example.com")) == (SolverObject("Pod", BUNDLE),)


OTHERS: dict[str, Any] = {
    "metadata": {"name": "web", "namespace": "shop", "resourceVersion": "7", "annotations": {"a": "b"}},
    "spec": {
        "tls": [{"hosts": ["example.com"]}],
        "rules": [
            {"host": "example.com", "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": {}}]}},
            {"host": "bare.example.com"},
        ],
    },
}


def test_rules_are_put_before_the_others_and_taken_out_without_a_trace() -> None:
    names = answers("example.com", "bare.example.com", "new.example.com")
    with_ours = with_rules(OTHERS, names, BUNDLE, SPECIFIC)
    assert with_ours is not None
    first = with_ours["spec"]["rules"][0]["http"]["paths"]
    assert [path["path"] for path in first] == ["/.well-known/acme-challenge/token0", "/"]
    assert with_ours["spec"]["rules"][1] == {"host": "bare.example.com"}
    assert with_rules(with_ours, names, BUNDLE, SPECIFIC) is None
    assert without_rules(with_ours, BUNDLE) == OTHERS
    assert without_rules(OTHERS, BUNDLE) is None


def test_two_certificates_share_an_ingress() -> None:
    first = with_rules(OTHERS, answers("example.com"), BUNDLE, EXACT) or {}
    both = with_rules(first, answers("example.com"), "certwright-http-solver-2", EXACT) or {}
    assert len(both["spec"]["rules"][0]["http"]["paths"]) == 3
    rest = without_rules(both, BUNDLE) or {}
    assert without_rules(rest, "certwright-http-solver-2") == OTHERS


hosts = st.sampled_from(["", "a.test", "b.test", "c.test"])
path = st.builds(
    lambda text, name: {"path": f"/{text}", "pathType": "Prefix", "backend": {"service": {"name": name}}},
    st.text("abc", max_size=3),
    st.sampled_from(["web", "api"]),
)
rule = st.builds(
    lambda host, paths: {**({"host": host} if host else {}), **({"http": {"paths": paths}} if paths else {})},
    hosts,
    st.lists(path, max_size=3),
)


@given(
    st.lists(rule, max_size=4), st.lists(st.sampled_from(["a.test", "d.test", "192.0.2.1"]), min_size=1, unique=True)
)
def test_whatever_an_ingress_holds_is_what_it_held_before(held: list[dict[str, Any]], names: list[str]) -> None:
    body = {"metadata": {"name": "x"}, "spec": {"rules": held} if held else {}}
    changed = with_rules(body, answers(*names), BUNDLE, EXACT)
    assert changed is not None
    assert without_rules(changed, BUNDLE) == body


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({}, "exactly one of ingress"),
        ({"ingress": {}, "webroot": {"claimName": "x"}}, "exactly one of ingress"),
        ({"ingress": {"name": "a", "class": "b"}}, "at most one of"),
        ({"ingress": {"serviceType": "LoadBalancer"}}, r"ingress\.serviceType"),
        ({"ingress": {}, "proxyHeader": "X-Host"}, r"http01\.proxyHeader"),
        ({"ingress": {}, "check": {"policy": "Never"}}, r"check\.policy"),
        ({"ingress": {}, "check": {"grace": "-1s"}}, r"check\.grace"),
        ({"ingress": {}, "delay": "soon"}, r"http01\.delay"),
        ({"gatewayHTTPRoute": {}}, r"parentRefs: missing"),
        ({"gatewayHTTPRoute": {"parentRefs": [{"kind": "Gateway"}]}}, r"parentRefs\[0\]\.name"),
        ({"webroot": {}}, r"webroot\.claimName"),
        ({"webroot": {"claimName": "x", "path": "a/../../b"}}, r"webroot\.path"),
    ],
)
def test_a_mistake_is_named(body: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidSpec, match=said):
        config(body)


def test_annotations_of_the_certificate_win() -> None:
    key = "acme.certwright.dev/http01-override-ingress-"
    assert config({"ingress": {"name": "a"}}, **{f"{key}class": "b"}).ingress_class == "b"
    assert config({"ingress": {"name": "a"}}, **{f"{key}ingressclassname": "b"}).ingress_name == ""
    with pytest.raises(InvalidSpec, match="annotations"):
        config({"ingress": {}}, **{f"{key}class": "b", f"{key}name": "c"})
    parent = {"acme.certwright.dev/http01-parentrefname": "gw", "acme.certwright.dev/http01-parentrefnamespace": "n"}
    assert config({"gatewayHTTPRoute": {}}, **parent).parents == ({"name": "gw", "namespace": "n"},)


def test_a_name_of_the_objects_follows_from_the_order() -> None:
    name = NAMES.http01_objects("u-1", "https://ca.test/order/1")
    assert name == NAMES.http01_objects("u-1", "https://ca.test/order/1")
    assert name != NAMES.http01_objects("u-1", "https://ca.test/order/2")
    assert len(name) <= 63
    assert Names("cert-manager.io").http01_objects("u", "o").startswith("cm-acme-http-solver-")

"""The HTTP-01 solver: what it makes, brings back and takes away, at an API server in memory."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from certwright.dns.resolvers import Resolvers
from certwright.errors import CertwrightError, InvalidSpec, Retryable, Terminal
from certwright.kube.faults import Forbidden, NamespaceTerminating
from certwright.resources.order import SolverObject
from certwright.resources.reading import Fields
from certwright.solvers.http01 import solver as http01
from certwright.solvers.http01.answer import Answer
from certwright.solvers.http01.check.looking import Places
from certwright.solvers.http01.config import Http01Config
from certwright.solvers.http01.objects import Image, Manifests
from certwright.solvers.http01.places import places
from certwright.solvers.http01.solver import Http01Solver
from unit.reconcile.fake_kube import FakeKube
from unit.solvers.test_http01_objects import NAMES, OTHERS, meta

URL = "https://ca.test/order/1"
BUNDLE = NAMES.http01_objects("u-1", URL)


class Bench:
    """One solver at one cluster."""

    def __init__(
        self, body: dict[str, Any] | None = None, *, image: str = "x:1", wait: timedelta | None = None
    ) -> None:
        self.kube: Any = FakeKube()
        config = Http01Config.of(Fields(body or {"ingress": {}}, "http01"), meta(), NAMES)
        self.manifests = Manifests(config, meta(), NAMES, Image(image))
        self.solver = Http01Solver(
            self.manifests,
            kube=self.kube,
            resolvers=Resolvers.of(("127.0.0.1:9",)),
            executor=ThreadPoolExecutor(1),
            wait=wait,
        )

    def plan(self, *names: str) -> list[Answer]:
        planned = self.solver.plan_all(names or ("example.com",))
        faults = [item for item in planned if isinstance(item, CertwrightError)]
        if faults:
            raise faults[0]
        good = [item for item in planned if isinstance(item, Answer)]
        return [
            self.solver.answer(item, token=f"t{number}", key_authorization=f"t{number}.thumb", order=URL)
            for number, item in enumerate(good)
        ]

    def present(self, *names: str) -> list[Answer]:
        planned = self.plan(*names)
        self.solver.present(planned, planned)
        return planned

    def pod(self, **status: Any) -> None:
        body = self.kube.get("pods", BUNDLE)
        self.kube.put("pods", {**body, "status": status})


def test_one_order_makes_three_objects_and_leaves_none() -> None:
    bench = Bench()
    planned = bench.present("a.example.com", "b.example.com")
    again = bench.present("a.example.com", "b.example.com")
    assert planned == again
    assert bench.kube.writes == [f"create {kind} shop" for kind in ("pods", "services", "ingresses")]
    bench.kube.writes.clear()
    bench.solver.clean_up(planned)
    bench.solver.clean_up(planned)
    assert bench.kube.writes == [f"delete {kind} shop/{BUNDLE}" for kind in ("ingresses", "services", "pods")]
    assert bench.kube.objects == {}


@pytest.mark.parametrize("phase", [None, "Failed", "Succeeded"])
def test_a_pod_that_ended_comes_back(phase: str | None) -> None:
    bench = Bench()
    planned = bench.present()
    uid = bench.kube.get("pods", BUNDLE)["metadata"]["uid"]
    if phase:
        bench.pod(phase=phase, reason="Evicted")
    else:
        bench.kube.remove("pods", BUNDLE)
    bench.solver.keep(planned)
    assert bench.kube.get("pods", BUNDLE)["metadata"]["uid"] != uid
    bench.kube.writes.clear()
    bench.solver.keep(planned)
    assert bench.kube.writes == []


def test_an_ingress_of_others_is_given_back_as_it_was() -> None:
    bench = Bench({"ingress": {"name": "web"}})
    with pytest.raises(InvalidSpec, match="there is no Ingress web in namespace shop") as refusal:
        bench.plan()
    assert refusal.value.reason == "IngressNotFound"
    bench.kube.put("ingresses", OTHERS)
    planned = bench.present()
    assert bench.solver.objects(planned)[-1] == SolverObject("Ingress", "web", shared=True)
    assert len(bench.kube.get("ingresses", "web")["spec"]["rules"][0]["http"]["paths"]) == 2
    journal = bench.solver.objects(planned)
    http01.remove(bench.kube, "shop", [SolverObject.of(item.body()) for item in journal])
    assert bench.kube.get("ingresses", "web")["spec"] == OTHERS["spec"]
    assert len(bench.kube.objects) == 1


def test_an_ingress_that_is_gone_needs_no_cleaning() -> None:
    bench = Bench({"ingress": {"name": "web"}})
    bench.kube.put("ingresses", OTHERS)
    planned = bench.present()
    bench.kube.remove("ingresses", "web")
    bench.solver.clean_up(planned)
    assert bench.kube.objects == {}
    with pytest.raises(InvalidSpec, match="Ingress web is gone"):
        bench.solver.present(planned, planned)


def test_a_change_by_others_meanwhile_is_kept() -> None:
    bench = Bench({"ingress": {"name": "web"}})
    bench.kube.put("ingresses", OTHERS)
    rounds: list[str] = []

    def meddle(method: str, path: str) -> None:
        if method == "PUT" and len(rounds) < 2:
            rounds.append(path)
            body = bench.kube.get("ingresses", "web")
            body["metadata"]["annotations"] = {"round": str(len(rounds))}
            bench.kube.put("ingresses", body)

    bench.kube.before = meddle
    bench.present()
    body = bench.kube.get("ingresses", "web")
    assert body["metadata"]["annotations"] == {"round": "2"}
    assert len(body["spec"]["rules"][0]["http"]["paths"]) == 2


def test_an_ingress_that_is_changed_all_the_time_is_left_for_later() -> None:
    bench = Bench({"ingress": {"name": "web"}})
    bench.kube.put("ingresses", OTHERS)

    def meddle(method: str, path: str) -> None:
        if method == "PUT":
            raise bench.kube.refuse(method, path, 409, "Conflict")

    bench.kube.before = meddle
    with pytest.raises(Retryable, match="changed by others all the time"):
        bench.present()


def test_the_path_type_is_the_controllers() -> None:
    bench = Bench({"ingress": {"ingressClassName": "nginx"}})
    bench.kube.put("ingressclasses", {"metadata": {"name": "nginx"}, "spec": {"controller": "k8s.io/ingress-nginx"}})
    bench.present()
    assert path_type(bench) == "ImplementationSpecific"
    assert path_type(presented({"ingress": {"ingressClassName": "other"}})) == "Exact"


def presented(body: dict[str, Any]) -> Bench:
    bench = Bench(body)
    bench.present()
    return bench


def path_type(bench: Bench) -> str:
    return str(bench.kube.get("ingresses", BUNDLE)["spec"]["rules"][0]["http"]["paths"][0]["pathType"])


def test_another_path_type_is_tried_when_admission_refuses_the_first() -> None:
    bench = Bench()
    tried: list[str] = []

    def admission(method: str, path: str) -> None:
        if method == "POST" and "/ingresses" in path:
            tried.append(path)
            if len(tried) == 1:
                raise Terminal("admission webhook denied the request: path /.well-known cannot be used with Exact")

    bench.kube.before = admission
    bench.present()
    assert path_type(bench) == "ImplementationSpecific"


@pytest.mark.parametrize(
    "refusal", [Forbidden("exceeded quota"), NamespaceTerminating("gone"), Terminal("a path no type would do for")]
)
def test_other_refusals_are_told(refusal: CertwrightError) -> None:
    bench = Bench()

    def admission(method: str, path: str) -> None:
        if method == "POST" and "/ingresses" in path:
            raise refusal

    bench.kube.before = admission
    with pytest.raises(type(refusal)):
        bench.present()


def test_a_class_that_may_not_be_read_is_done_without() -> None:
    bench = Bench({"ingress": {"ingressClassName": "nginx"}})

    def rights(method: str, path: str) -> None:
        if "ingressclasses" in path:
            raise Forbidden(f"may not {method}")

    bench.kube.before = rights
    bench.present()
    assert path_type(bench) == "Exact"


def test_routes_of_a_gateway() -> None:
    bench = Bench({"gatewayHTTPRoute": {"parentRefs": [{"name": "gw", "namespace": "infra"}]}})
    planned = bench.present(*(f"w{number}.example.com" for number in range(20)))
    assert len(bench.kube.all("httproutes")) == 2
    bench.kube.put(
        "gateways",
        {"metadata": {"name": "gw", "namespace": "infra"}, "status": {"addresses": [{"value": "192.0.2.7"}]}},
    )
    bench.pod(phase="Running", podIP="2001:db8::5")
    found = places(bench.kube, bench.manifests, planned, bench.kube.get("pods", BUNDLE))
    assert (found.entry, found.entry_kind) == (("192.0.2.7",), "Gateway infra/gw")
    assert found.pod == "[2001:db8::5]:8089"
    bench.solver.clean_up(planned)
    assert [*bench.kube.all("httproutes"), *bench.kube.all("pods"), *bench.kube.all("services")] == []


def test_without_an_image_nothing_is_begun() -> None:
    with pytest.raises(InvalidSpec, match="--http01-solver-image"):
        Bench(image="").plan()


@pytest.mark.parametrize(
    ("status", "told"),
    [
        ({"phase": "Pending"}, "is starting"),
        (
            {"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False", "message": "0/1 nodes"}]},
            "finds no node: 0/1 nodes",
        ),
        (
            {
                "phase": "Pending",
                "containerStatuses": [{"state": {"waiting": {"reason": "ErrImagePull", "message": "no such image"}}}],
            },
            "does not run: ErrImagePull: no such image",
        ),
        ({"phase": "Running", "podIP": "10.0.0.5"}, ""),
    ],
)
def test_why_the_pod_does_not_answer(status: dict[str, Any], told: str) -> None:
    bench = Bench()
    planned = bench.present()
    bench.pod(**status)
    found = places(bench.kube, bench.manifests, planned, bench.kube.get("pods", BUNDLE))
    assert told in found.trouble
    assert bool(found.trouble) == bool(told)
    assert found.pod == ("" if told else "10.0.0.5:8089")


def test_what_the_ingress_reports() -> None:
    bench = Bench()
    planned = bench.present()
    body = bench.kube.get("ingresses", BUNDLE)
    entry = [{"ip": "192.0.2.7"}, {"hostname": "lb.example.net"}, {}]
    bench.kube.put("ingresses", {**body, "status": {"loadBalancer": {"ingress": entry}}})
    assert "made anew" in places(bench.kube, bench.manifests, planned, None).trouble
    bench.pod(phase="Running", podIP="10.0.0.5")
    found = places(bench.kube, bench.manifests, planned, bench.kube.get("pods", BUNDLE))
    assert found.entry == ("192.0.2.7", "lb.example.net")
    assert found.entry_kind == f"Ingress shop/{BUNDLE}"


def test_where_a_webroot_is_served_is_not_known() -> None:
    bench = Bench({"webroot": {"claimName": "files"}})
    planned = bench.present()
    bench.pod(phase="Running", podIP="10.0.0.5")
    pod = bench.kube.get("pods", BUNDLE)
    assert places(bench.kube, bench.manifests, planned, pod) == Places(entry_kind="")
    assert bench.kube.writes[:1] == ["create pods shop"]
    assert not any("services" in write for write in bench.kube.writes)


def test_waiting_instead_of_looking() -> None:
    bench = Bench({"ingress": {}, "delay": "1h"}, wait=timedelta(seconds=7))
    planned = bench.present()
    bench.pod(phase="Running", podIP="10.0.0.5")
    assert bench.solver.pace.wait == timedelta(seconds=7)
    assert [verdict.ok for verdict in bench.solver.check(planned, planned)] == [True]


def test_every_object_is_tried_before_a_fault_is_told() -> None:
    bench = Bench()
    planned = bench.present()

    def away(method: str, path: str) -> None:
        if method == "DELETE" and "/services/" in path:
            raise Retryable("the API server is away")

    bench.kube.before = away
    with pytest.raises(Retryable):
        bench.solver.clean_up(planned)
    assert [body["metadata"]["name"] for body in bench.kube.objects.values()] == [BUNDLE]
    assert bench.kube.all("services")

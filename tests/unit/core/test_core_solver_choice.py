from collections.abc import Mapping
from typing import Any

import pytest

from certwright.core.solver_choice import choose_for_target, choose_solver
from certwright.errors import InvalidSpec
from certwright.resources.issuer import Selector, SolverSpec
from certwright.resources.reading import Fields


def solver(called: str, challenge: str = "dns-01", **selector: Any) -> SolverSpec:
    return SolverSpec(
        challenge,
        Fields({"called": called}, "spec"),
        Selector(selector.get("labels", {}), tuple(selector.get("names", ())), tuple(selector.get("zones", ()))),
    )


ANY = solver("any")
SECOND = solver("second")
HTTP = solver("http", "http-01")
BY_NAME = solver("by name", names=["www.example.com"])
BY_STAR = solver("by star", names=["*.Example.com"])
BY_ZONE = solver("by zone", zones=["example.com"])
BY_SUBZONE = solver("by subzone", zones=["other.test", "Sub.Example.com."])
BY_LABEL = solver("by label", labels={"team": "a"})
BY_LABELS = solver("by labels", labels={"team": "a", "tier": "web"})
BY_ALL = solver("by all", names=["www.example.com"], zones=["example.com"])
BY_ELSEWHERE = solver("name and another zone", names=["www.example.com"], zones=["example.org"])
TEAM = {"team": "a", "tier": "web", "more": "yes"}

CHOSEN: dict[str, tuple[list[SolverSpec], str, Mapping[str, str], SolverSpec]] = {
    "the only one": ([ANY], "www.example.com", {}, ANY),
    "the first of equals": ([ANY, SECOND], "www.example.com", {}, ANY),
    "a name before a zone": ([BY_ZONE, BY_NAME], "www.example.com", {}, BY_NAME),
    "a name before labels": ([BY_LABELS, BY_NAME], "www.example.com", TEAM, BY_NAME),
    "a name and a zone before a name": ([BY_NAME, BY_ALL], "www.example.com", {}, BY_ALL),
    "a zone before labels": ([BY_LABELS, BY_ZONE], "www.example.com", TEAM, BY_ZONE),
    "a zone before none": ([ANY, BY_ZONE], "www.example.com", {}, BY_ZONE),
    "the longest zone": ([BY_ZONE, BY_SUBZONE], "a.sub.example.com", {}, BY_SUBZONE),
    "the zone's own apex": ([ANY, BY_ZONE], "example.com", {}, BY_ZONE),
    "no zone by a mere ending": ([ANY, BY_ZONE], "badexample.com", {}, ANY),
    "more labels": ([BY_LABEL, BY_LABELS], "www.example.com", TEAM, BY_LABELS),
    "labels before none": ([ANY, BY_LABEL], "www.example.com", TEAM, BY_LABEL),
    "none whose labels differ": ([BY_LABEL, ANY], "www.example.com", {"team": "b"}, ANY),
    "none whose name differs": ([BY_NAME, ANY], "example.com", {}, ANY),
    "none whose zone differs though the name fits": ([BY_ELSEWHERE, ANY], "www.example.com", {}, ANY),
    "a name in upper case": ([ANY, BY_NAME], "WWW.Example.COM", {}, BY_NAME),
    "a wildcard by its own spelling": ([ANY, BY_STAR], "*.example.com", {}, BY_STAR),
    "no wildcard's solver for a name below it": ([BY_STAR, ANY], "www.example.com", {}, ANY),
    "a wildcard by its zone": ([ANY, BY_ZONE], "*.example.com", {}, BY_ZONE),
    "a DNS solver for a wildcard though HTTP comes first": ([HTTP, ANY], "*.example.com", {}, ANY),
    "HTTP where it comes first": ([HTTP, ANY], "www.example.com", {}, HTTP),
}


@pytest.mark.parametrize(("solvers", "name", "labels", "wanted"), CHOSEN.values(), ids=CHOSEN)
def test_the_solver_is(solvers: list[SolverSpec], name: str, labels: Mapping[str, str], wanted: SolverSpec) -> None:
    assert choose_solver(solvers, name, labels) == wanted


NONE = {
    "there is none": ([], "www.example.com", "none is configured"),
    "every selector leaves it out": ([BY_NAME, BY_LABEL], "example.com", "every one has a selector"),
    "only HTTP for a wildcard": ([HTTP], "*.example.com", "solvers[0] is http-01, and only dns-01 can"),
    "only DNS for an address": ([ANY], "192.0.2.1", "solvers[0] is dns-01, and only http-01 or tls-alpn-01 can"),
}


@pytest.mark.parametrize(("solvers", "name", "message"), NONE.values(), ids=NONE)
def test_no_solver_fits_when(solvers: list[SolverSpec], name: str, message: str) -> None:
    with pytest.raises(InvalidSpec) as fault:
        choose_solver(solvers, name, {})
    assert fault.value.reason == "NoSolver"
    assert name in fault.value.message
    assert message in fault.value.message


HTTP_BY_ZONE = solver("http by zone", "http-01", zones=["example.com"])
LABELLED = solver("labelled", zones=["sub.example.com"], labels={"team": "a"})
TARGETS: dict[str, tuple[list[SolverSpec], str, Mapping[str, str], SolverSpec | None]] = {
    "the one that names the zone": ([ANY, BY_ZONE], "x.example.com.", {}, BY_ZONE),
    "the one with the longest zone": ([BY_ZONE, BY_SUBZONE], "x.sub.example.com.", {}, BY_SUBZONE),
    "the first of equals": ([BY_ZONE, solver("other", zones=["example.com"])], "x.example.com.", {}, BY_ZONE),
    "none where none names it": ([ANY, BY_NAME, BY_SUBZONE], "x.example.com.", {}, None),
    "none for other names": ([BY_ALL, BY_ELSEWHERE], "x.example.com.", {}, None),
    "none of HTTP": ([HTTP_BY_ZONE], "x.example.com.", {}, None),
    "none for other labels": ([LABELLED], "x.sub.example.com.", {"team": "b"}, None),
    "one for these labels": ([LABELLED], "X.Sub.example.com.", TEAM, LABELLED),
}


@pytest.mark.parametrize(("solvers", "target", "labels", "wanted"), TARGETS.values(), ids=TARGETS)
def test_the_solver_of_a_cnames_target_is(
    solvers: list[SolverSpec], target: str, labels: Mapping[str, str], wanted: SolverSpec | None
) -> None:
    assert choose_for_target(solvers, target, labels) == wanted

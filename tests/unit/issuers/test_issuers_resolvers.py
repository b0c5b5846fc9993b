"""Whose word resolvers are: an issuer's are limited, the operator's own and the system's are not."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from certwright.errors import InvalidSpec
from certwright.issuers.solver_set import SolverSets
from certwright.providers import guard
from certwright.providers.base import NOBODY
from certwright.resources.issuer import parse_issuer
from certwright.solvers.dns01 import Dns01Solver

LOCAL = "127.0.0.53:53"


@pytest.fixture(autouse=True)
def _rules(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "_standing", guard._Standing())


def build(
    *, own: tuple[str, ...] = (), solver: list[str] | None = None, issuer: list[str] | None = None
) -> Dns01Solver:
    nothing = cast("Any", None)
    places = cast("Any", SimpleNamespace(identity=lambda _issuer: NOBODY))
    sets = SolverSets(nothing, places, resolvers=own, solver_image=nothing, executor=nothing)
    dns01 = {"rfc2136": {"nameserver": "192.0.2.1"}, **({"nameservers": solver} if solver else {})}
    acme: dict[str, object] = {"privateKeySecretRef": {"name": "account"}, "solvers": [{"dns01": dns01}]}
    if issuer:
        acme["nameservers"] = issuer
    found = parse_issuer({"kind": "Issuer", "metadata": {"name": "i", "namespace": "n"}, "spec": {"acme": acme}})
    assert found.acme
    _, built = sets.build(found, found.acme, found.acme.solvers[0], nothing)
    assert isinstance(built, Dns01Solver)
    return built


@pytest.mark.parametrize("where", ["solver", "issuer"])
@pytest.mark.parametrize("address", [LOCAL, "169.254.169.254", "tls://127.0.0.1", "https://[::1]/dns-query"])
def test_resolvers_of_an_issuer_are_limited(where: str, address: str) -> None:
    with pytest.raises(
        InvalidSpec, match=r"nameservers: .* is not asked, since it is a (loopback|link-local)"
    ) as caught:
        build(own=("192.0.2.53",), **{where: ["192.0.2.9", address]})  # type: ignore[arg-type]
    assert caught.value.reason == "AddressRefused"


def test_the_operators_own_are_not() -> None:
    (endpoint,) = build(own=(LOCAL,))._zones.resolvers.endpoints()
    assert (endpoint.address, endpoint.refused) == ("127.0.0.53", "")
    (same,) = build(own=(LOCAL,), issuer=[LOCAL])._zones.resolvers.endpoints()
    assert not same.refused


def test_name_servers_of_a_zone_are_limited_by_whatever_resolvers_they_are_found() -> None:
    zones = build(own=(LOCAL,))._zones
    assert zones.endpoint("169.254.169.254").refused.startswith("a link-local address")
    assert not zones.endpoint("192.0.2.1").refused
    guard.set_standing(guard.Guard(allowed=guard.networks(["10.0.0.0/8"], field="x")))
    zones = build(own=(LOCAL,))._zones
    assert not zones.endpoint("192.0.2.1").refused
    assert zones.endpoint("169.254.169.254").refused
    with pytest.raises(InvalidSpec, match="it is outside the networks that the operator allows"):
        build(issuer=["192.0.2.53"])

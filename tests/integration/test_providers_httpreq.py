"""lego's httpreq for real: an HTTP server of ours that speaks it and changes BIND's zones."""

import base64
from collections.abc import Iterator

import pytest

from certwright.errors import Terminal
from certwright.providers import registry
from certwright.providers.base import Provider
from certwright.providers.conformance import VALUES, Check, Subject, checks
from certwright.resources.reading import Fields
from cluster.bind import Bind, strings
from unit.providers import other_process
from unit.providers.fake_api import Answer, FakeApi, Request, Route

pytestmark = pytest.mark.cluster

USER, PASSWORD, ZONE = "lego", "httpreq-password-0123", "example.test."


class Hooks(FakeApi):
    """What people write for lego: it knows its zones itself."""

    def __init__(self, bind: Bind) -> None:
        super().__init__()
        self._bind = bind

    def routes(self) -> list[Route]:
        return [("POST", "/present", self._present), ("POST", "/cleanup", self._clean_up)]

    def authorized(self, request: Request) -> bool:
        wanted = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        return request.headers.get("authorization") == f"Basic {wanted}"

    def _present(self, request: Request) -> Answer:
        self._bind.update(self._zone(request), add=[(request.body["fqdn"], strings(request.body["value"]))])
        return Answer(200, "done")

    def _clean_up(self, request: Request) -> Answer:
        self._bind.update(self._zone(request), remove=[(request.body["fqdn"], strings(request.body["value"]))])
        return Answer(204)

    def _zone(self, request: Request) -> str:
        name = request.body["fqdn"].rstrip(".")
        found = [zone.name for zone in self._bind.zones if name == zone.name or name.endswith(f".{zone.name}")]
        if not found:
            raise Answer(404, {"message": f"no zone for {name}"})
        return max(found, key=len)


@pytest.fixture(scope="module")
def bind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bind]:
    with Bind(tmp_path_factory.mktemp("bind"), privileged_port=False) as running:
        yield running


@pytest.fixture(scope="module")
def hooks(bind: Bind) -> Iterator[Hooks]:
    with Hooks(bind) as running:
        yield running


def config(hooks: Hooks) -> dict[str, object]:
    own = {"endpoint": hooks.url, "username": USER}
    return {"provider": {"name": "httpreq", "config": own, "secretRef": {"name": "hooks"}}}


def provider(hooks: Hooks, password: str = PASSWORD) -> Provider:
    fields = Fields(config(hooks), "spec.acme.solvers[0].dns01")
    return registry.build(fields, lambda _name, _key: password.encode())[1]


@pytest.mark.parametrize("check", checks(), ids=lambda check: check.name)
def test_conformance(bind: Bind, hooks: Hooks, check: Check) -> None:
    check.run(
        Subject(
            make=lambda: provider(hooks),
            read_txt=bind.txt,
            zone=ZONE,
            subzone="sub.example.test.",
            expired=lambda: provider(hooks, "another"),
            credentials=(PASSWORD,),
            elsewhere=other_process.of_config(config(hooks), PASSWORD),
        )
    )


def test_what_the_server_says_is_told(hooks: Hooks) -> None:
    with pytest.raises(Terminal, match=r"the httpreq server answers 404: no zone for _acme-challenge\.example\.org"):
        provider(hooks).add_txt("example.org.", "_acme-challenge.example.org.", VALUES[0])

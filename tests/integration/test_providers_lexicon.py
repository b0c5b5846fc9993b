"""dns-lexicon in its own process: its PowerDNS provider against a real server, and its ddns provider against BIND."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from certwright.errors import InvalidSpec, Retryable, Terminal
from certwright.providers import registry
from certwright.providers.base import Provider, add_many, remove_many
from certwright.providers.conformance import VALUES, Check, Subject, checks
from certwright.providers.guard import Guard, set_standing, standing
from certwright.resources.reading import Fields
from cluster.bind import Bind
from integration.test_providers_powerdns import KEY, Server
from unit.providers import other_process

pytestmark = [pytest.mark.cluster, pytest.mark.slow]

AT, ZONE = "spec.acme.solvers[0].dns01", "example.test."


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    made = Server(tmp_path_factory.mktemp("pdns"))
    try:
        made.start()
        yield made
    finally:
        made.process.stop()


def config(provider: str, options: dict[str, object], credentials: list[str]) -> dict[str, object]:
    own = {"provider": provider, "options": options, "credentials": credentials}
    return {"provider": {"name": "lexicon", "config": own, "secretRef": {"name": "dns"}}}


def build(provider: str, options: dict[str, object], **credentials: str) -> Provider:
    dns01 = config(provider, options, sorted(credentials))
    return registry.build(Fields(dns01, AT), lambda _name, key: credentials[key].encode())[1]


def powerdns(server: Server, key: str = KEY) -> Provider:
    return build("powerdns", {"pdns_server": server.url}, auth_token=key)


@pytest.mark.parametrize("check", checks(), ids=lambda check: check.name)
def test_conformance(server: Server, check: Check) -> None:
    check.run(
        Subject(
            make=lambda: powerdns(server),
            read_txt=server.txt,
            zone=ZONE,
            subzone="sub.example.test.",
            expired=lambda: powerdns(server, "an-old-key-0123"),
            credentials=(KEY, "an-old-key-0123"),
            elsewhere=other_process.of_config(config("powerdns", {"pdns_server": server.url}, ["auth_token"]), KEY),
        )
    )


def test_values_of_a_person_stay(server: Server) -> None:
    """The suite's foreign value has quotes in it, which lexicon's provider does not read back; it keeps them."""
    name, foreign = f"_acme-challenge.person.{ZONE}", 'v=example; said "so" \\ twice'
    server.put(name, foreign)
    powerdns(server).add_txt(ZONE, name, VALUES[0])
    assert sorted(server.txt(name)) == sorted([foreign, VALUES[0]])
    powerdns(server).remove_txt(ZONE, name, VALUES[0])
    assert server.txt(name) == [foreign]


def test_a_zone_that_the_server_does_not_have(server: Server) -> None:
    with pytest.raises(Terminal, match=r"lexicon's provider powerdns: GET http://.*/zones/example\.org\. answers 404"):
        powerdns(server).add_txt("example.org.", "_acme-challenge.example.org.", VALUES[0])


def test_a_server_that_is_not_there(server: Server) -> None:
    made = build("powerdns", {"pdns_server": "http://127.0.0.1:9"}, auth_token=KEY)
    with pytest.raises(Retryable) as caught:
        made.add_txt(ZONE, f"_acme-challenge.{ZONE}", VALUES[0])
    assert caught.value.reason == "ProviderUnavailable"
    assert KEY not in caught.value.message
    assert server.process.running


def test_a_key_that_the_server_refuses(server: Server) -> None:
    with pytest.raises(Terminal) as caught:
        powerdns(server, "wrong").add_txt(ZONE, f"_acme-challenge.{ZONE}", VALUES[0])
    assert caught.value.reason == "CredentialsRefused"
    assert "the entry auth_token of Secret dns" in caught.value.message


def test_a_tenant_reaches_neither_loopback_nor_a_socket_of_the_node(server: Server, tmp_path: Path) -> None:
    before = standing()
    set_standing(Guard())
    try:
        with pytest.raises(InvalidSpec, match=r"127\.0\.0\.1 is refused: it is a loopback address") as caught:
            powerdns(server).add_txt(ZONE, f"_acme-challenge.{ZONE}", VALUES[0])
        assert caught.value.reason == "AddressRefused"
        socket = tmp_path / "a.sock"
        socket.touch()
        with pytest.raises(InvalidSpec, match="a socket of this machine is refused"):
            build("powerdns", {"pdns_server": str(socket)}, auth_token=KEY).add_txt(ZONE, ZONE, VALUES[0])
    finally:
        set_standing(before)


class TestDynamicUpdates:
    """Lexicon's `ddns`, which cannot list a name that has records, nor tell whether an update was refused."""

    @pytest.fixture
    def bind(self, tmp_path: Path) -> Iterator[Bind]:
        with Bind(tmp_path) as running:
            if not running.name_servers:
                pytest.skip("lexicon's ddns asks port 53, which may not be used here")
            yield running

    @staticmethod
    def ddns(bind: Bind, secret: str = "") -> Provider:
        token = f"{bind.algorithm}:{bind.key_name}:{secret or bind.tsig_secret}"
        return build("ddns", {"ddns_server": bind.addresses[0]}, auth_token=token)

    def test_two_names_and_two_values(self, bind: Bind) -> None:
        name, other = f"_acme-challenge.{ZONE}", f"_acme-challenge.sub.{ZONE}"
        bind.update("example.test", add=[(name, "theirs")])
        made = self.ddns(bind)
        add_many(made, ZONE, [(name, VALUES[0]), (name, VALUES[1])])
        assert bind.txt(name) == sorted([*VALUES[:2], "theirs"])
        add_many(made, ZONE, [(name, VALUES[0])])
        remove_many(made, ZONE, [(name, VALUES[0])])
        assert bind.txt(name) == sorted([VALUES[1], "theirs"])
        remove_many(made, ZONE, [(name, VALUES[1]), (name, VALUES[0])])
        assert bind.txt(name) == ["theirs"]
        made.add_txt("sub.example.test.", other, VALUES[2])
        assert bind.txt(other) == [VALUES[2]]
        made.remove_txt("sub.example.test.", other, VALUES[2])
        assert bind.txt(other) == []

    def test_an_update_that_is_refused_is_seen_all_the_same(self, bind: Bind) -> None:
        name = "_acme-challenge.frozen.test."
        with pytest.raises(Retryable, match="does not show that it did add the value"):
            self.ddns(bind).add_txt("frozen.test.", name, VALUES[0])
        assert bind.txt(name) == []

    def test_a_wrong_key(self, bind: Bind) -> None:
        wrong = "d3Jvbmc="
        with pytest.raises(Retryable) as caught:
            self.ddns(bind, wrong).add_txt(ZONE, f"_acme-challenge.{ZONE}", VALUES[0])
        assert wrong not in caught.value.message

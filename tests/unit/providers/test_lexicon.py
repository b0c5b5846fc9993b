"""dns-lexicon in its process: what goes in, what comes out, and what it cannot do. Real servers are in integration/."""

import importlib.util
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from certwright.errors import InvalidSpec, Retryable, Terminal, Throttled
from certwright.providers import lexicon, registry
from certwright.providers.conformance import VALUES, Check, Subject, checks
from certwright.providers.guard import Guard, networks, set_standing, standing
from certwright.providers.lexicon import Lexicon
from certwright.providers.lexicon_account import TTL, account
from certwright.resources.reading import Fields
from unit.providers.fake_api import Answer, FakeApi, Request, Route
from unit.providers.vendors import PATH, secrets_of

TOKEN, OLD = "lexicon token/0123+456", "lexicon-token-gone"
ZONE, NAME = "example.com.", "_acme-challenge.example.com."
FAKES = str(Path(__file__).parent / "lexicon_providers")
_WITH_FAKES = f"""
import lexicon._private.providers as providers
providers.__path__.append({FAKES!r})
from certwright.providers import lexicon_child
lexicon_child.main()
"""
COMMAND = (sys.executable, "-I", "-B", "-c", _WITH_FAKES)


class Records(FakeApi):
    """An API that knows its client by a token in the URL."""

    def routes(self) -> list[Route]:
        name = r"/([^/]+)/([^/]+)"
        return [
            ("GET", r"/([^/]+)", self._zone),
            ("GET", name, self._list),
            ("POST", name, self._create),
            ("DELETE", name, self._delete),
        ]

    def authorized(self, request: Request) -> bool:
        return request.query.get("token") == TOKEN

    def _zone(self, _request: Request, zone: str) -> Answer:
        return Answer(200, {}) if zone in self.zones else self.unknown()

    def _list(self, _request: Request, zone: str, name: str) -> Answer:
        found = self.at(zone, name)
        return Answer(200, [{"type": "TXT", "name": one.name, "content": one.value, "id": one.id} for one in found])

    def _create(self, request: Request, zone: str, name: str) -> Answer:
        if any(one.value == request.body["value"] for one in self.at(zone, name)):
            return Answer(422, {"message": "the record is there already"})
        self.put(name, request.body["value"], request.body["ttl"])
        return Answer(201)

    def _delete(self, request: Request, zone: str, name: str) -> Answer:
        for one in self.at(zone, name):
            if one.value == request.body["value"]:
                self.drop(zone, one.id)
                return Answer(204)
        return Answer(404, {"message": "there is no such record"})


@pytest.fixture
def strict() -> Iterator[None]:
    """The rule as it is where no test runs."""
    before = standing()
    set_standing(Guard())
    yield
    set_standing(before)


@pytest.fixture
def server() -> Iterator[Records]:
    with Records() as running:
        yield running


def made(provider: str, token: str = TOKEN, *, seconds: float = 60, **options: object) -> Lexicon:
    config = {
        "provider": provider,
        "options": options,
        "credentials": ["auth_token"],
        "secretRef": {"name": "dns"},
        "timeout": f"{seconds}s",
    }
    return Lexicon(account(Fields(config, PATH), secrets_of({"auth_token": token})), COMMAND)


def steady(server: Records, token: str = TOKEN, **options: object) -> Lexicon:
    return made("steady", token, endpoint=server.url, **options)


def odd(behave: str, target: str = "", *, seconds: float = 60) -> Lexicon:
    return made("odd", behave=behave, target=target, seconds=seconds)


@pytest.mark.slow
@pytest.mark.parametrize("check", checks(), ids=lambda check: check.name)
def test_conformance(server: Records, check: Check) -> None:
    check.run(
        Subject(
            make=lambda: steady(server),
            read_txt=server.txt,
            zone=ZONE,
            subzone="sub.example.com.",
            throttled=server.throttling,
            expired=lambda: steady(server, OLD),
            credentials=(TOKEN, "lexicon%20token", "lexicon+token", OLD),
        )
    )


def test_values_of_a_person_stay(server: Records) -> None:
    foreign = 'v=example; said "so" \\ twice'
    server.put(NAME, foreign)
    steady(server).add_txt(ZONE, NAME, VALUES[0])
    assert sorted(server.txt(NAME)) == sorted([foreign, VALUES[0]])
    steady(server).remove_txt(ZONE, NAME, VALUES[0])
    assert server.txt(NAME) == [foreign]


def test_a_batch_is_one_process_and_two_logins(server: Records) -> None:
    steady(server).add_many(ZONE, [(f"w{number}.{ZONE}", VALUES[0]) for number in range(20)])
    assert len([one for one in server.requests if one.path == "/example.com"]) == 2
    assert len([one for one in server.requests if one.method == "POST"]) == 20


def test_the_ttl_is_ours_unless_it_is_given(server: Records) -> None:
    steady(server).add_txt(ZONE, NAME, VALUES[0])
    assert server.at("example.com", NAME.rstrip("."))[0].ttl == TTL


def test_a_zone_that_the_account_has_not(server: Records) -> None:
    with pytest.raises(Terminal, match=r"GET http://127.0.0.1:\d+/example\.org answers 404: Not found$") as caught:
        steady(server).add_txt("example.org.", "_acme-challenge.example.org.", VALUES[0])
    assert caught.value.reason == "RequestRefused"


def test_a_login_that_fails_in_lexicons_words(server: Records) -> None:
    with pytest.raises(Terminal) as caught:
        steady(server, login_refused=True).add_txt(ZONE, NAME, VALUES[0])
    assert caught.value.reason == "CredentialsRefused"
    assert caught.value.message.endswith(
        f"AuthenticationError: No domain found with [redacted]; the credentials are wrong or have no such zone: check "
        f"{PATH}.secretRef: the entry auth_token of Secret dns"
    )


@pytest.mark.parametrize(
    ("status", "kind", "reason"),
    [
        (400, Terminal, "RequestRefused"),
        (401, Terminal, "CredentialsRefused"),
        (403, Terminal, "NotAllowed"),
        (409, Retryable, "ProviderConflict"),
        (429, Throttled, "RateLimited"),
        (500, Retryable, "ProviderUnavailable"),
        (503, Retryable, "ProviderUnavailable"),
    ],
)
def test_statuses_are_classes(server: Records, status: int, kind: type[Exception], reason: str) -> None:
    server.override = lambda _: Answer(status, {"message": f"because of {TOKEN}"}, {"Retry-After": "9"})
    with pytest.raises(kind) as caught:
        steady(server).add_txt(ZONE, NAME, VALUES[0])
    assert type(caught.value) is kind
    assert caught.value.reason == reason
    assert "because of [redacted]" in caught.value.message
    if status >= 500:
        assert caught.value.after == 9


def test_a_removal_that_does_not_take_effect_is_said(server: Records) -> None:
    steady(server).add_txt(ZONE, NAME, VALUES[0])
    server.override = lambda request: Answer(204) if request.method == "DELETE" else None
    with pytest.raises(Retryable, match="does not show that it did remove the value at _acme-challenge"):
        steady(server).remove_txt(ZONE, NAME, VALUES[0])
    assert server.txt(NAME) == [VALUES[0]]


def test_a_listing_that_says_404_of_an_empty_name(server: Records) -> None:
    """So some APIs do: adding goes on, and removing what is gone succeeds."""

    def override(request: Request) -> Answer | None:
        empty = request.path.count("/") == 2 and not server.txt(request.path.rpartition("/")[2])
        return Answer(404, {}) if request.method == "GET" and empty else None

    server.override = override
    steady(server).remove_txt(ZONE, NAME, VALUES[0])
    steady(server).add_txt(ZONE, NAME, VALUES[0])
    assert server.txt(NAME) == [VALUES[0]]
    steady(server).remove_txt(ZONE, NAME, VALUES[0])
    assert server.txt(NAME) == []


def test_one_that_hangs_is_killed() -> None:
    with pytest.raises(Retryable, match="provider odd did not end within 3 s and was killed") as caught:
        odd("hang", seconds=3).add_txt(ZONE, NAME, VALUES[0])
    assert caught.value.reason == "ProviderFailed"


@pytest.mark.parametrize(("behave", "code"), [("crash", "-6"), ("leave", "7"), ("answer", "0")])
def test_one_that_ends_without_an_answer(behave: str, code: str) -> None:
    with pytest.raises(Retryable, match=rf"ended with exit code {code} and no answer") as caught:
        odd(behave).add_txt(ZONE, NAME, VALUES[0])
    assert TOKEN not in caught.value.message


def test_a_flood_of_output_is_read_and_dropped() -> None:
    """Ninety megabytes, and then a login that went well: the answer is found behind them."""
    with pytest.raises(Retryable, match="the API says no to adding a value") as caught:
        odd("flood").add_txt(ZONE, NAME, VALUES[0])
    assert TOKEN not in caught.value.message


def test_long_words_with_credentials_in_them() -> None:
    with pytest.raises(Retryable) as caught:
        odd("fail").add_txt(ZONE, NAME, VALUES[0])
    assert "RuntimeError: the API said '[redacted]' is not known xxx" in caught.value.message
    assert len(caught.value.message) < 500


@pytest.mark.parametrize("value", ['a "b"', "a\\b", "x" * 256, "ü", "", "a\nb"])
def test_values_that_not_all_of_them_write(value: str) -> None:
    with pytest.raises(InvalidSpec, match="lexicon writes values of up to 255 letters"):
        odd("nothing").add_txt(ZONE, NAME, value)


def test_no_means_no() -> None:
    with pytest.raises(Retryable, match="says no to adding"):
        odd("nothing").add_txt(ZONE, NAME, VALUES[0])
    odd("nothing").remove_txt(ZONE, NAME, VALUES[0])


def test_nothing_of_the_operator_is_in_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "of the operator")
    monkeypatch.setenv("LEXICON_ODD_TARGET", "x")
    monkeypatch.setenv("https_proxy", "http://proxy.example.com:3128")
    with pytest.raises(Retryable) as caught:
        odd("environment").add_txt(ZONE, NAME, VALUES[0])
    names = caught.value.message.partition("environment ")[2].partition(" ")[0].split(",")
    assert set(names) >= {"HOME", "LANG", "PATH", "https_proxy"}
    assert not {"AWS_SECRET_ACCESS_KEY", "LEXICON_ODD_TARGET", "PYTHONPATH"} & set(names)
    assert "arguments  folder /" in caught.value.message or "arguments folder /" in caught.value.message


class TestSandbox:
    """Options that a tenant writes lead nowhere."""

    @pytest.mark.parametrize(
        ("behave", "target", "said"),
        [
            ("connect", "169.254.169.254:80", "169.254.169.254 is refused: it is a link-local address"),
            ("connect", "[fd00:ec2::254]:80", "the metadata service of AWS"),
            ("send", "169.254.169.254", "a link-local address"),
            ("name", "localhost", "localhost, which is no address, is refused"),
            ("unix", "/run/containerd/containerd.sock", "a socket of this machine is refused"),
            ("read", "/proc/self/environ", "reading the file /proc/"),
            ("read", "/var/run/secrets/kubernetes.io/serviceaccount/token", "serviceaccount/token is refused"),
            ("read", "/usr/share/../../etc/shadow", "reading the file /etc/shadow is refused"),
            ("hide", "/etc/passwd", "reading the file /etc/passwd is refused"),
            ("start", "/bin/true", "starting another program is refused"),
        ],
    )
    def test_refused(self, behave: str, target: str, said: str) -> None:
        with pytest.raises(InvalidSpec) as caught:
            odd(behave, target.replace("[", "").replace("]", "")).add_txt(ZONE, NAME, VALUES[0])
        assert caught.value.reason == "AddressRefused"
        assert caught.value.message.startswith(f"{PATH}.options: ")
        assert said in caught.value.message

    def test_nothing_is_written(self, tmp_path: Path) -> None:
        with pytest.raises(InvalidSpec, match=r"writing the file .* is refused"):
            odd("write", str(tmp_path / "file")).add_txt(ZONE, NAME, VALUES[0])
        assert list(tmp_path.iterdir()) == []

    def test_loopback_is_for_tests(self) -> None:
        with (
            socket.create_server(("127.0.0.1", 0)) as listener,
            pytest.raises(Retryable, match="says no to adding"),  # it connected, and went on
        ):
            odd("connect", f"127.0.0.1:{listener.getsockname()[1]}").add_txt(ZONE, NAME, VALUES[0])

    @pytest.mark.usefixtures("strict")
    def test_loopback_is_refused_otherwise(self) -> None:
        with pytest.raises(InvalidSpec, match="it is a loopback address"):
            odd("connect", "127.0.0.1:80").add_txt(ZONE, NAME, VALUES[0])

    @pytest.mark.usefixtures("strict")
    def test_the_networks_of_the_operator_count(self) -> None:
        set_standing(Guard(allowed=networks(["192.0.2.0/24"], field="allowed-networks")))
        with pytest.raises(InvalidSpec, match=r"198\.51\.100\.1 is refused: it is outside the networks"):
            odd("connect", "198.51.100.1:80").add_txt(ZONE, NAME, VALUES[0])

    def test_a_host_behind_a_proxy_is_checked_as_well(self, server: Records, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("http_proxy", server.url)
        with pytest.raises(InvalidSpec, match=r"the host 169\.254\.169\.254 is not connected to"):
            made("steady", endpoint="http://169.254.169.254").add_txt(ZONE, NAME, VALUES[0])
        assert server.requests == []


class TestConfig:
    def build(self, **config: object) -> object:
        whole = {"provider": {"name": "lexicon", "config": config, "secretRef": {"name": "dns"}}}
        return registry.build(Fields(whole, "dns01"), secrets_of({"auth_token": TOKEN}))[1]

    @pytest.mark.parametrize(
        ("config", "said"),
        [
            ({}, "config.provider: must be the name of one"),
            ({"provider": "../x"}, "config.provider: must be the name of one"),
            ({"provider": "x", "options": {"a": ["b"]}}, "config.options.a: must be a text"),
            ({"provider": "x", "options": {"a": None}}, "config.options.a: must be a text"),
            ({"provider": "x", "options": {"a": "b" * 40_000}}, "config.options: has more than"),
            ({"provider": "x", "credentials": ["nosuch"]}, "has no value under 'nosuch'"),
            (
                {"provider": "x", "credentials": ["auth_token"], "options": {"auth_token": "y"}},
                "auth_token stands in options, too",
            ),
            ({"provider": "x", "ttl": 0}, "config.ttl: must be 1 to 86400"),
            ({"provider": "x", "timeout": "5m"}, "config.timeout: must be from 1s to 120s"),
            ({"provider": "x", "timeout": "0s"}, "config.timeout: must be from 1s to 120s"),
            ({"provider": "x", "token": "y"}, "lexicon has no such field"),
        ],
    )
    def test_what_is_wrong_is_named(self, config: dict[str, object], said: str) -> None:
        with pytest.raises(InvalidSpec) as caught:
            self.build(**config)
        assert said in caught.value.message

    def test_credentials_without_a_secret(self) -> None:
        config = Fields({"provider": "x", "credentials": ["auth_token"]}, PATH)
        with pytest.raises(InvalidSpec, match="needs the Secret that has them"):
            account(config, secrets_of({}))

    @pytest.mark.parametrize(
        ("provider", "options", "said"),
        [
            ("nosuch", {}, "config.provider: lexicon has no provider 'nosuch'"),
            ("auto", {}, "config.provider: lexicon's provider auto is not offered: it guesses"),
            ("localzone", {}, "config.provider: lexicon's provider localzone is not offered: it writes files"),
            (
                "porkbun",
                {"auth_kye": "x"},
                "config.options.auth_kye: lexicon's provider porkbun has no such option; it has auth_key, auth_secret",
            ),
        ],
    )
    def test_what_only_lexicon_knows(self, provider: str, options: dict[str, object], said: str) -> None:
        used = account(Fields({"provider": provider, "options": options}, PATH), secrets_of({}))
        with pytest.raises(InvalidSpec) as caught:
            Lexicon(used).add_txt(ZONE, NAME, VALUES[0])
        assert said in caught.value.message

    def test_nothing_shows_a_credential(self) -> None:
        used = account(
            Fields(
                {
                    "provider": "x",
                    "options": {"auth_key": "k-0123456"},
                    "credentials": ["auth_token"],
                    "secretRef": {"name": "dns"},
                },
                PATH,
            ),
            secrets_of({"auth_token": TOKEN}),
        )
        for text in (repr(used), used.id, str(Lexicon(used).__dict__)):
            assert TOKEN not in text
            assert "k-0123456" not in text
        assert used.id != replace(used, options={}).id


def test_the_catalogue_has_them_all_with_their_options() -> None:
    found = lexicon.catalogue()
    assert len(found) > 80
    assert not {"auto", "localzone"} & set(found)
    assert [field.name for field in found["porkbun"]] == ["options.auth_key", "options.auth_secret"]
    assert all(field.help for field in found["powerdns"])


def test_the_operator_does_not_import_it() -> None:
    program = "import sys; from certwright.providers import lexicon; lexicon.check_installed(); lexicon.catalogue();"
    program += "print(sorted({name.partition('.')[0] for name in sys.modules} & {'lexicon', 'tldextract', 'bs4'}))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_without_lexicon_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lexicon, "find_spec", lambda _name: None)
    with pytest.raises(Terminal, match=r"install certwright\[lexicon\]") as caught:
        lexicon.build(Fields({"provider": "x"}, PATH), secrets_of({}))
    assert caught.value.reason == "ExtraMissing"
    assert importlib.util.find_spec("lexicon")


def test_only_so_many_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lexicon, "_children", threading.BoundedSemaphore(1))
    assert lexicon._children.acquire()
    try:
        with pytest.raises(Retryable, match="waits for 4 others to end"):
            odd("nothing", seconds=1).add_txt(ZONE, NAME, VALUES[0])
    finally:
        lexicon._children.release()


def test_what_cannot_be_started() -> None:
    used = account(Fields({"provider": "x"}, PATH), secrets_of({}))
    with pytest.raises(Retryable, match="cannot be started: No such file"):
        Lexicon(used, (f"{os.sep}no-such-python",)).add_txt(ZONE, NAME, VALUES[0])

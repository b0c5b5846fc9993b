import subprocess
import sys
from dataclasses import replace
from importlib.metadata import EntryPoint

import pytest

from certwright.errors import InvalidSpec, Terminal
from certwright.providers import registry
from certwright.providers.base import NOBODY, Identity, ProviderInfo, add_many, remove_many
from certwright.providers.rfc2136 import PROVIDER
from certwright.resources.reading import Fields

AT = "spec.acme.solvers[0].dns01"


@pytest.fixture
def _plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    points = {
        "rfc2136": "certwright.providers.rfc2136:PROVIDER",
        "missing": "no_such_package.module:PROVIDER",
        "wrong": "certwright.providers.rfc2136:TTL",
    }
    monkeypatch.setattr(
        registry,
        "_entry_points",
        lambda: {name: EntryPoint(name, value, registry.GROUP) for name, value in points.items()},
    )


def test_ours_is_installed() -> None:
    assert "rfc2136" in registry.names()
    assert registry.load("rfc2136") is PROVIDER


def test_an_unknown_one_names_those_installed() -> None:
    with pytest.raises(InvalidSpec, match=r"'nosuch' is installed; installed are .*rfc2136"):
        registry.load("nosuch")


@pytest.mark.usefixtures("_plugins")
def test_broken_plugins_are_named_and_harm_no_other() -> None:
    found = registry.installed()
    assert isinstance(found["rfc2136"], ProviderInfo)
    missing, wrong = found["missing"], found["wrong"]
    assert isinstance(missing, Terminal)
    assert "'missing' (no_such_package.module:PROVIDER) cannot be loaded: ModuleNotFoundError" in missing.message
    assert isinstance(wrong, Terminal)
    assert "is a int and not a ProviderInfo" in wrong.message


def test_a_provider_by_its_own_field() -> None:
    name, config = registry.choose(
        Fields({"cnameStrategy": "None", "propagation": {}, "rfc2136": {"nameserver": "x"}}, AT)
    )
    assert (name, config.path, config.text("nameserver")) == ("rfc2136", f"{AT}.rfc2136", "x")


def test_a_plugin_by_name() -> None:
    name, config = registry.choose(Fields({"provider": {"name": "mine", "config": {"a": "b"}}}, AT))
    assert (name, config.path, config.text("a")) == ("mine", f"{AT}.provider.config", "b")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, r"dns01: must have a DNS provider; installed are .*rfc2136"),
        ({"rfc2136": {}, "cloudflare": {}}, "must have only one of cloudflare, rfc2136"),
        ({"provider": {}}, r"provider\.name: must name"),
        ({"provider": {"name": "x", "secretRef": {"name": ""}}}, r"provider\.secretRef\.name: must name a Secret"),
        ({"nosuch": {"a": 1}}, r"dns01\.nosuch: no DNS provider 'nosuch'"),
    ],
)
def test_a_choice_that_is_none(body: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidSpec, match=message):
        registry.build(Fields(body, AT), lambda _name, _key: b"")


def test_the_secret_of_a_plugin_is_handed_on() -> None:
    body = {"provider": {"name": "mine", "config": {"a": "b"}, "secretRef": {"name": "dns"}}}
    _, config = registry.choose(Fields(body, AT))
    assert dict(config.body) == {"a": "b", "secretRef": {"name": "dns"}}


@pytest.mark.parametrize(
    ("name", "config", "entry"),
    [
        ("rfc2136", {"nameserver": "192.0.2.1", "tsigKeyName": "k", "tsigAlgorithm": "HMACSHA256"}, "tsigSecret"),
        ("hetzner", {}, "apiToken"),
        ("cloudflare", {}, "apiToken"),
        ("cloudflare", {"email": "a@example.com"}, "apiKey"),
    ],
)
def test_entries_of_the_secret_have_the_fields_names(name: str, config: dict[str, object], entry: str) -> None:
    asked = []

    def secrets(secret: str, key: str) -> bytes:
        asked.append((secret, key))
        return b"c2VjcmV0"

    registry.build(Fields({"provider": {"name": name, "config": config, "secretRef": {"name": "dns"}}}, AT), secrets)
    assert asked == [("dns", entry)]


@pytest.mark.parametrize(
    ("name", "config", "message"),
    [
        (
            "hetzner",
            {"token": "x"},
            r"config\.token: the DNS provider hetzner has no such field; it has apiTokenSecretRef, s",
        ),
        ("rfc2136", {"nameServer": "x"}, r"config\.nameServer: .*it has nameserver, protocol"),
    ],
)
def test_a_field_that_the_provider_does_not_have(name: str, config: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidSpec, match=message):
        registry.build(Fields({"provider": {"name": name, "config": config}}, AT), lambda _name, _key: b"")


def test_build() -> None:
    name, provider = registry.build(Fields({"rfc2136": {"nameserver": "192.0.2.1"}}, AT), lambda _name, _key: b"")
    assert name == "rfc2136"
    assert provider.find_zone("x.example.com.") is None


def test_what_an_issuer_may_log_in_by_is_handed_to_who_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def build(config: Fields, _secrets: object, identity: Identity = NOBODY) -> Simple:
        asked.append((config.path, identity))
        return Simple()

    plain = ProviderInfo("plain", "", (), build)
    monkeypatch.setattr(registry, "load", {"plain": plain, "more": replace(plain, build_as=build)}.__getitem__)
    identity = Identity(ambient=lambda: None)
    for name in ("plain", "more"):
        registry.build(Fields({name: {}}, AT), lambda _name, _key: b"", identity)
    assert asked == [(f"{AT}.plain", NOBODY), (f"{AT}.more", identity)]


def test_who_may_log_in_by_secrets_only_is_told_so() -> None:
    for act in (NOBODY.ambient, lambda: NOBODY.tokens("name", [])):
        with pytest.raises(InvalidSpec, match="only credentials from a Secret can be used here"):
            act()


CLOUDS = {
    "route53": ("requests_aws4auth", {"accessKeyID": "AKIA", "secretAccessKeySecretRef": {"name": "a", "key": "b"}}),
    "cloudDNS": ("google", {"project": "p", "serviceAccountSecretRef": {"name": "a", "key": "b"}}),
    "azureDNS": (
        "azure",
        {
            "subscriptionID": "s",
            "resourceGroupName": "g",
            "tenantID": "t",
            "clientID": "c",
            "clientSecretSecretRef": {"name": "a", "key": "b"},
        },
    ),
}


def test_packages_of_clouds_are_loaded_when_they_are_used() -> None:
    text = f"""
import sys
from certwright.providers import registry
assert {set(CLOUDS)} <= set(registry.installed())
print(sorted(name for name in sys.modules if name.partition(".")[0] in {[package for package, _ in CLOUDS.values()]}))
"""
    told = subprocess.run([sys.executable, "-c", text], check=True, capture_output=True, text=True).stdout
    assert told == "[]\n"


@pytest.mark.parametrize("name", CLOUDS)
def test_a_package_of_a_cloud_that_is_missing(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    package, config = CLOUDS[name]
    for module in [package, *(module for module in sys.modules if module.startswith(f"{package}."))]:
        monkeypatch.setitem(sys.modules, module, None)
    extra = name.removesuffix("DNS").replace("cloud", "google")
    with pytest.raises(
        Terminal, match=rf"the Python package .* is missing .*; install certwright\[{extra}\]"
    ) as caught:
        registry.build(Fields({name: config}, AT), lambda _name, _key: b"x")
    assert caught.value.reason == "ExtraMissing"


def test_every_field_of_ours_is_explained() -> None:
    assert all(field.help.endswith(".") for field in PROVIDER.fields)


class Simple:
    """A provider that knows one value at a time."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, ...]] = []

    def add_txt(self, *args: str) -> None:
        self.calls.append(("add", *args))

    def remove_txt(self, *args: str) -> None:
        self.calls.append(("remove", *args))

    def find_zone(self, name: str) -> str | None:
        raise NotImplementedError(name)


@pytest.fixture
def simple() -> Simple:
    return Simple()


def test_many_one_by_one(simple: Simple) -> None:
    add_many(simple, "z.", [("a.z.", "1"), ("b.z.", "2")])
    remove_many(simple, "z.", [("a.z.", "1")])
    assert simple.calls == [("add", "z.", "a.z.", "1"), ("add", "z.", "b.z.", "2"), ("remove", "z.", "a.z.", "1")]

"""`certwright providers`: what is installed, in tables and documents, and what is said of a name that is none."""

import json
import re
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
import yaml
from fake_api import Run
from rich.console import Console

from certwright.cli import printing
from certwright.providers import registry
from certwright.resources.reading import Fields


@pytest.fixture
def _broken(monkeypatch: pytest.MonkeyPatch) -> None:
    known = dict(registry._entry_points())
    broken = EntryPoint("ours", "no_such_package:PROVIDER", registry.GROUP)
    monkeypatch.setattr(registry, "_entry_points", lambda: {**known, "ours": broken})


def test_all_are_listed(run: Run) -> None:
    done = run("providers")
    assert done.exit_code == 0
    lines = done.stdout.splitlines()
    assert lines[0].split() == ["NAME", "IN", "A", "SOLVER", "WORKS", "WITH"]
    assert [line.split()[0] for line in lines[1:]] == sorted(registry.names(), key=str.lower)
    assert "dns01.rfc2136 " in done.stdout
    assert "dns01.provider, name hetzner " in done.stdout


@pytest.mark.parametrize("name", registry.names())
def test_each_is_shown_with_all_its_fields(run: Run, name: str) -> None:
    done = run("providers", name)
    assert done.exit_code == 0
    info = registry.load(name)
    assert all(f"\n{field.name} " in done.stdout and field.help in done.stdout for field in info.fields)
    solver = yaml.safe_load(re.split("In a solver.*:\n", done.stdout)[1])["dns01"]
    chosen, config = registry.choose(Fields(solver, "dns01"))
    assert chosen == name
    own = {field.name for field in info.fields}
    assert set(config.body) <= own | {"secretRef"}
    required = {field.name for field in info.fields if field.required}
    assert required - set(config.body) <= ({field.name for field in info.fields if field.secret} & required)


@pytest.mark.parametrize("form", ["json", "yaml"])
def test_a_document_of_all(run: Run, form: str) -> None:
    done = run("providers", "-o", form)
    data = json.loads(done.stdout) if form == "json" else yaml.safe_load(done.stdout)
    assert data["broken"] == []
    assert [item["name"] for item in data["providers"]] == list(registry.names())
    (found,) = (item for item in data["providers"] if item["name"] == "rfc2136")
    assert found["solver"] == "dns01.rfc2136"
    assert found["fields"][0] == {
        "name": "nameserver",
        "required": True,
        "help": "The zone's primary server, host:port; the port is 53 by default.",
        "entry": "",
    }
    assert found["fields"][-1]["entry"] == "tsigSecret"
    assert json.loads(run("providers", "rfc2136", "-o", "json").stdout) == found


@pytest.mark.usefixtures("_broken")
def test_a_broken_plugin_is_told_and_harms_no_other(run: Run) -> None:
    done = run("providers")
    assert done.exit_code == 0
    assert "(no_such_package:PROVIDER) cannot be loaded: ModuleNotFoundError" in done.stdout
    assert "\nrfc2136 " in done.stdout
    (broken,) = json.loads(run("providers", "-o", "json").stdout)["broken"]
    assert broken["name"] == "ours"
    assert "cannot be loaded" in broken["problem"]
    alone = run("providers", "ours")
    assert alone.exit_code == 1
    assert alone.stderr.startswith("certwright: the DNS provider 'ours' (no_such_package:PROVIDER) cannot be loaded")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("hetznr", "did you mean hetzner?"),
        ("acmedns", "did you mean acmeDNS?"),
        ("pdns", "did you mean powerdns?"),
        ("edgedns", "did you mean akamai?"),
        ("qqqqq", "`certwright providers` lists them"),
    ],
)
def test_a_name_that_is_none_is_wrong_usage(run: Run, name: str, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERMINAL_WIDTH", "200")
    done = run("providers", name)
    assert done.exit_code == 2
    said = " ".join(done.stderr.replace("│", " ").split())
    assert f"there is no DNS provider {name!r}; {words}" in said


def test_what_stands_behind_lexicon(run: Run) -> None:
    shown = run("providers", "lexicon").stdout
    assert " porkbun," in shown.replace("\n", " ")
    assert "`certwright providers lexicon/NAME` shows the options of one." in shown
    one = run("providers", "lexicon/porkbun").stdout
    assert one.startswith("lexicon/porkbun\n")
    assert [line.split()[0] for line in one.splitlines()[3:]] == ["options.auth_key", "options.auth_secret"]
    assert "porkbun" in json.loads(run("providers", "lexicon", "-o", "json").stdout)["behind"]
    data = json.loads(run("providers", "lexicon/porkbun", "-o", "json").stdout)
    assert [field["name"] for field in data["fields"]] == ["options.auth_key", "options.auth_secret"]
    assert "behind" not in data


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (
            "lexicon/porkbn",
            "there is no DNS provider 'lexicon/porkbn'; did you mean lexicon/porkbun or lexicon/powerdns?",
        ),
        ("lexicon/qqqqqqq", "there is no DNS provider 'lexicon/qqqqqqq'; `certwright providers lexicon` lists them"),
        ("rfc2136/bind", "there is no DNS provider 'rfc2136/bind'; `certwright providers rfc2136` lists them"),
    ],
)
def test_what_does_not_stand_behind_it(run: Run, name: str, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERMINAL_WIDTH", "200")
    done = run("providers", name)
    assert done.exit_code == 2
    assert words in " ".join(done.stderr.replace("│", " ").split())


def test_a_terminal_cuts_no_name(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    narrow = lambda: Console(highlight=False, emoji=False, markup=False, width=72)  # noqa: E731 - one line
    monkeypatch.setattr(printing, "console", narrow)
    lines = run("providers").stdout.splitlines()
    assert all(len(line) <= 72 for line in lines)
    assert any(line.startswith("digitalocean") for line in lines)
    shown = run("providers", "akamai").stdout
    assert "serviceConsumerDomain" in shown
    assert "clientTokenSecretRef" in shown


def test_names_of_lego_are_on_its_page() -> None:
    from certwright.cli.providers import FROM_LEGO  # noqa: PLC0415 - of this test only

    page = (Path(__file__).parents[3] / "docs" / "coming-from-lego.md").read_text()
    for name, own in FROM_LEGO.items():
        if own in registry.names():
            assert any(f"`{name}`" in line and f"`{own}`" in line for line in page.splitlines()), name

"""docs/cli.md and the help texts say what the commands do: their examples run, and their options exist."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer
from fake_api import READY, FakeApi, Run, certificate, condition

from certwright.cli.main import app

DOC = (Path(__file__).parents[3] / "docs" / "cli.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```console\n\$ certwright (.*?)\n(.*?)```", DOC, re.DOTALL)
COMMANDS: dict[str, Any] = dict(typer.main.get_command(app).commands)  # type: ignore[attr-defined]
MANIFEST = """
apiVersion: certwright.dev/v1
kind: Issuer
metadata: {name: le}
spec: {selfSigned: {}}
---
apiVersion: certwright.dev/v1
kind: Certificate
metadata: {name: web}
spec: {secretName: web-tls, dnsNames: [web.example.test], issuerRef: {name: le}}
"""


def options(command: str) -> set[str]:
    return {
        option
        for parameter in COMMANDS[command].params
        if not getattr(parameter, "hidden", False)
        for option in (*parameter.opts, *parameter.secondary_opts)
        if option.startswith("-")
    }


@pytest.fixture
def shop(api: FakeApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeApi:
    """What the examples talk about."""
    from test_cli_status import DATES, ORDER  # noqa: PLC0415 - examples of their own

    (tmp_path / "shop.yaml").write_text(MANIFEST)
    (tmp_path / "certificates.yaml").write_text(MANIFEST)
    monkeypatch.chdir(tmp_path)
    order = {
        **ORDER,
        "url": "https://ca.example.test/order/1",
        "identifiers": [
            {
                "name": "api.example.test",
                "challenge": "dns-01",
                "state": "checking",
                "record": {
                    "name": "_acme-challenge.api.example.test.",
                    "zone": "example.test.",
                    "provider": "rfc2136",
                    "value": "the-value",
                },
                "verdict": {
                    "summary": "1 of 2 addresses of the zone's name servers hold the record",
                    "missing": [{"server": "ns2.example.test.", "address": "192.0.2.2", "answer": "NXDOMAIN"}],
                    "action": "wait; if this lasts, look at the zone transfer to ns2.example.test.",
                    "askedAgain": "within 5s, and given up 1h after its making",
                },
            }
        ],
    }
    missing = condition("Ready", "False", "DoesNotExist", "Secret api-tls does not exist yet; one is being issued")
    issuing = condition("Issuing", "True", "DoesNotExist", "0 of 1 names are ready for the CA")
    for item in (missing, issuing):
        item.pop("lastTransitionTime")
    api.add("certificates", certificate("web", conditions=[READY], **DATES))
    api.add("certificates", certificate("api", conditions=[missing, issuing], order=order))
    ready = condition("Ready", "True", "Registered", "the ACME account is registered with the CA")
    api.add("issuers", {"metadata": {"namespace": "shop", "name": "le"}, "status": {"conditions": [ready]}})
    return api


@pytest.mark.parametrize(("command", "shown"), BLOCKS, ids=[command for command, _ in BLOCKS])
def test_the_examples_of_the_page_print_what_it_shows(shop: FakeApi, run: Run, command: str, shown: str) -> None:
    assert shop
    done = run(*shlex.split(command))
    assert done.exit_code in {0, 4}, done.stderr

    def comparable(text: str) -> list[str]:
        dates = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d(:\d\d)?|in \d+ days", "DATE", text)
        return [re.sub(r"\s+", " ", line).strip() for line in dates.splitlines()]

    if shown:
        assert comparable(done.stdout) == comparable(shown)


def examples() -> list[str]:
    texts = [command.epilog or "" for command in COMMANDS.values()]
    return [line for text in texts for line in text.splitlines() if line and line != "Examples:"]


@pytest.mark.parametrize("example", examples())
def test_the_examples_of_the_help_run(shop: FakeApi, run: Run, example: str) -> None:
    shop.objects["certificates", "shop", "web"]["metadata"]["labels"]["team"] = "blue"
    own = example.rpartition("| ")[2].removeprefix("certwright ")
    for elsewhere in ("run", "check dns"):  # these need a cluster, or ask the DNS
        if own.startswith(f"{elsewhere} "):
            assert {part for part in shlex.split(own) if part.startswith("--")} <= options(elsewhere)
            return
    arguments = [part for part in shlex.split(own) if part != "--wait"]
    assert run(*arguments, stdin=MANIFEST).exit_code in {0, 4}


def test_every_documented_option_exists_and_every_option_is_documented() -> None:
    everything = set().union(*map(options, COMMANDS))
    documented = set(re.findall(r"(?<![\w-])--[a-z][a-z0-9-]+", DOC))
    assert documented - everything == {"--version", "--install-completion"}
    optional = {option for option in everything if option.startswith("--")}
    # The other half of a switch goes without saying.
    assert optional - documented == {"--no-secret-owner-reference", "--no-issuer-ambient-credentials"}


def test_every_command_is_documented() -> None:
    assert set(re.findall(r"^\| `certwright (check dns|\w+)", DOC, re.MULTILINE)) == set(COMMANDS)

import json
import re
from pathlib import Path

import pytest
import yaml

from certwright.errors import Terminal
from certwright.providers import exec_program, page, registry
from certwright.providers.base import Identity
from certwright.resources.reading import Fields
from unit.providers.fake_cloud_dns import service_account_key

ROOT = Path(__file__).parents[3]
TEXT = (ROOT / "docs" / "providers.md").read_text()
OURS = {name: info for name, info in page.known().items() if info.build.__module__.startswith("certwright.")}
SECTIONS = dict(re.findall(r"^## (\S+)\n(.*?)(?=^## |\Z)", TEXT, re.MULTILINE | re.DOTALL))
ACCOUNT = dict.fromkeys(("fulldomain", "subdomain", "username", "password"), "x")


def test_the_page_is_up_to_date() -> None:
    assert page.rendered(TEXT, OURS) == TEXT, "run: python -m certwright.providers.page docs/providers.md"


def test_a_provider_that_the_page_lacks() -> None:
    with pytest.raises(Terminal, match=r"differ: \['vultr'\]"):
        page.rendered(TEXT, {name: info for name, info in OURS.items() if name != "vultr"})


@pytest.mark.parametrize("name", sorted(OURS))
def test_each_has_an_example_that_works_and_says_what_it_was_run_against(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    examples = re.findall(r"^<!-- part: Issuer .*?\n```yaml\n(.*?)^```", SECTIONS[name], re.MULTILINE | re.DOTALL)
    values = {"accounts.json": {"example.com": ACCOUNT}, "key.json": service_account_key()}

    def secrets(_name: str, key: str) -> bytes:
        return json.dumps(values[key]).encode() if key in values else b"c2VjcmV0"

    monkeypatch.setattr(exec_program._allowed, "programs", {"/opt/dns/hook"})
    everything = Identity(ambient=lambda: None, tokens=lambda _name, _audiences: lambda: "")
    assert examples
    for example in examples:
        (solver,) = yaml.safe_load(example).values()
        assert registry.build(Fields(solver, "dns01"), secrets, everything)[0] == name
    assert "Run against" in SECTIONS[name] or "Run for real" in SECTIONS[name]


def test_those_with_a_field_of_their_own_are_those_of_the_schema() -> None:
    (crd, *_) = yaml.safe_load_all((ROOT / "crds" / "issuers.yaml").read_text())
    spec = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]
    dns01 = spec["acme"]["properties"]["solvers"]["items"]["properties"]["dns01"]["properties"]
    assert {name for name in OURS if name in dns01} == page.TYPED & set(OURS)
    for name in page.TYPED:
        assert {field.name.partition(".")[0] for field in OURS[name].fields} == set(dns01[name]["properties"])

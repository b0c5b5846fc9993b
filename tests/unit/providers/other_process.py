"""Providers for the conformance suite's other processes: what to make is in the environment."""

import json
import os
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path

from certwright.providers import exec_program, registry
from certwright.providers.azure_login import Cloud
from certwright.providers.base import Provider
from certwright.providers.conformance import Elsewhere
from certwright.providers.guard import Guard, set_standing
from certwright.resources.reading import Fields

TESTS = Path(__file__).parents[2]


def of_vendor(name: str, url: str) -> Elsewhere:
    """A vendor's provider that talks to a fake."""
    return _elsewhere("vendor", {"name": name, "url": url})


def of_config(
    dns01: Mapping[str, object], secret: str = "", *, places: Mapping[str, object] | None = None
) -> Elsewhere:
    """The provider of a solver; every entry of every Secret is the same one.

    `places` are values for constants of our modules, by `module:NAME`: where a fake is in place of the vendor.
    """
    return _elsewhere("configured", {"dns01": dns01, "secret": secret, "places": places or {}})


def _elsewhere(factory: str, facts: dict[str, object]) -> Elsewhere:
    return Elsewhere(f"{__name__}:{factory}", {"PYTHONPATH": str(TESTS), "OTHER_PROCESS": json.dumps(facts)})


def vendor() -> Provider:
    from unit.providers.vendors import VENDORS  # noqa: PLC0415 - all the fakes

    facts = json.loads(os.environ["OTHER_PROCESS"])
    (found,) = (each for each in VENDORS if each.name == facts["name"])
    made: Provider = found.provider(facts["url"])
    return made


def configured() -> Provider:
    facts = json.loads(os.environ["OTHER_PROCESS"])
    set_standing(Guard(allow_loopback=True))
    for place, value in facts["places"].items():
        module, _, name = place.partition(":")
        if isinstance(value, dict):
            getattr(import_module(module), name).update({key: Cloud(*item) for key, item in value.items()})
        else:
            setattr(import_module(module), name, value)
    dns01 = facts["dns01"]
    if "exec" in str(dns01.get("provider", {}).get("name")):
        exec_program.allow_programs([dns01["provider"]["config"]["program"]])
    return registry.build(Fields(dns01, "dns01"), lambda _name, _key: facts["secret"].encode())[1]

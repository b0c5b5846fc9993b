"""Finds the DNS providers that are installed, and the one that a solver's config means.

Plugins are entry points of the group `certwright.dns_providers`; each is imported when it is first needed, and one that
cannot be imported is a fault of its own name only.
"""

from __future__ import annotations

from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING

from certwright.errors import CertwrightError, InvalidSpec, Terminal
from certwright.providers.base import NOBODY, Identity, Provider, ProviderInfo, Secrets
from certwright.providers.credentials import SECRET_REF
from certwright.resources.reading import Fields

if TYPE_CHECKING:
    from collections.abc import Mapping

GROUP = "certwright.dns_providers"
OTHER_FIELDS = frozenset({"cnameStrategy", "zone", "fqdn", "nameservers", "propagation"})
"""What stands beside the provider in `dns01`."""


@cache
def _entry_points() -> Mapping[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=GROUP)}


def names() -> tuple[str, ...]:
    """The names of all installed providers, sorted; imports none of them."""
    return tuple(sorted(_entry_points()))


def load(name: str) -> ProviderInfo:
    """The provider of that name.

    Args:
        name: The entry point's name.

    Raises:
        InvalidSpec: When none is installed by that name.
        Terminal: When the plugin is broken; reason BrokenPlugin.
    """
    point = _entry_points().get(name)
    if point is None:
        raise InvalidSpec(f"no DNS provider {name!r} is installed; installed are {', '.join(names()) or 'none'}")
    try:
        info = point.load()
    except Exception as error:
        raise Terminal(
            f"the DNS provider {name!r} ({point.value}) cannot be loaded: {type(error).__name__}: {error}",
            reason="BrokenPlugin",
        ) from error
    if not isinstance(info, ProviderInfo):
        raise Terminal(
            f"the DNS provider {name!r} ({point.value}) is a {type(info).__name__} and not a ProviderInfo",
            reason="BrokenPlugin",
        )
    return info


def installed() -> dict[str, ProviderInfo | CertwrightError]:
    """Every installed provider by name; a fault where the plugin is broken."""
    found: dict[str, ProviderInfo | CertwrightError] = {}
    for name in names():
        try:
            found[name] = load(name)
        except CertwrightError as error:
            found[name] = error
    return found


def choose(dns01: Fields) -> tuple[str, Fields]:
    """Which provider a solver's config means, and that provider's own fields.

    A `provider.secretRef` is handed on as the config's own `secretRef`; see providers.credentials.

    Args:
        dns01: `solvers[i].dns01`: one provider by its own field, or `provider: {name, config, secretRef}`.

    Raises:
        InvalidSpec: When it names none or several.
    """
    chosen = sorted(name for name in dns01.body if name not in OTHER_FIELDS and name in dns01)
    if len(chosen) != 1:
        what = f"only one of {', '.join(chosen)}" if chosen else f"a DNS provider; installed are {', '.join(names())}"
        raise InvalidSpec(f"{dns01.path}: must have {what}")
    if chosen != ["provider"]:
        return chosen[0], dns01.part(chosen[0])
    plugin = dns01.part("provider")
    name = plugin.text("name")
    if not name:
        raise InvalidSpec(f"{plugin.at('name')}: must name a DNS provider; installed are {', '.join(names())}")
    config = plugin.part("config")
    if SECRET_REF in plugin:
        reference = plugin.part(SECRET_REF)
        if not reference.text("name"):
            raise InvalidSpec(f"{reference.at('name')}: must name a Secret")
        config = Fields({**config.body, SECRET_REF: reference.body}, config.path)
    return name, config


def build(dns01: Fields, secrets: Secrets, identity: Identity = NOBODY) -> tuple[str, Provider]:
    """Make the provider that a solver's config means.

    Args:
        dns01: See choose.
        secrets: Reads entries of Secrets, where this issuer may read them.
        identity: What else this issuer may log in by.

    Returns its name and itself. Raises InvalidSpec or Terminal as `choose`, `load` and the plugin do.
    """
    name, config = choose(dns01)
    try:
        info = load(name)
    except InvalidSpec as error:
        raise InvalidSpec(f"{config.path}: {error.message}") from None
    _refuse_unknown(info, config)
    if info.build_as:
        return name, info.build_as(config, secrets, identity)
    return name, info.build(config, secrets)


def _refuse_unknown(info: ProviderInfo, config: Fields) -> None:
    """Say of a field that the provider does not have that it is none: the schema cannot know a plugin's."""
    known = {field.name.partition(".")[0] for field in info.fields}
    if any(field.secret for field in info.fields):
        known.add(SECRET_REF)
    for name in sorted(config.body):
        if name not in known:
            raise InvalidSpec(
                f"{config.at(name)}: the DNS provider {info.name} has no such field; it has {', '.join(sorted(known))}"
            )

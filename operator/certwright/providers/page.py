"""What plugins say of themselves, for people: the tables of docs/providers.md, and what `certwright providers` shows.

The page is made by

python -m certwright.providers.page docs/providers.md
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from certwright.errors import Terminal
from certwright.providers import registry
from certwright.providers.base import ProviderInfo
from certwright.providers.credentials import SUFFIX

if TYPE_CHECKING:
    from collections.abc import Mapping

    from certwright.providers.base import ConfigField

TYPED: Final = frozenset(
    {"acmeDNS", "akamai", "azureDNS", "cloudDNS", "cloudflare", "digitalocean", "rfc2136", "route53", "webhook"}
)
"""Providers with a field of their own in the schema of `dns01`, spelled as in cert-manager."""
_PART: Final = re.compile(r"(<!-- generated: ([^>]+?) -->\n).*?(<!-- end -->)", re.DOTALL)


def known() -> dict[str, ProviderInfo]:
    """The providers that are installed and not broken."""
    return {name: info for name, info in registry.installed().items() if isinstance(info, ProviderInfo)}


def place(name: str) -> str:
    """Where in a solver a provider is chosen."""
    return f"dns01.{name}" if name in TYPED else f"dns01.provider, name {name}"


def entry(field: ConfigField) -> str:
    """The entry of the Secret in `provider.secretRef` that stands for a field; empty where it is no credential."""
    return field.name.removesuffix(SUFFIX) if field.secret else ""


def overview(infos: Mapping[str, ProviderInfo]) -> str:
    """A table of all providers."""
    rows = ["| provider | works with | in the solver |", "|---|---|---|"]
    for name, info in sorted(infos.items(), key=lambda item: item[0].lower()):
        where = re.sub(r"dns01\.\w+|(?<=name ).*", r"`\g<0>`", place(name))
        rows.append(f"| [{name}](#{name.lower()}) | {info.description} | {where} |")
    return "\n".join(rows)


def fields(info: ProviderInfo) -> str:
    """A table of one provider's fields."""
    rows = ["| field | needed | meaning | entry with `secretRef` |", "|---|---|---|---|"]
    for field in info.fields:
        named = f"`{entry(field)}`" if field.secret else ""
        rows.append(f"| `{field.name}` | {'yes' if field.required else ''} | {field.help} | {named} |")
    return "\n".join(rows)


def rendered(page: str, infos: Mapping[str, ProviderInfo]) -> str:
    """The page with its generated parts made anew.

    Args:
        page: The page; a part stands between `<!-- generated: WHAT -->` and `<!-- end -->`, where WHAT is `providers`
            or a provider's name.
        infos: The providers.

    Raises:
        Terminal: A provider has no part in the page, or a part has no provider.
    """
    parts = [match[2] for match in _PART.finditer(page)]
    if sorted(parts) != sorted(["providers", *infos]):
        differing = sorted({*parts} ^ {"providers", *infos}) or "one twice"
        raise Terminal(f"the generated parts of the page and the providers differ: {differing}")

    def one(match: re.Match[str]) -> str:
        table = overview(infos) if match[2] == "providers" else fields(infos[match[2]])
        return f"{match[1]}{table}\n{match[3]}"

    return _PART.sub(one, page)


if __name__ == "__main__":
    path = Path(sys.argv[1])
    path.write_text(rendered(path.read_text(), known()))

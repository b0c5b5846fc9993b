"""`certwright providers`: the DNS providers that are installed, and what each wants to know; lego's dnshelp."""

from __future__ import annotations

from dataclasses import replace
from difflib import get_close_matches
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from certwright.cli.options import Format, Output

if TYPE_CHECKING:
    from certwright.providers.base import ProviderInfo

EPILOG = """Examples:

certwright providers

certwright providers rfc2136

certwright providers lexicon/porkbun

certwright providers -o json"""
FROM_LEGO: Final = {
    "acme-dns": "acmeDNS",
    "azuredns": "azureDNS",
    "dnsupdate": "rfc2136",
    "edgedns": "akamai",
    "fastdns": "akamai",
    "gandiv5": "gandi",
    "gcloud": "cloudDNS",
    "pdns": "powerdns",
}
"""lego's names where ours are others."""


def providers(
    name: Annotated[
        str, typer.Argument(help="Provider to show with its fields, also as lexicon/NAME; none lists all.")
    ] = "",
    output: Output = Format.TEXT,
) -> None:
    """List the DNS providers, or show one with its fields.

    Exit codes: 0 done, 1 a fault: the provider's package is broken, 2 wrong usage: there is no such provider.
    """
    from certwright.cli.printing import console, document  # noqa: PLC0415 - none of these for --help
    from certwright.errors import CertwrightError  # noqa: PLC0415
    from certwright.providers import registry  # noqa: PLC0415

    whole, _, inner = name.partition("/")
    if name and whole not in registry.names():
        raise typer.BadParameter(_no_such(whole, registry.names()), param_hint="NAME")
    if name:
        from certwright.cli.providers_table import Behind, Details  # noqa: PLC0415

        info = registry.load(whole)
        behind = info.catalogue() if info.catalogue else {}
        if inner and inner not in behind:
            raise typer.BadParameter(_no_such(inner, tuple(behind), f"{whole}/"), param_hint="NAME")
        if output is not Format.TEXT:
            shown = _plain(replace(info, name=name, fields=behind[inner]) if inner else info)
            typer.echo(document(shown | ({"behind": list(behind)} if behind and not inner else {}), output))
        elif inner:
            console().print(Behind(name, behind[inner]))
        else:
            console().print(Details(info, tuple(behind)))
        return
    found = registry.installed()
    if output is not Format.TEXT:
        good = [_plain(item) for item in found.values() if not isinstance(item, CertwrightError)]
        bad = [{"name": key, "problem": it.message} for key, it in found.items() if isinstance(it, CertwrightError)]
        typer.echo(document({"providers": good, "broken": bad}, output))
        return
    from certwright.cli.providers_table import Overview  # noqa: PLC0415

    console().print(Overview(found))


def _no_such(name: str, known: tuple[str, ...], before: str = "") -> str:
    """What to say of a name that is none; `before` is what stands before it."""
    short = name.lower()
    by_spelling = {key.lower(): key for key in known} | {key: own for key, own in FROM_LEGO.items() if own in known}
    if short in by_spelling:
        return f"there is no DNS provider {before + name!r}; did you mean {before}{by_spelling[short]}?"
    close = list(dict.fromkeys(by_spelling[match] for match in get_close_matches(short, by_spelling, n=3, cutoff=0.5)))
    lists = f"`certwright providers {before.rstrip('/')}`".replace(" `", "`")
    hint = f"did you mean {' or '.join(before + one for one in close)}?" if close else f"{lists} lists them"
    return f"there is no DNS provider {before + name!r}; {hint}"


def _plain(info: ProviderInfo) -> dict[str, Any]:
    """A provider as JSON has it."""
    from certwright.providers.page import entry, place  # noqa: PLC0415 - likewise

    return {
        "name": info.name,
        "description": info.description,
        "solver": place(info.name),
        "fields": [
            {"name": field.name, "required": field.required, "help": field.help, "entry": entry(field)}
            for field in info.fields
        ],
    }

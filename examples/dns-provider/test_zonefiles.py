"""Whether the example keeps the rules: the suite that ships with Certwright, run by pytest."""

from __future__ import annotations

import json
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from certwright.errors import InvalidSpec
from certwright.providers import registry
from certwright.providers.conformance import Check, Elsewhere, Subject, checks
from certwright.resources.reading import Fields

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from certwright.providers.base import Provider

TOKEN, OLD_TOKEN = "a-token-0123456789", "an-old-token-0123456789"


def provider(folder: str, token: str = TOKEN) -> Provider:
    """As the operator makes it: by its name, through the entry point."""
    plugin = {"name": "zonefiles", "config": {"folder": folder}, "secretRef": {"name": "zonefiles"}}
    return registry.build(Fields({"provider": plugin}, "dns01"), lambda _name, _key: token.encode())[1]


def new_provider() -> Provider:
    """For the suite's other processes."""
    return provider(os.environ["ZONEFILES"])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    for zone in ("example.com", "sub.example.com"):
        (tmp_path / f"{zone}.json").write_text("{}")
    return tmp_path


@pytest.mark.parametrize("check", checks(), ids=lambda check: check.name)
def test_conformance(check: Check, folder: Path) -> None:
    def zone_of(name: str) -> Path:
        return folder / f"{'sub.' * name.endswith('.sub.example.com.')}example.com.json"

    def read_txt(name: str) -> list[str]:
        found: list[str] = json.loads(zone_of(name).read_text()).get(name, [])
        return found

    def put_txt(name: str, value: str) -> None:
        records = json.loads(zone_of(name).read_text())
        zone_of(name).write_text(json.dumps({**records, name: [*records.get(name, []), value]}))

    @contextmanager
    def throttled() -> Iterator[None]:
        (folder / "closed").touch()
        yield
        (folder / "closed").unlink()

    check.run(
        Subject(
            make=lambda: provider(str(folder)),
            read_txt=read_txt,
            zone="example.com.",
            subzone="sub.example.com.",
            throttled=throttled,
            expired=lambda: provider(str(folder), OLD_TOKEN),
            credentials=(TOKEN, OLD_TOKEN),
            stranger=put_txt,
            elsewhere=Elsewhere("test_zonefiles:new_provider", {"ZONEFILES": str(folder)}),
        )
    )


def test_a_bad_folder() -> None:
    with pytest.raises(InvalidSpec, match=r"config\.folder: must be an absolute path"):
        provider("zones")

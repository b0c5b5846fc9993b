"""A worked example of a DNS provider of one's own: TXT records in files, one a zone, which some name server reads.

Whoever may write there is known by a token, so that the example has a credential, too.
"""

from __future__ import annotations

import fcntl
import json
from pathlib import Path
from typing import TYPE_CHECKING

from certwright.errors import InvalidSpec, Retryable, Terminal
from certwright.providers.base import ConfigField, ProviderInfo
from certwright.providers.credentials import Credential, credential

if TYPE_CHECKING:
    from collections.abc import Callable

    from certwright.providers.base import Secrets
    from certwright.resources.reading import Fields


class ZoneFiles:
    """The files of one folder; `token` in it has the token, `ZONE.json` the values by name.

    Args:
        folder: The folder.
        token: What must be in `token`.
    """

    def __init__(self, folder: Path, token: Credential) -> None:
        self._folder = folder
        self._token = token

    def add_txt(self, zone: str, name: str, value: str) -> None:
        """Adding what is there succeeds."""
        self._change(zone, name, lambda values: values if value in values else [*values, value])

    def remove_txt(self, zone: str, name: str, value: str) -> None:
        """By value: others at the same name stay. Removing what is gone succeeds."""
        self._change(zone, name, lambda values: [other for other in values if other != value])

    def find_zone(self, name: str) -> str | None:
        """The longest zone that has a file; labels are compared, not texts."""
        labels = name.split(".")
        zones = (".".join(labels[start:]) for start in range(len(labels) - 1))
        return next((zone for zone in zones if self._file(zone).exists()), None)

    def _file(self, zone: str) -> Path:
        return self._folder / f"{zone}json"

    def _change(self, zone: str, name: str, change: Callable[[list[str]], list[str]]) -> None:
        if (self._folder / "token").read_text().strip() != self._token.value:
            # Says where the wrong token came from, and never the token.
            raise Terminal(f"the token is not accepted; check {self._token.where}", reason="CredentialsRefused")
        if (self._folder / "closed").exists():
            raise Retryable("the zones are closed for a moment")
        try:
            with self._file(zone).open("r+") as file:
                fcntl.flock(file, fcntl.LOCK_EX)  # other processes change the same file
                records = json.load(file)
                records[name] = change(records.get(name, []))
                file.seek(0)
                file.truncate()
                json.dump(records, file)
        except FileNotFoundError:
            raise Terminal(f"there is no zone {zone} in {self._folder}", reason="ZoneNotInAccount") from None


def build(config: Fields, secrets: Secrets) -> ZoneFiles:
    """Make the provider; raises InvalidSpec naming the field that is wrong."""
    folder = Path(config.text("folder"))
    if not folder.is_absolute():
        raise InvalidSpec(f"{config.at('folder')}: must be an absolute path")
    return ZoneFiles(folder, credential(config, secrets, "token"))


PROVIDER = ProviderInfo(
    name="zonefiles",
    description="files with TXT records, one a zone",
    fields=(
        ConfigField("folder", "Absolute path of the folder with the zones' files.", required=True),
        ConfigField("tokenSecretRef", "The token that the folder's file `token` has.", required=True, secret=True),
    ),
    build=build,
)

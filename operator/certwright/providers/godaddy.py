"""GoDaddy: all records of one name and type are replaced at once; an empty list has to be deleted."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from certwright.providers.api import Api, Endpoint, Reply
from certwright.providers.base import ConfigField, ProviderInfo
from certwright.providers.changes import Sets, listed
from certwright.providers.credentials import credential
from certwright.providers.names import relative

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from certwright.providers.base import Secrets
    from certwright.resources.reading import Fields

URL: Final = "https://api.godaddy.com/v1"
TTL: Final = 600
"""Seconds; the least that the API takes."""
PAGE: Final = 500


class GoDaddy(Sets):
    """One account."""

    def _zone_ids(self, names: Sequence[str]) -> dict[str, str | None]:
        pages = self._api.pages("/domains", {"statuses": "ACTIVE", "limit": PAGE}, following=_next_page)
        return listed(names, {zone["domain"]: zone["domain"] for page in pages for zone in page})

    def _read(self, zone: str, names: Sequence[str]) -> dict[str, list[str]]:
        return {name: self._one(zone, name) for name in names}

    def _one(self, zone: str, name: str) -> list[str]:
        reply = self._api.send("GET", self._path(zone, name), allow={HTTPStatus.NOT_FOUND})
        # It keeps rows without data where records were; they would be refused when they are sent back.
        return [record["data"] for record in reply.json() if record.get("data")] if reply.ok else []

    def _write(self, zone: str, sets: Mapping[str, Sequence[str]]) -> None:
        for name, values in sets.items():
            path = self._path(zone, name)
            if values:
                self._api.send("PUT", path, body=[{"data": value, "ttl": TTL} for value in values])
            else:
                self._api.send("DELETE", path, allow={HTTPStatus.NOT_FOUND})

    def _path(self, zone: str, name: str) -> str:
        return f"/domains/{self._zone_id(zone)}/records/TXT/{quote(relative(name, zone), safe='')}"


def _next_page(reply: Reply) -> dict[str, object] | None:
    zones = reply.json()
    return {"marker": zones[-1]["domain"]} if len(zones) >= PAGE else None


def endpoint(config: Fields, secrets: Secrets) -> Endpoint:
    """The account."""
    key, secret = credential(config, secrets, "apiKey"), credential(config, secrets, "apiSecret")
    headers = {"Authorization": f"sso-key {key.value}:{secret.value}"}
    rights = "to manage domains by the API, which GoDaddy gives to larger accounts only"
    return Endpoint("GoDaddy", URL, rights, headers, (key, secret))


def build(config: Fields, secrets: Secrets) -> GoDaddy:
    """Make the provider; raises InvalidSpec naming the field that is wrong."""
    return GoDaddy(Api(endpoint(config, secrets)))


PROVIDER = ProviderInfo(
    name="godaddy",
    description="GoDaddy",
    fields=(
        ConfigField("apiKeySecretRef", "Key of an API key for production.", required=True, secret=True),
        ConfigField("apiSecretSecretRef", "Secret of that key.", required=True, secret=True),
    ),
    build=build,
)

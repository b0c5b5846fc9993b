"""IONOS: one record for each value, zones by id; the API answers questions for one name only by its full form."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from certwright.providers import txt
from certwright.providers.api import Api, Endpoint
from certwright.providers.base import ConfigField, ProviderInfo
from certwright.providers.changes import Records, listed
from certwright.providers.credentials import credential
from certwright.providers.names import bare

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from certwright.providers.base import Secrets
    from certwright.resources.reading import Fields

URL: Final = "https://api.hosting.ionos.com/dns/v1"
TTL: Final = 60


class Ionos(Records):
    """One account."""

    def _zone_ids(self, names: Sequence[str]) -> dict[str, str | None]:
        return listed(names, {zone["name"]: zone["id"] for zone in self._api.get("/zones")})

    def _records(self, zone: str, name: str) -> Iterator[tuple[str, str]]:
        query = {"recordName": bare(name), "recordType": "TXT"}
        for record in self._api.get(f"/zones/{self._zone_id(zone)}", query).get("records") or []:
            if record["type"] == "TXT" and bare(record["name"]) == bare(name):
                yield str(record["id"]), txt.loose(record["content"])

    def _create(self, zone: str, name: str, value: str) -> None:
        record = {"name": bare(name), "type": "TXT", "content": txt.quote(value), "ttl": TTL, "disabled": False}
        self._api.send("POST", f"/zones/{self._zone_id(zone)}/records", body=[record])

    def _delete(self, zone: str, record: str) -> None:
        path = f"/zones/{self._zone_id(zone)}/records/{record}"
        self._api.send("DELETE", path, allow={HTTPStatus.NOT_FOUND})


def endpoint(config: Fields, secrets: Secrets) -> Endpoint:
    """The account."""
    key = credential(config, secrets, "apiKey")
    return Endpoint("IONOS", URL, "to edit this zone", {"X-API-Key": key.value}, (key,))


def build(config: Fields, secrets: Secrets) -> Ionos:
    """Make the provider; raises InvalidSpec naming the field that is wrong."""
    return Ionos(Api(endpoint(config, secrets)))


PROVIDER = ProviderInfo(
    name="ionos",
    description="IONOS hosting (not IONOS Cloud)",
    fields=(
        ConfigField("apiKeySecretRef", "API key: prefix and secret, joined by a dot.", required=True, secret=True),
    ),
    build=build,
)

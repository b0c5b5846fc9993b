"""Scaleway: a list of changes is applied to the zone at once; a record goes by its id, found by name and value."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from certwright.providers import txt
from certwright.providers.api import Api, Endpoint
from certwright.providers.base import ConfigField, ProviderInfo
from certwright.providers.changes import Records, listed
from certwright.providers.credentials import credential
from certwright.providers.names import relative
from certwright.providers.paging import counted

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from certwright.providers.base import Secrets
    from certwright.resources.reading import Fields

URL: Final = "https://api.scaleway.com/domain/v2beta1"
TTL: Final = 60
PAGE: Final = 100


class Scaleway(Records):
    """The zones of the organization that a key may see."""

    def _zone_ids(self, names: Sequence[str]) -> dict[str, str | None]:
        pages = self._api.pages("/dns-zones", {"page_size": PAGE, "page": 1}, following=counted("dns_zones"))
        zones = [".".join(filter(None, (z["subdomain"], z["domain"]))) for page in pages for z in page["dns_zones"]]
        return listed(names, {zone: zone for zone in zones})

    def _records(self, zone: str, name: str) -> Iterator[tuple[str, str]]:
        short = relative(name, zone, apex="")
        query = {"name": short, "type": "TXT", "page_size": PAGE, "page": 1}
        path = f"/dns-zones/{self._zone_id(zone)}/records"
        for page in self._api.pages(path, query, following=counted("records")):
            for record in page["records"]:
                if record["type"] == "TXT" and record["name"] == short:
                    yield str(record["id"]), txt.loose(record["data"])

    def _create(self, zone: str, name: str, value: str) -> None:
        record = {"name": relative(name, zone, apex=""), "type": "TXT", "data": txt.quote(value), "ttl": TTL}
        self._change(zone, {"add": {"records": [record]}})

    def _delete(self, zone: str, record: str) -> None:
        self._change(zone, {"delete": {"id": record}}, allow={HTTPStatus.NOT_FOUND})

    def _change(self, zone: str, change: object, *, allow: Collection[int] = ()) -> None:
        body = {"changes": [change], "return_all_records": False, "disallow_new_zone_creation": True}
        self._api.send("PATCH", f"/dns-zones/{self._zone_id(zone)}/records", body=body, allow=allow)


def endpoint(config: Fields, secrets: Secrets) -> Endpoint:
    """What the key may see."""
    key = credential(config, secrets, "secretKey")
    rights = "to edit DNS (permission set DomainsDNSFullAccess)"
    return Endpoint("Scaleway", URL, rights, {"X-Auth-Token": key.value}, (key,))


def build(config: Fields, secrets: Secrets) -> Scaleway:
    """Make the provider; raises InvalidSpec naming the field that is wrong."""
    return Scaleway(Api(endpoint(config, secrets)))


PROVIDER = ProviderInfo(
    name="scaleway",
    description="Scaleway Domains and DNS",
    fields=(
        ConfigField(
            "secretKeySecretRef",
            "Secret key of an API key with the permission set DomainsDNSFullAccess.",
            required=True,
            secret=True,
        ),
    ),
    build=build,
)

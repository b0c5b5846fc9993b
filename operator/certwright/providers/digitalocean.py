"""DigitalOcean: one record for each value, data as it is and without quotes, names relative to the domain."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from certwright.providers.api import Api, Endpoint, Reply
from certwright.providers.base import ConfigField, ProviderInfo
from certwright.providers.changes import Records, listed
from certwright.providers.credentials import credential
from certwright.providers.names import bare, relative
from certwright.providers.paging import parameter_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from certwright.providers.base import Secrets
    from certwright.resources.reading import Fields

URL: Final = "https://api.digitalocean.com/v2"
TTL: Final = 60
PAGE: Final = 200


class DigitalOcean(Records):
    """One team's domains."""

    def _zone_ids(self, names: Sequence[str]) -> dict[str, str | None]:
        pages = self._api.pages("/domains", {"per_page": PAGE}, following=_next_page)
        return listed(names, {zone["name"]: zone["name"] for page in pages for zone in page["domains"]})

    def _records(self, zone: str, name: str) -> Iterator[tuple[str, str]]:
        query = {"type": "TXT", "name": bare(name), "per_page": PAGE}
        short = relative(name, zone)
        for page in self._api.pages(f"/domains/{self._zone_id(zone)}/records", query, following=_next_page):
            for record in page["domain_records"]:
                if record["name"] == short and record["type"] == "TXT":
                    yield str(record["id"]), record["data"]

    def _create(self, zone: str, name: str, value: str) -> None:
        record = {"type": "TXT", "name": relative(name, zone), "data": value, "ttl": TTL}
        self._api.send("POST", f"/domains/{self._zone_id(zone)}/records", body=record)

    def _delete(self, zone: str, record: str) -> None:
        path = f"/domains/{self._zone_id(zone)}/records/{record}"
        self._api.send("DELETE", path, allow={HTTPStatus.NOT_FOUND})


def _next_page(reply: Reply) -> dict[str, object] | None:
    return parameter_of(((reply.json().get("links") or {}).get("pages") or {}).get("next"), "page")


def endpoint(config: Fields, secrets: Secrets) -> Endpoint:
    """The account of `dns01.digitalocean`."""
    token = credential(config, secrets, "token")
    rights = "to read and write domains (scopes domain:read, domain:create, domain:delete)"
    return Endpoint("DigitalOcean", URL, rights, {"Authorization": f"Bearer {token.value}"}, (token,))


def build(config: Fields, secrets: Secrets) -> DigitalOcean:
    """Make the provider; raises InvalidSpec naming the field that is wrong."""
    return DigitalOcean(Api(endpoint(config, secrets)))


PROVIDER = ProviderInfo(
    name="digitalocean",
    description="DigitalOcean",
    fields=(ConfigField("tokenSecretRef", "API token that may read and write domains.", required=True, secret=True),),
    build=build,
)

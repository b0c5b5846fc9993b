"""Vultr: one record for each value, data in quotes, lists by cursor."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from certwright.providers import txt
from certwright.providers.api import Api, Endpoint, Reply
from certwright.providers.base import ConfigField, ProviderInfo
from certwright.providers.changes import Records, listed
from certwright.providers.credentials import credential
from certwright.providers.names import relative

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from certwright.providers.base import Secrets
    from certwright.resources.reading import Fields

URL: Final = "https://api.vultr.com/v2"
TTL: Final = 120
PAGE: Final = 500


class Vultr(Records):
    """One account."""

    lists_zones = True

    def _zone_ids(self, names: Sequence[str]) -> dict[str, str | None]:
        pages = self._api.pages("/domains", {"per_page": PAGE}, following=_next_page)
        return listed(names, {zone["domain"]: zone["domain"] for page in pages for zone in page["domains"]})

    def _records(self, zone: str, name: str) -> Iterator[tuple[str, str]]:
        short = relative(name, zone, apex="")
        path = f"/domains/{self._zone_id(zone)}/records"
        for page in self._api.pages(path, {"per_page": PAGE}, following=_next_page):
            for record in page["records"]:
                if record["type"] == "TXT" and record["name"] == short:
                    yield str(record["id"]), txt.loose(record["data"])

    def _create(self, zone: str, name: str, value: str) -> None:
        record = {"type": "TXT", "name": relative(name, zone, apex=""), "data": txt.quote(value), "ttl": TTL}
        self._api.send("POST", f"/domains/{self._zone_id(zone)}/records", body=record)

    def _delete(self, zone: str, record: str) -> None:
        path = f"/domains/{self._zone_id(zone)}/records/{record}"
        self._api.send("DELETE", path, allow={HTTPStatus.NOT_FOUND})


def _next_page(reply: Reply) -> dict[str, object] | None:
    cursor = ((reply.json().get("meta") or {}).get("links") or {}).get("next")
    return {"cursor": cursor} if cursor else None


def endpoint(config: Fields, secrets: Secrets) -> Endpoint:
    """The account."""
    key = credential(config, secrets, "apiKey")
    rights = "to manage DNS, from the operator's addresses (see the key's access control)"
    return Endpoint("Vultr", URL, rights, {"Authorization": f"Bearer {key.value}"}, (key,))


def build(config: Fields, secrets: Secrets) -> Vultr:
    """Make the provider; raises InvalidSpec naming the field that is wrong."""
    return Vultr(Api(endpoint(config, secrets)))


PROVIDER = ProviderInfo(
    name="vultr",
    description="Vultr",
    fields=(
        ConfigField(
            "apiKeySecretRef",
            "API key; its access control must allow the operator's addresses.",
            required=True,
            secret=True,
        ),
    ),
    build=build,
)

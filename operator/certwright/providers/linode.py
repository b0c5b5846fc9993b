"""Linode (Akamai Cloud): one record for each value; lists cannot be asked for one name."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from certwright.providers.api import Api, Endpoint, Reply
from certwright.providers.base import ConfigField, ProviderInfo
from certwright.providers.changes import Records, listed
from certwright.providers.credentials import credential
from certwright.providers.names import relative

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from certwright.providers.base import Secrets
    from certwright.resources.reading import Fields

URL: Final = "https://api.linode.com/v4"
TTL: Final = 300
"""Seconds; the least that is not rounded up."""
PAGE: Final = 500


class Linode(Records):
    """One account."""

    lists_zones = True

    def _zone_ids(self, names: Sequence[str]) -> dict[str, str | None]:
        pages = self._api.pages("/domains", {"page_size": PAGE}, following=_next_page)
        return listed(names, {zone["domain"]: str(zone["id"]) for page in pages for zone in page["data"]})

    def _records(self, zone: str, name: str) -> Iterator[tuple[str, str]]:
        short = relative(name, zone, apex="")
        path = f"/domains/{self._zone_id(zone)}/records"
        for page in self._api.pages(path, {"page_size": PAGE}, following=_next_page):
            for record in page["data"]:
                if record["type"] == "TXT" and record["name"] == short:
                    yield str(record["id"]), record["target"]

    def _create(self, zone: str, name: str, value: str) -> None:
        record = {"type": "TXT", "name": relative(name, zone, apex=""), "target": value, "ttl_sec": TTL}
        self._api.send("POST", f"/domains/{self._zone_id(zone)}/records", body=record)

    def _delete(self, zone: str, record: str) -> None:
        path = f"/domains/{self._zone_id(zone)}/records/{record}"
        self._api.send("DELETE", path, allow={HTTPStatus.NOT_FOUND})


def _next_page(reply: Reply) -> dict[str, object] | None:
    content = reply.json()
    return {"page": content["page"] + 1} if content["page"] < content["pages"] else None


def endpoint(config: Fields, secrets: Secrets) -> Endpoint:
    """The account."""
    token = credential(config, secrets, "apiToken")
    rights = "to read and write domains (scope domains:read_write)"
    return Endpoint("Linode", URL, rights, {"Authorization": f"Bearer {token.value}"}, (token,))


def build(config: Fields, secrets: Secrets) -> Linode:
    """Make the provider; raises InvalidSpec naming the field that is wrong."""
    return Linode(Api(endpoint(config, secrets)))


PROVIDER = ProviderInfo(
    name="linode",
    description="Linode (Akamai Cloud)",
    fields=(
        ConfigField(
            "apiTokenSecretRef",
            "Personal access token with the scope domains:read_write.",
            required=True,
            secret=True,
        ),
    ),
    build=build,
)

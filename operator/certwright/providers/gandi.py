"""Gandi LiveDNS: RRsets are replaced as a whole, one in a request; an empty one has to be deleted."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from certwright.providers import txt
from certwright.providers.api import Api, Endpoint
from certwright.providers.base import ConfigField, ProviderInfo
from certwright.providers.changes import Sets, listed
from certwright.providers.credentials import credential
from certwright.providers.names import relative
from certwright.providers.paging import numbered

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from certwright.providers.base import Secrets
    from certwright.resources.reading import Fields

URL: Final = "https://api.gandi.net/v5/livedns"
TTL: Final = 300
"""Seconds; the least that the API takes."""
PAGE: Final = 100


class Gandi(Sets):
    """The domains that a personal access token may see."""

    def _zone_ids(self, names: Sequence[str]) -> dict[str, str | None]:
        pages = self._api.pages("/domains", {"per_page": PAGE, "page": 1}, following=numbered(PAGE))
        return listed(names, {zone["fqdn"]: zone["fqdn"] for page in pages for zone in page})

    def _read(self, zone: str, names: Sequence[str]) -> dict[str, list[str]]:
        return {name: self._one(zone, name) for name in names}

    def _one(self, zone: str, name: str) -> list[str]:
        reply = self._api.send("GET", self._path(zone, name), allow={HTTPStatus.NOT_FOUND})
        return [txt.loose(value) for value in reply.json()["rrset_values"]] if reply.ok else []

    def _write(self, zone: str, sets: Mapping[str, Sequence[str]]) -> None:
        for name, values in sets.items():
            path = self._path(zone, name)
            if values:
                body = {"rrset_values": [txt.quote(value) for value in values], "rrset_ttl": TTL}
                self._api.send("PUT", path, body=body)
            else:
                self._api.send("DELETE", path, allow={HTTPStatus.NOT_FOUND})

    def _path(self, zone: str, name: str) -> str:
        return f"/domains/{self._zone_id(zone)}/records/{quote(relative(name, zone), safe='')}/TXT"


def endpoint(config: Fields, secrets: Secrets) -> Endpoint:
    """What the token may see."""
    token = credential(config, secrets, "apiToken")
    rights = '"Manage domain name technical configurations" of this domain'
    return Endpoint("Gandi", URL, rights, {"Authorization": f"Bearer {token.value}"}, (token,))


def build(config: Fields, secrets: Secrets) -> Gandi:
    """Make the provider; raises InvalidSpec naming the field that is wrong."""
    return Gandi(Api(endpoint(config, secrets)))


PROVIDER = ProviderInfo(
    name="gandi",
    description="Gandi LiveDNS",
    fields=(
        ConfigField(
            "apiTokenSecretRef",
            "Personal access token that may manage the domain's technical configuration.",
            required=True,
            secret=True,
        ),
    ),
    build=build,
)

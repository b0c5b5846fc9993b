"""deSEC: RRsets are replaced as a whole, many in one request, which counts against narrow limits of writes."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from certwright.providers import txt
from certwright.providers.api import Api, Endpoint, Reply
from certwright.providers.base import ConfigField, ProviderInfo
from certwright.providers.changes import Sets
from certwright.providers.credentials import credential
from certwright.providers.names import bare, relative
from certwright.providers.paging import parameter_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from certwright.providers.base import Secrets
    from certwright.resources.reading import Fields

URL: Final = "https://desec.io/api/v1"
MINIMUM_TTL: Final = 3600
"""Seconds, where the domain does not say otherwise."""
FEW: Final = 3
"""Names that are read one by one; of more, all TXT RRsets of the zone are read."""
_NEXT: Final = re.compile(r'<([^<>]*)>\s*;\s*rel="?next"?')


class Desec(Sets):
    """One account."""

    def __init__(self, api: Api) -> None:
        super().__init__(api)
        self._ttl: dict[str, int] = {}

    def _zone_ids(self, names: Sequence[str]) -> dict[str, str | None]:
        found: dict[str, str | None] = dict.fromkeys(names[:1])
        for domain in self._api.get("/domains/", {"owns_name": names[0]}):
            zone = bare(domain["name"])
            self._ttl[zone] = int(domain.get("minimum_ttl") or MINIMUM_TTL)
            # The one that owns a name is the longest: none of those between is a zone.
            found |= {name: None for name in names if len(name) > len(zone)} | {zone: zone}
        return found

    def _read(self, zone: str, names: Sequence[str]) -> dict[str, list[str]]:
        if len(names) > FEW:
            query = {"type": "TXT", "cursor": ""}
            pages = self._api.pages(f"/domains/{self._zone_id(zone)}/rrsets/", query, following=_next_page)
            sets = {rrset["subname"]: rrset["records"] for page in pages for rrset in page}
            return {name: _values(sets.get(relative(name, zone, apex=""), [])) for name in names}
        return {name: self._one(zone, name) for name in names}

    def _one(self, zone: str, name: str) -> list[str]:
        path = f"/domains/{self._zone_id(zone)}/rrsets/{quote(relative(name, zone), safe='')}/TXT/"
        reply = self._api.send("GET", path, allow={HTTPStatus.NOT_FOUND})
        return _values(reply.json()["records"]) if reply.ok else []

    def _write(self, zone: str, sets: Mapping[str, Sequence[str]]) -> None:
        known = self._zone_id(zone)
        body = [
            {
                "subname": relative(name, zone, apex=""),
                "type": "TXT",
                "ttl": self._ttl[known],
                "records": [txt.quote(value) for value in values],
            }
            for name, values in sets.items()
        ]
        self._api.send("PATCH", f"/domains/{known}/rrsets/", body=body)


def _values(records: Sequence[str]) -> list[str]:
    return [txt.unquote(record) for record in records]


def _next_page(reply: Reply) -> dict[str, object] | None:
    link = _NEXT.search(reply.headers.get("Link") or "")
    return parameter_of(link[1] if link else None, "cursor")


def endpoint(config: Fields, secrets: Secrets) -> Endpoint:
    """The account."""
    token = credential(config, secrets, "apiToken")
    rights = "to write this domain's TXT RRsets (see the token's policies)"
    return Endpoint("deSEC", URL, rights, {"Authorization": f"Token {token.value}"}, (token,))


def build(config: Fields, secrets: Secrets) -> Desec:
    """Make the provider; raises InvalidSpec naming the field that is wrong."""
    return Desec(Api(endpoint(config, secrets)))


PROVIDER = ProviderInfo(
    name="desec",
    description="deSEC",
    fields=(
        ConfigField("apiTokenSecretRef", "Token that may write TXT RRsets of the zone.", required=True, secret=True),
    ),
    build=build,
)

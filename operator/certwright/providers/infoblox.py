"""Infoblox NIOS by its WAPI: one object for each value, named by a reference that holds for this grid only.

Names are looked for in one DNS view: the same zone may stand in several, and the CA sees one of them.
"""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from certwright.errors import InvalidSpec
from certwright.providers import txt
from certwright.providers.api import Api, Endpoint, Reply
from certwright.providers.base import ConfigField, ProviderInfo
from certwright.providers.changes import Records, listed
from certwright.providers.credentials import basic_authorization
from certwright.providers.names import bare

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from certwright.providers.base import Secrets
    from certwright.resources.reading import Fields

VERSION: Final = "2.11"
"""Of WAPI; the grid knows this and newer ones since NIOS 8.5."""
VIEW: Final = "default"
TTL: Final = 60
PAGE: Final = 1000
"""The most that the API gives at once."""
THERE: Final = b"Client.Ibap.Data.Conflict"
"""The code for a record that exists already."""
_PLAIN: Final = re.compile(r"[A-Za-z0-9_-]+")
_VERSION: Final = re.compile(r"\d{1,2}(\.\d{1,2}){1,2}")


class Infoblox(Records):
    """One view of one grid.

    Args:
        api: The grid.
        view: The DNS view.
    """

    def __init__(self, api: Api, view: str = VIEW) -> None:
        super().__init__(api)
        self._view = view

    def _zone_ids(self, names: Sequence[str]) -> dict[str, str | None]:
        zones = self._objects("/zone_auth", {"_return_fields": "fqdn"})
        return listed(names, {zone["fqdn"]: zone["fqdn"] for zone in zones})

    def _records(self, zone: str, name: str) -> Iterator[tuple[str, str]]:
        self._zone_id(zone)
        for record in self._objects("/record:txt", {"name": bare(name), "_return_fields": "name,text"}):
            yield record["_ref"], txt.loose(record["text"])

    def _create(self, zone: str, name: str, value: str) -> None:  # noqa: ARG002 - the grid finds it
        # Quotes keep spaces (and are data where none are needed, on some versions).
        text = value if _PLAIN.fullmatch(value) else txt.quote(value)
        body = {"name": bare(name), "text": text, "view": self._view, "ttl": TTL, "use_ttl": True}
        reply = self._api.send("POST", "/record:txt", body=body, allow={HTTPStatus.BAD_REQUEST})
        if not reply.ok and THERE not in reply.body:
            raise self._api.fault(reply)

    def _delete(self, zone: str, record: str) -> None:  # noqa: ARG002 - a reference says which grid's object it is
        self._api.send("DELETE", f"/{quote(record, safe='/:')}", allow={HTTPStatus.NOT_FOUND})

    def _objects(self, path: str, query: dict[str, object]) -> Iterator[dict[str, str]]:
        paging = {"_paging": 1, "_return_as_object": 1, "_max_results": PAGE}
        for page in self._api.pages(path, {**query, "view": self._view, **paging}, following=_next_page):
            yield from page["result"]


def _next_page(reply: Reply) -> dict[str, object] | None:
    page = reply.json().get("next_page_id")
    return {"_page_id": page} if page else None


def endpoint(config: Fields, secrets: Secrets) -> Endpoint:
    """The grid."""
    version = config.text("wapiVersion", VERSION)
    if not _VERSION.fullmatch(version):
        raise InvalidSpec(f"{config.at('wapiVersion')}: {version[:20]!r} is not a version such as {VERSION}")
    header, password = basic_authorization(config, secrets)
    return Endpoint(
        "Infoblox",
        f"{config.text('host').rstrip('/')}/wapi/v{version}",
        "read of zones, and read and write of TXT records of this zone",
        header,
        (password,),
        url_field=config.at("host"),
        ca_bundle=config.text("caBundle"),
    )


def build(config: Fields, secrets: Secrets) -> Infoblox:
    """Make the provider; raises InvalidSpec naming the field that is wrong."""
    return Infoblox(Api(endpoint(config, secrets)), config.text("view") or VIEW)


PROVIDER = ProviderInfo(
    name="infoblox",
    description="Infoblox NIOS, by its WAPI (not BloxOne)",
    fields=(
        ConfigField("host", "URL of the grid, e.g. `https://gm.example.com`.", required=True),
        ConfigField("username", "User with rights to the API.", required=True),
        ConfigField("passwordSecretRef", "The user's password.", required=True, secret=True),
        ConfigField("view", f"DNS view that the zones are in; `{VIEW}` by default."),
        ConfigField("wapiVersion", f"Version of WAPI; {VERSION} by default."),
        ConfigField("caBundle", "Certificates in PEM to trust in place of the system's."),
    ),
    build=build,
)

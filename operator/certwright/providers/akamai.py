"""Akamai Edge DNS: RRsets are replaced as a whole, one in a request; each request is signed by EdgeGrid.

The signing is Akamai's own package, which is loaded when a provider is built and not before.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from certwright.errors import InvalidSpec
from certwright.providers import txt
from certwright.providers.api import Api, Endpoint, Reply
from certwright.providers.base import ConfigField, ProviderInfo
from certwright.providers.changes import Sets, listed
from certwright.providers.credentials import credential
from certwright.providers.login import package_of
from certwright.providers.names import bare

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from certwright.providers.base import Secrets
    from certwright.providers.guard import Guard
    from certwright.resources.reading import Fields

PATH: Final = "/config-dns/v2"
TTL: Final = 60
"""Seconds; the API takes 30 and more."""
PAGE: Final = 100


class Akamai(Sets):
    """The zones of the contracts that an API client may see."""

    def _zone_ids(self, names: Sequence[str]) -> dict[str, str | None]:
        query = {"types": "primary", "pageSize": PAGE, "page": 1}
        pages = self._api.pages("/zones", query, following=_next_page)
        return listed(names, {zone["zone"]: zone["zone"] for page in pages for zone in page["zones"]})

    def _read(self, zone: str, names: Sequence[str]) -> dict[str, list[str]]:
        return {name: self._one(zone, name) for name in names}

    def _one(self, zone: str, name: str) -> list[str]:
        reply = self._api.send("GET", self._path(zone, name), allow={HTTPStatus.NOT_FOUND})
        return [txt.loose(value) for value in reply.json()["rdata"]] if reply.ok else []

    def _write(self, zone: str, sets: Mapping[str, Sequence[str]]) -> None:
        for name, values in sets.items():
            path = self._path(zone, name)
            if not values:
                self._api.send("DELETE", path, allow={HTTPStatus.NOT_FOUND})
                continue
            rdata = [txt.quote(value) for value in values]
            body = {"name": bare(name), "type": "TXT", "ttl": TTL, "rdata": rdata}
            if not self._api.send("PUT", path, body=body, allow={HTTPStatus.NOT_FOUND}).ok:
                self._api.send("POST", path, body=body)

    def _path(self, zone: str, name: str) -> str:
        return f"/zones/{quote(self._zone_id(zone), safe='')}/names/{quote(bare(name), safe='')}/types/TXT"


def _next_page(reply: Reply) -> dict[str, object] | None:
    place = reply.json()["metadata"]
    return {"page": place["page"] + 1} if place["page"] * PAGE < place["totalElements"] else None


@dataclass(slots=True)
class _Request:
    """What EdgeGrid signs, in the shape of a request of the library that its package is made for."""

    method: str
    url: str
    body: bytes | None
    headers: dict[str, str] = field(default_factory=dict)

    def register_hook(self, *_: object) -> None:
        """Redirects are not followed, and so not signed."""


class AkamaiApi(Api):
    """Requests that are signed with the three tokens of an API client.

    Args:
        endpoint: The account; its credentials are the client token, the client secret and the access token.
        guard: See Api.
    """

    def __init__(self, endpoint: Endpoint, *, guard: Guard | None = None) -> None:
        super().__init__(endpoint, guard=guard)
        client_token, client_secret, access_token = (item.value for item in endpoint.credentials)
        self._sign = _edgegrid()(client_token, client_secret, access_token)

    def _exchange(self, method: str, url: str, content: bytes | None, headers: Mapping[str, str]) -> Reply:
        request = _Request(method, url, content)
        self._sign(request)
        return super()._exchange(method, url, content, {**headers, **request.headers})


CLIENT = AkamaiApi


def _edgegrid() -> Any:  # noqa: ANN401 - the package has no types
    """The class that signs.

    Raises:
        Terminal: The package is not installed.
    """
    with package_of("akamai", "edgegrid-python"):
        from akamai.edgegrid import EdgeGridAuth  # noqa: PLC0415 - an optional package
    # It writes the tokens and what it signs with to its debug log.
    logging.getLogger("akamai.edgegrid.edgegrid").setLevel(logging.WARNING)
    return EdgeGridAuth


def endpoint(config: Fields, secrets: Secrets) -> Endpoint:
    """The API of the client's own host."""
    host = config.text("serviceConsumerDomain").strip().removeprefix("https://").rstrip("/")
    if not host or "/" in host:
        raise InvalidSpec(
            f"{config.at('serviceConsumerDomain')}: must be the host of the API client's credentials, such as "
            "akab-….luna.akamaiapis.net"
        )
    tokens = tuple(credential(config, secrets, name) for name in ("clientToken", "clientSecret", "accessToken"))
    rights = "read and write of the API service DNS—Zone Record Management, and the zone's group"
    where = config.at("serviceConsumerDomain")
    return Endpoint("Akamai", f"https://{host}{PATH}", rights, credentials=tokens, url_field=where)


def build(config: Fields, secrets: Secrets) -> Akamai:
    """Make the provider; raises InvalidSpec naming the field that is wrong, Terminal where its package lacks."""
    return Akamai(AkamaiApi(endpoint(config, secrets)))


PROVIDER = ProviderInfo(
    name="akamai",
    description="Akamai Edge DNS",
    fields=(
        ConfigField("serviceConsumerDomain", "Host of the API client's credentials.", required=True),
        ConfigField("clientTokenSecretRef", "Client token.", required=True, secret=True),
        ConfigField("clientSecretSecretRef", "Client secret.", required=True, secret=True),
        ConfigField("accessTokenSecretRef", "Access token.", required=True, secret=True),
    ),
    build=build,
)

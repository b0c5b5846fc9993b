"""Cloudflare: one record for each value, zones by id, errors told by codes and not by the status alone."""

from __future__ import annotations

from dataclasses import replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from certwright.errors import InvalidSpec
from certwright.providers import txt
from certwright.providers.api import Api, Endpoint, Reply
from certwright.providers.base import ConfigField, ProviderInfo
from certwright.providers.changes import Records
from certwright.providers.credentials import SECRET_REF, credential, has_credential
from certwright.providers.names import bare

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from certwright.providers.base import Secrets
    from certwright.resources.reading import Fields

URL: Final = "https://api.cloudflare.com/client/v4"
TTL: Final = 120
PAGE: Final = 50
IDENTICAL: Final = frozenset({81057, 81058})
"""Codes of a record that is there already."""
BAD_CREDENTIALS: Final = frozenset({6003, 6111, 9103, 9106, 9109})
"""Codes of credentials that are malformed, unknown or expired; they come with 400 and 403, too."""


class Cloudflare(Records):
    """One account, or the part of it that a token may see."""

    def _zone_ids(self, names: Sequence[str]) -> dict[str, str | None]:
        # An account may have thousands of zones, so that one is asked for and not all.
        found = self._result("GET", "/zones", query={"name": names[0], "per_page": PAGE})
        zones = sorted(found, key=lambda zone: zone.get("status") != "active")
        return {names[0]: str(zones[0]["id"]) if zones else None}

    def _records(self, zone: str, name: str) -> Iterator[tuple[str, str]]:
        path = f"/zones/{self._zone_id(zone)}/dns_records"
        query = {"type": "TXT", "name": bare(name), "per_page": PAGE}
        for page in self._api.pages(path, query, following=_next_page):
            for record in page["result"]:
                yield str(record["id"]), txt.loose(record["content"])

    def _create(self, zone: str, name: str, value: str) -> None:
        record = {"type": "TXT", "name": bare(name), "content": txt.quote(value), "ttl": TTL}
        self._result("POST", f"/zones/{self._zone_id(zone)}/dns_records", body=record)

    def _delete(self, zone: str, record: str) -> None:
        path = f"/zones/{self._zone_id(zone)}/dns_records/{record}"
        self._api.send("DELETE", path, allow={HTTPStatus.NOT_FOUND})

    def _result(self, method: str, path: str, *, query: dict[str, object] | None = None, body: object = None) -> Any:  # noqa: ANN401 - what the API sends
        judged = {HTTPStatus.BAD_REQUEST, HTTPStatus.FORBIDDEN}
        reply = self._api.send(method, path, query=query, body=body, allow=judged)
        if reply.ok:
            return reply.json()["result"]
        codes = set(_codes(reply))
        if codes & IDENTICAL:
            return None
        if codes & BAD_CREDENTIALS:
            reply = replace(reply, status=int(HTTPStatus.UNAUTHORIZED))
        raise self._api.fault(reply)


def _codes(reply: Reply) -> Iterator[int]:
    for error in (reply.json() or {}).get("errors") or []:
        yield from (part.get("code") for part in [error, *error.get("error_chain", [])])


def _next_page(reply: Reply) -> dict[str, object] | None:
    info = reply.json().get("result_info") or {}
    page = int(info.get("page", 1))
    return {"page": page + 1} if page < int(info.get("total_pages", 1)) else None


def endpoint(config: Fields, secrets: Secrets) -> Endpoint:
    """The account of `dns01.cloudflare`: by a token, or by e-mail address and global key."""
    email = config.text("email").strip()
    by_key = has_credential(config, "apiKey") or (email and SECRET_REF in config)
    if has_credential(config, "apiToken") or not by_key:
        used = credential(config, secrets, "apiToken")
        headers = {"Authorization": f"Bearer {used.value}"}
    else:
        if not email or not email.isascii() or not email.isprintable():
            raise InvalidSpec(f"{config.at('email')}: must be the e-mail address that the API key belongs to")
        used = credential(config, secrets, "apiKey")
        headers = {"X-Auth-Email": email, "X-Auth-Key": used.value}
    return Endpoint(
        "Cloudflare", URL, "to read zones and to edit DNS in this zone (Zone:Read, DNS:Edit)", headers, (used,)
    )


def build(config: Fields, secrets: Secrets) -> Cloudflare:
    """Make the provider; raises InvalidSpec naming the field that is wrong."""
    return Cloudflare(Api(endpoint(config, secrets)))


PROVIDER = ProviderInfo(
    name="cloudflare",
    description="Cloudflare",
    fields=(
        ConfigField("apiTokenSecretRef", "API token with Zone:Read and DNS:Edit; either this or a key.", secret=True),
        ConfigField("apiKeySecretRef", "Global API key, which may do everything; it needs email.", secret=True),
        ConfigField("email", "E-mail address of the account that the API key belongs to."),
    ),
    build=build,
)

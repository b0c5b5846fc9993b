"""Hetzner's Cloud API: values are added to and removed from an RRset one by one, by the server itself."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from certwright.errors import Retryable
from certwright.providers import txt
from certwright.providers.api import UNAVAILABLE, Api, Endpoint, Reply
from certwright.providers.base import ConfigField, ProviderInfo
from certwright.providers.changes import Account, listed
from certwright.providers.credentials import credential
from certwright.providers.names import relative

if TYPE_CHECKING:
    from collections.abc import Sequence

    from certwright.providers.base import Secrets
    from certwright.resources.reading import Fields

URL: Final = "https://api.hetzner.cloud/v1"
TTL: Final = 60
PAGE: Final = 50


class Hetzner(Account):
    """One project's zones."""

    def _zone_ids(self, names: Sequence[str]) -> dict[str, str | None]:
        pages = self._api.pages("/zones", {"per_page": PAGE}, following=_next_page)
        return listed(names, {zone["name"]: str(zone["id"]) for page in pages for zone in page["zones"]})

    def add_txt(self, zone: str, name: str, value: str) -> None:
        """See providers.base."""
        have = self._values(zone, name)
        if have is None or value not in have:
            # A TTL that differs from the RRset's own is refused.
            body = {"records": [{"value": txt.quote(value)}]} | ({"ttl": TTL} if have is None else {})
            self._act(zone, name, "add_records", body, done=lambda values: value in (values or ()))

    def remove_txt(self, zone: str, name: str, value: str) -> None:
        """See providers.base; the record is named as the API spells it."""
        spelled = [{"value": text} for read, text in (self._values(zone, name) or {}).items() if read == value]
        if spelled:
            body = {"records": spelled}
            self._act(zone, name, "remove_records", body, done=lambda values: value not in (values or ()))

    def _values(self, zone: str, name: str) -> dict[str, str] | None:
        """The RRset's values, each with the API's spelling; None when there is no RRset."""
        reply = self._api.send("GET", self._path(zone, name), allow={HTTPStatus.NOT_FOUND})
        if not reply.ok:
            return None
        return {txt.unquote(record["value"]): record["value"] for record in reply.json()["rrset"]["records"]}

    def _act(self, zone: str, name: str, action: str, body: Any, *, done: Any) -> None:  # noqa: ANN401 - short and local
        judged = {HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT, HTTPStatus.UNPROCESSABLE_ENTITY}
        reply = self._api.send("POST", f"{self._path(zone, name)}/actions/{action}", body=body, allow=judged)
        if not reply.ok:
            if done(self._values(zone, name)):
                return  # somebody else did the same in between
            raise self._api.fault(reply)
        error = (reply.json().get("action") or {}).get("error")
        if error:
            raise Retryable(f"{reply.method} {reply.url}: {str(error.get('message'))[:200]}", reason=UNAVAILABLE)

    def _path(self, zone: str, name: str) -> str:
        return f"/zones/{self._zone_id(zone)}/rrsets/{quote(relative(name, zone), safe='')}/TXT"


def _next_page(reply: Reply) -> dict[str, object] | None:
    page = ((reply.json().get("meta") or {}).get("pagination") or {}).get("next_page")
    return {"page": page} if page else None


def endpoint(config: Fields, secrets: Secrets) -> Endpoint:
    """The project."""
    token = credential(config, secrets, "apiToken")
    return Endpoint("Hetzner", URL, "to read and write", {"Authorization": f"Bearer {token.value}"}, (token,))


def build(config: Fields, secrets: Secrets) -> Hetzner:
    """Make the provider; raises InvalidSpec naming the field that is wrong."""
    return Hetzner(Api(endpoint(config, secrets)))


PROVIDER = ProviderInfo(
    name="hetzner",
    description="Hetzner, zones of the Cloud Console (not of the old DNS Console)",
    fields=(
        ConfigField(
            "apiTokenSecretRef", "API token of the project, with read and write access.", required=True, secret=True
        ),
    ),
    build=build,
)

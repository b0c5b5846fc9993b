"""PowerDNS Authoritative Server by its HTTP API: RRsets are replaced as a whole, many in one request."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from certwright.providers import txt
from certwright.providers.api import Api, Endpoint
from certwright.providers.base import ConfigField, ProviderInfo
from certwright.providers.changes import Sets
from certwright.providers.credentials import credential
from certwright.providers.names import bare

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from certwright.providers.base import Secrets
    from certwright.resources.reading import Fields

TTL: Final = 60
DISABLED: Final = "\0disabled "
"""Before the value of a record that the server keeps and does not serve; it must come back as it was."""
NOTIFYING: Final = frozenset({"Master", "Primary", "Producer"})


class PowerDNS(Sets):
    """One server.

    Args:
        api: The server's API.
        server: Its id below the API; `localhost` everywhere but behind a proxy for many.
    """

    def __init__(self, api: Api, server: str) -> None:
        super().__init__(api)
        self._base = f"/api/v1/servers/{quote(server, safe='')}/zones"
        self._notify: set[str] = set()

    def _zone_ids(self, names: Sequence[str]) -> dict[str, str | None]:
        found = [zone for zone in self._api.get(self._base, {"zone": f"{names[0]}."}) if bare(zone["name"]) == names[0]]
        self._notify |= {zone["id"] for zone in found if zone.get("kind") in NOTIFYING}
        return {names[0]: str(found[0]["id"]) if found else None}

    def _read(self, zone: str, names: Sequence[str]) -> dict[str, list[str]]:
        return {name: self._one(zone, name) for name in names}

    def _one(self, zone: str, name: str) -> list[str]:
        # A server that does not know the query gives the whole zone; one that does may leave out disabled records.
        query = {"rrset_name": name, "rrset_type": "TXT"}
        found = self._api.get(f"{self._base}/{self._zone_id(zone)}", query)
        return [
            (DISABLED if record.get("disabled") else "") + txt.unquote(record["content"])
            for rrset in found["rrsets"]
            if rrset["type"] == "TXT" and bare(rrset["name"]) == bare(name)
            for record in rrset["records"]
        ]

    def _write(self, zone: str, sets: Mapping[str, Sequence[str]]) -> None:
        known = self._zone_id(zone)
        changes = [
            {"name": name, "type": "TXT", "changetype": "REPLACE", "ttl": TTL, "records": list(map(_record, values))}
            for name, values in sets.items()
        ]
        self._api.send("PATCH", f"{self._base}/{known}", body={"rrsets": changes})
        if known in self._notify:
            # Else its secondaries hear of it within a minute only; a server that cannot has reasons of its own.
            refusals = {HTTPStatus.BAD_REQUEST, HTTPStatus.UNPROCESSABLE_ENTITY}
            self._api.send("PUT", f"{self._base}/{known}/notify", allow=refusals)


def _record(value: str) -> dict[str, object]:
    return {"content": txt.quote(value.removeprefix(DISABLED)), "disabled": value.startswith(DISABLED)}


def endpoint(config: Fields, secrets: Secrets) -> Endpoint:
    """The server's API."""
    key = credential(config, secrets, "apiKey")
    return Endpoint(
        "PowerDNS",
        config.text("host"),
        "to change this zone",
        {"X-API-Key": key.value},
        (key,),
        url_field=config.at("host"),
        ca_bundle=config.text("caBundle"),
    )


def build(config: Fields, secrets: Secrets) -> PowerDNS:
    """Make the provider; raises InvalidSpec naming the field that is wrong."""
    return PowerDNS(Api(endpoint(config, secrets)), config.text("serverID") or "localhost")


PROVIDER = ProviderInfo(
    name="powerdns",
    description="PowerDNS Authoritative Server, by its HTTP API",
    fields=(
        ConfigField(
            "host",
            "URL of the server's API without /api, e.g. `https://pdns.example.com:8081`; http:// sends the key in the "
            "clear.",
            required=True,
        ),
        ConfigField("apiKeySecretRef", "The server's api-key.", required=True, secret=True),
        ConfigField("serverID", "The server's id; `localhost` by default, as every server calls itself."),
        ConfigField("caBundle", "Certificates in PEM to trust in place of the system's."),
    ),
    build=build,
)

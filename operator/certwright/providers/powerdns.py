"""PowerDNS Authoritative Server by its HTTP API.

Since 4.9.12 and 5.0.2 it adds and removes single records; older servers replace RRsets as a whole.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from certwright.providers import txt
from certwright.providers.api import Api, Endpoint, Reply
from certwright.providers.base import ConfigField, ProviderInfo
from certwright.providers.changes import Sets
from certwright.providers.credentials import credential
from certwright.providers.names import bare

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from certwright.providers.base import NamedValue, Secrets
    from certwright.resources.reading import Fields

TTL: Final = 60
DISABLED: Final = "\0disabled "
"""Before the value of a record that the server keeps and does not serve; it must come back as it was."""
UNKNOWN_KIND: Final = b"changetype"
"""What the answer of a server speaks of that does not know a kind of change."""
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
        self._single = True

    def add_many(self, zone: str, items: Sequence[NamedValue]) -> None:
        """See providers.base."""
        if not self._change_each(zone, items, "EXTEND"):
            super().add_many(zone, items)

    def remove_many(self, zone: str, items: Sequence[NamedValue]) -> None:
        """See providers.base."""
        if not self._change_each(zone, items, "PRUNE"):
            super().remove_many(zone, items)

    def _change_each(self, zone: str, items: Sequence[NamedValue], kind: str) -> bool:
        """Change single records; tells whether the server can."""
        left = list(dict.fromkeys(items))
        while left and self._single:
            # An RRset may be in a request once, and such a change has one record.
            now = dict(reversed(left))
            left = [(name, value) for name, value in left if now[name] != value]
            changes = [_change(name, kind, [value]) for name, value in now.items()]
            reply = self._patch(zone, changes, allow={HTTPStatus.BAD_REQUEST, HTTPStatus.UNPROCESSABLE_ENTITY})
            if not reply.ok:
                if UNKNOWN_KIND not in reply.body.lower():
                    raise self._api.fault(reply)
                self._single = False
        return self._single

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
        self._patch(zone, [_change(name, "REPLACE", values) for name, values in sets.items()])

    def _patch(self, zone: str, changes: object, *, allow: Collection[int] = ()) -> Reply:
        known = self._zone_id(zone)
        reply = self._api.send("PATCH", f"{self._base}/{known}", body={"rrsets": changes}, allow=allow)
        if reply.ok and known in self._notify:
            # Else its secondaries hear of it within a minute only; a server that cannot has reasons of its own.
            refusals = {HTTPStatus.BAD_REQUEST, HTTPStatus.UNPROCESSABLE_ENTITY}
            self._api.send("PUT", f"{self._base}/{known}/notify", allow=refusals)
        return reply


def _change(name: str, kind: str, values: Sequence[str]) -> dict[str, object]:
    return {"name": name, "type": "TXT", "changetype": kind, "ttl": TTL, "records": list(map(_record, values))}


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

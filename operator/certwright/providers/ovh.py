"""OVHcloud: one record for each value, served only after the zone has been told to refresh.

A request is signed with the secrets of an application and its consumer, or carries a token of an OAuth2 service
account; ovh_account has both. A zone's name is its id, so credentials that may not list zones do as well.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from certwright.errors import InvalidSpec
from certwright.providers import txt
from certwright.providers.base import ConfigField, ProviderInfo
from certwright.providers.changes import Records, listed
from certwright.providers.credentials import credential
from certwright.providers.names import bare, relative
from certwright.providers.ovh_account import ENDPOINTS, Account, OvhApi, error_code

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from certwright.providers.base import NamedValue, Secrets
    from certwright.resources.reading import Fields

URL: Final = ENDPOINTS["ovh-eu"].url
TTL: Final = 60
"""Seconds; the least that is not raised to the zone's own."""
CLIENT = OvhApi


class Ovh(Records):
    """One account.

    Attributes:
        may_list: Whether the credentials may list zones, as far as it is known; where not, find_zone cannot tell.
    """

    may_list = True

    def add_txt(self, zone: str, name: str, value: str) -> None:
        """See providers.base."""
        self.add_many(zone, [(name, value)])

    def remove_txt(self, zone: str, name: str, value: str) -> None:
        """See providers.base; of a value that is there twice, both go."""
        self.remove_many(zone, [(name, value)])

    def add_many(self, zone: str, items: Sequence[NamedValue]) -> None:
        """See providers.base."""
        for name, values in _by_name(items).items():
            with self._alone(zone, name):
                have = [value for _, value in self._records(zone, name)]
                for value in values:
                    if value not in have:
                        self._create(zone, name, value)
        self._refresh(zone)

    def remove_many(self, zone: str, items: Sequence[NamedValue]) -> None:
        """See providers.base."""
        for name, values in _by_name(items).items():
            with self._alone(zone, name):
                for record, value in list(self._records(zone, name)):
                    if value in values:
                        self._delete(zone, record)
        self._refresh(zone)

    def _refresh(self, zone: str) -> None:
        # Also where nothing was changed: an earlier attempt may have ended between its change and its refresh.
        self._api.send("POST", f"{self._path(zone)}/refresh")

    def _zone_ids(self, names: Sequence[str]) -> dict[str, str | None]:
        reply = self._api.send("GET", "/domain/zone", allow={HTTPStatus.FORBIDDEN})
        if not reply.ok:
            if error_code(reply) != "NOT_GRANTED_CALL":
                raise self._api.fault(reply)
            self.may_list = False
            return dict.fromkeys(names)
        return listed(names, {zone: zone for zone in reply.json()})

    def _zone_id(self, zone: str) -> str:
        if bare(zone) not in self._known:
            self._known |= self._zone_ids([bare(zone)])
        return super()._zone_id(zone) if self.may_list else bare(zone)

    def _records(self, zone: str, name: str) -> Iterator[tuple[str, str]]:
        path = f"{self._path(zone)}/record"
        query = {"fieldType": "TXT", "subDomain": relative(name, zone, apex="")}
        for number in self._api.get(path, query):
            reply = self._api.send("GET", f"{path}/{number}", allow={HTTPStatus.NOT_FOUND})
            if reply.ok:
                yield str(number), txt.loose(reply.json()["target"])

    def _create(self, zone: str, name: str, value: str) -> None:
        record = {
            "fieldType": "TXT",
            "subDomain": relative(name, zone, apex=""),
            "target": txt.quote(value),
            "ttl": TTL,
        }
        self._api.send("POST", f"{self._path(zone)}/record", body=record)

    def _delete(self, zone: str, record: str) -> None:
        self._api.send("DELETE", f"{self._path(zone)}/record/{record}", allow={HTTPStatus.NOT_FOUND})

    def _path(self, zone: str) -> str:
        return f"/domain/zone/{quote(self._zone_id(zone), safe='')}"


def _by_name(items: Sequence[NamedValue]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, value in items:
        if value not in found.setdefault(name, []):
            found[name].append(value)
    return found


def endpoint(config: Fields, secrets: Secrets) -> Account:
    """The account."""
    name = config.text("endpoint", "ovh-eu")
    if name not in ENDPOINTS:
        raise InvalidSpec(f"{config.at('endpoint')}: {name[:40]!r} must be one of {', '.join(ENDPOINTS)}")
    place = ENDPOINTS[name]
    rights = "GET, POST and DELETE of /domain/zone/*"
    client = config.text("clientID")
    if not client:
        keys = tuple(credential(config, secrets, key) for key in ("applicationKey", "applicationSecret", "consumerKey"))
        return Account("OVH", place.url, rights, credentials=keys)
    if not place.token_url:
        raise InvalidSpec(f"{config.at('clientID')}: {name} knows no service accounts; use an application's keys")
    secret = credential(config, secrets, "clientSecret")
    return Account("OVH", place.url, rights, credentials=(secret,), client_id=client, token_url=place.token_url)


def build(config: Fields, secrets: Secrets) -> Ovh:
    """Make the provider; raises InvalidSpec naming the field that is wrong."""
    return Ovh(OvhApi(endpoint(config, secrets)))


PROVIDER = ProviderInfo(
    name="ovh",
    description="OVHcloud",
    fields=(
        ConfigField("endpoint", f"One of {', '.join(ENDPOINTS)}; ovh-eu by default."),
        ConfigField("applicationKeySecretRef", "Key of an application; either this or clientID.", secret=True),
        ConfigField("applicationSecretSecretRef", "Secret of that application.", secret=True),
        ConfigField("consumerKeySecretRef", "Consumer key with rights to the zones.", secret=True),
        ConfigField("clientID", "Client ID of an OAuth2 service account, in place of an application."),
        ConfigField("clientSecretSecretRef", "Secret of that service account.", secret=True),
    ),
    build=build,
)

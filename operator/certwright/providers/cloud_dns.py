"""Google Cloud DNS: whole RRsets, many in one change, each deleted as it was read and made anew.

A change is made as a whole or not at all, and a deletion that differs from the set as it is now fails. That it is
"pending" means that not all name servers have it yet, which the solver looks at itself.
https://cloud.google.com/dns/docs/reference/rest/v1
"""

from __future__ import annotations

import json
from dataclasses import replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from certwright.errors import CertwrightError, InvalidSpec, Terminal
from certwright.providers import google_login, txt
from certwright.providers.api import REQUEST_REFUSED, ZONE_NOT_IN_ACCOUNT, Api, Endpoint, Reply
from certwright.providers.base import NOBODY, ConfigField, ProviderInfo
from certwright.providers.changes import listed
from certwright.providers.conditional import Change, Record, RRset, batches
from certwright.providers.credentials import SECRET_REF, Credential, content_of, has_credential
from certwright.providers.names import bare
from certwright.providers.public_zones import PublicZones, joined

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from certwright.providers.base import Identity, Secrets
    from certwright.resources.reading import Fields

URL: Final = "https://dns.googleapis.com/dns/v1"
URL_FIELD: Final = ""
TTL: Final = 60
PAGE: Final = 1000
FEW: Final = 3
"""Names that are read one by one; of more, all RRsets of the zone are read."""
MAX_RECORDS, MAX_CHARACTERS = 1000, 100_000
"""Of one change."""
RIGHTS: Final = "to change this zone (the role roles/dns.admin has what it takes)"
TOO_MUCH: Final = frozenset({"dailyLimitExceeded", "quotaExceeded", "rateLimitExceeded", "userRateLimitExceeded"})
"""Reasons of a 403 that stand for a 429."""
CREDENTIAL: Final = "serviceAccount"
PUBLIC: Final = "public"
ZONE_FIELD: Final = "hostedZoneName"
DELETIONS: Final = b"entity.change.deletions"
"""What a message speaks of when a set to be deleted is not as it was."""


class GoogleApi(Api):
    """One project."""

    def fault(self, reply: Reply, *, meaning: int | None = None) -> CertwrightError:
        """See Api; by the reason in the reply."""
        message, reasons = _told(reply)
        if reply.status == HTTPStatus.FORBIDDEN and TOO_MUCH & reasons:
            meaning = HTTPStatus.TOO_MANY_REQUESTS
        reply = replace(reply, body=json.dumps({"message": message}).encode())
        fault = super().fault(reply, meaning=meaning)
        if reply.status == HTTPStatus.NOT_FOUND:
            return Terminal(f"{fault.message}; correct project and {ZONE_FIELD}", reason=ZONE_NOT_IN_ACCOUNT)
        return fault


class CloudDNS(PublicZones):
    """The public zones of one project, or one zone.

    Args:
        api: The API, as one account.
        project: The project.
        zone: The only zone to work with, by its name in the project; empty for all.
    """

    def __init__(self, api: GoogleApi, project: str, zone: str = "") -> None:
        super().__init__(api, zone, field=ZONE_FIELD)
        self._zones = f"/projects/{quote(project, safe='')}/managedZones"

    def _apex_of(self, zone_id: str) -> str:
        return str(self._api.get(self._path(zone_id))["dnsName"])

    def _zone_ids(self, names: Sequence[str]) -> dict[str, str | None]:
        pages = self._api.pages(self._zones, {"maxResults": PAGE}, following=_next_page)
        zones = [zone for page in pages for zone in page.get("managedZones") or []]
        return listed(
            names,
            joined((zone["dnsName"], zone["name"]) for zone in zones if zone.get("visibility", PUBLIC) == PUBLIC),
        )

    def _read(self, zone: str, names: Sequence[str]) -> dict[str, RRset]:
        path = f"{self._path(self._zone_id(zone))}/rrsets"
        by_name = {bare(name): name for name in names}
        found = dict.fromkeys(names, RRset())
        few: list[dict[str, object]] = [{"name": f"{name}.", "type": "TXT"} for name in by_name]
        for query in few if len(few) <= FEW else [{"maxResults": PAGE}]:
            for page in self._api.pages(path, query, following=_next_page):
                for rrset in page.get("rrsets") or []:
                    if rrset["type"] == "TXT" and bare(rrset["name"]) in by_name:
                        found[by_name[bare(rrset["name"])]] = _rrset(rrset)
        return found

    def _replace(self, zone: str, changes: Sequence[Change]) -> Collection[str]:
        path = f"{self._path(self._zone_id(zone))}/changes"
        again: list[str] = []
        for batch in batches(changes, records=MAX_RECORDS, characters=MAX_CHARACTERS):
            body = {
                "deletions": [_body(change, change.old.records) for change in batch if change.old.records],
                "additions": [_body(change, change.records) for change in batch if change.records],
            }
            # The last is that a set to be deleted is not there any more.
            clashes = {HTTPStatus.CONFLICT, HTTPStatus.PRECONDITION_FAILED, HTTPStatus.NOT_FOUND}
            reply = self._api.send("POST", path, body=body, allow=clashes)
            if reply.status == HTTPStatus.NOT_FOUND and DELETIONS not in reply.body:
                raise self._api.fault(reply)
            if not reply.ok:
                again += [change.name for change in batch]
        return again

    def _path(self, zone: str) -> str:
        return f"{self._zones}/{quote(zone, safe='')}"

    def _form(self, value: str) -> str:
        return txt.quote(value)


def _rrset(rrset: Mapping[str, Any]) -> RRset:
    if "routingPolicy" in rrset:
        raise Terminal(
            f"the TXT records at {rrset['name']} have a routing policy; delete them, or lead the challenge away by "
            "a CNAME",
            reason=REQUEST_REFUSED,
        )
    return RRset(tuple(Record(txt.loose(form), form) for form in rrset["rrdatas"]), int(rrset["ttl"]))


def _body(change: Change, records: Sequence[Record]) -> dict[str, object]:
    forms = [record.form for record in records]
    return {"name": f"{bare(change.name)}.", "type": "TXT", "ttl": change.ttl(TTL), "rrdatas": forms}


def _told(reply: Reply) -> tuple[str, set[str]]:
    """Message and reasons of an error, empty when it has none."""
    try:
        error = reply.json()["error"]
        return str(error["message"]), {str(one.get("reason")) for one in error.get("errors") or []}
    except (CertwrightError, KeyError, TypeError, AttributeError):
        return "", set()


def _next_page(reply: Reply) -> dict[str, object] | None:
    token = reply.json().get("nextPageToken")
    return {"pageToken": token} if token else None


def endpoint(config: Fields, secrets: Secrets, identity: Identity = NOBODY) -> Endpoint:
    """The account: a service account's key, or the operator's own."""
    if has_credential(config, CREDENTIAL) or SECRET_REF in config:
        content, where = content_of(config, secrets, CREDENTIAL)
        login, account = google_login.by_key(content, where)
    else:
        try:
            identity.ambient()
        except InvalidSpec as error:
            raise InvalidSpec(f"{config.path}: names no credentials; {error.message}", reason=error.reason) from None
        login, account, where = google_login.by_environment(), "", google_login.WHERE
    project = config.text("project")
    return Endpoint(
        "Google Cloud DNS",
        URL,
        RIGHTS,
        credentials=(Credential("", where),),
        url_field=URL_FIELD,
        login=login,
        identity=f"{account} {project}",
    )


def build(config: Fields, secrets: Secrets, identity: Identity = NOBODY) -> CloudDNS:
    """Make the provider; raises InvalidSpec naming the field that is wrong."""
    project = config.text("project").strip()
    if not project:
        raise InvalidSpec(f"{config.at('project')}: must be the ID of the project that the zone is in")
    return CloudDNS(GoogleApi(endpoint(config, secrets, identity)), project, config.text(ZONE_FIELD).strip())


PROVIDER = ProviderInfo(
    name="cloudDNS",
    description="Google Cloud DNS",
    fields=(
        ConfigField("project", "ID of the project that the zone is in.", required=True),
        ConfigField(
            "serviceAccountSecretRef",
            "Key of a service account, as JSON; without it the operator's own credentials are used.",
            secret=True,
        ),
        ConfigField(
            ZONE_FIELD,
            "The zone to work with, by its name in the project; found by name among the public ones by default.",
        ),
    ),
    build=build,
    build_as=build,
)

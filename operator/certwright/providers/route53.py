"""Amazon Route 53: whole RRsets, many in one batch, each deleted as it was read and made anew.

A batch is made as a whole or not at all, and a deletion that differs from the set as it is now fails: with UPSERT, the
usual way, the last writer would win. Whether a change has reached all name servers is for the solver to find out.
https://docs.aws.amazon.com/Route53/latest/APIReference/
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from xml.etree import ElementTree as ET

from certwright.errors import InvalidSpec, Terminal
from certwright.providers import aws_regions, txt
from certwright.providers.api import REQUEST_REFUSED, Endpoint
from certwright.providers.aws_api import AwsApi, each, error_of, root_of, text
from certwright.providers.aws_login import Signature
from certwright.providers.base import NOBODY, ConfigField, ProviderInfo
from certwright.providers.changes import listed
from certwright.providers.conditional import Change, Record, RRset, batches
from certwright.providers.names import bare
from certwright.providers.public_zones import PublicZones, joined
from certwright.providers.route53_login import Chosen, chosen_login

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from certwright.providers.base import Identity, Secrets
    from certwright.resources.reading import Fields

API: Final = "/2013-04-01"
XMLNS: Final = "https://route53.amazonaws.com/doc/2013-04-01/"
TTL: Final = 60
ZONES: Final = 100
"""Zones of a page; the most that there can be."""
PAGE: Final = 300
"""RRsets of a page; the most that there can be."""
MAX_PAGES: Final = 100
MAX_RECORDS, MAX_CHARACTERS = 1000, 32_000
"""Of one batch."""
RIGHTS: Final = (
    "route53:ListHostedZonesByName, and for this zone route53:ListResourceRecordSets and "
    "route53:ChangeResourceRecordSets with the actions CREATE and DELETE"
)
ZONE_FIELD: Final = "hostedZoneID"
_ZONE_ID: Final = re.compile(r"(?:/hostedzone/)?([A-Z0-9]{1,32})")
_ESCAPE: Final = re.compile(r"\\([0-7]{3})")
_CLASH: Final = re.compile(
    r"Tried to (?:create resource record set .* but it already exists"
    r"|delete resource record set .* but (?:it was not found|the values provided do not match))"
)


class Route53(PublicZones):
    """The public zones of one account, or one zone.

    Args:
        api: The account.
        zone_id: The only zone to work with; empty for all.
    """

    _api: AwsApi

    def __init__(self, api: AwsApi, zone_id: str = "") -> None:
        super().__init__(api, zone_id, field=ZONE_FIELD)
        self._all: dict[str, str] | None = None
        self._below: dict[str, dict[str, str]] = {}

    def _apex_of(self, zone_id: str) -> str:
        # Its own name comes first in the list of its RRsets, which takes no right that changing it does not need.
        page = self._api.xml(f"{API}/hostedzone/{zone_id}/rrset", {"maxitems": 1})
        return next(_name(rrset) for rrset in each(page, "ResourceRecordSet"))

    def _zone_ids(self, names: Sequence[str]) -> dict[str, str | None]:
        # Most accounts have few zones, which one page tells; of many, only those below the shortest name are asked for.
        if self._all is None and not self._below:
            page = self._zone_page({})
            self._all = _zones(page) if text(page, "IsTruncated") != "true" else None
        if self._all is not None:
            return listed(names, self._all)
        start = names[-1]
        if start not in self._below:
            self._below[start] = self._zones_below(start)
        return listed(names, self._below[start])

    def _zones_below(self, start: str) -> dict[str, str]:
        found: list[tuple[str, str]] = []
        query: dict[str, object] = {"dnsname": start}
        for _ in range(MAX_PAGES):
            page = self._zone_page(query)
            zones = _zones(page)
            found += [(name, known) for name, known in zones.items() if f".{name}".endswith(f".{start}")]
            following = bare(text(page, "NextDNSName"))
            if text(page, "IsTruncated") != "true" or not f".{following}".endswith(f".{start}"):
                break
            query = {"dnsname": following, "hostedzoneid": text(page, "NextHostedZoneId")}
        return joined(found)

    def _zone_page(self, query: Mapping[str, object]) -> ET.Element:
        return self._api.xml(f"{API}/hostedzonesbyname", {"maxitems": ZONES, **query})

    def _read(self, zone: str, names: Sequence[str]) -> dict[str, RRset]:
        found = dict.fromkeys(names, RRset())
        by_name = {bare(name): name for name in names}
        pending = sorted(by_name, key=_order)
        path = f"{API}/hostedzone/{self._zone_id(zone)}/rrset"
        while pending:
            # The list is sorted, so that a page tells of every wanted name before its end, there or not.
            size = PAGE if len(pending) > 1 else 1
            page = self._api.xml(path, {"name": pending[0], "type": "TXT", "maxitems": size})
            for each_set in each(page, "ResourceRecordSet"):
                name = bare(_name(each_set))
                if text(each_set, "Type") == "TXT" and name in by_name:
                    found[by_name[name]] = _rrset(each_set)
            if text(page, "IsTruncated") != "true":
                break
            following = (_order(bare(_unescaped(text(page, "NextRecordName")))), text(page, "NextRecordType"))
            pending = [name for name in pending[1:] if (_order(name), "TXT") >= following]
        return found

    def _replace(self, zone: str, changes: Sequence[Change]) -> Collection[str]:
        path = f"{API}/hostedzone/{self._zone_id(zone)}/rrset"
        again: list[str] = []
        for batch in batches(changes, records=MAX_RECORDS, characters=MAX_CHARACTERS):
            headers = {"Accept": "text/xml", "Content-Type": "text/xml"}
            reply = self._api.send("POST", path, body=_batch(batch), headers=headers, allow={400})
            if reply.ok:
                root_of(reply)
            elif _CLASH.search(error_of(reply)[1]):
                again += [change.name for change in batch]
            else:
                raise self._api.fault(reply)
        return again

    def _form(self, value: str) -> str:
        return txt.quote(value, octal=True)


def _zones(page: ET.Element) -> dict[str, str]:
    """The public zones of a page: ids by name."""
    zones = [zone for zone in each(page, "HostedZone") if "true" not in [p.text for p in each(zone, "PrivateZone")]]
    return joined((_name(zone), text(zone, "Id").removeprefix("/hostedzone/")) for zone in zones)


def _name(element: ET.Element) -> str:
    return _unescaped(text(element, "Name"))


def _unescaped(name: str) -> str:
    """A name as Route 53 tells it, where signs other than letters, digits, `-` and `_` are octal numbers."""
    return _ESCAPE.sub(lambda match: chr(int(match[1], 8)), name)


def _order(name: str) -> str:
    """What the list of RRsets is sorted by: the labels from the last to the first, with a final dot."""
    return ".".join(reversed(name.split("."))) + "."


def _rrset(element: ET.Element) -> RRset:
    name = _name(element)
    if text(element, "SetIdentifier") or each(element, "AliasTarget"):
        raise Terminal(
            f"the TXT records at {name} have a routing policy or are an alias; delete them, or lead the challenge "
            "away by a CNAME",
            reason=REQUEST_REFUSED,
        )
    values = [text(record, "Value") for record in each(element, "ResourceRecord")]
    records = tuple(Record(txt.unquote(value, octal=True), value) for value in values)
    return RRset(records, int(text(element, "TTL") or 0))


def _batch(changes: Sequence[Change]) -> bytes:
    root = ET.Element("ChangeResourceRecordSetsRequest", xmlns=XMLNS)
    parent = ET.SubElement(ET.SubElement(root, "ChangeBatch"), "Changes")
    for change in changes:
        for action, records in (("DELETE", change.old.records), ("CREATE", change.records)):
            if records:
                _change(parent, action, change.name, change.ttl(TTL), records)
    return b'<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root)


def _change(parent: ET.Element, action: str, name: str, ttl: int, records: Sequence[Record]) -> None:
    element = ET.SubElement(parent, "Change")
    ET.SubElement(element, "Action").text = action
    rrset = ET.SubElement(element, "ResourceRecordSet")
    ET.SubElement(rrset, "Name").text = name
    ET.SubElement(rrset, "Type").text = "TXT"
    ET.SubElement(rrset, "TTL").text = str(ttl)
    values = ET.SubElement(rrset, "ResourceRecords")
    for record in records:
        ET.SubElement(ET.SubElement(values, "ResourceRecord"), "Value").text = str(record.form)


def endpoint(login: Chosen) -> Endpoint:
    """The account that a login is for."""
    service = aws_regions.route53(login.region)
    return Endpoint(
        "Route 53",
        service.url,
        RIGHTS,
        credentials=login.credentials,
        url_field=service.url_field,
        login=Signature(login.keys, service=aws_regions.ROUTE53, region=service.region),
        identity=login.account,
    )


def build(config: Fields, secrets: Secrets, identity: Identity = NOBODY) -> Route53:
    """Make the provider; raises InvalidSpec naming the field that is wrong."""
    zone_id = config.text(ZONE_FIELD).strip()
    match = _ZONE_ID.fullmatch(zone_id)
    if zone_id and not match:
        raise InvalidSpec(f"{config.at(ZONE_FIELD)}: {zone_id[:60]!r} cannot be the ID of a hosted zone")
    return Route53(AwsApi(endpoint(chosen_login(config, secrets, identity))), match[1] if match else "")


PROVIDER = ProviderInfo(
    name="route53",
    description="Amazon Route 53",
    fields=(
        ConfigField("accessKeyID", "Access key ID, as it is; or accessKeyIDSecretRef."),
        ConfigField("accessKeyIDSecretRef", "Access key ID, from a Secret.", secret=True),
        ConfigField("secretAccessKeySecretRef", "Secret access key, to go with the access key ID.", secret=True),
        ConfigField(
            "role",
            "ARN of a role to assume: with the keys, with the operator's own credentials, or with `auth`.",
        ),
        ConfigField("externalID", "External id that the role's trust policy asks for; not with `auth`."),
        ConfigField(
            "auth.kubernetes.serviceAccountRef",
            "A ServiceAccount, as `name` and `audiences`, in whose name the role is assumed; the audience is "
            "`sts.amazonaws.com` by default.",
        ),
        ConfigField("region", "Region whose STS is asked; the operator's by default, else `us-east-1`."),
        ConfigField(ZONE_FIELD, "The zone to work with; found by name among the public ones by default."),
    ),
    build=build,
    build_as=build,
)

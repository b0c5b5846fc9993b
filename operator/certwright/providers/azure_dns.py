"""Azure DNS, public and private zones: whole record sets, each replaced only while its ETag is the one that was read.

https://learn.microsoft.com/rest/api/dns/record-sets and https://learn.microsoft.com/rest/api/dns/privatedns/record-sets
"""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from certwright.errors import CertwrightError, InvalidSpec, Terminal
from certwright.providers import azure_login
from certwright.providers.api import REQUEST_REFUSED, ZONE_NOT_IN_ACCOUNT, Api, Endpoint, Reply
from certwright.providers.azure_login import Managed
from certwright.providers.base import NOBODY, ConfigField, ProviderInfo
from certwright.providers.conditional import Change, ConditionalSets, Record, RRset
from certwright.providers.credentials import SECRET_REF, Credential, credential, has_credential
from certwright.providers.names import bare, relative
from certwright.providers.txt import STRING_OCTETS

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from certwright.providers.base import Identity, Secrets
    from certwright.resources.reading import Fields

TTL: Final = 60
PUBLIC, PRIVATE = "AzurePublicZone", "AzurePrivateZone"
SECRET: Final = "clientSecret"  # noqa: S105 - a field's name


@dataclass(frozen=True, slots=True)
class Kind:
    """What differs between public and private zones.

    Args:
        path: Of the zones in a resource group.
        version: Of the API.
        ttl: Member of a record set with its TTL.
        records: Member with its TXT records.
        role: The role that may change them.
    """

    path: str
    version: str
    ttl: str
    records: str
    role: str


KINDS: Final = {
    PUBLIC: Kind("dnsZones", "2018-05-01", "TTL", "TXTRecords", "DNS Zone Contributor"),
    PRIVATE: Kind("privateDnsZones", "2020-06-01", "ttl", "txtRecords", "Private DNS Zone Contributor"),
}


class AzureApi(Api):
    """One subscription."""

    def fault(self, reply: Reply, *, meaning: int | None = None) -> CertwrightError:
        """See Api; by the code in the reply where the status does not say enough."""
        fault = super().fault(reply, meaning=meaning)
        if reply.status == HTTPStatus.CONFLICT and b"ScopeLocked" in reply.body:
            return Terminal(f"{fault.message}; remove the lock from the zone", reason=REQUEST_REFUSED)
        if reply.status == HTTPStatus.NOT_FOUND:
            advice = "create the zone, or correct subscriptionID, resourceGroupName and hostedZoneName"
            return Terminal(f"{fault.message}; {advice}", reason=ZONE_NOT_IN_ACCOUNT)
        return fault


class AzureDNS(ConditionalSets):
    """The zones of one resource group, or one zone.

    Args:
        api: The management API, as one account.
        group: Path of the resource group.
        kind: Of the zones.
        zone: The only zone to work with; empty to take the one that the DNS tells.
    """

    def __init__(self, api: AzureApi, group: str, kind: Kind, zone: str = "") -> None:
        super().__init__(api)
        self._base = f"{group}/providers/Microsoft.Network/{kind.path}"
        self._kind = kind
        self._fixed = bare(zone)

    def find_zone(self, name: str) -> str | None:
        """The config's zone; others are not listed, since who may change one zone may mostly not list all."""
        return f"{self._fixed}." if self._fixed and f".{bare(name)}".endswith(f".{self._fixed}") else None

    def _zone_ids(self, names: Sequence[str]) -> dict[str, str | None]:
        return {name: name for name in names}

    def _read(self, zone: str, names: Sequence[str]) -> dict[str, RRset]:
        return {name: self._one(zone, name) for name in names}

    def _one(self, zone: str, name: str) -> RRset:
        reply = self._asked("GET", zone, name, allow={HTTPStatus.NOT_FOUND})
        if not reply.ok:  # if it is the zone that is not there, writing tells
            return RRset()
        content = reply.json()
        members = {member.lower(): value for member, value in content["properties"].items()}
        forms = [tuple(record["value"]) for record in members.get("txtrecords") or []]
        return RRset(
            tuple(Record("".join(form), form) for form in forms),
            int(members["ttl"]),
            (content["etag"], members.get("metadata") or {}),
        )

    def _replace(self, zone: str, changes: Sequence[Change]) -> Collection[str]:
        return [change.name for change in changes if not self._write(zone, change)]

    def _write(self, zone: str, change: Change) -> bool:
        """Write one set; tells whether it was still as it was read."""
        etag, metadata = change.old.version or ("", {})
        condition = {"If-Match": str(etag)} if etag else {"If-None-Match": "*"}
        body = None
        if change.records:
            records = [{"value": list(record.form)} for record in change.records]  # type: ignore[call-overload]
            members: dict[str, object] = {
                "metadata": metadata,
                self._kind.ttl: change.ttl(TTL),
                self._kind.records: records,
            }
            body = {"properties": members}
        method = "PUT" if body else "DELETE"
        allow = {HTTPStatus.PRECONDITION_FAILED} | (set() if body else {HTTPStatus.NOT_FOUND})
        reply = self._asked(method, zone, change.name, body=body, headers=condition, allow=allow)
        return reply.status != HTTPStatus.PRECONDITION_FAILED

    def _asked(
        self,
        method: str,
        zone: str,
        name: str,
        *,
        body: object = None,
        headers: Mapping[str, str] | None = None,
        allow: Collection[int] = (),
    ) -> Reply:
        inside = self._fixed or bare(zone)
        path = f"{self._base}/{quote(inside, safe='')}/TXT/{quote(relative(name, inside), safe='*')}"
        query = {"api-version": self._kind.version}
        return self._api.send(method, path, query=query, body=body, headers=headers, allow=allow)

    def _form(self, value: str) -> tuple[str, ...]:
        return tuple(value[start : start + STRING_OCTETS] for start in range(0, max(len(value), 1), STRING_OCTETS))


def endpoint(config: Fields, secrets: Secrets, identity: Identity = NOBODY) -> Endpoint:
    """The account: a service principal, or the operator's own identity."""
    cloud = azure_login.cloud_of(config)
    tenant, client, managed = config.text("tenantID"), config.text("clientID"), config.part("managedIdentity")
    by_secret = has_credential(config, SECRET) or SECRET_REF in config
    if by_secret or tenant or client:
        if not (tenant and client):
            raise InvalidSpec(
                f"{config.path}: clientID, tenantID and {SECRET}SecretRef belong together; give all three"
            )
        if "managedIdentity" in config:
            raise InvalidSpec(f"{managed.path}: excludes clientID, tenantID and {SECRET}SecretRef")
        used, account = credential(config, secrets, SECRET), f"{tenant} {client}"
        try:
            login = azure_login.by_secret(cloud, tenant=tenant, client=client, secret=used)
        except InvalidSpec as error:
            raise InvalidSpec(f"{config.at('tenantID')}: {error.message}") from None
    else:
        try:
            identity.ambient()
        except InvalidSpec as error:
            raise InvalidSpec(f"{config.path}: names no credentials; {error.message}", reason=error.reason) from None
        wanted = Managed(managed.text("clientID"), managed.text("resourceID"), managed.text("tenantID"))
        if wanted.resource and (wanted.client or wanted.tenant):
            raise InvalidSpec(f"{managed.at('resourceID')}: excludes clientID and tenantID")
        used = Credential("", azure_login.WHERE)
        try:
            login = azure_login.by_environment(cloud, wanted)
        except InvalidSpec as error:
            raise InvalidSpec(f"{managed.path}: {error.message}", reason=error.reason) from None
        account = repr(wanted)
    return Endpoint(
        "Azure",
        cloud.management,
        f"to change record sets of this zone (the role {_kind(config).role})",
        credentials=(used,),
        url_field=cloud.url_field,
        login=login,
        identity=account,
    )


def _kind(config: Fields) -> Kind:
    name = config.text("zoneType") or PUBLIC
    if name not in KINDS:
        raise InvalidSpec(f"{config.at('zoneType')}: {name[:40]!r} must be {PUBLIC} or {PRIVATE}")
    return KINDS[name]


def build(config: Fields, secrets: Secrets, identity: Identity = NOBODY) -> AzureDNS:
    """Make the provider; raises InvalidSpec naming the field that is wrong."""
    parts = []
    for field, part in (("subscriptionID", "subscriptions"), ("resourceGroupName", "resourceGroups")):
        value = config.text(field).strip()
        if not value:
            raise InvalidSpec(f"{config.at(field)}: must name what the zone is in")
        parts.append(f"/{part}/{quote(value, safe='')}")
    kind = _kind(config)
    return AzureDNS(
        AzureApi(endpoint(config, secrets, identity)), "".join(parts), kind, config.text("hostedZoneName").strip()
    )


PROVIDER = ProviderInfo(
    name="azureDNS",
    description="Azure DNS, public and private zones",
    fields=(
        ConfigField("subscriptionID", "Subscription that the zone is in.", required=True),
        ConfigField("resourceGroupName", "Resource group that the zone is in.", required=True),
        ConfigField("hostedZoneName", "The zone to work with; by default the one that the DNS tells."),
        ConfigField("zoneType", "`AzurePublicZone`, the default, or `AzurePrivateZone`."),
        ConfigField(
            "environment",
            "`AzurePublicCloud`, the default, `AzureChinaCloud` or `AzureUSGovernmentCloud`.",
        ),
        ConfigField("tenantID", "Tenant of a service principal; with `clientID` and its secret."),
        ConfigField("clientID", "Client ID of the service principal."),
        ConfigField("clientSecretSecretRef", "Secret of the service principal.", secret=True),
        ConfigField(
            "managedIdentity",
            "Which of the operator's own identities: `clientID` or `resourceID`, and `tenantID` for a workload "
            "identity; without it and without a service principal, its only one.",
        ),
    ),
    build=build,
    build_as=build,
)

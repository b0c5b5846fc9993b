"""Azure DNS, Microsoft's login service and an instance's metadata service, as their documentation has them.

https://learn.microsoft.com/rest/api/dns/record-sets, for tokens
https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow, and for managed identities
https://learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-to-use-vm-token
"""

from __future__ import annotations

import base64
import itertools
import json
import ssl
import time
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from unit.providers.fake_api import ZONES, Answer, FakeApi, Request, Route, absolute

if TYPE_CHECKING:
    from pathlib import Path

SUBSCRIPTION, GROUP = "00000000-1111-2222-3333-444444444444", "dns"
TENANT, CLIENT = "11111111-aaaa-bbbb-cccc-111111111111", "22222222-aaaa-bbbb-cccc-222222222222"
SECRET = "8Q~client-secret_0123456789"
WORKLOAD, MANAGED = "33333333-aaaa-bbbb-cccc-333333333333", "44444444-aaaa-bbbb-cccc-444444444444"
RESOURCE = (
    f"/subscriptions/{SUBSCRIPTION}/resourcegroups/x/providers/Microsoft.ManagedIdentity/userAssignedIdentities/y"
)
SUBJECT = "system:serviceaccount:certwright:certwright"
ISSUER = "https://oidc.example.test/cluster"
EXCHANGE = "api://AzureADTokenExchange"
MEMBERS = {"dnsZones": ("TTL", "TXTRecords"), "privateDnsZones": ("ttl", "txtRecords")}
VERSIONS = {"dnsZones": "2018-05-01", "privateDnsZones": "2020-06-01"}


@cache
def cluster_key() -> rsa.RSAPrivateKey:
    """What a cluster signs the tokens of its ServiceAccounts with."""
    return rsa.generate_private_key(65537, 2048)


def _encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def federated_token(subject: str = SUBJECT, audience: str = EXCHANGE) -> str:
    claims = {"iss": ISSUER, "sub": subject, "aud": [audience], "exp": int(time.time()) + 600}
    text = ".".join(_encoded(json.dumps(part).encode()) for part in ({"alg": "RS256"}, claims))
    signature = cluster_key().sign(text.encode(), padding.PKCS1v15(), hashes.SHA256())
    return f"{text}.{_encoded(signature)}"


class FakeAzure(FakeApi):
    """The management API, and the metadata service below /metadata."""

    def __init__(self) -> None:
        super().__init__()
        self.sets: dict[str, dict[str, dict[str, dict[str, Any]]]] = {
            kind: {zone: {} for zone in ZONES} for kind in MEMBERS
        }
        self.kind = "dnsZones"
        self.tokens: dict[str, float] = {}
        self._count = itertools.count(1)

    def given(self, prefix: str) -> str:
        token = f"eyJ0.{prefix}.{next(self._count)}"
        self.tokens[token] = time.time() + 3599
        return token

    def new_etag(self) -> str:
        return f"etag-{next(self._count)}"

    def txt(self, name: str) -> list[str]:
        bare = name.rstrip(".")
        with self._lock:
            rrset = self.sets[self.kind][self.zone_of(bare)].get(bare, {"records": []})
            return ["".join(strings) for strings in rrset["records"]]

    def put(self, name: str, value: str, ttl: int = 3600) -> Any:
        bare = name.rstrip(".")
        with self._lock:
            new = {"ttl": ttl, "records": [], "metadata": {}}
            rrset = self.sets[self.kind][self.zone_of(bare)].setdefault(bare, new)
            rrset["records"] = [*rrset["records"], [value[at : at + 255] for at in range(0, len(value), 255)]]
            rrset["etag"] = self.new_etag()

    def routes(self) -> list[Route]:
        group = f"/subscriptions/({SUBSCRIPTION})/resourceGroups/([^/]+)/providers/Microsoft.Network"
        rrset = f"{group}/(dnsZones|privateDnsZones)/([^/]+)/TXT/([^/]+)"
        return [
            ("GET", rrset, self._get),
            ("PUT", rrset, self._put),
            ("DELETE", rrset, self._delete),
            ("GET", "/metadata/identity/oauth2/token", self._managed),
        ]

    def authorized(self, request: Request) -> bool:
        if request.path.startswith("/metadata"):
            return request.headers.get("metadata") == "true"
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        return self.tokens.get(token, 0) > time.time()

    def answer(self, request: Request) -> Answer:
        if (self.expired or self.throttled) and request.path.startswith("/metadata"):
            return self._routed(request)
        return super().answer(request)

    @staticmethod
    def error(status: int, code: str, message: str, headers: dict[str, str] | None = None) -> Answer:
        return Answer(status, {"error": {"code": code, "message": message}}, headers or {})

    def unauthorized(self) -> Answer:
        return self.error(401, "InvalidAuthenticationToken", "The access token is invalid.")

    def too_many(self) -> Answer:
        return self.error(429, "TooManyRequests", "The request is being throttled.", {"Retry-After": "1"})

    def unknown(self) -> Answer:
        return self.error(404, "SubscriptionNotFound", "The subscription could not be found.")

    def _managed(self, request: Request) -> Answer:
        query = request.query
        known = {None: "system", MANAGED: "user"}.get(query.get("client_id"))
        if "mi_res_id" in query or "msi_res_id" in query:
            known = "resource" if (query.get("mi_res_id") or query.get("msi_res_id")) == RESOURCE else None
        if known is None or query["api-version"] != "2018-02-01":
            return Answer(400, {"error": "invalid_request", "error_description": "Identity not found"})
        content = {"access_token": self.given(known), "expires_in": "3599", "resource": query["resource"]}
        return Answer(200, content | {"token_type": "Bearer"})

    # Record sets.

    def _zone(self, request: Request, group: str, kind: str, zone: str) -> dict[str, Any]:
        if request.query.get("api-version") != VERSIONS[kind]:
            raise self.error(400, "InvalidApiVersionParameter", "The api-version is invalid.")
        if group != GROUP:
            raise self.error(404, "ResourceGroupNotFound", f"Resource group '{group}' could not be found.")
        if zone not in self.sets[kind]:
            told = f"Can not perform requested operation on nested resource. Parent resource '{zone}' not found."
            raise self.error(404, "ParentResourceNotFound", told)
        return self.sets[kind][zone]

    def _told(self, kind: str, name: str, rrset: dict[str, Any]) -> dict[str, Any]:
        ttl, records = MEMBERS[kind]
        members = {
            "fqdn": f"{name}.",
            "metadata": rrset["metadata"],
            ttl: rrset["ttl"],
            records: [{"value": strings} for strings in rrset["records"]],
            "provisioningState": "Succeeded",
        }
        return {
            "id": "x",
            "name": name,
            "type": f"Microsoft.Network/{kind}/TXT",
            "etag": rrset["etag"],
            "properties": members,
        }

    def _get(self, request: Request, _subscription: str, group: str, kind: str, zone: str, relative: str) -> Answer:
        name = absolute(relative, zone)
        rrset = self._zone(request, group, kind, zone).get(name)
        if rrset is None:
            return self.error(404, "NotFound", f"The resource record '{relative}' does not exist in '{group}'.")
        return Answer(200, self._told(kind, name, rrset))

    def _refused(self, request: Request, have: dict[str, Any] | None) -> Answer | None:
        wanted, none = request.headers.get("if-match"), request.headers.get("if-none-match")
        there = have["etag"] if have else None
        if (wanted and wanted != there) or (none == "*" and have):
            told = f"The condition '{wanted or none}' in the request is not satisfied. The current etag is '{there}'."
            return self.error(412, "PreconditionFailed", told)
        return None

    def _put(self, request: Request, _subscription: str, group: str, kind: str, zone: str, relative: str) -> Answer:
        sets, name = self._zone(request, group, kind, zone), absolute(relative, zone)
        if refusal := self._refused(request, sets.get(name)):
            return refusal
        ttl, records = MEMBERS[kind]
        members = request.body["properties"]
        values = [record["value"] for record in members[records]]
        if not values or any(not strings or max(map(len, strings)) > 255 for strings in values):
            return self.error(400, "BadRequest", "The value of a TXT record is empty or longer than 255 characters.")
        if len({tuple(strings) for strings in values}) < len(values) or members[ttl] < 1:
            return self.error(400, "BadRequest", "Duplicate records, or an invalid TTL.")
        new = name not in sets
        sets[name] = {
            "ttl": members[ttl],
            "records": values,
            "metadata": members.get("metadata") or {},
            "etag": self.new_etag(),
        }
        return Answer(201 if new else 200, self._told(kind, name, sets[name]))

    def _delete(self, request: Request, _subscription: str, group: str, kind: str, zone: str, relative: str) -> Answer:
        sets, name = self._zone(request, group, kind, zone), absolute(relative, zone)
        if refusal := self._refused(request, sets.get(name)):
            return refusal
        return Answer(204 if sets.pop(name, None) is None else 200)


class FakeEntra(FakeApi):
    """The login service, by TLS as its clients demand; tokens are for the management API.

    Args:
        azure: That API.
        certificate: A file with certificate and key.
    """

    raw = True

    def __init__(self, azure: FakeAzure, certificate: Path) -> None:
        super().__init__()
        self._azure = azure
        self.scopes: list[str] = []
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.host = self.url.removeprefix("http://")
        self.url = f"https://{self.host}"

    def routes(self) -> list[Route]:
        return [
            ("GET", "/([^/]+)/v2.0/.well-known/openid-configuration", self._configuration),
            ("POST", "/([^/]+)/oauth2/v2.0/token", self._token),
        ]

    def authorized(self, request: Request) -> bool:  # noqa: ARG002 - who asks is told by the form
        return True

    def _configuration(self, _request: Request, tenant: str) -> Answer:
        if tenant != TENANT:
            return Answer(
                400, {"error": "invalid_tenant", "error_description": f"AADSTS90002: Tenant '{tenant}' not found."}
            )
        base = f"{self.url}/{tenant}"
        content = {
            "issuer": f"{base}/v2.0",
            "token_endpoint": f"{base}/oauth2/v2.0/token",
            "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
            "device_authorization_endpoint": f"{base}/oauth2/v2.0/devicecode",
        }
        return Answer(200, content)

    @staticmethod
    def refused(code: str, message: str, status: int = 401) -> Answer:
        told = f"{code}: {message} Trace ID: 0a-{time.time()} Correlation ID: 1b Timestamp: {time.ctime()}"
        return Answer(status, {"error": "invalid_client", "error_description": told, "error_codes": [7000215]})

    def _token(self, request: Request, tenant: str) -> Answer:
        form = {name: values[0] for name, values in parse_qs(request.body.decode()).items()}
        self.scopes.append(form["scope"])
        if tenant != TENANT:
            return self.unknown()
        if form["grant_type"] != "client_credentials" or not form["scope"].endswith("/.default"):
            return self.refused("AADSTS70011", "The provided value for scope is not valid.", 400)
        if "client_assertion" in form:
            if fault := self._assertion_fault(form):
                return fault
        elif form.get("client_id") != CLIENT:
            return self.refused("AADSTS700016", "The application was not found in the directory.", 400)
        elif form.get("client_secret") != SECRET:
            return self.refused("AADSTS7000215", "Invalid client secret provided.")
        token = self._azure.given("principal" if "client_secret" in form else "workload")
        return Answer(200, {"token_type": "Bearer", "expires_in": 3599, "access_token": token})

    def _assertion_fault(self, form: dict[str, str]) -> Answer | None:
        if form["client_assertion_type"] != "urn:ietf:params:oauth:client-assertion-type:jwt-bearer":
            return self.refused("AADSTS50027", "JWT token is invalid or malformed.")
        text, _, signature = form["client_assertion"].rpartition(".")
        try:
            cluster_key().public_key().verify(
                base64.urlsafe_b64decode(signature + "=="), text.encode(), padding.PKCS1v15(), hashes.SHA256()
            )
        except InvalidSignature:
            return self.refused("AADSTS700211", "No matching federated identity record found for presented assertion.")
        claims = json.loads(base64.urlsafe_b64decode(text.split(".")[1] + "=="))
        trusted = (claims["iss"], claims["sub"], claims["aud"]) == (ISSUER, SUBJECT, [EXCHANGE])
        if form["client_id"] != WORKLOAD or not trusted or claims["exp"] < time.time():
            return self.refused("AADSTS700213", "No matching federated identity record found for presented subject.")
        return None

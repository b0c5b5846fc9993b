"""Akamai's Edge DNS API as its documentation has it: EdgeGrid signatures, whole RRsets, problem documents."""

import base64
import hashlib
import hmac
import re
from datetime import UTC, datetime

from unit.providers.fake_api import Answer, FakeApi, Request, Route, page_of, zone_file, zone_file_value

CLIENT_TOKEN, CLIENT_SECRET = "akab-client-token-0123456789", "akamai-client-secret-0123456789"
ACCESS_TOKEN = "akab-access-token-0123456789"
MAX_BODY = 131072
HEADER = re.compile(
    r"EG1-HMAC-SHA256 client_token=([^;]+);access_token=([^;]+);timestamp=([^;]+);nonce=([^;]+);signature=([^;]+)"
)


def hashed(key: str, text: str) -> str:
    return base64.b64encode(hmac.new(key.encode(), text.encode(), hashlib.sha256).digest()).decode()


class FakeAkamai(FakeApi):
    """The vendor.

    Attributes:
        nonces: All that were seen; none may come twice.
    """

    prefix = "/config-dns/v2"

    def __init__(self) -> None:
        super().__init__()
        self.nonces: set[str] = set()

    def routes(self) -> list[Route]:
        rrset = "/zones/([^/]+)/names/([^/]+)/types/TXT"
        return [
            ("GET", "/zones", self._zones),
            ("GET", rrset, self._get),
            ("POST", rrset, self._post),
            ("PUT", rrset, self._put),
            ("DELETE", rrset, self._delete),
        ]

    def authorized(self, request: Request) -> bool:
        header = request.headers.get("authorization", "")
        match = HEADER.fullmatch(header)
        if not match:
            raise self.problem(400, "Bad request", "Invalid authorization header")
        client, access, timestamp, nonce, signature = match.groups()
        if (client, access) != (CLIENT_TOKEN, ACCESS_TOKEN):
            raise self.problem(401, "Not authorized", "Inactive client token")
        signed = datetime.strptime(timestamp, "%Y%m%dT%H:%M:%S+0000").replace(tzinfo=UTC)
        if abs((datetime.now(UTC) - signed).total_seconds()) > 30:
            raise self.problem(400, "Bad request", "Invalid timestamp")
        if nonce in self.nonces:
            raise self.problem(400, "Bad request", "Duplicate nonce")
        self.nonces.add(nonce)
        # Of the body only a POST's is in the signature, and of that no more than the beginning.
        body = request.content[:MAX_BODY] if request.method == "POST" else b""
        digest = base64.b64encode(hashlib.sha256(body).digest()).decode() if body else ""
        scheme, host = self.url.removesuffix(self.prefix).split("://")
        parts = (request.method, scheme, host, request.target, "", digest, header.partition("signature=")[0])
        if signature != hashed(hashed(CLIENT_SECRET, timestamp), "\t".join(parts)):
            raise self.problem(401, "Not authorized", "The signature does not match")
        return True

    def problem(self, status: int, title: str, detail: str) -> Answer:
        kind = "https://problems.luna.akamaiapis.net/authoritative-dns/problem"
        headers = {"Content-Type": "application/problem+json"}
        return Answer(status, {"type": kind, "title": title, "status": status, "detail": detail}, headers)

    def unauthorized(self) -> Answer:
        return self.problem(401, "Not authorized", "Inactive client token")

    def unknown(self) -> Answer:
        return self.problem(404, "Not Found", "The resource does not exist")

    def _zones(self, request: Request) -> Answer:
        page, size = int(request.query.get("page", 1)), int(request.query.get("pageSize", 25))
        assert request.query["types"] == "primary"
        zones = [{"zone": zone, "type": "PRIMARY", "contractId": "C-1"} for zone in sorted(self.zones)]
        place = {"page": page, "pageSize": size, "showAll": False, "totalElements": len(zones)}
        return Answer(200, {"metadata": place, "zones": page_of(zones, page=page, size=size)})

    def _zone(self, zone: str) -> None:
        if zone not in self.zones:
            raise self.problem(404, "Not Found", f"Zone {zone} not found")

    def _get(self, _request: Request, zone: str, name: str) -> Answer:
        self._zone(zone)
        records = self.at(zone, name)
        if not records:
            return self.unknown()
        rdata = [zone_file(each.value) for each in records]
        return Answer(200, {"name": name, "type": "TXT", "ttl": records[0].ttl, "rdata": rdata})

    def _replace(self, request: Request, zone: str, name: str) -> None:
        body = request.body
        values = [zone_file_value(text) for text in body["rdata"]]
        if (body["name"], body["type"]) != (name, "TXT") or not values or None in values or body["ttl"] < 30:
            raise self.problem(400, "Bad request", "Invalid record set")
        if len(set(values)) < len(values):
            raise self.problem(422, "Unprocessable entity", "Duplicate rdata")
        for each in self.at(zone, name):
            self.drop(zone, each.id)
        for value in values:
            self.put(name, value or "", body["ttl"])

    def _post(self, request: Request, zone: str, name: str) -> Answer:
        self._zone(zone)
        if self.at(zone, name):
            return self.problem(409, "Conflict", "The record set exists already")
        self._replace(request, zone, name)
        return Answer(201, request.body)

    def _put(self, request: Request, zone: str, name: str) -> Answer:
        self._zone(zone)
        if not self.at(zone, name):
            return self.unknown()
        self._replace(request, zone, name)
        return Answer(200, request.body)

    def _delete(self, _request: Request, zone: str, name: str) -> Answer:
        self._zone(zone)
        records = self.at(zone, name)
        for each in records:
            self.drop(zone, each.id)
        return Answer(204) if records else self.unknown()

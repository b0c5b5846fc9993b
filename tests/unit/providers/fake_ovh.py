"""OVHcloud's API as its documentation has it: signatures by its own clock, ids without data, a refresh to be served."""

import hashlib
import time
from typing import Any
from urllib.parse import parse_qs

from unit.providers.fake_api import (
    Answer,
    FakeApi,
    Record,
    Request,
    Route,
    absolute,
    relative,
    zone_file,
    zone_file_value,
)

KEY, SECRET, CONSUMER = "ovh-key-0123456789", "ovh-secret-0123456789", "ovh-consumer-0123456789"
CLIENT, CLIENT_SECRET = "EU.0123456789", "ovh-client-secret-0123456789"
AHEAD = 4000
"""Seconds that the vendor's clock is ahead of everybody's."""


class FakeOvh(FakeApi):
    """The vendor.

    Attributes:
        served: What its name servers have: the zone as it was when it was last refreshed.
        may_list: Whether the consumer may see GET /domain/zone.
        ahead: See AHEAD.
        tokens: Those that were given out and are valid.
    """

    prefix = "/1.0"

    def __init__(self) -> None:
        super().__init__()
        self.served: dict[str, list[Record]] = {}
        self.may_list = True
        self.ahead = AHEAD
        self.tokens: list[str] = []

    def routes(self) -> list[Route]:
        return [
            ("GET", "/auth/time", lambda _: Answer(200, self.now())),
            ("POST", "/auth/oauth2/token", self._token),
            ("GET", "/domain/zone", self._zones),
            ("GET", "/domain/zone/([^/]+)/record", self._list),
            ("POST", "/domain/zone/([^/]+)/record", self._create),
            ("GET", r"/domain/zone/([^/]+)/record/(\d+)", self._get),
            ("DELETE", r"/domain/zone/([^/]+)/record/(\d+)", self._delete),
            ("POST", "/domain/zone/([^/]+)/refresh", self._refresh),
        ]

    def now(self) -> int:
        return int(time.time()) + self.ahead

    def txt(self, name: str) -> list[str]:
        bare = name.rstrip(".")
        zone = self.served.get(self.zone_of(bare), [])
        return [each.value for each in zone if (each.name, each.type) == (bare, "TXT")]

    def put(self, name: str, value: str, ttl: int = 3600) -> Record:
        """As a person does, whose control panel refreshes."""
        record = super().put(name, value, ttl)
        self._refresh(None, self.zone_of(record.name))
        return record

    def parsed(self, kind: str, content: bytes) -> Any:
        if kind == "application/x-www-form-urlencoded":
            return {name: values[0] for name, values in parse_qs(content.decode()).items()}
        return super().parsed(kind, content)

    def authorized(self, request: Request) -> bool:
        if request.path in {f"{self.prefix}/auth/time", f"{self.prefix}/auth/oauth2/token"}:
            return True
        bearer = request.headers.get("authorization", "")
        if bearer:
            return bearer.removeprefix("Bearer ") in self.tokens
        if request.headers.get("x-ovh-application") != KEY:
            raise self.refusal("INVALID_KEY", "This application key is invalid")
        if request.headers.get("x-ovh-consumer") != CONSUMER:
            raise self.refusal("INVALID_CREDENTIAL", "This credential is not valid")
        at = request.headers["x-ovh-timestamp"]
        if abs(int(at) - self.now()) > 30:
            raise self.refusal("QUERY_TIME_OUT", "Query out of time")
        url = self.url.removesuffix(self.prefix) + request.target
        text = f"{SECRET}+{CONSUMER}+{request.method}+{url}+{request.content.decode()}+{at}"
        if request.headers.get("x-ovh-signature") != "$1$" + hashlib.sha1(text.encode()).hexdigest():  # noqa: S324 - the protocol's
            raise Answer(400, {"errorCode": "INVALID_SIGNATURE", "message": "Invalid signature"})
        return True

    def unauthorized(self) -> Answer:
        return self.refusal("INVALID_CREDENTIAL", "This credential is not valid")

    def refusal(self, code: str, message: str) -> Answer:
        return Answer(403, {"errorCode": code, "httpCode": "403 Forbidden", "message": message})

    def unknown(self) -> Answer:
        content = {"class": "Client::NotFound", "message": "The requested object does not exist"}
        return Answer(404, content)

    def _token(self, request: Request) -> Answer:
        form = request.body
        assert (form["grant_type"], form["scope"]) == ("client_credentials", "all")
        if (form["client_id"], form["client_secret"]) != (CLIENT, CLIENT_SECRET):
            return Answer(400, {"error": "invalid_client", "error_description": "client not found"})
        self.tokens.append(f"token-{len(self.tokens)}")
        return Answer(200, {"access_token": self.tokens[-1], "token_type": "Bearer", "expires_in": 3599})

    def _zones(self, _request: Request) -> Answer:
        if not self.may_list:
            return self.refusal("NOT_GRANTED_CALL", "This call has not been granted")
        return Answer(200, sorted(self.zones))

    def _zone(self, zone: str) -> list[Record]:
        if zone not in self.zones:
            raise Answer(404, {"message": "This service does not exist"})
        return self.zones[zone]

    def _list(self, request: Request, zone: str) -> Answer:
        kind, short = request.query.get("fieldType"), request.query.get("subDomain")
        found = [
            int(each.id)
            for each in self._zone(zone)
            if each.id.isdecimal() and kind in {None, each.type} and short in {None, relative(each.name, zone, apex="")}
        ]
        return Answer(200, found)

    def _create(self, request: Request, zone: str) -> Answer:
        self._zone(zone)
        body = request.body
        value = zone_file_value(body["target"])
        if value is None:
            value = None if " " in body["target"] else body["target"]
        if value is None or not 60 <= body["ttl"] <= 31536000:
            return Answer(400, {"class": "Client::BadRequest", "message": f"Invalid target or ttl: {body['target']}"})
        record = super().put(absolute(body["subDomain"], zone, apex=""), value, body["ttl"])
        return Answer(200, {"id": int(record.id), "zone": zone, **body})

    def _get(self, _request: Request, zone: str, record: str) -> Answer:
        for each in self._zone(zone):
            if each.id == record:
                content = {
                    "id": int(record),
                    "zone": zone,
                    "fieldType": each.type,
                    "subDomain": relative(each.name, zone, apex=""),
                    "target": zone_file(each.value),
                    "ttl": each.ttl,
                }
                return Answer(200, content)
        return self.unknown()

    def _delete(self, _request: Request, zone: str, record: str) -> Answer:
        self._zone(zone)
        return Answer(200) if self.drop(zone, record) else self.unknown()

    def _refresh(self, _request: Request | None, zone: str) -> Answer:
        self.served[zone] = list(self._zone(zone))
        return Answer(200)

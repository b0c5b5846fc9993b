"""GoDaddy's API v1 as its documentation has it: a name's records as a list, 600 s at least, rows without data."""

from unit.providers.fake_api import Answer, FakeApi, Request, Route, absolute

KEY, SECRET = "gd-key-0123456789", "gd-secret-0123456789"


class FakeGoDaddy(FakeApi):
    prefix = "/v1"

    def routes(self) -> list[Route]:
        records = "/domains/([^/]+)/records/TXT/([^/]+)"
        return [
            ("GET", "/domains", self._domains),
            ("GET", records, self._get),
            ("PUT", records, self._put),
            ("DELETE", records, self._delete),
        ]

    def authorized(self, request: Request) -> bool:
        return request.headers.get("authorization") == f"sso-key {KEY}:{SECRET}"

    def unauthorized(self) -> Answer:
        return Answer(401, {"code": "UNABLE_TO_AUTHENTICATE", "message": "Unauthorized : Could not authenticate"})

    def too_many(self) -> Answer:
        content = {"code": "TOO_MANY_REQUESTS", "message": "Too many requests", "retryAfterSec": 1}
        return Answer(429, content, {"Retry-After": "1"})

    def unknown(self) -> Answer:
        return Answer(404, {"code": "UNKNOWN_DOMAIN", "message": "The given domain is not registered"})

    def _domains(self, request: Request) -> Answer:
        assert request.query["statuses"] == "ACTIVE"
        zones = sorted(self.zones)
        marker = request.query.get("marker", "")
        left = [zone for zone in zones if zone > marker][: int(request.query["limit"])]
        return Answer(200, [{"domain": zone, "status": "ACTIVE"} for zone in left])

    def _get(self, _request: Request, zone: str, name: str) -> Answer:
        if zone not in self.zones:
            return self.unknown()
        rows = [
            {"data": each.value, "name": name, "ttl": each.ttl, "type": "TXT"}
            for each in self.at(zone, absolute(name, zone))
        ]
        return Answer(200, [*rows, {"data": "", "name": name, "ttl": 600, "type": "TXT"}])

    def _put(self, request: Request, zone: str, name: str) -> Answer:
        if zone not in self.zones:
            return self.unknown()
        if not request.body or any(row["ttl"] < 600 or not row["data"] for row in request.body):
            fields = [{"code": "UNEXPECTED_VALUE", "message": "is below the minimum of 600", "path": "records[0].ttl"}]
            return Answer(
                422, {"code": "INVALID_BODY", "message": "Request body doesn't fulfill schema", "fields": fields}
            )
        for each in self.at(zone, absolute(name, zone)):
            self.drop(zone, each.id)
        for row in request.body:
            self.put(absolute(name, zone), row["data"], row["ttl"])
        return Answer(200)

    def _delete(self, _request: Request, zone: str, name: str) -> Answer:
        records = self.at(zone, absolute(name, zone)) if zone in self.zones else []
        for each in records:
            self.drop(zone, each.id)
        return Answer(204) if records else self.unknown()

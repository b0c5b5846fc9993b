"""Gandi's LiveDNS API v5 as its documentation has it: whole RRsets, a least TTL of 300 s, no empty ones."""

from unit.providers.fake_api import Answer, FakeApi, Request, Route, absolute, page_of, zone_file, zone_file_value

TOKEN = "gandi-personal-token-0123456789"


class FakeGandi(FakeApi):
    prefix = "/v5/livedns"

    def routes(self) -> list[Route]:
        rrset = "/domains/([^/]+)/records/([^/]+)/TXT"
        return [
            ("GET", "/domains", self._domains),
            ("GET", rrset, self._get),
            ("PUT", rrset, self._put),
            ("DELETE", rrset, self._delete),
        ]

    def authorized(self, request: Request) -> bool:
        return request.headers.get("authorization") == f"Bearer {TOKEN}"

    def unauthorized(self) -> Answer:
        return Answer(401, {"object": "HTTPUnauthorized", "cause": "Unauthorized", "code": 401, "message": "Bad token"})

    def too_many(self) -> Answer:
        return Answer(429, {"code": 429, "message": "Too many requests", "object": "HTTPTooMany"}, {"Retry-After": "1"})

    def unknown(self) -> Answer:
        return Answer(404, {"object": "HTTPNotFound", "cause": "Not Found", "code": 404, "message": "Not there."})

    def _domains(self, request: Request) -> Answer:
        page, size = int(request.query.get("page", 1)), int(request.query.get("per_page", 100))
        return Answer(200, [{"fqdn": zone} for zone in page_of(list(self.zones), page=page, size=size)])

    def _get(self, _request: Request, zone: str, name: str) -> Answer:
        records = self.at(zone, absolute(name, zone)) if zone in self.zones else []
        if not records:
            return self.unknown()
        values = [zone_file(each.value) for each in records]
        return Answer(
            200, {"rrset_name": name, "rrset_type": "TXT", "rrset_ttl": records[0].ttl, "rrset_values": values}
        )

    def _put(self, request: Request, zone: str, name: str) -> Answer:
        if zone not in self.zones:
            return self.unknown()
        ttl, texts = request.body["rrset_ttl"], request.body["rrset_values"]
        values = [zone_file_value(text) for text in texts]
        if not 300 <= ttl <= 2592000 or not values or None in values or len(set(values)) < len(values):
            errors = [{"location": "body", "name": "rrset_ttl", "description": "300 is the minimum value"}]
            return Answer(400, {"object": "error", "cause": "Bad Request", "code": 400, "errors": errors})
        for each in self.at(zone, absolute(name, zone)):
            self.drop(zone, each.id)
        for value in values:
            self.put(absolute(name, zone), str(value), ttl)
        return Answer(201, {"message": "DNS Record Created"})

    def _delete(self, _request: Request, zone: str, name: str) -> Answer:
        records = self.at(zone, absolute(name, zone)) if zone in self.zones else []
        if not records:
            return self.unknown()
        for each in records:
            self.drop(zone, each.id)
        return Answer(204)

"""Hetzner's Cloud API as its documentation has it: actions on RRsets, a TTL that must agree, distinct values."""

from unit.providers.fake_api import (
    Answer,
    FakeApi,
    Request,
    Route,
    absolute,
    page_of,
    zone_file,
    zone_file_value,
)

TOKEN = "hetzner-token-0123456789"


class FakeHetzner(FakeApi):
    prefix = "/v1"

    def routes(self) -> list[Route]:
        rrset = "/zones/([^/]+)/rrsets/([^/]+)/([^/]+)"
        return [
            ("GET", "/zones", self._zones),
            ("GET", rrset, self._get),
            ("POST", f"{rrset}/actions/add_records", self._add),
            ("POST", f"{rrset}/actions/remove_records", self._remove),
        ]

    def authorized(self, request: Request) -> bool:
        return request.headers.get("authorization") == f"Bearer {TOKEN}"

    def unauthorized(self) -> Answer:
        return self.error(401, "unauthorized", "unable to authenticate")

    def too_many(self) -> Answer:
        answer = self.error(429, "rate_limit_exceeded", "limit of 3600 requests per hour reached")
        answer.headers = {"RateLimit-Limit": "3600", "RateLimit-Remaining": "0", "Retry-After": "1"}
        return answer

    def unknown(self) -> Answer:
        return self.error(404, "not_found", "resource not found")

    @staticmethod
    def error(status: int, code: str, message: str) -> Answer:
        return Answer(status, {"error": {"code": code, "message": message, "details": None}})

    def _zones(self, request: Request) -> Answer:
        page, size = int(request.query.get("page", 1)), int(request.query.get("per_page", 25))
        if not 1 <= size <= 50:
            return self.error(422, "invalid_input", "per_page must be at most 50")
        zones = [{"id": 4000 + place, "name": zone, "mode": "primary"} for place, zone in enumerate(self.zones)]
        last = -(-len(zones) // size)
        pagination = {"page": page, "per_page": size, "next_page": page + 1 if page < last else None, "last_page": last}
        return Answer(200, {"zones": page_of(zones, page=page, size=size), "meta": {"pagination": pagination}})

    def _zone(self, named: str) -> str:
        zones = list(self.zones)
        if named.isdecimal() and int(named) - 4000 in range(len(zones)):
            return zones[int(named) - 4000]
        if named not in zones:
            raise self.unknown()
        return named

    def _get(self, _request: Request, named: str, name: str, kind: str) -> Answer:
        zone = self._zone(named)
        records = self.at(zone, absolute(name, zone), kind)
        if not records:
            return self.unknown()
        values = [{"value": zone_file(each.value), "comment": ""} for each in records]
        rrset = {"name": name, "type": kind, "ttl": records[0].ttl, "records": values}
        return Answer(200, {"rrset": rrset})

    def _values(self, request: Request) -> list[str]:
        values = [zone_file_value(record["value"]) for record in request.body["records"]]
        if not values or None in values or len(set(values)) < len(values):
            raise self.error(422, "invalid_input", "invalid input in field 'records'")
        return [value for value in values if value is not None]

    def _add(self, request: Request, named: str, name: str, kind: str) -> Answer:
        zone, values, ttl = self._zone(named), self._values(request), request.body.get("ttl")
        have = self.at(zone, absolute(name, zone), kind)
        if ttl is not None and not 60 <= ttl <= 2147483647:
            return self.error(422, "invalid_input", "invalid input in field 'ttl'")
        if have and ttl not in {None, have[0].ttl}:
            return self.error(422, "invalid_input", "ttl does not match the RRSet's")
        if {each.value for each in have} & set(values):
            return self.error(422, "invalid_input", "record values must be distinct")
        for value in values:
            self.put(absolute(name, zone), value, have[0].ttl if have else ttl or 3600)
        return Answer(201, {"action": {"id": 1, "command": "add_rrset_records", "status": "running", "error": None}})

    def _remove(self, request: Request, named: str, name: str, kind: str) -> Answer:
        zone, values = self._zone(named), self._values(request)
        have = self.at(zone, absolute(name, zone), kind)
        if not have:
            return self.unknown()
        if not set(values) <= {each.value for each in have}:
            return self.error(422, "invalid_input", "record not found in the RRSet")
        for each in have:
            if each.value in values:
                self.drop(zone, each.id)
        return Answer(201, {"action": {"id": 2, "command": "remove_rrset_records", "status": "running", "error": None}})

"""Scaleway's Domains and DNS API v2beta1 as its documentation has it: a list of changes, pages with the whole count."""

from unit.providers.fake_api import (
    Answer,
    FakeApi,
    Request,
    Route,
    absolute,
    page_of,
    relative,
    zone_file,
    zone_file_value,
)

KEY = "11111111-2222-3333-4444-555555555555"


class FakeScaleway(FakeApi):
    prefix = "/domain/v2beta1"

    def routes(self) -> list[Route]:
        return [
            ("GET", "/dns-zones", self._zones),
            ("GET", "/dns-zones/([^/]+)/records", self._list),
            ("PATCH", "/dns-zones/([^/]+)/records", self._patch),
        ]

    def authorized(self, request: Request) -> bool:
        return request.headers.get("x-auth-token") == KEY

    def unauthorized(self) -> Answer:
        return Answer(
            401, {"message": "authentication is denied", "method": "api_key", "type": "denied_authentication"}
        )

    def too_many(self) -> Answer:
        return Answer(429, {"message": "too many requests", "type": "too_many_requests"}, {"Retry-After": "1"})

    def unknown(self) -> Answer:
        return Answer(404, {"message": "resource is not found", "resource": "dns_zone", "type": "not_found"})

    def _page(self, request: Request, member: str, items: list[object]) -> Answer:
        page, size = int(request.query.get("page", 1)), int(request.query.get("page_size", 20))
        if not 1 <= size <= 1000:
            return Answer(400, {"message": "invalid argument(s)", "type": "invalid_arguments"})
        return Answer(200, {member: page_of(items, page=page, size=size), "total_count": len(items)})

    def _zones(self, request: Request) -> Answer:
        zones: list[object] = []
        for zone in self.zones:
            labels = zone.split(".")
            zones.append({"domain": ".".join(labels[-2:]), "subdomain": ".".join(labels[:-2]), "status": "active"})
        return self._page(request, "dns_zones", zones)

    def _list(self, request: Request, zone: str) -> Answer:
        if zone not in self.zones:
            return self.unknown()
        wanted = request.query.get("name")
        records: list[object] = [
            {
                "id": each.id,
                "name": relative(each.name, zone, apex=""),
                "type": each.type,
                "data": zone_file(each.value),
                "ttl": each.ttl,
            }
            for each in self.zones[zone]
            if wanted in {None, "", relative(each.name, zone, apex="")}
            and request.query.get("type") in {None, each.type}
        ]
        return self._page(request, "records", records)

    def _patch(self, request: Request, zone: str) -> Answer:
        if zone not in self.zones:
            assert request.body["disallow_new_zone_creation"] is True
            return self.unknown()
        for change in request.body["changes"]:
            if "add" in change:
                for record in change["add"]["records"]:
                    value = zone_file_value(record["data"])
                    if value is None or record["ttl"] < 60:
                        return Answer(400, {"message": "invalid argument(s)", "type": "invalid_arguments"})
                    self.put(absolute(record["name"], zone, apex=""), value, record["ttl"])
            elif not self.drop(zone, change["delete"]["id"]):
                return Answer(404, {"message": "resource is not found", "resource": "record", "type": "not_found"})
        return Answer(200, {"records": []})

"""Vultr's API v2 as its documentation has it: cursors, data of TXT records in quotes."""

from unit.providers.fake_api import Answer, FakeApi, Request, Route, absolute, relative, zone_file, zone_file_value

KEY = "VULTRKEY0123456789"


class FakeVultr(FakeApi):
    prefix = "/v2"

    def routes(self) -> list[Route]:
        return [
            ("GET", "/domains", self._domains),
            ("GET", "/domains/([^/]+)/records", self._list),
            ("POST", "/domains/([^/]+)/records", self._create),
            ("DELETE", "/domains/([^/]+)/records/([^/]+)", self._delete),
        ]

    def authorized(self, request: Request) -> bool:
        return request.headers.get("authorization") == f"Bearer {KEY}"

    def unauthorized(self) -> Answer:
        return Answer(401, {"error": "Invalid API token.", "status": 401})

    def too_many(self) -> Answer:
        return Answer(429, {"error": "Rate limit reached", "status": 429}, {"Retry-After": "1"})

    def unknown(self) -> Answer:
        return Answer(404, {"error": "Invalid domain.", "status": 404})

    def _page(self, request: Request, member: str, items: list[object]) -> Answer:
        size, start = int(request.query.get("per_page", 100)), 0
        if not 1 <= size <= 500:
            return Answer(400, {"error": "Invalid per_page", "status": 400})
        if request.query.get("cursor"):
            start = int(request.query["cursor"].removeprefix("bmV4dF9f"))
        following = f"bmV4dF9f{start + size}" if start + size < len(items) else ""
        meta = {"total": len(items), "links": {"next": following, "prev": ""}}
        return Answer(200, {member: items[start : start + size], "meta": meta})

    def _domains(self, request: Request) -> Answer:
        return self._page(request, "domains", [{"domain": zone, "dns_sec": "disabled"} for zone in self.zones])

    def _list(self, request: Request, zone: str) -> Answer:
        if zone not in self.zones:
            return self.unknown()
        records: list[object] = [
            {
                "id": each.id,
                "type": each.type,
                "name": relative(each.name, zone, apex=""),
                "data": zone_file(each.value),
                "ttl": each.ttl,
            }
            for each in self.zones[zone]
        ]
        return self._page(request, "records", records)

    def _create(self, request: Request, zone: str) -> Answer:
        if zone not in self.zones:
            return self.unknown()
        body = request.body
        value = zone_file_value(body["data"])
        if value is None or body["ttl"] < 120:
            return Answer(400, {"error": "Unable to create record: Invalid data or TTL", "status": 400})
        record = self.put(absolute(body["name"], zone, apex=""), value, body["ttl"])
        return Answer(201, {"record": {"id": record.id}})

    def _delete(self, _request: Request, zone: str, record: str) -> Answer:
        return Answer(204) if self.drop(zone, record) else self.unknown()

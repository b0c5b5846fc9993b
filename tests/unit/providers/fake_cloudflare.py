"""Cloudflare's API v4 as its documentation has it: envelope, codes, quoted TXT content, identical records refused."""

from unit.providers.fake_api import Answer, FakeApi, Record, Request, Route, page_of, zone_file, zone_file_value

TOKEN = "cf-token-0123456789"
EMAIL, KEY = "owner@example.com", "cf-global-key-0123456789"


class FakeCloudflare(FakeApi):
    prefix = "/client/v4"

    def routes(self) -> list[Route]:
        return [
            ("GET", "/zones", self._zones),
            ("GET", "/zones/([^/]+)/dns_records", self._list),
            ("POST", "/zones/([^/]+)/dns_records", self._create),
            ("DELETE", "/zones/([^/]+)/dns_records/([^/]+)", self._delete),
        ]

    def authorized(self, request: Request) -> bool:
        by_key = (request.headers.get("x-auth-email"), request.headers.get("x-auth-key")) == (EMAIL, KEY)
        return by_key or request.headers.get("authorization") == f"Bearer {TOKEN}"

    def unauthorized(self) -> Answer:
        return self.error(403, 9109, "Invalid access token")

    def too_many(self) -> Answer:
        answer = self.error(429, 10100, "Please wait and consider throttling your request speed")
        answer.headers = {"Retry-After": "1"}
        return answer

    def unknown(self) -> Answer:
        return self.error(404, 7003, "Could not route to the path")

    @staticmethod
    def error(status: int, code: int, message: str) -> Answer:
        errors = [{"code": code, "message": message}]
        return Answer(status, {"success": False, "errors": errors, "messages": [], "result": None})

    @staticmethod
    def _page(request: Request, items: list[object], largest: int) -> Answer:
        page, size = int(request.query.get("page", 1)), int(request.query.get("per_page", 20))
        if size > largest or page < 1:
            return FakeCloudflare.error(400, 1004, "per_page is too large")
        info = {
            "page": page,
            "per_page": size,
            "total_count": len(items),
            "total_pages": -(-len(items) // size),
            "count": len(page_of(items, page=page, size=size)),
        }
        result = page_of(items, page=page, size=size)
        return Answer(200, {"success": True, "errors": [], "messages": [], "result": result, "result_info": info})

    def _zones(self, request: Request) -> Answer:
        wanted = request.query.get("name")
        zones: list[object] = [
            {"id": f"id-{zone}", "name": zone, "status": "active"} for zone in self.zones if wanted in {None, zone}
        ]
        if wanted == "example.com":
            zones.insert(0, {"id": "id-moved", "name": "example.com", "status": "moved"})
        return self._page(request, zones, 50)

    def _records_of(self, zone_id: str) -> list[Record]:
        zone = zone_id.removeprefix("id-")
        if zone not in self.zones:
            raise self.unknown()
        return self.zones[zone]

    def _list(self, request: Request, zone_id: str) -> Answer:
        found: list[object] = [
            {"id": each.id, "name": each.name, "type": each.type, "content": zone_file(each.value), "ttl": each.ttl}
            for each in self._records_of(zone_id)
            if request.query.get("name") in {None, each.name} and request.query.get("type") in {None, each.type}
        ]
        return self._page(request, found, 5000)

    def _create(self, request: Request, zone_id: str) -> Answer:
        records, body = self._records_of(zone_id), request.body
        value = zone_file_value(body["content"])
        if value is None:
            return self.error(400, 9009, "Content for TXT record is invalid. Must be quoted")
        if body["ttl"] != 1 and not 60 <= body["ttl"] <= 86400:
            return self.error(400, 9021, "Invalid TTL. Must be between 60 and 86400 seconds, or 1 for Automatic")
        if any((each.name, each.type, each.value) == (body["name"], body["type"], value) for each in records):
            return self.error(400, 81058, "An identical record already exists.")
        if self.zone_of(body["name"]) != zone_id.removeprefix("id-"):
            return self.error(400, 9000, "DNS name is invalid")
        record = self.put(body["name"], value, body["ttl"])
        return Answer(200, {"success": True, "errors": [], "messages": [], "result": {"id": record.id}})

    def _delete(self, _request: Request, zone_id: str, record: str) -> Answer:
        self._records_of(zone_id)
        if not self.drop(zone_id.removeprefix("id-"), record):
            return self.error(404, 81044, "Record does not exist.")
        return Answer(200, {"success": True, "errors": [], "messages": [], "result": {"id": record}})

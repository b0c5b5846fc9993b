"""Linode's API v4 as its documentation has it: pages with their count, targets without quotes, TTLs in steps."""

from unit.providers.fake_api import Answer, FakeApi, Request, Route, absolute, page_of, relative

TOKEN = "linode-token-0123456789"
STEPS = (0, 300, 3600, 7200, 14400, 28800, 57600, 86400, 172800, 345600, 604800, 1209600, 2419200)


class FakeLinode(FakeApi):
    prefix = "/v4"

    def routes(self) -> list[Route]:
        return [
            ("GET", "/domains", self._domains),
            ("GET", r"/domains/(\d+)/records", self._list),
            ("POST", r"/domains/(\d+)/records", self._create),
            ("DELETE", r"/domains/(\d+)/records/(\d+)", self._delete),
        ]

    def authorized(self, request: Request) -> bool:
        return request.headers.get("authorization") == f"Bearer {TOKEN}"

    def unauthorized(self) -> Answer:
        return Answer(401, {"errors": [{"reason": "Invalid Token"}]})

    def too_many(self) -> Answer:
        return Answer(429, {"errors": [{"reason": "Too many requests"}]}, {"Retry-After": "1"})

    def unknown(self) -> Answer:
        return Answer(404, {"errors": [{"reason": "Not found"}]})

    def _page(self, request: Request, items: list[object]) -> Answer:
        page, size = int(request.query.get("page", 1)), int(request.query.get("page_size", 100))
        # The vendor's least page is 25; smaller ones are let pass here, so that a test needs no hundred zones.
        pages = max(-(-len(items) // size), 1)
        if size > 500 or page > pages:
            return Answer(400, {"errors": [{"reason": "Must be 500 or less", "field": "page_size"}]})
        content = {"data": page_of(items, page=page, size=size), "page": page, "pages": pages, "results": len(items)}
        return Answer(200, content)

    def _zone(self, number: str) -> str:
        try:
            return list(self.zones)[int(number) - 7000]
        except IndexError:
            raise self.unknown() from None

    def _domains(self, request: Request) -> Answer:
        zones: list[object] = [{"id": 7000 + place, "domain": zone} for place, zone in enumerate(self.zones)]
        return self._page(request, zones)

    def _list(self, request: Request, number: str) -> Answer:
        zone = self._zone(number)
        records: list[object] = [
            {
                "id": int(each.id) if each.id.isdecimal() else 1,
                "type": each.type,
                "name": relative(each.name, zone, apex=""),
                "target": each.value,
                "ttl_sec": each.ttl,
            }
            for each in self.zones[zone]
        ]
        return self._page(request, records)

    def _create(self, request: Request, number: str) -> Answer:
        zone, body = self._zone(number), request.body
        if body["ttl_sec"] not in STEPS:
            return Answer(400, {"errors": [{"reason": "Must be one of the allowed values", "field": "ttl_sec"}]})
        record = self.put(absolute(body["name"], zone, apex=""), body["target"], body["ttl_sec"])
        return Answer(200, {"id": int(record.id)})

    def _delete(self, _request: Request, number: str, record: str) -> Answer:
        return Answer(200, {}) if self.drop(self._zone(number), record) else self.unknown()

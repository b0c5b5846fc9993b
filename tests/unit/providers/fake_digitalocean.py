"""DigitalOcean's API v2 as its documentation has it: links to pages, data without quotes, names filtered in full."""

from urllib.parse import urlencode

from unit.providers.fake_api import Answer, FakeApi, Request, Route, absolute, page_of, relative

TOKEN = "dop_v1_0123456789abcdef"


class FakeDigitalOcean(FakeApi):
    prefix = "/v2"

    def routes(self) -> list[Route]:
        return [
            ("GET", "/domains", self._domains),
            ("GET", "/domains/([^/]+)/records", self._list),
            ("POST", "/domains/([^/]+)/records", self._create),
            ("DELETE", r"/domains/([^/]+)/records/(\d+)", self._delete),
        ]

    def authorized(self, request: Request) -> bool:
        return request.headers.get("authorization") == f"Bearer {TOKEN}"

    def unauthorized(self) -> Answer:
        return Answer(401, {"id": "Unauthorized", "message": "Unable to authenticate you"})

    def too_many(self) -> Answer:
        content = {"id": "too_many_requests", "message": "API rate limit exceeded."}
        return Answer(429, content, {"ratelimit-limit": "5000", "ratelimit-remaining": "0", "retry-after": "1"})

    def unknown(self) -> Answer:
        return Answer(404, {"id": "not_found", "message": "The resource you were accessing could not be found."})

    def _page(self, request: Request, member: str, items: list[object]) -> Answer:
        page, size = int(request.query.get("page", 1)), int(request.query.get("per_page", 20))
        if not 1 <= size <= 200:
            return Answer(422, {"id": "unprocessable_entity", "message": "per_page must be between 1 and 200"})
        pages = {}
        if page * size < len(items):
            # The link names the vendor's public host, wherever the request went.
            query = urlencode({**request.query, "page": page + 1})
            pages = {"pages": {"next": f"https://api.digitalocean.com{request.path}?{query}"}}
        content = {member: page_of(items, page=page, size=size), "links": pages, "meta": {"total": len(items)}}
        return Answer(200, content)

    def _domains(self, request: Request) -> Answer:
        return self._page(request, "domains", [{"name": zone, "ttl": 1800} for zone in self.zones])

    def _list(self, request: Request, zone: str) -> Answer:
        if zone not in self.zones:
            return self.unknown()
        records: list[object] = [
            {
                "id": int(each.id) if each.id.isdecimal() else 1,
                "type": each.type,
                "name": relative(each.name, zone),
                "data": each.value,
                "ttl": each.ttl,
            }
            for each in self.zones[zone]
            if request.query.get("type") in {None, each.type} and request.query.get("name") in {None, each.name}
        ]
        return self._page(request, "domain_records", records)

    def _create(self, request: Request, zone: str) -> Answer:
        if zone not in self.zones:
            return self.unknown()
        body = request.body
        if body["ttl"] < 30 or body["name"].endswith(f".{zone}") or not body["data"]:
            return Answer(422, {"id": "unprocessable_entity", "message": "TTL, name or data is invalid"})
        record = self.put(absolute(body["name"], zone), body["data"], body["ttl"])
        return Answer(201, {"domain_record": {"id": int(record.id)}})

    def _delete(self, _request: Request, zone: str, record: str) -> Answer:
        return Answer(204) if self.drop(zone, record) else self.unknown()

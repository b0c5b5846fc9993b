"""IONOS's hosting DNS API v1 as its documentation has it: zones by id, full names, errors as a list."""

from unit.providers.fake_api import Answer, FakeApi, Request, Route, zone_file, zone_file_value

KEY = "prefix0123456789.secret0123456789"


class FakeIonos(FakeApi):
    prefix = "/dns/v1"

    def routes(self) -> list[Route]:
        return [
            ("GET", "/zones", self._zones),
            ("GET", "/zones/([^/]+)", self._zone),
            ("POST", "/zones/([^/]+)/records", self._create),
            ("DELETE", "/zones/([^/]+)/records/([^/]+)", self._delete),
        ]

    def authorized(self, request: Request) -> bool:
        return request.headers.get("x-api-key") == KEY

    def unauthorized(self) -> Answer:
        return Answer(
            401, [{"code": "UNAUTHORIZED", "message": "The customer is not authorized to do this operation."}]
        )

    def too_many(self) -> Answer:
        return Answer(429, [{"code": "RATE_LIMIT_EXCEEDED", "message": "Slow down"}], {"Retry-After": "1"})

    def unknown(self) -> Answer:
        return Answer(404, [{"code": "ZONE_NOT_FOUND", "message": "The requested zone does not exist."}])

    def _zones(self, _request: Request) -> Answer:
        return Answer(200, [{"id": f"uuid-{zone}", "name": zone, "type": "NATIVE"} for zone in self.zones])

    def _named(self, zone_id: str) -> str:
        zone = zone_id.removeprefix("uuid-")
        if zone not in self.zones or zone == zone_id:
            raise self.unknown()
        return zone

    def _zone(self, request: Request, zone_id: str) -> Answer:
        zone = self._named(zone_id)
        records = [
            {
                "id": each.id,
                "name": each.name,
                "rootName": zone,
                "type": each.type,
                "content": zone_file(each.value),
                "ttl": each.ttl,
                "disabled": False,
            }
            for each in self.zones[zone]
            if request.query.get("recordName") in {None, each.name}
            and request.query.get("recordType") in {None, each.type}
        ]
        content: dict[str, object] = {"id": zone_id, "name": zone, "type": "NATIVE"}
        return Answer(200, content | ({"records": records} if records else {}))

    def _create(self, request: Request, zone_id: str) -> Answer:
        zone = self._named(zone_id)
        for record in request.body:
            value = zone_file_value(record["content"])
            if value is None or record["ttl"] < 60 or self.zone_of(record["name"]) != zone:
                return Answer(400, [{"code": "INVALID_RECORD", "message": "Record is invalid", "invalid": ["ttl"]}])
            self.put(record["name"], value, record["ttl"])
        return Answer(201, [])

    def _delete(self, _request: Request, zone_id: str, record: str) -> Answer:
        if not self.drop(self._named(zone_id), record):
            return Answer(404, [{"code": "RECORD_NOT_FOUND", "message": "Record does not exist."}])
        return Answer(200)

"""deSEC's API as its documentation has it: whole RRsets in bulk, quotes, a least TTL, narrow limits, cursors."""

from unit.providers.fake_api import (
    Answer,
    FakeApi,
    Request,
    Route,
    absolute,
    relative,
    zone_file,
    zone_file_value,
)

TOKEN = "desec-token-0123456789abcdefg"
PAGE = 4


class FakeDesec(FakeApi):
    prefix = "/api/v1"

    def routes(self) -> list[Route]:
        return [
            ("GET", "/domains/", self._domains),
            ("GET", "/domains/([^/]+)/rrsets/", self._list),
            ("GET", "/domains/([^/]+)/rrsets/([^/]+)/([A-Z]+)/", self._get),
            ("PATCH", "/domains/([^/]+)/rrsets/", self._patch),
        ]

    def authorized(self, request: Request) -> bool:
        return request.headers.get("authorization") == f"Token {TOKEN}"

    def unauthorized(self) -> Answer:
        return Answer(401, {"detail": "Invalid token."})

    def too_many(self) -> Answer:
        content = {"detail": "Request was throttled. Expected available in 1 second."}
        return Answer(429, content, {"Retry-After": "1"})

    def unknown(self) -> Answer:
        return Answer(404, {"detail": "Not found."})

    def _domains(self, request: Request) -> Answer:
        wanted = request.query.get("owns_name")
        zones = list(self.zones)
        if wanted is not None:
            owners = [zone for zone in zones if wanted == zone or wanted.endswith(f".{zone}")]
            zones = sorted(owners, key=len)[-1:]
        return Answer(200, [{"name": zone, "minimum_ttl": 3600, "keys": []} for zone in zones])

    def _rrset(self, zone: str, name: str) -> dict[str, object]:
        records = self.at(zone, name)
        return {
            "domain": zone,
            "subname": relative(name, zone, apex=""),
            "name": f"{name}.",
            "type": "TXT",
            "ttl": records[0].ttl,
            "records": [zone_file(each.value) for each in records],
        }

    def _list(self, request: Request, zone: str) -> Answer:
        if zone not in self.zones:
            return self.unknown()
        assert request.query.get("type") == "TXT"
        names = sorted({each.name for each in self.zones[zone] if each.type == "TXT"})
        if "cursor" not in request.query and len(names) > PAGE:
            return Answer(400, {"detail": "Pagination required."}, {"Link": f'<{self.url}?cursor=>; rel="first"'})
        start = int(request.query.get("cursor") or 0)
        headers = {}
        if start + PAGE < len(names):
            link = f"https://desec.io{request.path}?cursor={start + PAGE}&type=TXT"
            headers = {"Link": f'<https://desec.io{request.path}?cursor=>; rel="first", <{link}>; rel="next"'}
        return Answer(200, [self._rrset(zone, name) for name in names[start : start + PAGE]], headers)

    def _get(self, _request: Request, zone: str, subname: str, _kind: str) -> Answer:
        if zone not in self.zones or not self.at(zone, absolute(subname, zone)):
            return self.unknown()
        return Answer(200, self._rrset(zone, absolute(subname, zone)))

    def _patch(self, request: Request, zone: str) -> Answer:
        if zone not in self.zones:
            return self.unknown()
        faults: list[dict[str, list[str]]] = []
        changes = []
        for rrset in request.body:
            values = [zone_file_value(text) for text in rrset["records"]]
            fault = {}
            if not 3600 <= rrset["ttl"] <= 86400:
                fault["ttl"] = ["Ensure this value is greater than or equal to 3600."]
            if None in values:
                fault["records"] = [
                    "Record content malformed: data for TXT records must be given using quotation marks."
                ]
            if len(set(values)) < len(values):
                fault["records"] = ["Duplicate record contents."]
            faults.append(fault)
            changes.append(
                (absolute(rrset["subname"], zone, apex=""), [v for v in values if v is not None], rrset["ttl"])
            )
        if any(faults):
            return Answer(400, faults)
        for name, wanted, ttl in changes:
            for each in self.at(zone, name):
                self.drop(zone, each.id)
            for value in wanted:
                self.put(name, value, ttl)
        return Answer(200, [])

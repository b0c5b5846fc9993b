"""Infoblox's WAPI as its documentation has it: references, views, pages, a cookie, quotes to keep spaces."""

import base64
import re

from unit.providers.fake_api import Answer, FakeApi, Record, Request, Route, zone_file, zone_file_value

USER, PASSWORD = "certwright", "infoblox-password-0123456789"
VIEW, OTHER = "internet", "inside"
FIELDS = {"_paging", "_return_as_object", "_max_results", "_return_fields", "_page_id"}


class FakeInfoblox(FakeApi):
    """A grid with two views; the second one has a zone of its own and the same record names.

    Attributes:
        inside: Records of the other view by zone.
    """

    prefix = "/wapi/v2.11"

    def __init__(self) -> None:
        super().__init__()
        self.inside: dict[str, list[Record]] = {"example.com": [], "secret.example.com": []}
        self._sessions: set[str] = set()

    def routes(self) -> list[Route]:
        return [
            ("GET", "/zone_auth", self._zone_auth),
            ("GET", "/record:txt", self._list),
            ("POST", "/record:txt", self._create),
            ("DELETE", "/(record:txt/[^/:]+:.+)", self._delete),
        ]

    def authorized(self, request: Request) -> bool:
        cookie = re.search(r"ibapauth=(\S+)", request.headers.get("cookie", ""))
        wanted = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        return bool(cookie and cookie[1] in self._sessions) or request.headers.get("authorization") == f"Basic {wanted}"

    def unauthorized(self) -> Answer:
        return Answer(401, "<html><h1>Authorization Required</h1></html>", {"Content-Type": "text/html"})

    def unknown(self) -> Answer:
        return self.refusal(404, "AdmConDataNotFoundError", "Client.Ibap.Data.NotFound", "Reference not found")

    def refusal(self, status: int, kind: str, code: str, text: str) -> Answer:
        return Answer(status, {"Error": f"{kind}: {text}", "code": code, "text": text})

    def view(self, name: object) -> dict[str, list[Record]]:
        if name not in {VIEW, OTHER}:
            raise self.refusal(404, "AdmConDataNotFoundError", "Client.Ibap.Data.NotFound", f"View {name} not found")
        return self.zones if name == VIEW else self.inside

    def ref(self, kind: str, number: str, name: str, view: str) -> str:
        opaque = base64.b64encode(f"dns.bind_txt$.{view}.{number}".encode()).decode().rstrip("=")
        return f"{kind}/{opaque}:{name}/{view}"

    def _page(self, request: Request, items: list[dict[str, object]]) -> Answer:
        query = request.query
        size = int(query.get("_max_results", 1000))
        if size > 1000 or (query.get("_paging") == "1") != (query.get("_return_as_object") == "1"):
            return self.refusal(400, "AdmConProtoError", "Client.Ibap.Proto", "Invalid value for an option")
        if query.get("_paging") != "1":
            return Answer(200, items)
        start = int(query.get("_page_id", "p0")[1:])
        content: dict[str, object] = {"result": items[start : start + size]}
        if start + size < len(items):
            content["next_page_id"] = f"p{start + size}"
        return Answer(200, content, {"Set-Cookie": f'ibapauth="{self._session()}"; httponly; Path=/'})

    def _session(self) -> str:
        self._sessions.add(f"session-{len(self._sessions)}")
        return f"session-{len(self._sessions) - 1}"

    def _zone_auth(self, request: Request) -> Answer:
        assert set(request.query) <= FIELDS | {"view", "fqdn"}
        view = request.query["view"]
        return self._page(
            request, [{"_ref": self.ref("zone_auth", zone, zone, view), "fqdn": zone} for zone in self.view(view)]
        )

    def _list(self, request: Request) -> Answer:
        assert set(request.query) <= FIELDS | {"view", "name", "text", "zone"}
        view = request.query["view"]
        found = [
            {
                "_ref": self.ref("record:txt", each.id, each.name, view),
                "name": each.name,
                "text": each.value if re.fullmatch(r'[^\s"]+', each.value) else zone_file(each.value),
            }
            for zone in self.view(view).values()
            for each in zone
            if each.type == "TXT" and each.name == request.query["name"]
        ]
        return self._page(request, found)

    def _create(self, request: Request) -> Answer:
        body = request.body
        view, name, text = body["view"], body["name"], body["text"]
        zones = self.view(view)
        zone = max((zone for zone in zones if name == zone or name.endswith(f".{zone}")), key=len, default=None)
        if zone is None:
            return self.refusal(
                400, "AdmConDataError", "Client.Ibap.Data", "The action is not allowed. A parent was not found."
            )
        # Without quotes, runs of spaces between words are lost.
        value = zone_file_value(text) if text.startswith('"') else "".join(text.split())
        if value is None or len(value) > 512 or not body["use_ttl"]:
            return self.refusal(400, "AdmConProtoError", "Client.Ibap.Proto", "Invalid value for field text")
        if any((each.name, each.value) == (name, value) for each in zones[zone]):
            text = f"The record '{name}' already exists."
            return self.refusal(400, "AdmConDataError", "Client.Ibap.Data.Conflict", text)
        if view == VIEW:
            record = self.put(name, value, body["ttl"])
        else:
            record = Record(str(next(self._ids)), name, "TXT", value, body["ttl"])
            zones[zone].append(record)
        return Answer(201, self.ref("record:txt", record.id, name, view))

    def _delete(self, _request: Request, ref: str) -> Answer:
        view = ref.rpartition("/")[2]
        for records in self.view(view).values():
            for each in records:
                if ref == self.ref("record:txt", each.id, each.name, view):
                    records.remove(each)
                    return Answer(200, ref)
        return self.unknown()

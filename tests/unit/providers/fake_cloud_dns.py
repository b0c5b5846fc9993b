"""Google Cloud DNS, its token endpoint and a metadata service, as their documentation has them.

https://cloud.google.com/dns/docs/reference/rest/v1, for tokens
https://developers.google.com/identity/protocols/oauth2/service-account#httprest, and for the metadata service
https://cloud.google.com/compute/docs/metadata/overview
"""

from __future__ import annotations

import base64
import itertools
import json
import time
from functools import cache
from typing import Any
from urllib.parse import parse_qs

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from unit.providers.fake_api import ZONES, Answer, FakeApi, Request, Route, zone_file, zone_file_value

PROJECT, EMAIL, KEY_ID = "my-project", "solver@my-project.iam.gserviceaccount.com", "0123456789abcdef"
NODE = "node@my-project.iam.gserviceaccount.com"
SCOPE = "https://www.googleapis.com/auth/ndev.clouddns.readwrite"
FLAVOR = {"Metadata-Flavor": "Google"}
Sets = dict[tuple[str, str], dict[str, Any]]


@cache
def private_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


def service_account_key(**changes: object) -> dict[str, object]:
    """The file that Google gives out."""
    pem = private_key().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return {
        "type": "service_account",
        "project_id": PROJECT,
        "private_key_id": KEY_ID,
        "private_key": pem.decode(),
        "client_email": EMAIL,
        "client_id": "1",
        "token_uri": "https://oauth2.googleapis.com/token",
        "universe_domain": "googleapis.com",
        **changes,
    }


class FakeCloudDNS(FakeApi):
    """The API below /dns/v1, tokens at /token, and the metadata service at / and /computeMetadata/v1/."""

    raw = True

    def __init__(self) -> None:
        super().__init__()
        self.base = self.url
        self.url = f"{self.base}/dns/v1"
        self.sets: dict[str, Sets] = {}
        self.visibility: dict[str, str] = {}
        self.names: dict[str, str] = {}
        for zone in ZONES:
            self.add_zone(zone.replace(".", "-"), zone)
        self.tokens: dict[str, float] = {}
        self.assertions: list[dict[str, Any]] = []
        self.on_gce = True
        self._count = itertools.count(1)

    def add_zone(self, known: str, name: str, visibility: str = "public") -> None:
        self.names[known], self.visibility[known] = name, visibility
        ns = {"name": f"{name}.", "type": "NS", "ttl": 21600, "rrdatas": ["ns-cloud-a1.googledomains.com."]}
        self.sets[known] = {(f"{name}.", "NS"): ns}

    def zone_id(self, name: str) -> str:
        bare = name.rstrip(".")
        fitting = [known for known, zone in self.names.items() if bare == zone or bare.endswith(f".{zone}")]
        return max(
            (known for known in fitting if self.visibility[known] == "public"), key=lambda known: len(self.names[known])
        )

    def txt(self, name: str) -> list[str]:
        with self._lock:
            rrset = self.sets[self.zone_id(name)].get((f"{name.rstrip('.')}.", "TXT"), {"rrdatas": []})
            return [value for form in rrset["rrdatas"] if (value := zone_file_value(form)) is not None]

    def put(self, name: str, value: str, ttl: int = 3600) -> Any:
        with self._lock:
            full = f"{name.rstrip('.')}."
            new = {"name": full, "type": "TXT", "ttl": ttl, "rrdatas": []}
            rrset = self.sets[self.zone_id(name)].setdefault((full, "TXT"), new)
            rrset["rrdatas"] = [*rrset["rrdatas"], zone_file(value)]

    def routes(self) -> list[Route]:
        zones = f"/dns/v1/projects/{PROJECT}/managedZones"
        accounts = "/computeMetadata/v1/instance/service-accounts"
        return [
            ("POST", "/token", self._token),
            ("GET", "/", lambda _request: Answer(200, "ok", FLAVOR) if self.on_gce else self.unknown()),
            ("GET", "/computeMetadata/v1/project/project-id", lambda _request: Answer(200, PROJECT, FLAVOR)),
            ("GET", f"{accounts}/default/?", self._account),
            ("GET", f"{accounts}/[^/]+/token", lambda _request: Answer(200, self._given("node"), FLAVOR)),
            ("GET", zones, self._zones),
            ("GET", f"{zones}/([^/]+)", lambda _request, known: Answer(200, self._zone(known))),
            ("GET", f"{zones}/([^/]+)/rrsets", self._rrsets),
            ("POST", f"{zones}/([^/]+)/changes", self._change),
        ]

    def authorized(self, request: Request) -> bool:
        if not request.path.startswith("/dns/"):
            return request.path == "/token" or request.headers.get("metadata-flavor") == "Google"
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        return self.tokens.get(token, 0) > time.time()

    def answer(self, request: Request) -> Answer:
        # Tokens are given by others, who know nothing of rights and limits there.
        if (self.expired or self.throttled) and not request.path.startswith("/dns/"):
            return self._routed(request)
        return super().answer(request)

    @staticmethod
    def error(status: int, reason: str, message: str) -> Answer:
        one = {"message": message, "domain": "global", "reason": reason}
        return Answer(status, {"error": {"code": status, "message": message, "errors": [one]}})

    def unauthorized(self) -> Answer:
        return self.error(401, "authError", "Request had invalid authentication credentials.")

    def too_many(self) -> Answer:
        return self.error(403, "rateLimitExceeded", "Rate Limit Exceeded")

    def unknown(self) -> Answer:
        return self.error(404, "notFound", "Not found")

    # Tokens.

    def _given(self, prefix: str) -> dict[str, Any]:
        token = f"ya29.{prefix}-{next(self._count)}"
        self.tokens[token] = time.time() + 3599
        return {"access_token": token, "expires_in": 3599, "token_type": "Bearer"}

    def _account(self, request: Request) -> Answer:
        account = {"email": NODE, "scopes": [SCOPE], "aliases": ["default"]}
        return Answer(200, account, FLAVOR) if request.query.get("recursive") == "true" else self.unknown()

    def _token(self, request: Request) -> Answer:
        assert request.headers["content-type"] == "application/x-www-form-urlencoded"
        form = {name: values[0] for name, values in parse_qs(request.body.decode()).items()}
        if form.get("grant_type") != "urn:ietf:params:oauth:grant-type:jwt-bearer":
            return Answer(400, {"error": "unsupported_grant_type"})
        head, claims, signature = form["assertion"].split(".")
        header, told = (json.loads(base64.urlsafe_b64decode(part + "==")) for part in (head, claims))
        self.assertions.append(told)
        try:
            private_key().public_key().verify(
                base64.urlsafe_b64decode(signature + "=="),
                f"{head}.{claims}".encode(),
                padding.PKCS1v15(),
                hashes.SHA256(),
            )
        except InvalidSignature:
            return Answer(400, {"error": "invalid_grant", "error_description": "Invalid JWT Signature."})
        now = time.time()
        good = (
            header["alg"] == "RS256"
            and header["kid"] == KEY_ID
            and told["iss"] == EMAIL
            and told["aud"] == "https://oauth2.googleapis.com/token"
            and told["scope"] == SCOPE
            and told["iat"] <= now + 60
            and now < told["exp"] <= told["iat"] + 3600
        )
        if not good:
            return Answer(400, {"error": "invalid_grant", "error_description": "Invalid grant: account not found"})
        return Answer(200, self._given("key"))

    # The API.

    def _zone(self, known: str) -> dict[str, Any]:
        if known not in self.names:
            raise self.error(404, "notFound", f"The 'parameters.managedZone' resource named '{known}' does not exist.")
        return {"name": known, "dnsName": f"{self.names[known]}.", "visibility": self.visibility[known]}

    def _page(self, request: Request, member: str, items: list[Any]) -> Answer:
        size, start = int(request.query.get("maxResults") or 100), int(request.query.get("pageToken") or 0)
        body = {"kind": "dns#list", member: items[start : start + size]}
        if start + size < len(items):
            body["nextPageToken"] = str(start + size)
        return Answer(200, body)

    def _zones(self, request: Request) -> Answer:
        return self._page(request, "managedZones", [self._zone(known) for known in sorted(self.names)])

    def _rrsets(self, request: Request, known: str) -> Answer:
        self._zone(known)
        name, kind = request.query.get("name"), request.query.get("type")
        if (kind and not name) or (name and not name.endswith(".")):
            return self.error(400, "invalid", "Invalid value for 'parameters.name'")
        found = [
            rrset
            for place, rrset in sorted(self.sets[known].items())
            if name in {None, place[0]} and kind in {None, place[1]}
        ]
        return self._page(request, "rrsets", found)

    def _change(self, request: Request, known: str) -> Answer:
        self._zone(known)
        body = json.loads(request.body)
        sets = dict(self.sets[known])
        if (
            len(body["additions"]) > 1000
            or len(body["deletions"]) > 1000
            or not (body["additions"] or body["deletions"])
        ):
            return self.error(400, "invalid", "The number of changes is over the limit")
        for number, rrset in enumerate(body["deletions"]):
            place, what = (rrset["name"], rrset["type"]), f"entity.change.deletions[{number}]"
            have = sets.pop(place, None)
            if have is None:
                told = f"The '{what}' resource named '{rrset['name']} (TXT)' does not exist."
                return self.error(404, "notFound", told)
            if (have["ttl"], sorted(have["rrdatas"])) != (rrset["ttl"], sorted(rrset["rrdatas"])):
                return self.error(412, "conditionNotMet", f"Precondition not met for '{what}'")
        for number, rrset in enumerate(body["additions"]):
            place, what = (rrset["name"], rrset["type"]), f"entity.change.additions[{number}]"
            if place in sets:
                told = f"The resource '{what}' named '{rrset['name']} (TXT)' already exists"
                return self.error(409, "alreadyExists", told)
            forms, zone = rrset["rrdatas"], f"{self.names[known]}."
            values = [zone_file_value(form) for form in forms]
            inside = rrset["name"] == zone or rrset["name"].endswith(f".{zone}")
            if not forms or None in values or len(set(values)) < len(values) or rrset["ttl"] < 0 or not inside:
                return self.error(400, "invalid", f"Invalid value for '{what}.rrdata[0]'")
            sets[place] = dict(rrset)
        self.sets[known] = sets
        return Answer(200, {"kind": "dns#change", "id": "7", "status": "pending"})

"""Route 53 as its documentation has it: signatures, XML, batches that are made whole or not at all, sorted pages.

https://docs.aws.amazon.com/Route53/latest/APIReference/ and, for signatures,
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

from __future__ import annotations

import hashlib
import hmac
import re
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

from unit.providers.fake_api import ZONES, Answer, FakeApi, Request, Route, zone_file, zone_file_value

KEY, SECRET = "AKIAEXAMPLE123456789", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
REGION = "us-east-1"
NS = "https://route53.amazonaws.com/doc/2013-04-01/"
DOCUMENT = '<?xml version="1.0"?>\n'
Sets = dict[tuple[str, str], tuple[int, list[str]]]


def signature_of(secret: str, request: Request, date: str, scope: str, signed: str) -> str:
    """Signature Version 4, step by step as AWS writes it down."""
    query = "&".join(
        f"{quote(key, safe='-_.~')}={quote(request.query[key], safe='-_.~')}" for key in sorted(request.query)
    )
    headers = "".join(f"{name}:{' '.join(request.headers[name].split())}\n" for name in signed.split(";"))
    payload = hashlib.sha256(request.body or b"").hexdigest()
    canonical = "\n".join([request.method, quote(request.path, safe="/-_.~"), query, headers, signed, payload])
    text = "\n".join(["AWS4-HMAC-SHA256", date, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    key = f"AWS4{secret}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    return hmac.digest(key, text.encode(), "sha256").hex()


class FakeRoute53(FakeApi):
    """Zones by id; keys by access key id, each with its secret and the session token that goes with it."""

    raw = True

    def __init__(self) -> None:
        super().__init__()
        self.keys = {KEY: (SECRET, "")}
        self.names = {f"Z{zone.replace('.', '').upper()}": zone for zone in ZONES}
        self.private: set[str] = set()
        self.sets: dict[str, Sets] = {
            known: {
                (zone, "NS"): (172800, ["ns-1.awsdns.example."]),
                (zone, "SOA"): (900, ["ns-1.awsdns.example. x. 1"]),
            }
            for known, zone in self.names.items()
        }
        self.extra = ""

    def add_zone(self, known: str, name: str, *, private: bool = False) -> None:
        self.names[known] = name
        self.sets[known] = {(name, "NS"): (172800, ["ns-2.awsdns.example."])}
        if private:
            self.private.add(known)

    def zone_id(self, name: str) -> str:
        bare = name.rstrip(".")
        fitting = [known for known, zone in self.names.items() if bare == zone or bare.endswith(f".{zone}")]
        return max((known for known in fitting if known not in self.private), key=lambda known: len(self.names[known]))

    def txt(self, name: str) -> list[str]:
        with self._lock:
            _, forms = self.sets[self.zone_id(name)].get((name.rstrip("."), "TXT"), (0, []))
            return [value for form in forms if (value := zone_file_value(form, base=8)) is not None]

    def put(self, name: str, value: str, ttl: int = 3600) -> Any:
        with self._lock:
            sets, place = self.sets[self.zone_id(name)], (name.rstrip("."), "TXT")
            have = sets.get(place, (ttl, []))
            sets[place] = (have[0], [*have[1], zone_file(value)])

    def routes(self) -> list[Route]:
        zone = "/2013-04-01/hostedzone/([A-Z0-9]+)/rrset/?"
        return [
            ("GET", "/2013-04-01/hostedzonesbyname", self._zones_by_name),
            ("GET", zone, self._list),
            ("POST", zone, self._change),
        ]

    def authorized(self, request: Request) -> bool:
        match = re.fullmatch(
            r"AWS4-HMAC-SHA256 Credential=(\w+)/(\S+), ?SignedHeaders=([\w;-]+), ?Signature=(\w+)",
            request.headers.get("authorization", ""),
        )
        if not match or match[1] not in self.keys:
            return False
        date, scope = request.headers["x-amz-date"], match[2]
        when = datetime.strptime(date, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        secret, token = self.keys[match[1]]
        if (
            not {"host", "x-amz-date"} <= set(match[3].split(";"))
            or request.headers.get("x-amz-security-token", "") != token
        ):
            return False
        if (
            scope != f"{date[:8]}/{REGION}/route53/aws4_request"
            or abs((datetime.now(UTC) - when).total_seconds()) > 900
        ):
            return False
        if signature_of(secret, request, date, scope, match[3]) != match[4]:
            raise self.error(403, "SignatureDoesNotMatch", "The request signature we calculated does not match.")
        return True

    def error(self, status: int, code: str, message: str) -> Answer:
        body = f"<Error><Type>Sender</Type><Code>{code}</Code><Message>{escape(message)}</Message></Error>"
        return Answer(status, f'{DOCUMENT}<ErrorResponse xmlns="{NS}">{body}<RequestId>1-2</RequestId></ErrorResponse>')

    def unauthorized(self) -> Answer:
        return self.error(403, "InvalidClientTokenId", "The security token included in the request is invalid.")

    def too_many(self) -> Answer:
        return self.error(400, "Throttling", "Rate exceeded")

    def unknown(self) -> Answer:
        return self.error(404, "UnknownOperationException", "")

    def refused(self, *messages: str) -> Answer:
        texts = "".join(f"<Message>{escape(message)}</Message>" for message in messages)
        return Answer(
            400, f'{DOCUMENT}<InvalidChangeBatch xmlns="{NS}"><Messages>{texts}</Messages></InvalidChangeBatch>'
        )

    def _zones_by_name(self, request: Request) -> Answer:
        start = (_order(request.query.get("dnsname", "")), request.query.get("hostedzoneid", ""))
        size = int(request.query.get("maxitems", "100"))
        if not 1 <= size <= 100:
            return self.error(400, "InvalidInput", "maxitems")
        places = sorted((_order(name), known) for known, name in self.names.items())
        places = [place for place in places if not request.query.get("dnsname") or place >= start]
        zones = "".join(
            f"<HostedZone><Id>/hostedzone/{known}</Id><Name>{_told(self.names[known])}.</Name><Config><PrivateZone>"
            f"{str(known in self.private).lower()}</PrivateZone></Config></HostedZone>"
            for _, known in places[:size]
        )
        following = "".join(
            f"<NextDNSName>{_told(self.names[known])}.</NextDNSName><NextHostedZoneId>{known}</NextHostedZoneId>"
            for _, known in places[size : size + 1]
        )
        return Answer(
            200,
            f'{DOCUMENT}<ListHostedZonesByNameResponse xmlns="{NS}"><HostedZones>{zones}</HostedZones>{following}'
            f"<IsTruncated>{str(bool(following)).lower()}</IsTruncated><MaxItems>{size}</MaxItems>"
            "</ListHostedZonesByNameResponse>",
        )

    def _zone(self, known: str) -> Sets:
        if known not in self.sets:
            raise self.error(404, "NoSuchHostedZone", f"No hosted zone found with ID: {known}")
        return self.sets[known]

    def _list(self, request: Request, known: str) -> Answer:
        sets = self._zone(known)
        if "type" in request.query and "name" not in request.query:
            return self.error(400, "InvalidInput", "type without name")
        start = (_order(request.query.get("name", "")), request.query.get("type", ""))
        size = min(int(request.query.get("maxitems", "300")), 300)
        places = sorted((_order(name), kind, name) for name, kind in sets)
        places = [place for place in places if "name" not in request.query or place[:2] >= start]
        listed = "".join(self._told(name, kind, *sets[name, kind]) for _, kind, name in places[:size])
        following = "".join(
            f"<NextRecordName>{_told(name)}.</NextRecordName><NextRecordType>{kind}</NextRecordType>"
            for _, kind, name in places[size : size + 1]
        )
        return Answer(
            200,
            f'{DOCUMENT}<ListResourceRecordSetsResponse xmlns="{NS}"><ResourceRecordSets>{listed}</ResourceRecordSets>'
            f"<IsTruncated>{str(bool(following)).lower()}</IsTruncated>{following}<MaxItems>{size}</MaxItems>"
            "</ListResourceRecordSetsResponse>",
        )

    def _told(self, name: str, kind: str, ttl: int, forms: list[str]) -> str:
        values = "".join(f"<ResourceRecord><Value>{escape(form)}</Value></ResourceRecord>" for form in forms)
        return (
            f"<ResourceRecordSet><Name>{_told(name)}.</Name><Type>{kind}</Type>{self.extra if kind == 'TXT' else ''}"
            f"<TTL>{ttl}</TTL><ResourceRecords>{values}</ResourceRecords></ResourceRecordSet>"
        )

    def _change(self, request: Request, known: str) -> Answer:
        sets = {place: (ttl, list(forms)) for place, (ttl, forms) in self._zone(known).items()}
        root = ET.fromstring(request.body)  # noqa: S314 - from the code under test
        assert root.tag == f"{{{NS}}}ChangeResourceRecordSetsRequest"
        changes = root.findall("{*}ChangeBatch/{*}Changes/{*}Change")
        every = [value.text or "" for value in root.iter(f"{{{NS}}}Value")]
        if not changes or len(every) > 1000 or sum(map(len, every)) > 32000:
            return self.refused("The number of records, or of characters, is over the limit")
        faults = [fault for change in changes if (fault := self._apply(sets, known, change))]
        if faults:
            return self.refused(*faults)
        self.sets[known] = sets
        info = "<Id>/change/C1</Id><Status>PENDING</Status><SubmittedAt>2026-11-25T12:00:00Z</SubmittedAt>"
        kind = "ChangeResourceRecordSetsResponse"
        return Answer(200, f'{DOCUMENT}<{kind} xmlns="{NS}"><ChangeInfo>{info}</ChangeInfo></{kind}>')

    def _apply(self, sets: Sets, known: str, change: ET.Element) -> str | None:  # noqa: PLR0911 - a rule, a return
        def text(path: str) -> str:
            return change.findtext("/".join(f"{{*}}{part}" for part in path.split("/"))) or ""

        name, kind = text("ResourceRecordSet/Name").rstrip(".").lower(), text("ResourceRecordSet/Type")
        ttl, forms = int(text("ResourceRecordSet/TTL")), [value.text or "" for value in change.iter(f"{{{NS}}}Value")]
        action, place, have = text("Action"), (name, kind), sets.get((name, kind))
        what = f"resource record set [name='{_told(name)}.', type='{kind}']"
        zone = self.names[known]
        if name != zone and not name.endswith(f".{zone}"):
            return f"RRSet with DNS name {name}. is not permitted in zone {zone}."
        if any(zone_file_value(form, base=8) is None for form in forms):
            problem = "InvalidCharacterString (Value should be enclosed in quotation marks)"
            return f"Invalid Resource Record: 'FATAL problem: {problem}'"
        if not forms or len(set(forms)) < len(forms) or ttl < 0:
            return f"Duplicate or missing Resource Record in {what}"
        if action == "CREATE" and have:
            return f"Tried to create {what} but it already exists"
        if action == "DELETE" and not have:
            return f"Tried to delete {what} but it was not found"
        if action == "DELETE" and have and (have[0] != ttl or sorted(have[1]) != sorted(forms)):
            return f"Tried to delete {what} but the values provided do not match the current values"
        if action == "DELETE":
            del sets[place]
        else:
            sets[place] = (ttl, forms)
        return None


def _order(name: str) -> str:
    return "".join(f"{label}." for label in reversed(name.rstrip(".").split("."))) if name else ""


def _told(name: str) -> str:
    """A name as Route 53 tells it: what is no letter, digit, hyphen, underscore or dot is an octal number."""
    return re.sub(r"[^a-z0-9._-]", lambda match: f"\\{ord(match[0]):03o}", name)

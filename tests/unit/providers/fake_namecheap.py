"""Namecheap's API as its documentation has it: all hosts at once, mail settings, allowed IPs, faults by number."""

import itertools
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs
from xml.sax.saxutils import quoteattr

from unit.providers.fake_api import Answer, FakeApi, Record, Request, Route, absolute, page_of, relative

USER, KEY, ADDRESS = "shop", "namecheap-key-0123456789", "192.0.2.44"
KINDS = ("A", "AAAA", "ALIAS", "CAA", "CNAME", "MX", "MXE", "NS", "TXT", "URL", "URL301", "FRAME")
MAIL = ("NONE", "MXE", "MX", "FWD", "OX", "GMAIL")
XML = {"Content-Type": "text/xml; charset=utf-8"}


@dataclass
class Host(Record):
    preference: int = 10


class FakeNamecheap(FakeApi):
    """The vendor; it knows registered domains only.

    Attributes:
        mail: The mail setting of each domain.
        own: Domains whose name servers are Namecheap's.
        allowed: IPs that may use the API.
        tells_mail: Whether getHosts has the attribute EmailType.
        attributes: More attributes of each host, as text.
    """

    prefix = "/xml.response"

    def __init__(self) -> None:
        super().__init__()
        del self.zones["sub.example.com"]
        self.zones["example.co.uk"] = []
        self.mail = dict.fromkeys(self.zones, "NONE")
        self.own = set(self.zones)
        self.allowed = {ADDRESS}
        self.tells_mail = True
        self.attributes = ' IsActive="true" AssociatedAppTitle=""'
        for zone in self.zones:
            rows = [
                ("@", "A", "192.0.2.1", 1800, 10),
                ("www", "CNAME", f"{zone}.", 1799, 10),
                ("@", "MX", "mail.example.net.", 3600, 20),
                ("@", "CAA", '0 issue "letsencrypt.org"', 1800, 10),
                ("old", "URL301", "https://example.org/?a=1&b=<2>", 1800, 10),
            ]
            self.zones[zone] = [self.host(zone, *row) for row in rows]
            self.mail[zone] = "MX"

    def host(self, zone: str, name: str, kind: str, address: str, *numbers: int) -> Host:
        return Host(str(next(self._ids)), absolute(name, zone), kind, address, *numbers)

    def foreign(self) -> list[object]:
        kept = [
            (zone, each.name, each.type, each.value, each.ttl, getattr(each, "preference", 10))
            for zone, records in self.zones.items()
            for each in records
            if each.type != "TXT"
        ]
        return [*kept, self.mail]

    def routes(self) -> list[Route]:
        return [("POST", "", self._command)]

    def parsed(self, kind: str, content: bytes) -> Any:
        assert kind == "application/x-www-form-urlencoded"
        return {name: values[0] for name, values in parse_qs(content.decode(), keep_blank_values=True).items()}

    def authorized(self, request: Request) -> bool:
        form = request.body
        assert not request.query  # no key in a URL
        if form.get("ApiUser") != USER or form.get("UserName") != USER:
            raise self.error("1010101", "Parameter APIUser is missing")
        if form.get("ApiKey") != KEY:
            raise self.unauthorized()
        if form.get("ClientIp") not in self.allowed:
            raise self.error("1011150", f"Invalid request IP: {form.get('ClientIp')}")
        return True

    def unauthorized(self) -> Answer:
        return self.error("1011102", "API Key is invalid or API access has not been enabled")

    def too_many(self) -> Answer:
        return Answer(405, "Too Many Requests", {"Content-Type": "text/plain", "Retry-After": "1"})

    def error(self, number: str, text: str) -> Answer:
        return Answer(
            200,
            f'<?xml version="1.0" encoding="utf-8"?><ApiResponse Status="ERROR" xmlns="http://api.namecheap.com/'
            f'xml.response"><Errors><Error Number="{number}">{text}</Error></Errors></ApiResponse>',
            XML,
        )

    def ok(self, command: str, inner: str) -> Answer:
        return Answer(
            200,
            f'<?xml version="1.0" encoding="utf-8"?><ApiResponse Status="OK" xmlns="http://api.namecheap.com/'
            f'xml.response"><Errors /><RequestedCommand>{command}</RequestedCommand><CommandResponse Type="{command}">'
            f"{inner}</CommandResponse><Server>S</Server><ExecutionTime>0.1</ExecutionTime></ApiResponse>",
            XML,
        )

    def _command(self, request: Request) -> Answer:
        name = request.body["Command"]
        commands = {
            "namecheap.domains.getList": self._list,
            "namecheap.domains.dns.getHosts": self._get,
            "namecheap.domains.dns.setHosts": self._set,
        }
        return self.ok(name, commands[name](request.body))

    def _list(self, form: dict[str, str]) -> str:
        page, size = int(form.get("Page", 1)), int(form.get("PageSize", 20))
        if not 10 <= size <= 100:
            raise self.error("2050166", "PageSize is out of range")
        found = [zone for zone in sorted(self.zones) if form.get("SearchTerm", "") in zone]
        rows = "".join(
            f'<Domain ID="{number}" Name="{zone}" User="{USER}" IsExpired="false" IsOurDNS="true" />'
            for number, zone in enumerate(page_of(found, page=page, size=size))
        )
        paging = f"<TotalItems>{len(found)}</TotalItems><CurrentPage>{page}</CurrentPage><PageSize>{size}</PageSize>"
        return f"<DomainGetListResult>{rows}</DomainGetListResult><Paging>{paging}</Paging>"

    def _domain(self, form: dict[str, str]) -> str:
        domain = f"{form['SLD']}.{form['TLD']}"
        if domain not in self.zones:
            raise self.error("2019166", f"Domain name not found ({domain})")
        return domain

    def _get(self, form: dict[str, str]) -> str:
        domain = self._domain(form)
        ours = str(domain in self.own).lower()
        mail = f' EmailType="{self.mail[domain]}"' if self.tells_mail else ""
        rows = "".join(
            f'<host HostId="{each.id}" Name={quoteattr(relative(each.name, domain))} Type="{each.type}" '
            f'Address={quoteattr(each.value)} MXPref="{getattr(each, "preference", 10)}" TTL="{each.ttl}"'
            f"{self.attributes} />"
            for each in self.zones[domain]
        )
        head = f'Domain="{domain}"{mail} IsUsingOurDNS="{ours}"'
        return f"<DomainDNSGetHostsResult {head}>{rows}</DomainDNSGetHostsResult>"

    def _set(self, form: dict[str, str]) -> str:
        domain = self._domain(form)
        if domain not in self.own:
            raise self.error("2030288", "Cannot complete this command as this domain is not using proper DNS servers")
        mail = form.get("EmailType", "NONE").upper()
        if mail not in MAIL:
            raise self.error("2050166", "EmailType is invalid")
        hosts = []
        for number in itertools.count(1):
            if f"HostName{number}" not in form:
                break
            name, kind, address, preference, ttl = (
                form[f"{key}{number}"] for key in ("HostName", "RecordType", "Address", "MXPref", "TTL")
            )
            if kind not in KINDS or not address or not 60 <= int(ttl) <= 60000:
                raise self.error("2050900", f"Invalid value for record {number}")
            if not re.fullmatch(r"[@*\w.+=-]{1,255}", name):
                raise self.error("2050900", f"Invalid HostName{number}")
            # Mail records that do not go with the mail setting are not kept.
            if kind not in {"MX", "MXE"} or kind == mail:
                hosts.append(self.host(domain, name, kind, address, int(ttl), int(preference)))
        if not hosts:
            raise self.error("2050900", "Parameter HostName1 is missing")
        if len(hosts) > 150:
            raise self.error("4013288", "Too many records")
        self.zones[domain], self.mail[domain] = list(hosts), mail
        return f'<DomainDNSSetHostsResult Domain="{domain}" IsSuccess="true" />'

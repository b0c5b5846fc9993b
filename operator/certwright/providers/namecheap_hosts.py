"""All host records of a domain at Namecheap as a value: read in full or not at all, changed, and written in full."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from certwright.errors import Terminal
from certwright.providers.namecheap_api import all_of, unreadable

if TYPE_CHECKING:
    import xml.etree.ElementTree as ET
    from collections.abc import Iterable

TTL: Final = "60"
"""Seconds; the least that the API takes."""
KINDS: Final = frozenset(["A", "AAAA", "ALIAS", "CAA", "CNAME", "MX", "MXE", "NS", "TXT", "URL", "URL301", "FRAME"])
"""The types of records that setHosts takes."""
NOT_WRITTEN: Final = "NotWritten"


@dataclass(frozen=True, slots=True)
class Host:
    """One host record, its members as the API spells them.

    Args:
        name: Relative to the domain; `@` for the domain itself.
        kind: Its type.
        address: Its data, a TXT value without quotes.
        preference: Of an MX record; every record has one here.
        ttl: Seconds.
    """

    name: str
    kind: str
    address: str
    preference: str = "10"
    ttl: str = TTL

    def __str__(self) -> str:
        """As a message shows it."""
        return f"{self.name} {self.kind} {self.address[:60]}"


@dataclass(frozen=True, slots=True)
class Hosts:
    """All of a domain.

    Args:
        hosts: The records, in the API's order.
        mail: The mail setting (EmailType), which a write without it would take away; empty where the API tells none.
    """

    hosts: tuple[Host, ...]
    mail: str

    @classmethod
    def of(cls, domain: str, response: ET.Element) -> Hosts:
        """Read the answer of getHosts.

        Raises:
            Retryable: It is not as documented, down to the last record.
            Terminal: The domain is served by others, or has what could not be written back.
        """
        results = all_of(response, "domaindnsgethostsresult")
        if [result.get("Domain", "").lower() for result in results] != [domain]:
            raise unreadable("domains.dns.getHosts")
        (result,) = results
        if result.get("IsUsingOurDNS", "").lower() != "true":
            raise Terminal(
                f"the name servers of {domain} are not Namecheap's, so its records there count for nothing; give it "
                "Namecheap's own name servers, or use the provider that serves it",
                reason=NOT_WRITTEN,
            )
        hosts = []
        for item in result:
            members = [item.get(name) for name in ("Name", "Type", "Address", "MXPref", "TTL")]
            if not item.tag.lower().endswith("host") or not all(members):
                raise unreadable("domains.dns.getHosts")
            name, kind, address, preference, ttl = map(str, members)
            host = Host(name, kind.upper(), address, preference, ttl)
            if host.kind not in KINDS or item.get("IsActive", "true").lower() != "true":
                raise Terminal(
                    f"{domain} has a record at Namecheap that is switched off or of a type that its API cannot write "
                    f"back ({host}), and any change writes all of them; remove it, or delegate the challenge's name by "
                    "a CNAME to another zone",
                    reason=NOT_WRITTEN,
                )
            hosts.append(host)
        return cls(tuple(hosts), result.get("EmailType") or _mail(hosts))

    def adding(self, wanted: Iterable[tuple[str, str]]) -> Hosts:
        """With these TXT values, each once."""
        have = {(host.name.lower(), host.address) for host in self.hosts if host.kind == "TXT"}
        new = tuple(Host(name, "TXT", value) for name, value in wanted if (name, value) not in have)
        return replace(self, hosts=self.hosts + new)

    def without(self, unwanted: Iterable[tuple[str, str]]) -> Hosts:
        """Without these TXT values."""
        gone = set(unwanted)
        left = [host for host in self.hosts if host.kind != "TXT" or (host.name.lower(), host.address) not in gone]
        return replace(self, hosts=tuple(left))

    def same_as(self, other: Hosts) -> bool:
        """Whether both have the same records, in whatever order, and the same mail setting."""
        return self.mail == other.mail and Counter(self.hosts) == Counter(other.hosts)

    def parameters(self, domain: str) -> dict[str, str]:
        """What setHosts takes.

        Raises:
            Terminal: There would be no record left, which the API has no words for.
        """
        if not self.hosts:
            raise Terminal(
                f"the record would be the last of {domain} to go, which Namecheap's API cannot do; remove it by hand",
                reason=NOT_WRITTEN,
            )
        found = {"EmailType": self.mail} if self.mail else {}
        for number, host in enumerate(self.hosts, 1):
            found |= {
                f"HostName{number}": host.name,
                f"RecordType{number}": host.kind,
                f"Address{number}": host.address,
                f"MXPref{number}": host.preference,
                f"TTL{number}": host.ttl,
            }
        return found


def _mail(hosts: Iterable[Host]) -> str:
    """The mail setting that these records need, where the API does not tell it."""
    kinds = {host.kind for host in hosts}
    return next((kind for kind in ("MXE", "MX") if kind in kinds), "")

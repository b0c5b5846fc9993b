"""Namecheap: the API knows no single record, only all host records of a domain at once, mail settings included.

So a change is the most dangerous one of all providers, and is made with care: one after the other in each process, from
a list that was read in full and read again right before it is written, with everything that is not ours written back as
it was, and read once more afterwards. What cannot be written back as it was, is not written at all.
"""

from __future__ import annotations

import ipaddress
from collections import Counter
from functools import cache
from typing import TYPE_CHECKING, Final

from publicsuffixlist import PublicSuffixList

from certwright.errors import InvalidSpec, Retryable, Terminal
from certwright.providers.api import CONFLICT
from certwright.providers.base import ConfigField, ProviderInfo
from certwright.providers.changes import ATTEMPTS, Account, one_at_a_time
from certwright.providers.credentials import credential
from certwright.providers.namecheap_api import SANDBOX, URL, Client, NamecheapApi
from certwright.providers.namecheap_hosts import Hosts
from certwright.providers.names import relative

if TYPE_CHECKING:
    from collections.abc import Sequence

    from certwright.providers.base import NamedValue, Secrets
    from certwright.resources.reading import Fields

__all__ = ["CLIENT", "PROVIDER", "URL", "Namecheap", "build", "endpoint"]

CLIENT = NamecheapApi
CHALLENGE: Final = "_acme-challenge"
SHOWN: Final = 3
"""Records that a message lists."""


class Namecheap(Account):
    """One account."""

    _api: NamecheapApi

    def add_txt(self, zone: str, name: str, value: str) -> None:
        """See providers.base."""
        self.add_many(zone, [(name, value)])

    def remove_txt(self, zone: str, name: str, value: str) -> None:
        """See providers.base."""
        self.remove_many(zone, [(name, value)])

    def add_many(self, zone: str, items: Sequence[NamedValue]) -> None:
        """See providers.base."""
        self._change(zone, items, add=True)

    def remove_many(self, zone: str, items: Sequence[NamedValue]) -> None:
        """See providers.base."""
        self._change(zone, items, add=False)

    def _change(self, zone: str, items: Sequence[NamedValue], *, add: bool) -> None:
        domain = self._zone_id(zone)
        wanted = [(relative(name, zone).lower(), value) for name, value in dict.fromkeys(items)]
        with one_at_a_time(self._api.endpoint.account, domain):
            written: Hosts | None = None
            for _ in range(ATTEMPTS):
                found = self._read(domain)
                if written:
                    _refuse_loss(domain, written, found)
                changed = found.adding(wanted) if add else found.without(wanted)
                if changed.same_as(found):
                    return
                if self._read(domain).same_as(found):
                    self._write(domain, changed)
                    written = changed
        raise Retryable(f"somebody else changes the records of {zone} at the same time; tried again", reason=CONFLICT)

    def _read(self, domain: str) -> Hosts:
        return Hosts.of(domain, self._api.command("namecheap.domains.dns.getHosts", _split(domain)))

    def _write(self, domain: str, hosts: Hosts) -> None:
        self._api.command("namecheap.domains.dns.setHosts", {**_split(domain), **hosts.parameters(domain)})

    def _zone_ids(self, names: Sequence[str]) -> dict[str, str | None]:
        """Only registered domains are zones; a search asks for one of them and finds those whose names have it in."""
        domain = _suffixes().privatesuffix(names[0])
        if domain is None or domain in self._known:
            return {**dict.fromkeys(names), **({domain: self._known[domain]} if domain else {})}
        query = {"ListType": "ALL", "SearchTerm": domain, "PageSize": 100}
        found = self._api.listed("namecheap.domains.getList", query, "Domain")
        mine = any(item.get("Name", "").lower() == domain for item in found)
        return {**dict.fromkeys(names), domain: domain if mine else None}


def _refuse_loss(domain: str, written: Hosts, found: Hosts) -> None:
    """See whether all that was written back is there.

    Records of challenges are left out: other processes take theirs away at any time.

    Raises:
        Terminal: Something else is not there any more.
    """
    lost = Counter(host for host in written.hosts if not host.name.startswith(CHALLENGE))
    lost -= Counter(found.hosts)
    if lost:
        told = "; ".join(str(host) for host in list(lost)[:SHOWN])
        more = f" and {len(lost) - SHOWN} more" if len(lost) > SHOWN else ""
        raise Terminal(
            f"records of {domain} are gone or have changed at Namecheap since they were written back a moment ago: "
            f"{told}{more}; compare them with what should be there",
            reason="RecordsLost",
        )


@cache
def _suffixes() -> PublicSuffixList:
    return PublicSuffixList(only_icann=True)


def _split(domain: str) -> dict[str, str]:
    """A domain as the API wants it; its first label is the registered one."""
    first, _, rest = domain.partition(".")
    return {"SLD": first, "TLD": rest}


def endpoint(config: Fields, secrets: Secrets) -> Client:
    """The account."""
    user, address = config.text("apiUser"), config.text("clientIP")
    if not user:
        raise InvalidSpec(f"{config.at('apiUser')}: must be the account's user name")
    try:
        address = str(ipaddress.IPv4Address(address))
    except ValueError:
        raise InvalidSpec(
            f"{config.at('clientIP')}: must be the IPv4 address that the operator's requests come from"
        ) from None
    return Client(
        "Namecheap",
        SANDBOX if config.flag("sandbox") else URL,
        f"to use the API (Namecheap gives it to larger accounts only), from the address {address}",
        credentials=(credential(config, secrets, "apiKey"),),
        user=user,
        address=address,
    )


def build(config: Fields, secrets: Secrets) -> Namecheap:
    """Make the provider; raises InvalidSpec naming the field that is wrong."""
    return Namecheap(NamecheapApi(endpoint(config, secrets)))


PROVIDER = ProviderInfo(
    name="namecheap",
    description="Namecheap, domains with its BasicDNS or PremiumDNS name servers",
    fields=(
        ConfigField("apiUser", "The account's user name.", required=True),
        ConfigField("apiKeySecretRef", "API key of that user.", required=True, secret=True),
        ConfigField(
            "clientIP",
            "IPv4 address that the operator's requests come from; it must be on the account's list of allowed IPs.",
            required=True,
        ),
        ConfigField("sandbox", "Whether to use Namecheap's sandbox; false by default."),
    ),
    build=build,
)

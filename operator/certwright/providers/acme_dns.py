"""acme-dns: a server that holds nothing but challenges, reached by a CNAME; each name has an account of its own there.

It keeps the two newest values of an account and lets none be removed: an old one goes when a new one comes.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import dns.exception
import dns.resolver

from certwright.errors import InvalidSpec, Terminal
from certwright.providers.api import Api, Endpoint
from certwright.providers.base import ConfigField, ProviderInfo
from certwright.providers.credentials import Credential, content_of
from certwright.providers.names import bare

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from certwright.providers.base import Secrets
    from certwright.resources.reading import Fields

CNAME_MISSING: Final = "CNAMEMissing"
CHALLENGE: Final = "_acme-challenge."
LOOKUP_SECONDS: Final = 3.0


@dataclass(frozen=True, slots=True)
class Registration:
    """One account at the server: what it gave out when a name was registered."""

    domain: str
    full_name: str
    subdomain: str
    user: str = field(repr=False)
    password: str = field(repr=False)


class AcmeDNS:
    """One server and the accounts there.

    Args:
        endpoint: The server.
        registrations: The accounts.
        source: Where they are from, for messages.
        cname_of: Tells where a name's CNAME points to; "" when there is none, None when it cannot be told.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        registrations: tuple[Registration, ...],
        source: str,
        *,
        cname_of: Callable[[str], str | None],
    ) -> None:
        self._endpoint = endpoint
        self._source = source
        self._cname_of = cname_of
        self._by_target = {each.full_name: each for each in registrations}
        self._by_domain = {each.domain: each for each in registrations}

    def add_txt(self, zone: str, name: str, value: str) -> None:  # noqa: ARG002 - the account says where
        """Have the server serve the value beside the newest of the others.

        Raises:
            Terminal: No account is for this name, or the CNAME to it is missing; says which to create.
        """
        wanted = bare(name)
        found = self._by_target.get(wanted)
        if found is None:
            found = self._by_domain.get(wanted.removeprefix(CHALLENGE))
            if found is None:
                have = ", ".join(sorted(self._by_domain)) or "none"
                raise Terminal(
                    f"{self._source} has no acme-dns account for {name}; register one and add it (it has {have})",
                    reason="AccountMissing",
                )
            # The name itself was to be written: the CNAME was not found, or was not to be followed.
            target = self._cname_of(wanted)
            if target is not None and bare(target) != found.full_name:
                raise Terminal(
                    f"create the CNAME record {wanted}. → {found.full_name}.; acme-dns serves the challenge there"
                    + (f", and now it points to {target}" if target else ""),
                    reason=CNAME_MISSING,
                )
        headers = {"X-Api-User": found.user, "X-Api-Key": found.password}
        secret = Credential(found.password, self._source)
        api = Api(
            Endpoint(
                self._endpoint.vendor,
                self._endpoint.url,
                f"to update {found.subdomain} from the operator's address (see allowfrom of the account)",
                headers,
                (secret,),
                url_field=self._endpoint.url_field,
            )
        )
        api.send("POST", "/update", body={"subdomain": found.subdomain, "txt": value})

    def remove_txt(self, zone: str, name: str, value: str) -> None:
        """Leave it: the server cannot remove a value, and the next but one pushes it out."""

    def find_zone(self, name: str) -> str | None:  # noqa: ARG002 - the interface
        """The server has no list; the zone does not matter to it."""
        return None


def _cname_of(name: str) -> str | None:
    """Ask the system's resolver."""
    try:
        answer = dns.resolver.resolve(f"{name}.", "CNAME", lifetime=LOOKUP_SECONDS)
    except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
        return ""
    except (dns.exception.DNSException, OSError):
        return None
    return str(answer[0].target)


def _registrations(content: bytes, where: str) -> tuple[Registration, ...]:
    """Read acme-dns's accounts as its clients store them: an object with one account for each domain."""
    try:
        accounts = json.loads(content)
        return tuple(_registration(bare(domain), account) for domain, account in accounts.items())
    except (ValueError, TypeError, AttributeError, KeyError):
        pass
    raise InvalidSpec(
        f"{where} is not a JSON object of accounts by domain, each with fulldomain, subdomain, username and password"
    )


def _registration(domain: str, account: Mapping[str, object]) -> Registration:
    full_name, *rest = (account[name] for name in ("fulldomain", "subdomain", "username", "password"))
    texts = [text for text in (full_name, *rest) if isinstance(text, str) and text.isascii() and text.isprintable()]
    if len(texts) != 4:  # noqa: PLR2004 - the four above
        raise ValueError
    return Registration(domain.removeprefix("*."), bare(texts[0]), *texts[1:])


def build(config: Fields, secrets: Secrets) -> AcmeDNS:
    """Make the provider of `dns01.acmeDNS`; raises InvalidSpec naming the field that is wrong."""
    host = config.text("host").strip()
    url = host if "://" in host else f"https://{host}"
    endpoint = Endpoint("acme-dns", url, "to update the account", url_field=config.at("host"))
    Api(endpoint)  # that the URL is one shows here
    content, where = content_of(config, secrets, "account")
    return AcmeDNS(endpoint, _registrations(content, where), where, cname_of=_cname_of)


PROVIDER = ProviderInfo(
    name="acmeDNS",
    description="acme-dns",
    fields=(
        ConfigField("host", "URL of the server's API; https where it is without a scheme.", required=True),
        ConfigField(
            "accountSecretRef",
            "The accounts as acme-dns's clients store them: a JSON object by domain, each with fulldomain, subdomain, "
            "username and password.",
            required=True,
            secret=True,
        ),
    ),
    build=build,
)

"""Where a redirect leads, as far as a CA would go with it.

The rules are the CA/Browser Forum's (Baseline Requirements 3.2.2.4.19) as Let's Encrypt has them: four status codes,
http and https, ports 80 and 443. It connects to nothing.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, urljoin, urlsplit

from certwright.dns.names import canonical
from certwright.errors import InvalidSpec
from certwright.resources.values import clip

FOLLOWED: Final = frozenset({301, 302, 307, 308})
MAX_REDIRECTS: Final = 10
PATH_SHOWN: Final = 60
_SAFE: Final = "/%:@!$&'()*+,;=~"


class RedirectError(ValueError):
    """A redirect that no CA follows; the text says why, for people."""


@dataclass(frozen=True, slots=True)
class Ports:
    """The ports that a CA goes to; others than these are for tests."""

    http: int = 80
    https: int = 443


@dataclass(frozen=True, slots=True)
class Hop:
    """One URL on the way.

    Args:
        host: Lower-case A-labels without a final dot, or an IP address without brackets.
        port: The port.
        target: Path and query, encoded.
        tls: Whether it is https.
        odd: Whether the port is not the scheme's own, so that it has to be named.
    """

    host: str
    port: int
    target: str
    tls: bool = False
    odd: bool = False

    @property
    def authority(self) -> str:
        """Host and port as a URL and the Host header have them."""
        return bracketed(self.host) + (f":{self.port}" if self.odd else "")

    @property
    def origin(self) -> str:
        """Scheme and host, for people."""
        return f"{'https' if self.tls else 'http'}://{self.authority}"

    def shown(self, path: str) -> str:
        """The URL for people, bounded and without its query; a path that everybody knows is left out."""
        own = self.target.partition("?")[0]
        return self.origin + ("" if own == path else clip(own, PATH_SHOWN))

    def to(self, location: str, ports: Ports) -> Hop:
        """Where a Location header leads from here.

        Raises:
            RedirectError: No CA would go there.
        """
        if not location:
            raise RedirectError("a redirect without a usable Location")
        try:
            given, url = urlsplit(location), urlsplit(urljoin(self.origin + self.target, location))
            port = url.port
        except ValueError:
            raise RedirectError("redirected to something that is not a URL") from None
        if url.scheme not in {"http", "https"}:
            raise RedirectError(f"redirected to {clip(url.scheme, 20)}:; a CA follows http and https only")
        host = _host(url.hostname or "" if given.netloc or not given.scheme else "")
        tls = url.scheme == "https"
        usual = ports.https if tls else ports.http
        port = usual if port is None else port
        if port not in {ports.http, ports.https}:
            raise RedirectError(f"redirected to port {port} of {clip(host, 80)}; a CA follows to ports 80 and 443 only")
        query = f"?{quote(url.query, safe=_SAFE + '?')}" if url.query else ""
        return Hop(host, port, quote(url.path or "/", safe=_SAFE) + query, tls, odd=port != usual)


def bracketed(host: str) -> str:
    """A host for a URL or a Host header: an IPv6 address in brackets."""
    return f"[{host}]" if ":" in host else host


def is_literal(host: str) -> bool:
    """Whether a host is an IP address and no name."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _host(text: str) -> str:
    if "%" in text:
        raise RedirectError("redirected to an address with a zone, which means nothing elsewhere")
    if is_literal(text):
        return str(ipaddress.ip_address(text))
    try:
        return canonical(text).to_text(omit_final_dot=True)
    except InvalidSpec:
        raise RedirectError("redirected to a host that is not a DNS name") from None

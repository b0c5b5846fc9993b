"""Short names for well-known ACME servers, and the servers known to be gone.

Data only: whether a server answers is the directory's matter.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from certwright.errors import InvalidSpec

SERVERS = {
    "letsencrypt": "https://acme-v02.api.letsencrypt.org/directory",
    "letsencrypt-staging": "https://acme-staging-v02.api.letsencrypt.org/directory",
    "zerossl": "https://acme.zerossl.com/v2/DV90",
    "google": "https://dv.acme-v02.api.pki.goog/directory",
    "google-staging": "https://dv.acme-v02.test-api.pki.goog/directory",
    "buypass": "https://api.buypass.com/acme/directory",
    "sslcom": "https://acme.ssl.com/sslcom-dv-rsa",
}
"""Directory URLs by short name."""

_RETIRED = {
    "acme-v01.api.letsencrypt.org": "letsencrypt",
    "acme-staging.api.letsencrypt.org": "letsencrypt-staging",
}


def directory_url(server: str, *, allow_http: bool = False) -> str:
    """Turn what a person wrote as the server into a directory URL.

    Args:
        server: A short name or an https URL.
        allow_http: Accept plain http too, for tests.

    Returns:
        The URL of the directory.

    Raises:
        InvalidSpec: It is neither a name nor a URL that could be one, or the server has been switched off.
    """
    server = server.strip()
    if server in SERVERS:
        return SERVERS[server]
    names = ", ".join(SERVERS)
    try:
        parts = urlsplit(server)
        scheme, host = parts.scheme.lower(), parts.hostname
        _ = parts.port  # a port that is no number shows only when it is looked at
    except ValueError:
        scheme, host = "", None
    if not host or scheme not in {"https", "http"}:
        raise InvalidSpec(f"spec.acme.server: {server[:100]!r} is neither an https URL nor one of {names}")
    if scheme == "http" and not allow_http:
        raise InvalidSpec(f"spec.acme.server: {server[:100]!r} must be https; ACME does not speak plain http")
    if host in _RETIRED:
        successor = _RETIRED[host]
        raise InvalidSpec(
            f"spec.acme.server: {host} spoke the first version of ACME and is switched off; "
            f"use {successor!r}, that is {SERVERS[successor]}"
        )
    return server

"""The protocol of lego's httpreq: a program of one's own takes `present` and `cleanup`, with a name and a value."""

from __future__ import annotations

from typing import TYPE_CHECKING

from certwright.providers.api import Api, Endpoint
from certwright.providers.base import ConfigField, ProviderInfo
from certwright.providers.credentials import SECRET_REF, Credential, basic_authorization, has_credential

if TYPE_CHECKING:
    from certwright.providers.base import Secrets
    from certwright.resources.reading import Fields


class HttpReq:
    """One server; what it does with a value is its own affair.

    Args:
        api: The server.
    """

    def __init__(self, api: Api) -> None:
        self._api = api

    def add_txt(self, zone: str, name: str, value: str) -> None:  # noqa: ARG002 - the server knows its zones
        """POST present."""
        self._api.send("POST", "/present", body={"fqdn": name, "value": value})

    def remove_txt(self, zone: str, name: str, value: str) -> None:  # noqa: ARG002 - the server knows its zones
        """POST cleanup."""
        self._api.send("POST", "/cleanup", body={"fqdn": name, "value": value})

    def find_zone(self, name: str) -> str | None:  # noqa: ARG002 - the interface
        """The protocol has no such question."""
        return None


def endpoint(config: Fields, secrets: Secrets) -> Endpoint:
    """The server, with or without credentials."""
    headers: dict[str, str] = {}
    used: tuple[Credential, ...] = ()
    if "username" in config or has_credential(config, "password") or SECRET_REF in config:
        headers, password = basic_authorization(config, secrets)
        used = (password,)
    return Endpoint(
        "the httpreq server",
        config.text("endpoint"),
        "to present and clean up this name",
        headers,
        used,
        url_field=config.at("endpoint"),
        ca_bundle=config.text("caBundle"),
    )


def build(config: Fields, secrets: Secrets) -> HttpReq:
    """Make the provider; raises InvalidSpec naming the field that is wrong."""
    return HttpReq(Api(endpoint(config, secrets)))


PROVIDER = ProviderInfo(
    name="httpreq",
    description="any server that speaks the protocol of lego's httpreq (not its RAW mode)",
    fields=(
        ConfigField("endpoint", "URL below which `present` and `cleanup` are.", required=True),
        ConfigField("username", "User for HTTP Basic authentication."),
        ConfigField("passwordSecretRef", "The user's password.", secret=True),
        ConfigField("caBundle", "Certificates in PEM to trust in place of the system's."),
    ),
    build=build,
)

"""What an HTTP-01 challenge asks for: one body, at one path, of one host (RFC 8555 section 8.3)."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field

WELL_KNOWN = "/.well-known/acme-challenge/"


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to one challenge.

    Args:
        identifier: DNS name, or IP address without brackets.
        token: The challenge's.
        key_authorization: The body that has to be served: the token, a dot, the thumbprint of the account's key.
        bundle: Name that the objects which serve it have in common.
    """

    identifier: str
    token: str = ""
    key_authorization: str = field(default="", repr=False)
    bundle: str = ""

    @property
    def path(self) -> str:
        """Where on the host it has to be."""
        return WELL_KNOWN + self.token

    @property
    def is_address(self) -> bool:
        """Whether the identifier is an IP address (RFC 8738) and no DNS name."""
        try:
            ipaddress.ip_address(self.identifier)
        except ValueError:
            return False
        return True

"""What an HTTP-01 challenge wants to find, and where (RFC 8555 section 8.3)."""

from __future__ import annotations

from dataclasses import dataclass, field

WELL_KNOWN = "/.well-known/acme-challenge/"


@dataclass(frozen=True, slots=True)
class Answer:
    """One name's answer.

    Args:
        identifier: DNS name or IP address, IPv6 without brackets.
        token: The challenge's token.
        key_authorization: What has to be served: TOKEN.THUMBPRINT.
    """

    identifier: str
    token: str
    key_authorization: str = field(repr=False)

    @property
    def path(self) -> str:
        """Where a CA asks for it."""
        return WELL_KNOWN + self.token

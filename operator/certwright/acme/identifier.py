"""What a certificate is asked for: a DNS name (RFC 8555 9.7.7) or an IP address (RFC 8738)."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address


@dataclass(frozen=True, slots=True)
class Identifier:
    """One identifier; `type` is "dns" or "ip", or what a server thinks up; `value` is in its canonical form."""

    type: str
    value: str

    @classmethod
    def of(cls, name: str) -> Identifier:
        """Make one from a name: an IP literal becomes "ip", anything else "dns"."""
        try:
            return cls("ip", str(ip_address(name)))
        except ValueError:
            return cls("dns", name.lower())

    @classmethod
    def read(cls, body: object) -> Identifier | None:
        """Read one from a server's object; None when it is none."""
        if not isinstance(body, dict):
            return None
        kind, value = body.get("type"), body.get("value")
        if not isinstance(kind, str) or not isinstance(value, str):
            return None
        return cls.of(value) if kind in {"dns", "ip"} else cls(kind, value)

    def body(self) -> dict[str, str]:
        """As it goes into an order."""
        return {"type": self.type, "value": self.value}

    def __str__(self) -> str:
        return self.value

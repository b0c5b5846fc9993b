"""Reading a server's JSON without trusting it: a missing or odd member is None, a missing essential is a fault.

Nothing here repeats a body in a message: it may be anything, of any length.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from certwright.errors import Retryable


def malformed(url: str, what: str) -> Retryable:
    """Build the fault for a reply that breaks the protocol; it may be a proxy's doing, so it is tried again."""
    return Retryable(
        f"{url[:160]}: {what}; if this lasts, look for a proxy in between or ask the CA", reason="MalformedReply"
    )


def json_object(body: bytes, *, url: str) -> dict[str, Any]:
    """Parse a reply that must be a JSON object.

    Raises:
        Retryable: It is not.
    """
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        raise malformed(url, "the reply is not JSON") from None
    if not isinstance(value, dict):
        raise malformed(url, "the reply is not a JSON object")
    return value


def text(body: dict[str, Any], name: str) -> str | None:
    """Read a string member; None when it is missing, empty or something else."""
    value = body.get(name)
    return value if isinstance(value, str) and value else None


def texts(body: dict[str, Any], name: str) -> tuple[str, ...]:
    """Read an array of strings; whatever else is in it is left out."""
    value = body.get(name)
    return tuple(item for item in value if isinstance(item, str)) if isinstance(value, list) else ()


def required(body: dict[str, Any], name: str, *, url: str) -> str:
    """Read a string member that the protocol requires.

    Raises:
        Retryable: It is missing.
    """
    value = text(body, name)
    if value is None:
        raise malformed(url, f"the reply has no {name!r}")
    return value


def moment(body: dict[str, Any], name: str) -> datetime | None:
    """Read an RFC 3339 time as an aware datetime; None when it is missing or no time."""
    try:
        value = datetime.fromisoformat(body.get(name, ""))
    except (ValueError, TypeError):
        return None
    return value if value.tzinfo else value.replace(tzinfo=UTC)

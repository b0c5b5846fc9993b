"""The ways to go on in a list that several APIs have in common; see Api.pages."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable

    from certwright.providers.api import Reply


def numbered(size: int) -> Callable[[Reply], dict[str, object] | None]:
    """Pages counted from 1 by `page`, each a JSON list of `size` entries but the last."""
    page = 1

    def following(reply: Reply) -> dict[str, object] | None:
        nonlocal page
        page += 1
        return {"page": page} if len(reply.json()) >= size else None

    return following


def counted(member: str) -> Callable[[Reply], dict[str, object] | None]:
    """Pages counted from 1 by `page`, with the list in one member and the length of all in `total_count`."""
    page, seen = 1, 0

    def following(reply: Reply) -> dict[str, object] | None:
        nonlocal page, seen
        content = reply.json()
        page += 1
        seen += len(content[member])
        return {"page": page} if content[member] and seen < int(content["total_count"]) else None

    return following


def parameter_of(link: str | None, name: str) -> dict[str, object] | None:
    """One parameter of a link to the next page; the link's own host is not followed."""
    values = parse_qs(urlsplit(link or "").query).get(name)
    return {name: values[0]} if values else None

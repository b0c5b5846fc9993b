"""What the conformance suite checks: a provider, and how the suite sees what it has done."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from certwright.providers.base import Provider
    from certwright.providers.elsewhere import Elsewhere


@dataclass(frozen=True, slots=True)
class Subject:
    """What is checked.

    Args:
        make: A new provider, as after a restart of the process; all share one account.
        read_txt: The values of the TXT RRset at a name, as the zone's server or API has them now.
        zone: A zone to write into, with its final dot.
        subzone: A zone of the same account below `zone`.
        throttled: While it is entered, the API refuses everything as too much.
        expired: Makes a provider whose credentials are not valid any more.
        credentials: Texts that no message may have.
        stranger: Puts a value at a name in another way than by a provider, as a person would.
        elsewhere: How another process makes such a provider.
    """

    make: Callable[[], Provider]
    read_txt: Callable[[str], list[str]]
    zone: str
    subzone: str | None = None
    throttled: Callable[[], AbstractContextManager[object]] | None = None
    expired: Callable[[], Provider] | None = None
    credentials: tuple[str, ...] = ()
    stranger: Callable[[str, str], object] | None = None
    elsewhere: Elsewhere | None = None

    def new_name(self, label: str = "_acme-challenge") -> str:
        """A name in the zone that no other run uses."""
        return f"{label}.{uuid.uuid4().hex[:12]}.{self.zone}"

    def expect(self, name: str, *values: str) -> None:
        """Raise AssertionError unless the RRset at `name` has just these values."""
        found = sorted(self.read_txt(name))
        if found != sorted(values):
            raise AssertionError(f"{name} has the TXT values {found}, expected {sorted(values)}")

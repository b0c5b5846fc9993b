"""What both kinds of changing authorization have in common: tokens that end, and signatures over each request."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from certwright.errors import Terminal

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


class Login(Protocol):
    """Authorizes requests; safe for threads. It logs in when it is first needed, and again when that has ended."""

    def headers(self, method: str, url: str, content: bytes | None, headers: Mapping[str, str]) -> Mapping[str, str]:
        """The headers to add to a request.

        Args:
            method: Its method.
            url: Its URL, encoded.
            content: Its body.
            headers: The headers that it has already.

        Raises:
            CertwrightError: Nobody could log in; says why, and what to do.
        """

    @property
    def secrets(self) -> tuple[str, ...]:
        """What was used lately and no message may repeat."""


@contextmanager
def package_of(extra: str, package: str) -> Iterator[None]:
    """Around the import of a package that only some providers need.

    Args:
        extra: The optional part of Certwright that brings it.
        package: Its name in the package index.

    Raises:
        Terminal: It is not installed; reason ExtraMissing.
    """
    try:
        yield
    except ImportError as error:
        raise Terminal(
            f"the Python package {package} is missing ({error}); install certwright[{extra}] where the operator runs",
            reason="ExtraMissing",
        ) from None

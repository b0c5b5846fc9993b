"""The order object (RFC 8555 7.1.3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from certwright.acme.identifier import Identifier
from certwright.acme.problems import Problem
from certwright.acme.reading import json_object, malformed, moment, required, text, texts
from certwright.errors import Terminal

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from certwright.acme.transport import Reply


@dataclass(frozen=True, slots=True)
class Order:
    """An order as the CA sees it.

    Attributes:
        status: "pending", "ready", "processing", "valid" or "invalid".
        authorizations: URLs, in the CA's order.
        certificate: The chain's URL once the order is valid.
        error: Why the order is invalid, where the CA says it here and not in an authorization.
        retry_after: Seconds, None when the CA did not say.
    """

    url: str
    status: str
    identifiers: tuple[Identifier, ...]
    authorizations: tuple[str, ...]
    finalize: str
    certificate: str | None = None
    expires: datetime | None = None
    not_before: datetime | None = None
    not_after: datetime | None = None
    profile: str | None = None
    replaces: str | None = None
    error: Problem | None = None
    retry_after: float | None = None

    @classmethod
    def read(cls, reply: Reply, *, url: str | None) -> Order:
        """Read it from a reply.

        Args:
            reply: The server's.
            url: The order's URL when it is known; None takes it from Location.

        Raises:
            Retryable: The reply is no order or lacks its URL.
        """
        body = json_object(reply.body, url=reply.url)
        url = url or reply.location
        if url is None:
            raise malformed(reply.url, "the reply has no Location for the order")
        listed = body.get("identifiers")
        identifiers = [Identifier.read(item) for item in listed] if isinstance(listed, list) else []
        return cls(
            url=url,
            status=required(body, "status", url=reply.url),
            identifiers=tuple(item for item in identifiers if item is not None),
            authorizations=texts(body, "authorizations"),
            finalize=required(body, "finalize", url=reply.url),
            certificate=text(body, "certificate"),
            expires=moment(body, "expires"),
            not_before=moment(body, "notBefore"),
            not_after=moment(body, "notAfter"),
            profile=text(body, "profile"),
            replaces=text(body, "replaces"),
            error=Problem.of(body.get("error")),
            retry_after=reply.retry_after,
        )

    def require(self, asked: Sequence[Identifier]) -> None:
        """Check that the order is for what was asked, no more and no less (RFC 8555 7.4).

        Raises:
            Terminal: It is not.
        """
        extra = sorted({str(item) for item in set(self.identifiers) - set(asked)})
        missing = sorted({str(item) for item in set(asked) - set(self.identifiers)})
        if not extra and not missing:
            return
        said = [f"{word} {', '.join(names)[:80]}" for word, names in (("adds", extra), ("lacks", missing)) if names]
        raise Terminal(
            f"the CA's order {' and '.join(said)}; the names asked for and ordered must be the same: ask the CA",
            reason="IdentifiersDiffer",
        )

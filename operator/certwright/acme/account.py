"""The account object (RFC 8555 7.1.2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from certwright.acme.reading import json_object, malformed, text, texts
from certwright.errors import Terminal

if TYPE_CHECKING:
    from certwright.acme.transport import Reply


@dataclass(frozen=True, slots=True)
class Account:
    """An account as the CA sees it.

    Attributes:
        url: What signs for it from now on, the `kid`.
        status: "valid", "deactivated" or "revoked".
        contact: URIs, "mailto:" and others; some CAs do not tell.
        created: Whether this reply tells of a new account.
        retry_after: Seconds, None when the CA did not say.
    """

    url: str
    status: str
    contact: tuple[str, ...] = ()
    orders: str | None = None
    created: bool = False
    retry_after: float | None = None

    @classmethod
    def read(cls, reply: Reply, *, url: str | None) -> Account:
        """Read it from a reply.

        Args:
            reply: The server's.
            url: The account's URL when it is known; None takes it from Location.

        Raises:
            Retryable: The reply is no account or lacks its URL.
        """
        body = json_object(reply.body, url=reply.url)
        url = url or reply.location
        if url is None:
            raise malformed(reply.url, "the reply has no Location for the account")
        return cls(
            url=url,
            status=text(body, "status") or "valid",  # required, but some servers leave it out for an account just found
            contact=texts(body, "contact"),
            orders=text(body, "orders"),
            created=reply.status == 201,  # noqa: PLR2004 - HTTP's Created
            retry_after=reply.retry_after,
        )

    def require_valid(self) -> None:
        """Check that the account may be used.

        Raises:
            Terminal: The CA or somebody with the key has closed it; it never opens again (RFC 8555 7.1.6).
        """
        if self.status != "valid":
            raise Terminal(
                f"the CA's account {self.url[:120]} is {self.status[:20]}; "
                "use another account key: delete the Secret of spec.acme.privateKeySecretRef for a new one",
                reason="AccountNotValid",
            )

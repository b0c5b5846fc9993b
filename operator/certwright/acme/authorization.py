"""Authorizations and their challenges (RFC 8555 7.1.4, 8).

Challenges of types nobody here knows are kept: whether one can be solved is a solver's matter.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from certwright.acme.identifier import Identifier
from certwright.acme.problems import Problem
from certwright.acme.reading import json_object, malformed, moment, required, text

if TYPE_CHECKING:
    from datetime import datetime

    from certwright.acme.transport import Reply

_TOKEN = re.compile(r"[A-Za-z0-9_-]{1,512}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Challenge:
    """One way to prove control.

    Attributes:
        status: "pending", "processing", "valid" or "invalid".
        token: Base64url; None when the type has none or it is malformed (it goes into paths and names).
        error: Why the CA found it invalid.
        retry_after: Seconds, from the reply to `accept`; None when the CA did not say.
    """

    type: str
    url: str
    status: str
    token: str | None = None
    error: Problem | None = None
    retry_after: float | None = None

    @classmethod
    def of(cls, body: object, *, retry_after: float | None = None) -> Challenge | None:
        """Read one; None for what has no type or URL."""
        if not isinstance(body, dict):
            return None
        kind, url = text(body, "type"), text(body, "url")
        if kind is None or url is None:
            return None
        token = text(body, "token")
        return cls(
            type=kind,
            url=url,
            status=text(body, "status") or "pending",
            token=token if token and _TOKEN.fullmatch(token) else None,
            error=Problem.of(body.get("error")),
            retry_after=retry_after,
        )

    @classmethod
    def read(cls, reply: Reply) -> Challenge:
        """Read the reply to `accept`.

        Raises:
            Retryable: It is no challenge.
        """
        challenge = cls.of(json_object(reply.body, url=reply.url), retry_after=reply.retry_after)
        if challenge is None:
            raise malformed(reply.url, "the reply is no challenge")
        return challenge


@dataclass(frozen=True, slots=True)
class Authorization:
    """The CA's word on one identifier.

    Attributes:
        identifier: Without the "*." of a wildcard.
        status: "pending", "valid", "invalid", "deactivated", "expired" or "revoked".
        wildcard: It is for "*." and the identifier.
        retry_after: Seconds, None when the CA did not say.
    """

    url: str
    identifier: Identifier
    status: str
    wildcard: bool = False
    expires: datetime | None = None
    challenges: tuple[Challenge, ...] = ()
    retry_after: float | None = None

    @property
    def name(self) -> str:
        """The name as it was ordered, with its "*."."""
        return f"*.{self.identifier.value}" if self.wildcard else self.identifier.value

    @property
    def error(self) -> Problem | None:
        """The problem of the challenge that failed; None when none did."""
        return next((challenge.error for challenge in self.challenges if challenge.error), None)

    @classmethod
    def read(cls, reply: Reply) -> Authorization:
        """Read it from a reply.

        Raises:
            Retryable: The reply is no authorization.
        """
        body: dict[str, Any] = json_object(reply.body, url=reply.url)
        identifier = Identifier.read(body.get("identifier"))
        if identifier is None:
            raise malformed(reply.url, "the reply has no 'identifier'")
        listed = body.get("challenges")
        challenges = [Challenge.of(item) for item in listed] if isinstance(listed, list) else []
        return cls(
            url=reply.url,
            identifier=identifier,
            status=required(body, "status", url=reply.url),
            wildcard=body.get("wildcard") is True,
            expires=moment(body, "expires"),
            challenges=tuple(challenge for challenge in challenges if challenge is not None),
            retry_after=reply.retry_after,
        )

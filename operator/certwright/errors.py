"""The faults Certwright knows, as one tree.

Every fault that leaves a module is one of these, so that what happens next is decided once, by class, and not at each
call. The reconciler turns the class into a wait and a condition; nothing else interprets a message.

    CertwrightError
    ├── Retryable          network, 5xx, badNonce: again in seconds, backing off
    │   ├── Throttled      429, Retry-After, our own limits: again at a stated time
    │   └── Conflict       somebody else changed the object: observe anew, at once
    ├── ChallengeFailed    the CA looked and said no: by the CA's limits, hours
    ├── InvalidSpec        until the spec, or an object it refers to, changes
    └── Terminal           a person must act; looked at again rarely

`reason` is a CamelCase word for a condition. `message` is for a person: it names the object or field, says what is
wrong and what to do. Neither ever holds a key or a credential.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime


class CertwrightError(Exception):
    """A fault with a reason for the condition and a message for a person.

    Args:
        message: What is wrong and what to do, without a trailing full stop.
        reason: CamelCase word for the condition; the class has a default.
    """

    default_reason = "Error"

    def __init__(self, message: str, *, reason: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.reason = reason or self.default_reason


class Retryable(CertwrightError):  # noqa: N818 - named by what follows from it
    """A fault that is likely to pass by itself.

    Args:
        message: See CertwrightError.
        reason: See CertwrightError.
        after: Seconds the other side asked us to wait at least; None leaves it to the backoff.
    """

    default_reason = "Unavailable"

    def __init__(self, message: str, *, reason: str | None = None, after: float | None = None) -> None:
        super().__init__(message, reason=reason)
        self.after = after


class Throttled(Retryable):
    """A limit was met; nothing is wrong, but nothing may be tried before `until` (an aware datetime, UTC)."""

    default_reason = "RateLimited"

    def __init__(self, message: str, *, until: datetime, reason: str | None = None) -> None:
        super().__init__(message, reason=reason)
        self.until = until


class Conflict(Retryable):
    """The object changed since it was read: observe it anew and decide again."""

    default_reason = "Conflict"


class ChallengeFailed(CertwrightError):  # noqa: N818 - named by what happened
    """The CA refused to validate a name or to issue.

    Args:
        message: See CertwrightError.
        reason: See CertwrightError.
        problem: The CA's problem document (RFC 7807: type, detail, subproblems), for status.lastFailure.
    """

    default_reason = "ChallengeFailed"

    def __init__(self, message: str, *, reason: str | None = None, problem: Mapping[str, Any] | None = None) -> None:
        super().__init__(message, reason=reason)
        self.problem = dict(problem or {})


class InvalidSpec(CertwrightError):  # noqa: N818 - the condition's reason
    """What was asked for cannot be done as written; a change of the spec or of an object it names mends it."""

    default_reason = "InvalidSpec"


class Terminal(CertwrightError):  # noqa: N818 - named by what follows from it
    """Only a person can mend this; the message says how."""

    default_reason = "Failed"

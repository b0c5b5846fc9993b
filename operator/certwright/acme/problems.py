"""A CA's problem documents (RFC 7807, RFC 8555 6.7) and the one place that says what follows from each.

Everything is decided by the problem's type and the HTTP status, nothing by the wording of a detail. A document may be
anything: HTML, broken, huge. What is kept of it is bounded, printable and short.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from certwright.acme.identifier import Identifier
from certwright.acme.problem_types import NOT_ALLOWED, TYPES, URN, Advice, Gone
from certwright.errors import ChallengeFailed, Retryable, Terminal, Throttled

if TYPE_CHECKING:
    from datetime import datetime

    from certwright.errors import CertwrightError

MAX_TEXT = 300
"""Characters of a message or of a text kept from a document."""
MAX_SUBPROBLEMS = 10
DEFAULT_LIMIT_SECONDS = 3600.0
"""Wait after `rateLimited` without Retry-After: CAs count by the hour and more."""
DEFAULT_BUSY_SECONDS = 60.0
"""Wait after a bare 429 without Retry-After: that is a load balancer, not a quota."""


def clip(value: str, limit: int = MAX_TEXT) -> str:
    """Make a foreign text one printable line of at most `limit` characters."""
    line = " ".join("".join(c if c.isprintable() else " " for c in value[: 4 * MAX_TEXT]).split())
    return line if len(line) <= limit else line[: max(limit - 1, 0)] + "…"


@dataclass(frozen=True, slots=True)
class Problem:
    """A problem document; `type` is the URI as sent, or "about:blank" when the reply was no such document."""

    type: str = "about:blank"
    detail: str = ""
    status: int | None = None
    instance: str | None = None
    identifier: Identifier | None = None
    subproblems: tuple[Problem, ...] = ()

    @property
    def code(self) -> str:
        """The last word of an ACME type ("caa"); empty when the type is of another kind."""
        return self.type.removeprefix(URN) if self.type.startswith(URN) else ""

    @classmethod
    def of(cls, body: object) -> Problem | None:
        """Read the `error` member of an order or a challenge; None when there is none."""
        return cls._of(body, nested=False) if isinstance(body, dict) else None

    @classmethod
    def read(cls, body: bytes) -> Problem:
        """Read the body of an error reply, whatever it is."""
        try:
            return cls.of(json.loads(body)) or cls()
        except (ValueError, RecursionError):
            return cls()

    @classmethod
    def _of(cls, body: dict[str, Any], *, nested: bool) -> Problem:
        def word(name: str) -> str:
            value = body.get(name)
            return clip(value) if isinstance(value, str) else ""

        status, inner = body.get("status"), body.get("subproblems")
        subproblems = inner if isinstance(inner, list) and not nested else []  # RFC 8555 6.7.1: one level
        return cls(
            type=word("type") or "about:blank",
            detail=word("detail") or word("title"),
            status=status if isinstance(status, int) and not isinstance(status, bool) else None,
            instance=word("instance") or None,
            identifier=Identifier.read(body.get("identifier")),
            subproblems=tuple(
                cls._of(item, nested=True) for item in subproblems[:MAX_SUBPROBLEMS] if isinstance(item, dict)
            ),
        )

    def body(self) -> dict[str, Any]:
        """As it is kept in status; bounded."""
        body: dict[str, Any] = {"type": self.type, "detail": self.detail}
        if self.status is not None:
            body["status"] = self.status
        if self.instance:
            body["instance"] = self.instance
        if self.identifier:
            body["identifier"] = self.identifier.body()
        if self.subproblems:
            body["subproblems"] = [item.body() for item in self.subproblems]
        return body

    def summary(self) -> str:
        """The detail, and which name was meant where there are several."""
        texts = [f"{self.identifier}: {self.detail}" if self.identifier else self.detail]
        if self.subproblems:
            texts.append(self.subproblems[0].summary())
        if len(self.subproblems) > 1:
            texts.append(f"and {len(self.subproblems) - 1} more")
        return "; ".join(text for text in texts if text)


def fault_for(
    problem: Problem, *, now: datetime, status: int | None = None, retry_after: float | None = None, asked: str = ""
) -> CertwrightError:
    """Decide what follows from a problem.

    Args:
        problem: The document of an error reply, or the `error` of an order or a challenge.
        now: An aware datetime, for Throttled.
        status: The HTTP status of the reply; None for a document found inside an object.
        retry_after: Seconds, from the reply.
        asked: What was asked, for the message: a URL.

    Returns:
        The fault to raise: Throttled for 429 and rateLimited, Retryable for 5xx and what is no problem document, Gone
        for 404, else by the table of RFC 8555 6.7; ChallengeFailed for types nobody knows.
    """
    code = problem.code
    if code == "compound" and problem.subproblems:  # the outer type says nothing; RFC 8555 6.7.1
        code = problem.subproblems[0].code
    advice = TYPES.get(code)
    if status == HTTPStatus.TOO_MANY_REQUESTS or (advice is not None and advice.fault is Throttled):
        default = DEFAULT_LIMIT_SECONDS if code == "rateLimited" else DEFAULT_BUSY_SECONDS
        wait = default if retry_after is None else retry_after
        text = _message("the CA's limit is reached", problem, "it is tried again when the CA allows", asked)
        return Throttled(text, until=now + timedelta(seconds=wait))
    if status is not None:
        by_status = _by_status(problem, status, known=advice is not None, retry_after=retry_after, asked=asked)
        if by_status is not None:
            return by_status
    if status is not None and code == "unauthorized":
        advice = NOT_ALLOWED
    if advice is None:
        advice = Advice(ChallengeFailed, "Refused", "6.7", "the CA refused", "ask the CA what its answer means")
    todo = advice.todo
    if code == "userActionRequired" and problem.instance:
        todo = f"{todo}: {problem.instance}"
    text = _message(advice.says, problem, todo, asked if issubclass(advice.fault, Retryable) else "")
    if issubclass(advice.fault, ChallengeFailed):
        return advice.fault(text, reason=advice.reason, problem=problem.body())
    if issubclass(advice.fault, Retryable):
        return advice.fault(text, reason=advice.reason, after=retry_after)
    return advice.fault(text, reason=advice.reason)


def _by_status(
    problem: Problem, status: int, *, known: bool, retry_after: float | None, asked: str
) -> CertwrightError | None:
    """Where the status weighs more than the type; None leaves it to the type."""
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return Retryable(_message(f"the CA answered {status}", problem, "it is tried again", asked), after=retry_after)
    if status == HTTPStatus.NOT_FOUND and (not known or problem.code == "malformed"):
        return Gone(_message("the CA does not know it (any longer)", problem, "it is ordered anew", asked))
    if status == HTTPStatus.UNAUTHORIZED and problem.code == "unauthorized":  # RFC 8555 7.3.6
        text = _message("the CA has closed the account", problem, "use another account key for a new account", "")
        return Terminal(text, reason="AccountNotValid")
    if problem.type == "about:blank":
        text = _message(
            f"unexpected answer {status}", problem, "check spec.acme.server and any proxy in between", asked
        )
        return Retryable(text, reason="UnexpectedReply", after=retry_after)
    return None


def _message(says: str, problem: Problem, todo: str, asked: str) -> str:
    """Put a message together so that what to do survives a long detail."""
    head = f"{clip(asked, 100)}: {says}" if asked else says
    room = MAX_TEXT - len(head) - len(todo) - 4
    summary = clip(problem.summary().rstrip(". "), room)
    return clip(f"{head}: {summary}; {todo}" if summary else f"{head}; {todo}")

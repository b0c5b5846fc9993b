"""Turns an answer of the API server that is no success into one of our faults, by one table.

The server's own words are kept where they help a person, and never where they could repeat what a Secret holds.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from certwright.errors import CertwrightError, Conflict, InvalidSpec, Retryable, Terminal, Throttled
from certwright.resources.values import clip

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from certwright.kube.paths import Target

MAX_RETRY_AFTER = 3600.0
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')
_USER = re.compile(r'User "([^"]{1,200})"')


class NotFound(CertwrightError):  # noqa: N818 - named by what happened
    """The object is not there."""

    default_reason = "NotFound"


class UnknownResource(Retryable):
    """The API server does not serve this kind of object: its CustomResourceDefinition is not installed (yet)."""

    default_reason = "ResourceNotServed"


class AlreadyExists(Conflict):
    """An object of that name was there before ours."""

    default_reason = "AlreadyExists"


class Expired(Retryable):
    """A resourceVersion or a continue token is too old: list from the start."""

    default_reason = "Expired"


class Unauthorized(Retryable):
    """The API server does not know us; credentials are read again before each try."""

    default_reason = "Unauthorized"


class Forbidden(Terminal):
    """The operator lacks a right, or a policy, quota or webhook refused the object."""

    default_reason = "Forbidden"


class QuotaExceeded(Forbidden):
    """A ResourceQuota of the namespace has no room for the object."""

    default_reason = "QuotaExceeded"


class NamespaceTerminating(Terminal):
    """Nothing can be created in a namespace that is being deleted; the object will vanish with it."""

    default_reason = "NamespaceTerminating"


@dataclass(frozen=True, slots=True)
class Refusal:
    """What was tried and how the API server answered.

    Args:
        verb: The RBAC verb, e.g. `patch`.
        target: What the request was for.
        code: HTTP status.
        status: The body (metav1.Status); empty when it was no such thing.
        retry_after: The header of that name.
    """

    verb: str
    target: Target
    code: int
    status: Mapping[str, Any]
    retry_after: str = ""

    @property
    def reason(self) -> str:
        """The server's machine-readable reason."""
        return str(self.status.get("reason") or "")

    @property
    def details(self) -> Mapping[str, Any]:
        """The server's details, or nothing."""
        details = self.status.get("details")
        return details if isinstance(details, dict) else {}

    @property
    def causes(self) -> list[Mapping[str, Any]]:
        """The single complaints."""
        causes = self.details.get("causes")
        return [cause for cause in causes if isinstance(cause, dict)] if isinstance(causes, list) else []

    @property
    def text(self) -> str:
        """The server's message, without what it quotes when a Secret is concerned."""
        return self.clean(str(self.status.get("message") or f"HTTP status {self.code}"))

    def clean(self, text: str) -> str:
        """A text of the server, bounded, and without quoted values when a Secret is concerned."""
        text = " ".join(text.split())
        if self.target.resource.startswith("secrets") and self.code in (400, 422):
            text = _QUOTED.sub('"…"', text)
        return clip(text)

    @property
    def wait(self) -> float | None:
        """Seconds to wait at least, by the header or the body; None when neither says."""
        wait = parse_retry_after(self.retry_after)
        if wait is None and isinstance(seconds := self.details.get("retryAfterSeconds"), int) and seconds > 0:
            wait = float(seconds)
        return wait if wait is None else min(wait, MAX_RETRY_AFTER)


def fault(refusal: Refusal) -> CertwrightError:
    """The fault for an answer; its text says what was tried, on what, and what the server said."""
    make = _BY_CODE.get(refusal.code)
    if make is None:
        make = _unavailable if refusal.code >= 500 else _refused  # noqa: PLR2004 - HTTP server errors
    return make(refusal)


def parse_retry_after(text: str) -> float | None:
    """Seconds from a Retry-After header in either notation (RFC 9110 section 10.2.3); None when it has no meaning."""
    if text.strip().isdecimal():
        return float(text)
    try:
        return max(0.0, (parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds())
    except (TypeError, ValueError):
        return None


def _missing(refusal: Refusal) -> CertwrightError:
    # The server names the object when only that is missing, and nothing when it does not serve the kind at all.
    if refusal.details.get("name"):
        name = refusal.details.get("name")
        kind = refusal.details.get("kind")
        if kind == "namespaces" and refusal.target.namespace == name:
            return NotFound(f"namespace {name} does not exist")
        return NotFound(f"{refusal.target} does not exist")
    group = refusal.target.group
    crd = f"{refusal.target.resource.partition('/')[0]}.{group}" if group else refusal.target.resource
    return UnknownResource(f"the API server does not serve {crd}; install its CustomResourceDefinition (crds/)")


def _conflict(refusal: Refusal) -> CertwrightError:
    if refusal.reason == "AlreadyExists":
        return AlreadyExists(f"{refusal.target} exists already")
    return Conflict(f"{refusal.target} was changed by somebody else meanwhile; it is read again")


def _invalid(refusal: Refusal) -> CertwrightError:
    if any(cause.get("field") == "metadata.uid" for cause in refusal.causes):
        return _conflict(refusal)  # an apply with the uid of another object, as of one deleted and made anew
    complaints = [f"{cause['field']}: {cause.get('message', '')}" for cause in refusal.causes if cause.get("field")]
    text = refusal.clean("; ".join(complaints)) if complaints else refusal.text
    return InvalidSpec(f"the API server refused {refusal.target}: {text}")


def _forbidden(refusal: Refusal) -> CertwrightError:
    if any(cause.get("reason") == "NamespaceTerminating" for cause in refusal.causes):
        return NamespaceTerminating(f"namespace {refusal.target.namespace} is being deleted; nothing is created in it")
    # The authorizer's sentence is the only sign that tells a missing right from a quota, a policy or a webhook.
    if " cannot " in refusal.text and " resource " in refusal.text:
        where = f"in namespace {refusal.target.namespace}" if refusal.target.namespace else "in the whole cluster"
        group = f" of API group {refusal.target.group}" if refusal.target.group else ""
        user = _USER.search(refusal.text)
        who = user[1] if user else "the user"
        return Forbidden(f"{who} may not {refusal.verb} {refusal.target.resource}{group} {where}; grant it by RBAC")
    kind = QuotaExceeded if "exceeded quota" in refusal.text else Forbidden
    return kind(f"the API server refused to {refusal.verb} {refusal.target}: {refusal.text}")


def _throttled(refusal: Refusal) -> CertwrightError:
    wait = max(1.0, refusal.wait or 0.0)
    until = datetime.now(UTC) + timedelta(seconds=wait)
    return Throttled("the API server is overloaded and asked to wait", until=until, reason="ApiServerOverloaded")


def _unavailable(refusal: Refusal) -> CertwrightError:
    return Retryable(f"the API server could not {refusal.verb} {refusal.target}: {refusal.text}", after=refusal.wait)


def _refused(refusal: Refusal) -> CertwrightError:
    return Terminal(f"the API server refused to {refusal.verb} {refusal.target}: {refusal.text}", reason="Refused")


def _expired(refusal: Refusal) -> CertwrightError:
    return Expired(f"the list of {refusal.target.resource} took too long; it starts again")


def _unauthorized(_: Refusal) -> CertwrightError:
    return Unauthorized("the API server does not accept the operator's credentials; check its token or kubeconfig")


_BY_CODE: Mapping[int, Callable[[Refusal], CertwrightError]] = {
    401: _unauthorized,
    403: _forbidden,
    404: _missing,
    409: _conflict,
    410: _expired,
    422: _invalid,
    429: _throttled,
}

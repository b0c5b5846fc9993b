"""Requests to AWS's APIs that speak XML, and what their error codes mean, which say more than the statuses do."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode
from xml.etree import ElementTree as ET

from certwright.errors import Retryable, Terminal
from certwright.providers.api import UNAVAILABLE, ZONE_NOT_IN_ACCOUNT, Api, Reply

if TYPE_CHECKING:
    from collections.abc import Mapping

    from certwright.errors import CertwrightError

PAUSE: Final = 2
"""Seconds to leave an account alone that is throttled; AWS counts by the second and says no time."""
_MEANINGS: Final[Mapping[HTTPStatus, tuple[str, ...]]] = {
    HTTPStatus.TOO_MANY_REQUESTS: (
        "RequestLimitExceeded",
        "RequestThrottled",
        "SlowDown",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    ),
    HTTPStatus.CONFLICT: ("ConcurrentModification", "PriorRequestNotComplete"),
    HTTPStatus.SERVICE_UNAVAILABLE: ("IDPCommunicationError", "InternalFailure", "ServiceUnavailable"),
    HTTPStatus.UNAUTHORIZED: (
        "AuthFailure",
        "ExpiredToken",
        "ExpiredTokenException",
        "IDPRejectedClaim",
        "IncompleteSignature",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "InvalidIdentityToken",
        "MissingAuthenticationToken",
        "NotAuthorized",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    ),
    HTTPStatus.FORBIDDEN: ("AccessDenied", "AccessDeniedException", "OptInRequired", "RegionDisabledException"),
}
_MEANING: Final = {code: status for status, codes in _MEANINGS.items() for code in codes}
_CLOCK: Final = re.compile(r"^Signature (expired|not yet current)")


class AwsApi(Api):
    """One account, or one role in it."""

    def xml(self, path: str, query: Mapping[str, object]) -> ET.Element:
        """GET, and the root of the reply; raises as Api.send does."""
        return root_of(self.send("GET", path, query=query, headers={"Accept": "text/xml"}))

    def form(self, fields: Mapping[str, str]) -> ET.Element:
        """Send a form, and give the answer's root; raises as Api.send does."""
        headers = {"Accept": "text/xml", "Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
        return root_of(self.send("POST", "/", body=urlencode(fields).encode(), headers=headers))

    def fault(self, reply: Reply, *, meaning: int | None = None) -> CertwrightError:
        """See Api; by the code in the reply."""
        code, message = error_of(reply)
        meaning = meaning or _MEANING.get(code)
        headers = dict(reply.headers)
        if meaning in {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.CONFLICT}:
            headers.setdefault("Retry-After", str(PAUSE))
        told = json.dumps({"message": f"{code}: {_stable(message)}"}).encode() if code else b""
        fault = super().fault(replace(reply, headers=headers, body=told), meaning=meaning)
        if code == "NoSuchHostedZone":
            return Terminal(f"{fault.message}; correct hostedZoneID, or remove it", reason=ZONE_NOT_IN_ACCOUNT)
        return fault


def root_of(reply: Reply) -> ET.Element:
    """The root of a reply; raises Retryable when it is no XML."""
    # A document type, with whatever entities it may declare, is read as nothing.
    body = b"" if b"<!" in reply.body else reply.body
    try:
        return ET.fromstring(body)  # noqa: S314 - from AWS, a megabyte at most, and without entities
    except ET.ParseError:
        raise Retryable(f"{reply.method} {reply.url}: the reply is not XML", reason=UNAVAILABLE) from None


def error_of(reply: Reply) -> tuple[str, str]:
    """Code and message of an error, empty when the reply has none. Of a batch that is refused, all its messages."""
    try:
        root = root_of(reply)
    except Retryable:
        return "", ""
    for error in each(root, "Error"):
        return text(error, "Code"), text(error, "Message")
    # A batch that is refused has no Error around its messages, and its root is the code.
    return root.tag.rpartition("}")[2], " ".join(message.text or "" for message in each(root, "Message"))


def text(element: ET.Element, name: str) -> str:
    """The text of a child, whatever its namespace; empty when there is none."""
    return (element.findtext(f"{{*}}{name}") or "").strip()


def each(element: ET.Element, name: str) -> list[ET.Element]:
    """All elements of that name below, whatever their namespace."""
    return element.findall(f".//{{*}}{name}")


def _stable(message: str) -> str:
    """A message without what differs from one request to the next, such as times and what was signed."""
    if _CLOCK.match(message):
        return "the signature's time is not AWS's; set the operator's clock right"
    return message.partition("\n")[0].partition(" The Canonical String")[0]

"""Commands to Namecheap's API, which answers in XML and tells faults by numbers under the status 200.

All parameters go in the body, the key among them, so that no URL has it.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

from certwright.errors import Retryable, Terminal
from certwright.providers.api import FORM, MAX_PAGES, REQUEST_REFUSED, UNAVAILABLE, Api, Endpoint

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from certwright.providers.api import Reply

URL: Final = "https://api.namecheap.com/xml.response"
SANDBOX: Final = "https://api.sandbox.namecheap.com/xml.response"
MEANINGS: Final = {
    HTTPStatus.UNAUTHORIZED: "1010101 1010102 1011102 1030408 1016103 1017101 1017103 1019103",
    HTTPStatus.FORBIDDEN: "1010105 1011105 1011148 1011150 1017105 1017150 2016166 2030166",
    HTTPStatus.TOO_MANY_REQUESTS: "500000 1017411",
    HTTPStatus.SERVICE_UNAVAILABLE: "1050900 3031510 3050900 4022228 4022288 4023330 5050900",
}
"""What error numbers mean, as other APIs say it; the rest is a request that is refused."""
_NUMBERS: Final = {number: status for status, numbers in MEANINGS.items() for number in numbers.split()}
NOT_OURS: Final = b"(2030288)"
"""The number for a domain whose name servers are somebody else's."""
_ENTITIES: Final = re.compile(rb"<!(DOCTYPE|ENTITY)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Client(Endpoint):
    """An account.

    Args:
        user: Its name.
        address: The IPv4 address that requests come from.
    """

    user: str = ""
    address: str = ""


class NamecheapApi(Api):
    """Requests to one account."""

    endpoint: Client

    def command(self, name: str, parameters: Mapping[str, object]) -> ET.Element:
        """Run one command.

        Args:
            name: In full.
            parameters: Its own, beside those of the account.

        Returns what is inside the answer's CommandResponse. Raises as Api.send.
        """
        client = self.endpoint
        form = {
            "ApiUser": client.user,
            "UserName": client.user,
            "ApiKey": client.credentials[0].value,
            "ClientIp": client.address,
            "Command": name,
            **parameters,
        }
        headers = {"Accept": "application/xml", "Content-Type": FORM}
        reply = self.send(
            "POST", "", body=urlencode(form).encode(), headers=headers, allow={HTTPStatus.METHOD_NOT_ALLOWED}
        )
        reply = replace(reply, method=name.removeprefix("namecheap."))
        if reply.status == HTTPStatus.METHOD_NOT_ALLOWED:  # so it says that there were too many
            raise self.fault(replace(reply, body=b""), meaning=HTTPStatus.TOO_MANY_REQUESTS)
        root = _parsed(reply)
        if _tag(root) != "apiresponse":
            raise unreadable(reply.method)
        errors = [(item.get("Number", ""), item.text or "") for item in _all(root, "error")]
        if root.get("Status", "").upper() != "OK" or errors:
            numbers = [number for number, _ in errors]
            status = next((_NUMBERS[number] for number in numbers if number in _NUMBERS), HTTPStatus.BAD_REQUEST)
            words = "; ".join(f"{text.strip()} ({number})" for number, text in errors)
            raise self.fault(replace(reply, body=words.encode()), meaning=status)
        response = next(_all(root, "commandresponse"), None)
        if response is None:
            raise unreadable(reply.method)
        return response

    def listed(self, name: str, parameters: Mapping[str, object], tag: str) -> Iterator[ET.Element]:
        """Run a command that lists, page by page, and give the elements of that name."""
        for page in range(1, MAX_PAGES + 1):
            found = self.command(name, {**parameters, "Page": page})
            yield from _all(found, tag.lower())
            paging = next(_all(found, "paging"), None)
            numbers = {_tag(item): item.text or "" for item in paging} if paging is not None else {}
            try:
                if page * int(numbers["pagesize"]) >= int(numbers["totalitems"]):
                    return
            except (KeyError, ValueError):
                raise unreadable(name) from None
        raise Terminal(f"{name}: the list has more than {MAX_PAGES} pages", reason=REQUEST_REFUSED)

    def _advice(self, reply: Reply, status: int) -> tuple[str, str]:
        advice, reason = super()._advice(reply, status)
        if re.search(rb"\((1011105|1011148|1011150|1017105|1017150)\)", reply.body):
            advice += ", which has to be on the account's list of allowed IPs at Namecheap"
        if NOT_OURS in reply.body:
            advice += "; give the domain Namecheap's own name servers, or use the provider that serves it"
        return advice, reason


def unreadable(what: str) -> Retryable:
    """The fault of an answer that is not as documented; nothing may be concluded from it."""
    return Retryable(f"{what}: the reply is not as Namecheap documents it", reason=UNAVAILABLE)


def _parsed(reply: Reply) -> ET.Element:
    try:
        if _ENTITIES.search(reply.body):
            raise unreadable(reply.method)
        return ET.fromstring(reply.body)  # noqa: S314 - a megabyte at most, and no entities
    except ET.ParseError:
        raise unreadable(reply.method) from None


def _tag(element: ET.Element) -> str:
    """Its name without the namespace, in lower case: the documentation has `Host`, and answers have `host`."""
    return element.tag.rpartition("}")[2].lower()


def _all(element: ET.Element, tag: str) -> Iterator[ET.Element]:
    return (item for item in element.iter() if _tag(item) == tag)


def all_of(element: ET.Element, tag: str) -> list[ET.Element]:
    """The elements of a name within another, whatever the case."""
    return list(_all(element, tag))

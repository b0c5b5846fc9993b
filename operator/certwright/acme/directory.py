"""The directory (RFC 8555 7.1.1): where an ACME server takes which request.

Most faults of a new issuer show here first, so each says what was asked, what came back and what to do.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from certwright.acme.problems import Problem, clip, fault_for
from certwright.acme.reading import text, texts
from certwright.errors import InvalidSpec

if TYPE_CHECKING:
    from collections.abc import Mapping

    from certwright.acme.transport import Clock, Reply, Transport


@dataclass(frozen=True, slots=True)
class Directory:
    """A server's URLs and what it says of itself; the optional ones are None or empty.

    Attributes:
        renewal_info: RFC 9773.
        profiles: Descriptions by name (draft-ietf-acme-profiles).
    """

    url: str
    new_nonce: str
    new_account: str
    new_order: str
    revoke_cert: str | None = None
    key_change: str | None = None
    new_authz: str | None = None
    renewal_info: str | None = None
    terms_of_service: str | None = None
    website: str | None = None
    caa_identities: tuple[str, ...] = ()
    external_account_required: bool = False
    profiles: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, body: dict[str, Any], *, url: str) -> Directory | None:
        """Read it; None when it lacks what every ACME server has."""
        nonce, account, order = (text(body, name) for name in ("newNonce", "newAccount", "newOrder"))
        if not (nonce and account and order):
            return None
        found = body.get("meta")
        meta = found if isinstance(found, dict) else {}
        profiles = meta.get("profiles")
        return cls(
            url=url,
            new_nonce=nonce,
            new_account=account,
            new_order=order,
            revoke_cert=text(body, "revokeCert"),
            key_change=text(body, "keyChange"),
            new_authz=text(body, "newAuthz"),
            renewal_info=text(body, "renewalInfo"),
            terms_of_service=text(meta, "termsOfService"),
            website=text(meta, "website"),
            caa_identities=texts(meta, "caaIdentities"),
            external_account_required=meta.get("externalAccountRequired") is True,
            profiles={str(name): str(said) for name, said in profiles.items()} if isinstance(profiles, dict) else {},
        )


def fetch_directory(url: str, *, transport: Transport, clock: Clock) -> Directory:
    """GET a directory.

    Raises:
        InvalidSpec: What answers is no ACME server.
        Retryable: Nothing answers, or with 5xx; Throttled for 429.
    """
    reply = transport.get(url, kind="directory")
    if reply.status == HTTPStatus.TOO_MANY_REQUESTS or reply.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        problem = Problem.read(reply.body)
        raise fault_for(problem, now=clock(), status=reply.status, retry_after=reply.retry_after, asked=url)
    try:
        body = json.loads(reply.body) if reply.ok else None
    except (ValueError, RecursionError):
        body = None
    directory = Directory.of(body, url=url) if isinstance(body, dict) else None
    if directory is None:
        raise InvalidSpec(
            f"GET {url[:120]}: {_answer(reply, body)}, no ACME directory; "
            "set spec.acme.server to the directory URL that the CA documents"
        )
    return directory


def _answer(reply: Reply, body: object) -> str:
    if not reply.ok:
        return f"the answer is {reply.status}"
    if body is not None:
        return "the answer is JSON without newNonce, newAccount and newOrder"
    kind = clip(reply.headers.get("Content-Type", "of no type").partition(";")[0], 40)
    return f"the answer is {kind}"

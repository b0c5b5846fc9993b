"""Signs requests to AWS (Signature Version 4), and gets the keys to sign with where they are not written down.

What a role gives ends after an hour at most: it is fetched when it is first needed, and again shortly before its end.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, TypeAlias

import requests
from requests.structures import CaseInsensitiveDict

from certwright.errors import InvalidSpec, Retryable
from certwright.providers import aws_regions
from certwright.providers.api import UNAVAILABLE, Endpoint
from certwright.providers.aws_api import AwsApi, each, text
from certwright.providers.login import package_of

if TYPE_CHECKING:
    from xml.etree import ElementTree as ET

    from certwright.providers.base import TokenMaker
    from certwright.providers.credentials import Credential
    from certwright.providers.guard import Guard

SESSION: Final = "certwright"
"""How AWS's logs shall call us; also what a role's trust policy may ask for as sts:RoleSessionName."""
EARLY: Final = timedelta(minutes=2)
"""How long before their end keys are fetched anew."""
_ROLE: Final = re.compile(r"arn:aws[a-z-]{0,20}:iam::[0-9]{12}:role/[\w+=,.@/-]{1,512}")


@dataclass(frozen=True, slots=True)
class Keys:
    """What to sign with.

    Args:
        access_key: Names the secret key; not secret itself.
        secret_key: Signs.
        token: Goes with keys that end; empty with others.
        ends: When; None with those that do not.
    """

    access_key: str
    secret_key: str = field(repr=False)
    token: str = field(default="", repr=False)
    ends: datetime | None = None


KeySource: TypeAlias = Callable[[], Keys]


class Renewed:
    """Keys that are kept until shortly before they end.

    Args:
        fetch: Gets new ones.
    """

    def __init__(self, fetch: KeySource) -> None:
        self._fetch = fetch
        self._lock = threading.Lock()
        self._keys: Keys | None = None

    def __call__(self) -> Keys:
        """The keys of this moment."""
        with self._lock:
            if self._keys is None or (self._keys.ends and self._keys.ends - EARLY <= _now()):
                self._keys = self._fetch()
            return self._keys


class Signature:
    """Signs requests to one service of one region; see providers.login.

    Args:
        keys: Gives the keys.
        service: `route53` or `sts`.
        region: The region.

    Raises:
        Terminal: The package that signs is not installed.
    """

    def __init__(self, keys: KeySource, *, service: str, region: str) -> None:
        with package_of("route53", "requests-aws4auth"):
            from requests_aws4auth import AWS4Auth  # noqa: PLC0415 - only who uses Route 53 needs it
        self._auth = AWS4Auth
        self._keys = keys
        self._service, self._region = service, region
        self._used: Keys | None = None

    def headers(self, method: str, url: str, content: bytes | None, headers: Mapping[str, str]) -> dict[str, str]:
        """See providers.login."""
        keys = self._used = self._keys()
        request = requests.PreparedRequest()
        request.method, request.url, request.body = method, url, content
        request.headers = CaseInsensitiveDict(headers)
        sign = self._auth(
            keys.access_key, keys.secret_key, self._region, self._service, session_token=keys.token or None
        )
        return {str(name): str(value) for name, value in sign(request).headers.items()}

    @property
    def secrets(self) -> tuple[str, ...]:
        """See providers.login."""
        used = self._used
        return (used.secret_key, used.token) if used else ()


@dataclass(frozen=True, slots=True)
class Role:
    """A role to assume.

    Args:
        arn: Its ARN.
        external_id: What its trust policy may ask for, so that nobody else's request passes for ours; empty for none.
        region: Whose STS is asked.
    """

    arn: str
    region: str
    external_id: str = ""

    def check(self, field: str) -> None:
        """Raise InvalidSpec, naming the field, unless the ARN is one of a role."""
        if not _ROLE.fullmatch(self.arn):
            raise InvalidSpec(
                f"{field}: {self.arn[:80]!r} is not a role's ARN; write one like arn:aws:iam::123456789012:role/dns"
            )


def assumed(
    role: Role, base: KeySource, credentials: tuple[Credential, ...], *, guard: Guard | None = None
) -> KeySource:
    """The keys of a role that other keys may assume (AssumeRole).

    Args:
        role: The role.
        base: The other keys.
        credentials: What these are, for messages.
        guard: See Api.
    """
    service = aws_regions.sts(role.region)
    sign = Signature(base, service=aws_regions.STS, region=service.region)
    endpoint = Endpoint(
        "AWS STS",
        service.url,
        f"to assume the role {role.arn} (sts:AssumeRole), and name them in the role's trust policy",
        credentials=credentials,
        url_field=service.url_field,
        login=sign,
        identity=role.arn,
    )
    api = AwsApi(endpoint, guard=guard)
    fields = {"Action": "AssumeRole", "Version": "2011-06-15", "RoleArn": role.arn, "RoleSessionName": SESSION}
    if role.external_id:
        fields["ExternalId"] = role.external_id
    return Renewed(lambda: _keys_in(api.form(fields)))


def by_web_identity(
    role: Role, token: TokenMaker, credential: Credential, *, session: str = SESSION, guard: Guard | None = None
) -> KeySource:
    """The keys of a role that trusts the cluster's ServiceAccount tokens (AssumeRoleWithWebIdentity).

    Args:
        role: The role; it has no external id.
        token: Gives a token.
        credential: What it is, for messages; its value is not used.
        session: The session's name.
        guard: See Api.
    """
    service = aws_regions.sts(role.region)

    def fetch() -> Keys:
        secret = token()
        endpoint = Endpoint(
            "AWS STS",
            service.url,
            f"to assume the role {role.arn}: its trust policy must name the cluster's identity provider and the "
            "ServiceAccount",
            credentials=(replace(credential, value=secret),),
            url_field=service.url_field,
        )
        fields = {
            "Action": "AssumeRoleWithWebIdentity",
            "Version": "2011-06-15",
            "RoleArn": role.arn,
            "RoleSessionName": session,
            "WebIdentityToken": secret,
        }
        return _keys_in(AwsApi(endpoint, guard=guard).form(fields))

    return Renewed(fetch)


def _keys_in(answer: ET.Element) -> Keys:
    for found in each(answer, "Credentials"):
        ends = instant(text(found, "Expiration"))
        return Keys(text(found, "AccessKeyId"), text(found, "SecretAccessKey"), text(found, "SessionToken"), ends)
    raise Retryable("AWS STS gives no keys", reason=UNAVAILABLE)


def instant(told: str) -> datetime | None:
    """A time as AWS writes it (ISO 8601, UTC); None for none."""
    try:
        return datetime.fromisoformat(told).astimezone(UTC) if told else None
    except ValueError:
        return None


def _now() -> datetime:
    return datetime.now(UTC)

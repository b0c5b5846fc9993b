"""The operator's own AWS keys: from where AWS's own programs take theirs in a pod or on an instance, in their order.

Environment variables, a web identity (IAM roles for service accounts), the container's agent (EKS Pod Identity, ECS),
the instance's metadata service (IMDSv2 only). Profiles in files are not read.
https://docs.aws.amazon.com/sdkref/latest/guide/standardized-credentials.html
"""

from __future__ import annotations

import json
import os
import re
from functools import lru_cache
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from certwright.errors import InvalidSpec, Retryable
from certwright.providers.aws_login import Keys, KeySource, Renewed, Role, by_web_identity, instant
from certwright.providers.credentials import Credential
from certwright.providers.guard import Guard
from certwright.providers.http import NoReplyError, exchange

if TYPE_CHECKING:
    from collections.abc import Mapping

WHERE: Final = "the operator's own AWS credentials"
CONTAINER: Final = "http://169.254.170.2"
INSTANCE: Final = "http://169.254.169.254"
MISSING: Final = "NoAmbientCredentials"
_OURS: Final = Guard(trusted=True)
_SECONDS: Final = "21600"
"""How long a session with the metadata service lasts."""
_NAME: Final = re.compile(r"[\w+=,.@-]{1,128}")


@lru_cache(maxsize=16)
def operators_keys(region: str) -> KeySource:
    """The operator's keys, shared by all solvers that use them; a region is whose STS may be asked."""
    return Renewed(lambda: _found(region))


def _found(region: str) -> Keys:
    keys = _environment() or _web_identity(region) or _container() or _instance()
    if keys:
        return keys
    raise InvalidSpec(
        "the operator has no AWS credentials of its own: no AWS_ACCESS_KEY_ID, no AWS_WEB_IDENTITY_TOKEN_FILE (IAM "
        "roles for service accounts), no AWS_CONTAINER_CREDENTIALS_FULL_URI (EKS Pod Identity), and no role of the "
        "instance; give it some, or name credentials in the solver",
        reason=MISSING,
    )


def _environment() -> Keys | None:
    access, secret = os.environ.get("AWS_ACCESS_KEY_ID"), os.environ.get("AWS_SECRET_ACCESS_KEY")
    return Keys(access, secret, os.environ.get("AWS_SESSION_TOKEN", "")) if access and secret else None


def _web_identity(region: str) -> Keys | None:
    file, arn = os.environ.get("AWS_WEB_IDENTITY_TOKEN_FILE"), os.environ.get("AWS_ROLE_ARN")
    if not file or not arn:
        return None
    role = Role(arn, region)
    role.check("AWS_ROLE_ARN of the operator's environment")
    session = os.environ.get("AWS_ROLE_SESSION_NAME") or "certwright"
    return by_web_identity(
        role, lambda: _content(file, "AWS_WEB_IDENTITY_TOKEN_FILE"), Credential("", WHERE), session=session
    )()


def _container() -> Keys | None:
    url, path = (os.environ.get(f"AWS_CONTAINER_CREDENTIALS_{kind}_URI", "") for kind in ("FULL", "RELATIVE"))
    if path:
        url = f"{CONTAINER}{path}"
    if not url:
        return None
    token = os.environ.get("AWS_CONTAINER_AUTHORIZATION_TOKEN", "")
    if file := os.environ.get("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"):
        token = _content(file, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE")
    what = "the container's agent"
    return _keys_in(_asked("GET", url, {"Authorization": token} if token else {}, what), what)


def _instance() -> Keys | None:
    if os.environ.get("AWS_EC2_METADATA_DISABLED", "").lower() == "true":
        return None
    base = (os.environ.get("AWS_EC2_METADATA_SERVICE_ENDPOINT") or INSTANCE).rstrip("/")
    what = "the instance's metadata service"
    try:
        session = _asked("PUT", f"{base}/latest/api/token", {"X-aws-ec2-metadata-token-ttl-seconds": _SECONDS}, what)
    except Retryable:
        return None  # not on an instance, or pods may not ask
    headers, roles = {"X-aws-ec2-metadata-token": session}, f"{base}/latest/meta-data/iam/security-credentials/"
    try:
        role = _asked("GET", roles, headers, what).partition("\n")[0].strip()
    except _AbsentError:
        return None  # the instance has no role
    if not _NAME.fullmatch(role):
        raise Retryable(f"{what} names no role", reason=MISSING)
    return _keys_in(_asked("GET", f"{roles}{role}", headers, what), what)


class _AbsentError(Retryable):
    """What was asked for is not there."""


def _asked(method: str, url: str, headers: Mapping[str, str], what: str) -> str:
    """Ask a service beside us, which the owner's environment names or AWS puts there."""
    try:
        answer = exchange(method, url, b"" if method == "PUT" else None, headers=headers, ca_bundle="", guard=_OURS)
    except NoReplyError as error:
        raise Retryable(f"{what} does not answer: {error}", reason=MISSING) from None
    if answer.status != HTTPStatus.OK:
        kind = _AbsentError if answer.status == HTTPStatus.NOT_FOUND else Retryable
        raise kind(f"{what} answers {answer.status} when asked for credentials", reason=MISSING)
    return answer.body.decode(errors="replace")


def _keys_in(told: str, what: str) -> Keys:
    try:
        content: Any = json.loads(told)
        return Keys(
            str(content["AccessKeyId"]),
            str(content["SecretAccessKey"]),
            str(content.get("Token") or ""),
            instant(str(content.get("Expiration") or "")),
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        raise Retryable(f"{what} gives no credentials", reason=MISSING) from None


def _content(file: str, variable: str) -> str:
    try:
        return Path(file).read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidSpec(
            f"{variable} of the operator's environment: {file} cannot be read ({type(error).__name__})", reason=MISSING
        ) from None

"""Reads a provider's credentials from the Secrets that its config names, the same way for every provider.

A credential `x` is named by the field `xSecretRef: {name, key}` of the config; where that is missing, it is the entry
`x` of the Secret that `provider.secretRef` names, which the registry hands on as the config's own `secretRef`.
"""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from certwright.errors import InvalidSpec

if TYPE_CHECKING:
    from certwright.providers.base import Secrets
    from certwright.resources.reading import Fields

SECRET_REF = "secretRef"  # noqa: S105 - a field's name
SUFFIX = "SecretRef"


@dataclass(frozen=True, slots=True)
class Credential:
    """One credential.

    Args:
        value: Itself; never shown.
        where: The field and the entry of the Secret that it came from, for messages.
    """

    value: str = field(repr=False)
    where: str


def has_credential(config: Fields, name: str) -> bool:
    """Whether the config itself says where a credential is."""
    return bool(config.part(f"{name}{SUFFIX}").text("name"))


def credential(config: Fields, secrets: Secrets, name: str) -> Credential:
    """Read one credential that fits into an HTTP header.

    Args:
        config: The provider's config.
        secrets: Reads entries of Secrets.
        name: The credential's name, without `SecretRef`.

    Raises:
        InvalidSpec: It is not named, not there, or no text that a header can hold; never shows any of it.
    """
    content, where = content_of(config, secrets, name)
    text = content.decode("latin-1").strip()
    if not text or not text.isascii() or not text.isprintable():
        raise InvalidSpec(f"{where} is not a line of printable ASCII text; put the credential there, as it is")
    return Credential(text, where)


def basic_authorization(config: Fields, secrets: Secrets) -> tuple[dict[str, str], Credential]:
    """The header of HTTP Basic authentication (RFC 7617) of `username` and the credential `password`.

    Raises:
        InvalidSpec: As `credential`, and where there is no user's name.
    """
    user = config.text("username")
    if not user or ":" in user or not user.isprintable():
        raise InvalidSpec(f"{config.at('username')}: must be a user's name without a colon, to go with the password")
    password = credential(config, secrets, "password")
    return {"Authorization": "Basic " + b64encode(f"{user}:{password.value}".encode()).decode()}, password


def content_of(config: Fields, secrets: Secrets, name: str) -> tuple[bytes, str]:
    """The octets of one credential, and where they came from; raises InvalidSpec as `credential`."""
    path = config.at(f"{name}{SUFFIX}")
    reference = config.part(f"{name}{SUFFIX}")
    secret, key = reference.text("name"), reference.text("key")
    if secret and not key:
        raise InvalidSpec(f"{path}.key: must name the entry of Secret {secret} that holds the value")
    if not secret:
        path = config.at(SECRET_REF)
        secret, key = config.part(SECRET_REF).text("name"), name
    if not secret:
        raise InvalidSpec(
            f"{config.path}: needs {name}{SUFFIX} with the name of a Secret and the key of its entry"
            + (f", or a Secret with an entry {name} in secretRef beside it" if config.path.endswith(".config") else "")
        )
    try:
        return secrets(secret, key), f"{path}: the entry {key} of Secret {secret}"
    except InvalidSpec as error:
        raise InvalidSpec(f"{path}: {error.message}", reason=error.reason) from None

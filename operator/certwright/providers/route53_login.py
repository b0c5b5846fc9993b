"""Which keys a Route 53 solver uses: written down, of a role, by a ServiceAccount's token, or the operator's own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from certwright.errors import InvalidSpec
from certwright.providers import aws_ambient, aws_regions
from certwright.providers.aws_login import Keys, KeySource, Renewed, Role, assumed, by_web_identity
from certwright.providers.credentials import SECRET_REF, Credential, credential, has_credential

if TYPE_CHECKING:
    from certwright.providers.base import Identity, Secrets
    from certwright.resources.reading import Fields

AUDIENCE: Final = "sts.amazonaws.com"
ID, SECRET = "accessKeyID", "secretAccessKey"


@dataclass(frozen=True, slots=True)
class Chosen:
    """A login.

    Args:
        keys: Gives the keys to sign with.
        region: The region that was asked for.
        credentials: What the keys come from, for messages.
        account: Tells it from other logins with the same credentials.
    """

    keys: KeySource
    region: str
    credentials: tuple[Credential, ...]
    account: str


def chosen_login(config: Fields, secrets: Secrets, identity: Identity) -> Chosen:
    """The login that a config asks for; nobody is asked anything yet.

    Args:
        config: `dns01.route53`.
        secrets: Reads entries of Secrets.
        identity: What else the issuer may log in by.

    Raises:
        InvalidSpec: Fields contradict each other, a Secret lacks, or the issuer may not log in so.
    """
    region = aws_regions.region_of(config)
    role = Role(config.text("role").strip(), region, config.text("externalID").strip())
    account = config.part("auth").part("kubernetes").part("serviceAccountRef")
    written = has_credential(config, SECRET) or has_credential(config, ID) or SECRET_REF in config
    written = written or bool(config.text(ID))
    if role.arn:
        role.check(config.at("role"))
    elif role.external_id:
        raise InvalidSpec(f"{config.at('externalID')}: goes with a role; set role, or remove it")
    if account or "auth" in config:
        if written:
            raise InvalidSpec(f"{config.at('auth')}: excludes access keys; remove one of them")
        return _by_token(config, account, role, identity)
    used: tuple[Credential, ...]
    if written:
        used = access, secret = _written(config, secrets)
        base: KeySource = Renewed(lambda: Keys(access.value, secret.value))
    else:
        try:
            identity.ambient()
        except InvalidSpec as error:
            raise InvalidSpec(f"{config.path}: names no credentials; {error.message}", reason=error.reason) from None
        used = (Credential("", aws_ambient.WHERE),)
        base = aws_ambient.operators_keys(region)
    keys = assumed(role, base, used) if role.arn else base
    return Chosen(keys, region, used, f"{role.arn} {role.external_id}")


def _by_token(config: Fields, account: Fields, role: Role, identity: Identity) -> Chosen:
    name = account.text("name")
    if not name:
        raise InvalidSpec(f"{account.at('name')}: must name a ServiceAccount")
    if not role.arn:
        raise InvalidSpec(f"{config.at('role')}: must be the role that ServiceAccount {name} is to assume")
    if role.external_id:
        raise InvalidSpec(f"{config.at('externalID')}: AWS takes none with a ServiceAccount's token; remove it")
    audiences = account.texts("audiences") or (AUDIENCE,)
    try:
        token = identity.tokens(name, audiences)
    except InvalidSpec as error:
        raise InvalidSpec(f"{account.path}: {error.message}", reason=error.reason) from None
    used = Credential("", f"{account.path}: ServiceAccount {name}")
    return Chosen(by_web_identity(role, token, used), role.region, (used,), f"{role.arn} {name}")


def _written(config: Fields, secrets: Secrets) -> tuple[Credential, Credential]:
    """Access key ID and secret access key."""
    plain = config.text(ID).strip()
    if plain and has_credential(config, ID):
        raise InvalidSpec(f"{config.at(ID)}: excludes {ID}SecretRef; remove one of them")
    if plain and (not plain.isascii() or not plain.isalnum()):
        raise InvalidSpec(f"{config.at(ID)}: cannot be an access key ID, which has letters and digits only")
    access = Credential(plain, config.at(ID)) if plain else credential(config, secrets, ID)
    return access, credential(config, secrets, SECRET)

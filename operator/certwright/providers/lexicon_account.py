"""What a solver's config says of one of lexicon's providers: its options, and which of them are credentials."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from certwright.errors import InvalidSpec
from certwright.providers.credentials import SECRET_REF, content_of
from certwright.resources.values import parse_duration

if TYPE_CHECKING:
    from collections.abc import Mapping

    from certwright.providers.base import Secrets
    from certwright.resources.reading import Fields

TTL: Final = 600
"""Seconds; more providers take it than any shorter one."""
TIMEOUT: Final = timedelta(seconds=60)
LONGEST: Final = timedelta(minutes=2)
"""A thread of the operator waits for the process."""
MAX_OPTIONS: Final = 32_768
"""Octets of all options, credentials included."""
_TELLING: Final = ("auth", "token", "secret", "password", "key")
"""In the names of options that are credentials, wherever they were written."""


@dataclass(frozen=True, slots=True)
class Account:
    """What lexicon is to use.

    Args:
        provider: Lexicon's name of the provider.
        options: Its options, credentials among them.
        hidden: What no message may repeat.
        path: Of the config.
        where: Where the credentials are from, for messages.
        ttl: Seconds.
        seconds: How long one change may take.
    """

    provider: str
    options: Mapping[str, object] = field(repr=False)
    hidden: tuple[str, ...] = field(repr=False)
    path: str
    where: str
    ttl: int
    seconds: float

    @property
    def id(self) -> str:
        """The same for the same account only; tells nothing of its credentials."""
        return hashlib.sha256(json.dumps([self.provider, self.options], sort_keys=True).encode()).hexdigest()


def account(config: Fields, secrets: Secrets) -> Account:
    """Read the config; raises InvalidSpec naming the field that is wrong."""
    provider = config.text("provider")
    if not provider.isidentifier():
        raise InvalidSpec(f"{config.at('provider')}: must be the name of one of lexicon's providers, such as porkbun")
    options = dict(config.part("options").body)
    for name, value in options.items():
        if not isinstance(value, str | int | float):
            raise InvalidSpec(f"{config.part('options').at(name)}: must be a text, a number, or true or false")
    hidden = [str(value) for name, value in options.items() if any(word in name for word in _TELLING)]
    places: list[str] = []
    names = config.texts("credentials")
    if names and SECRET_REF not in config:
        raise InvalidSpec(f"{config.at('credentials')}: needs the Secret that has them, as secretRef beside config")
    for name in names:
        if name in options:
            raise InvalidSpec(f"{config.at('credentials')}: {name} stands in options, too; write it in one place")
        content, where = content_of(config, secrets, name)
        options[name] = _text(content, where)
        hidden.append(str(options[name]))
        places.append(where)
    if len(json.dumps(options)) > MAX_OPTIONS:
        raise InvalidSpec(f"{config.at('options')}: has more than {MAX_OPTIONS} octets")
    return Account(
        provider=provider,
        options=options,
        hidden=tuple(hidden),
        path=config.path,
        where=" and ".join(places) or config.at("credentials"),
        ttl=_ttl(config),
        seconds=_seconds(config),
    )


def _text(content: bytes, where: str) -> str:
    try:
        return content.decode().strip()
    except UnicodeDecodeError:
        raise InvalidSpec(f"{where} is not a text") from None


def _ttl(config: Fields) -> int:
    ttl = config.number("ttl")
    if ttl is not None and not 0 < ttl <= 86_400:  # noqa: PLR2004 - a day
        raise InvalidSpec(f"{config.at('ttl')}: must be 1 to 86400 seconds")
    return TTL if ttl is None else ttl


def _seconds(config: Fields) -> float:
    text = config.text("timeout")
    timeout = parse_duration(text, config.at("timeout")) if text else TIMEOUT
    if not timedelta(seconds=1) <= timeout <= LONGEST:
        raise InvalidSpec(f"{config.at('timeout')}: must be from 1s to {LONGEST.total_seconds():.0f}s")
    return timeout.total_seconds()

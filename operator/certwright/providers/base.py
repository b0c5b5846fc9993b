"""The interface between the DNS-01 solver and whoever can change a zone; third parties implement it, too.

A provider adds and removes one TXT value at a time by exact value: others' values at the same name are never touched.
It keeps nothing in memory that removal needs, so that any process can clean up after any other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn, Protocol, TypeAlias, runtime_checkable

from certwright.errors import InvalidSpec

if TYPE_CHECKING:
    from certwright.resources.reading import Fields

Secrets: TypeAlias = Callable[[str, str], bytes]
"""Reads one entry of a Secret: (the Secret's name, the key) -> its bytes; raises InvalidSpec when it is not there."""
NamedValue: TypeAlias = tuple[str, str]
"""An absolute name with its final dot, and a TXT value."""
TokenMaker: TypeAlias = Callable[[], str]
"""Makes a new token each time; it ends after some minutes."""
Caller: TypeAlias = Callable[[str, str, Mapping[str, Any]], Mapping[str, Any]]
"""Hands a payload to a solver behind an aggregated API: (the API group, the solver, the payload) -> its answer."""


def _nobody(*_: object) -> NoReturn:
    raise InvalidSpec("only credentials from a Secret can be used here; name one in the solver")


@dataclass(frozen=True, slots=True)
class Identity:
    """What an issuer may log in by beside its Secrets; all raise InvalidSpec, saying why, where it may not.

    Args:
        ambient: Called before the operator's own credentials are used: what its environment, its cloud's metadata
            service or its workload identity give.
        tokens: Makes tokens of a ServiceAccount in the issuer's namespace: (name, audiences) -> what makes one.
        webhook: Calls a webhook in the operator's name.
        namespace: Where its Secrets are, for a webhook that reads them itself.
    """

    ambient: Callable[[], None] = _nobody
    tokens: Callable[[str, Sequence[str]], TokenMaker] = _nobody
    webhook: Caller = _nobody
    namespace: str = ""


NOBODY = Identity()
"""Secrets only."""


class Provider(Protocol):
    """Changes one account's zones. Every method is safe for threads, short, idempotent, and may be repeated any time.

    Names and zones are absolute, lower case, with the final dot. Methods raise from certwright.errors only: Retryable
    for what passes by itself, Throttled with the API's Retry-After, InvalidSpec for a setting or Secret that is wrong,
    Terminal for what a person must do at the provider. Messages name the field and never hold a credential.
    """

    def add_txt(self, zone: str, name: str, value: str) -> None:
        """See that the TXT RRset at `name` has `value` among its values; adding what is there succeeds."""

    def remove_txt(self, zone: str, name: str, value: str) -> None:
        """See that `value` is not among the values at `name`; removing what is gone succeeds."""

    def find_zone(self, name: str) -> str | None:
        """The zone of this account that holds `name`; None where the provider cannot tell or has none."""


@runtime_checkable
class Batching(Protocol):
    """What a provider has in addition when it can change many values of one zone in one request."""

    def add_many(self, zone: str, items: Sequence[NamedValue]) -> None:
        """As add_txt, for each."""

    def remove_many(self, zone: str, items: Sequence[NamedValue]) -> None:
        """As remove_txt, for each."""


@runtime_checkable
class Rehearsing(Protocol):
    """What a provider has in addition when it can try whether it may change a zone without changing anything."""

    def rehearse(self, zone: str) -> None:
        """Raise what add_txt would raise for a name of this zone; else do nothing."""


def add_many(provider: Provider, zone: str, items: Sequence[NamedValue]) -> None:
    """Add many values of one zone, in as few requests as the provider can."""
    if isinstance(provider, Batching):
        provider.add_many(zone, items)
        return
    for name, value in items:
        provider.add_txt(zone, name, value)


def remove_many(provider: Provider, zone: str, items: Sequence[NamedValue]) -> None:
    """Remove many values of one zone, in as few requests as the provider can."""
    if isinstance(provider, Batching):
        provider.remove_many(zone, items)
        return
    for name, value in items:
        provider.remove_txt(zone, name, value)


@dataclass(frozen=True, slots=True)
class ConfigField:
    """A field of a provider's config, for `certwright providers` and the docs.

    Args:
        name: Its name in the provider's part of the spec; of a secret one `xSecretRef`.
        help: What it means, a sentence or two.
        required: Whether there is no default.
        secret: Whether it refers to an entry of a Secret, as {name, key}. Where it is missing, the entry `x` of the
            Secret that `dns01.provider.secretRef` names is meant; providers.credentials reads both.
    """

    name: str
    help: str
    required: bool = False
    secret: bool = False


@dataclass(frozen=True, slots=True)
class ProviderInfo:
    """What a plugin's entry point gives.

    Args:
        name: The entry point's name, and the field below `dns01` (or `dns01.provider.name`) that chooses it.
        description: What it works with, in a few words.
        fields: Its config.
        build: Makes a provider of an issuer's config; raises InvalidSpec naming the field that is wrong.
        build_as: Used in its place by a provider that can log in by more than Secrets.
        catalogue: Lists what stands behind a provider that is many: the fields of each by its name.
    """

    name: str
    description: str
    fields: tuple[ConfigField, ...]
    build: Callable[[Fields, Secrets], Provider]
    build_as: Callable[[Fields, Secrets, Identity], Provider] | None = None
    catalogue: Callable[[], Mapping[str, tuple[ConfigField, ...]]] | None = None

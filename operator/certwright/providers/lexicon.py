"""dns-lexicon's providers, for those that there is no provider of our own for.

Lexicon runs in a process of its own, which is killed at a deadline: most of its providers wait for ever for a silent
API, and what they import, print and hold in memory stays out of the operator. It is given the zone and the credentials
by standard input, and may connect only where any provider may. Each value is added and removed by what it is, after a
look at what is there, and looked for afterwards.
"""

from __future__ import annotations

import json
import os
import re
import secrets as randomness
import sys
import threading
from functools import cache
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final

from certwright.errors import InvalidSpec, Retryable, Terminal
from certwright.providers import lexicon_answer
from certwright.providers.base import ConfigField, ProviderInfo
from certwright.providers.changes import one_at_a_time
from certwright.providers.guard import standing
from certwright.providers.lexicon_account import TTL, Account, account
from certwright.providers.lexicon_answer import PROVIDER_FAILED
from certwright.providers.names import bare
from certwright.providers.process import run
from certwright.providers.telling import last_words

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from certwright.providers.base import NamedValue, Secrets
    from certwright.resources.reading import Fields

MAX_VALUE: Final = 255
_PLAIN: Final = re.compile(rf"[ !#-\[\]-~]{{1,{MAX_VALUE}}}")
"""What all of lexicon's providers write and read back as it is; each has quotes of its own way, or none."""
BATCH: Final = 50
"""Values that one process changes."""
AT_ONCE: Final = 4
"""Processes at the same time, each of some 35 MB and a fifth of a second of CPU."""
LISTING_SECONDS: Final = 60.0
LISTING_OCTETS: Final = 1 << 20
COMMAND: Final = (sys.executable, "-I", "-B", "-m", "certwright.providers.lexicon_child")
"""Isolated: neither the environment nor a user's folder says what is imported."""
_PASSED_ON: Final = frozenset(
    {"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE"}
)

_children = threading.BoundedSemaphore(AT_ONCE)


class Lexicon:
    """One account at one of lexicon's providers.

    Args:
        account: The account.
        command: What is run; another one is for tests.
    """

    def __init__(self, account: Account, command: Sequence[str] = COMMAND) -> None:
        self._account = account
        self._command = command

    def add_txt(self, zone: str, name: str, value: str) -> None:
        """See providers.base."""
        self.add_many(zone, [(name, value)])

    def remove_txt(self, zone: str, name: str, value: str) -> None:
        """See providers.base."""
        self.remove_many(zone, [(name, value)])

    def add_many(self, zone: str, items: Sequence[NamedValue]) -> None:
        """See providers.base."""
        self._change("add", zone, items)

    def remove_many(self, zone: str, items: Sequence[NamedValue]) -> None:
        """See providers.base."""
        self._change("remove", zone, items)

    def find_zone(self, name: str) -> str | None:  # noqa: ARG002 - the interface
        """Lexicon has no such question."""
        return None

    def _change(self, act: str, zone: str, items: Sequence[NamedValue]) -> None:
        account, guard = self._account, standing()
        for _, value in items:
            if not _PLAIN.fullmatch(value):
                raise InvalidSpec(
                    f"{account.path}: lexicon writes values of up to {MAX_VALUE} letters, digits and signs other than "
                    "quotes and backslashes; what is to be written is none"
                )
        job = {
            "do": act,
            "provider": account.provider,
            "options": account.options,
            "secrets": account.hidden,
            "zone": zone,
            "ttl": account.ttl,
            "seconds": account.seconds,
            "guard": {"loopback": guard.allow_loopback, "allowed": [str(network) for network in guard.allowed]},
        }
        left = list(dict.fromkeys(items))
        with one_at_a_time(account.id, bare(zone)):
            for start in range(0, len(left), BATCH):
                self._do(job | {"items": left[start : start + BATCH]})

    def _do(self, job: Mapping[str, Any]) -> None:
        account = self._account
        what = f"{account.path}: lexicon's provider {account.provider}"
        if not _children.acquire(timeout=account.seconds):
            raise Retryable(f"{what} waits for {AT_ONCE} others to end", reason="ProviderBusy")
        try:
            answer = _ask(job, self._command, account.seconds, account.hidden, what)
        finally:
            _children.release()
        if answer.get("ok") is not True:
            raise lexicon_answer.fault(answer, where=account.path, credentials=account.where, name=account.provider)


def _ask(
    job: Mapping[str, Any], command: Sequence[str], seconds: float, hidden: Sequence[str], what: str, **more: int
) -> dict[str, Any]:
    """Run a process and read its answer; raises Retryable where there is none, and says how the process ended."""
    word = randomness.token_hex(16)
    content = json.dumps({**job, "answer": word}).encode()
    environment = {"PATH": os.defpath, "LANG": "C.UTF-8", "HOME": "/nonexistent", "AWS_EC2_METADATA_DISABLED": "true"}
    environment |= {name: value for name, value in os.environ.items() if name.upper() in _PASSED_ON}
    try:
        outcome = run(command, environment=environment, seconds=seconds, content=content, **more)
    except OSError as error:
        raise Retryable(f"{what} cannot be started: {error.strerror}", reason=PROVIDER_FAILED) from None
    forms = lexicon_answer.forms(hidden)
    for line in reversed(outcome.output.splitlines()):
        if line.startswith(f"{word} ".encode()):
            return _parsed(line[len(word) :], forms)
    if outcome.status is None:
        text = f"{what} did not end within {seconds:g} s and was killed; its API may be slow, or not be reached"
    else:
        words = last_words(outcome.output, forms)
        text = f"{what} ended with exit code {outcome.status} and no answer{words}"
    raise Retryable(text, reason=PROVIDER_FAILED)


def _parsed(line: bytes, forms: Sequence[str]) -> dict[str, Any]:
    try:
        answer = json.loads(line)
    except ValueError:
        return {}
    if not isinstance(answer, dict):
        return {}
    # The process has done so already; what is told to anybody does not rest on that.
    return answer | {"text": lexicon_answer.hide(str(answer.get("text", "")), forms)}


def check_installed() -> None:
    """See that dns-lexicon is there, without importing it.

    Raises:
        Terminal: It is not; reason ExtraMissing.
    """
    if find_spec("lexicon") is None:
        raise Terminal(
            "the Python package dns-lexicon is missing; install certwright[lexicon] where the operator runs",
            reason="ExtraMissing",
        )


@cache
def catalogue() -> Mapping[str, tuple[ConfigField, ...]]:
    """The providers of lexicon that can be used, by lexicon's names, each with its options, for people.

    Raises:
        Terminal: Lexicon is not installed.
        Retryable: It could not be asked.
    """
    check_installed()
    job = {"do": "describe", "seconds": LISTING_SECONDS}
    answer = _ask(job, COMMAND, LISTING_SECONDS, (), "the list of lexicon's providers", keep=LISTING_OCTETS)
    found: Mapping[str, Mapping[str, str]] = answer.get("providers") or {}
    if not found:
        raise Retryable("lexicon lists no providers", reason=PROVIDER_FAILED)
    return {
        name: tuple(ConfigField(f"options.{option}", text) for option, text in sorted(options.items()))
        for name, options in sorted(found.items())
    }


def build(config: Fields, secrets: Secrets) -> Lexicon:
    """Make the provider; raises InvalidSpec naming the field that is wrong, Terminal where lexicon is missing."""
    check_installed()
    return Lexicon(account(config, secrets))


PROVIDER = ProviderInfo(
    name="lexicon",
    description="some ninety more, by dns-lexicon",
    fields=(
        ConfigField("provider", "Lexicon's name of the provider.", required=True),
        ConfigField("options", "The provider's options as lexicon calls them, with underscores."),
        ConfigField(
            "credentials",
            "Names of further options; the value of each is the entry of that name in the Secret of `secretRef`.",
        ),
        ConfigField("ttl", f"TTL of the records in seconds; {TTL} by default."),
        ConfigField("timeout", "How long a change may take, `60s` by default; then the process is killed."),
        ConfigField("secretRef", "The Secret with the credentials; stands beside `config`."),
    ),
    build=build,
    catalogue=catalogue,
)

"""The protocol of lego's exec: a program of the operator's owner takes `present` or `cleanup`, a name and a value.

Whoever may write an Issuer chooses a program here, so only those run that the operator's owner has allowed, with
nothing of the operator's environment, a deadline, and no more of their output kept than a message needs.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from certwright.errors import CertwrightError, InvalidSpec, Retryable, Terminal
from certwright.providers.api import CREDENTIALS_REFUSED, NOT_ALLOWED
from certwright.providers.base import ConfigField, ProviderInfo
from certwright.providers.credentials import SECRET_REF, Credential, credential, has_credential
from certwright.providers.process import Outcome, run
from certwright.providers.telling import last_words
from certwright.resources.values import parse_duration

if TYPE_CHECKING:
    from collections.abc import Sequence

    from certwright.providers.base import Secrets
    from certwright.resources.reading import Fields

TIMEOUT: Final = timedelta(seconds=60)
LONGEST: Final = timedelta(minutes=2)
"""A thread of the operator waits for the program."""
ENVIRONMENT: Final = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/tmp",  # noqa: S108 - programs want one that can be written to
    "LANG": "C.UTF-8",
}
NO_PERMISSION, BAD_CONFIG = 77, 78
"""Exit codes by which a program can say that to try again is of no use (EX_NOPERM and EX_CONFIG of sysexits.h)."""
PROGRAM_FAILED: Final = "ProgramFailed"


class _Allowed:
    """The programs that the operator's owner allows; set once, when the operator starts."""

    def __init__(self) -> None:
        self.programs: frozenset[str] = frozenset()


_allowed = _Allowed()


def allow_programs(programs: Sequence[str]) -> None:
    """Make these the only programs that may run; for the composition root, and for tests.

    Args:
        programs: Absolute paths.

    Raises:
        InvalidSpec: One is none.
    """
    for program in programs:
        if not program.startswith("/"):
            raise InvalidSpec(f"exec-programs: {program[:80]!r} must be an absolute path")
    _allowed.programs = frozenset(programs)


class Exec:
    """One program; what it does with a value is its own affair.

    Args:
        program: Its path.
        path: Of the config, for messages.
        seconds: How long it may take.
        secret: A credential to hand to it.
    """

    def __init__(self, program: str, *, path: str, seconds: float, secret: Credential | None = None) -> None:
        self._program = program
        self._path = path
        self._seconds = seconds
        self._secret = secret

    def add_txt(self, zone: str, name: str, value: str) -> None:
        """Run it with `present`."""
        self._run("present", zone, name, value)

    def remove_txt(self, zone: str, name: str, value: str) -> None:
        """Run it with `cleanup`."""
        self._run("cleanup", zone, name, value)

    def find_zone(self, name: str) -> str | None:  # noqa: ARG002 - the interface
        """The protocol has no such question."""
        return None

    def _run(self, act: str, zone: str, name: str, value: str) -> None:
        environment = {**ENVIRONMENT, "CERTWRIGHT_ZONE": zone}
        if self._secret:
            environment["CREDENTIAL"] = self._secret.value
        try:
            outcome = run([self._program, act, name, value], environment=environment, seconds=self._seconds)
        except OSError as error:
            raise Terminal(
                f"{self._path}.program: {self._program} cannot be run: {error.strerror}; see that it is in the "
                "operator's image, may be executed, and begins with a line that names its interpreter",
                reason=PROGRAM_FAILED,
            ) from None
        if outcome.status != 0:
            raise self._fault(f"{self._program} {act} {name}", outcome)

    def _fault(self, what: str, outcome: Outcome) -> CertwrightError:
        said = last_words(outcome.output, [self._secret.value] if self._secret else [])
        if outcome.status is None:
            return Retryable(f"{what}: killed after {self._seconds:g} s{said}", reason=PROGRAM_FAILED)
        where = f" ({self._secret.where})" if self._secret else ""
        if outcome.status == NO_PERMISSION:
            return Terminal(f"{what}: its credentials are refused{where}{said}", reason=CREDENTIALS_REFUSED)
        if outcome.status == BAD_CONFIG:
            return Terminal(f"{what}: it is not set up as it should be{said}", reason=PROGRAM_FAILED)
        ended = f"exit code {outcome.status}" if outcome.status > 0 else f"ended by signal {-outcome.status}"
        return Retryable(f"{what}: {ended}{said}", reason=PROGRAM_FAILED)


def build(config: Fields, secrets: Secrets) -> Exec:
    """Make the provider; raises InvalidSpec naming the field that is wrong."""
    program, where = config.text("program"), config.at("program")
    if not program:
        raise InvalidSpec(f"{where}: must be the path of a program")
    if program not in _allowed.programs:
        allowed = ", ".join(sorted(_allowed.programs)) or "none"
        raise InvalidSpec(
            f"{where}: {program[:200]!r} is not among the programs that the operator's --exec-programs allows "
            f"({allowed})",
            reason=NOT_ALLOWED,
        )
    text = config.text("timeout")
    timeout = parse_duration(text, config.at("timeout")) if text else TIMEOUT
    if not timedelta(0) < timeout <= LONGEST:
        raise InvalidSpec(f"{config.at('timeout')}: must be more than 0s and at most {LONGEST.seconds // 60}m")
    wanted = has_credential(config, "credential") or SECRET_REF in config
    secret = credential(config, secrets, "credential") if wanted else None
    return Exec(program, path=config.path, seconds=timeout.total_seconds(), secret=secret)


PROVIDER = ProviderInfo(
    name="exec",
    description="any program that speaks the protocol of lego's exec (not its RAW mode), where the operator allows it",
    fields=(
        ConfigField("program", "Absolute path; one of those that `--exec-programs` names.", required=True),
        ConfigField("timeout", "How long it may take before it is killed; 1m by default, 2m at most."),
        ConfigField(
            "credentialSecretRef", "Handed to the program in the environment variable `CREDENTIAL`.", secret=True
        ),
    ),
    build=build,
)

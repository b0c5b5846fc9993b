"""What a look at the DNS found out, one sentence each, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

SHOWN = 4
"""Names in one sentence."""


class Severity(StrEnum):
    """How much it matters."""

    OK = "ok"
    ADVICE = "advice"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding.

    Args:
        severity: A problem keeps names from being proven, or will; advice may or may not.
        code: What it is, in CamelCase, for programs.
        text: What was seen.
        action: What to do; empty where all is well.
    """

    severity: Severity
    code: str
    text: str
    action: str = ""


def ok(code: str, text: str) -> Finding:
    """All is well."""
    return Finding(Severity.OK, code, text)


def advice(code: str, text: str, action: str) -> Finding:
    """Something to know about."""
    return Finding(Severity.ADVICE, code, text, action)


def problem(code: str, text: str, action: str) -> Finding:
    """Something to mend."""
    return Finding(Severity.PROBLEM, code, text, action)


def several(items: Iterable[object]) -> str:
    """A bounded list of names, sorted, each once."""
    texts = sorted(set(map(str, items)))
    return ", ".join(texts[:SHOWN]) + (f" and {len(texts) - SHOWN} more" if len(texts) > SHOWN else "")

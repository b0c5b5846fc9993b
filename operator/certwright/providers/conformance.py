"""What any DNS provider must do, as checks that run against a real or fake zone; a plugin's author runs them, too.

They need no test framework: each check is a name and a function that raises AssertionError. For pytest:

    @pytest.mark.parametrize("check", checks(), ids=lambda check: check.name)
    def test_conformance(check):
        check.run(Subject(make=..., read_txt=..., zone="example.com."))

A check whose `needs` the subject does not offer does nothing; give what can be given.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from certwright.providers.conformance_rules import RULES, VALUES
from certwright.providers.conformance_subject import Subject
from certwright.providers.elsewhere import Elsewhere

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["VALUES", "Check", "Elsewhere", "Subject", "checks"]


@dataclass(frozen=True, slots=True)
class Check:
    """One rule.

    Args:
        name: States it.
        rule: Raises AssertionError where it is broken.
        needs: The subject's field that it works with; empty for none.
    """

    name: str
    rule: Callable[[Subject], None]
    needs: str = ""

    def run(self, subject: Subject) -> None:
        """Run it; raises AssertionError, and whatever the provider raises where it should not."""
        if not self.needs or getattr(subject, self.needs) is not None:
            self.rule(subject)


def checks() -> tuple[Check, ...]:
    """All rules."""
    return tuple(Check(rule.__name__.strip("_").replace("_", " "), rule, needs) for rule, needs in RULES.items())

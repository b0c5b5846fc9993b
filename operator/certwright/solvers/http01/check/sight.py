"""Where the answer of an HTTP-01 challenge is looked for, and what each place was met to serve: values only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from certwright.solvers.http01.check.fetch import Fault
from certwright.solvers.http01.check.met import Kind, Met

POD: Final = "solver pod"


@dataclass(frozen=True, slots=True)
class Places:
    """Where besides the public name the answer can be looked for.

    Args:
        entry: Addresses or host names that the Ingress or Gateway reports; empty: it reports none.
        entry_kind: Kind and name for messages, `Ingress shop/certwright-http-solver-ab12cd34`; empty: there is none,
            because a web server of the user's own serves the answer.
        pod: Address and port of the pod, `10.0.0.5:8089`; empty: there is none.
        trouble: Why there is no pod yet, for people.
    """

    entry: tuple[str, ...] = ()
    entry_kind: str = "Ingress"
    pod: str = ""
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class Sight:
    """What one way met."""

    address: str
    met: Met

    @property
    def right(self) -> bool:
        """Whether it was the answer."""
        return self.met.kind is Kind.RIGHT

    @property
    def aside(self) -> bool:
        """Whether this place may be the reason: it has no way there, or IPv6 goes nowhere, as in many a cluster.

        CAs go on with IPv4 when IPv6 times out.
        """
        fault = None if self.met.redirect else self.met.fault
        return fault is Fault.NO_ROUTE or (fault is Fault.TIMEOUT and ":" in self.address)


@dataclass(frozen=True, slots=True)
class Looked:
    """All that was met for one name.

    Args:
        name: The identifier.
        url: `http://NAME`.
        lack: Why the name leads to no address; empty where it does.
        unanswered: Whether that is because no resolver answers.
        alias: Where the name's CNAME leads when it leads to no address; empty without one.
        named: By the name, one an address.
        entry: By the address of the Ingress or Gateway; empty where nobody asked.
        pod: Straight at the pod; None where nobody asked.
    """

    name: str
    url: str
    lack: str = ""
    unanswered: bool = False
    alias: str = ""
    named: tuple[Sight, ...] = ()
    entry: tuple[Sight, ...] = ()
    pod: Sight | None = None

    @property
    def wrong(self) -> list[Sight]:
        """What counts against the name; what may be the fault of the way from here comes last."""
        wrong = [sight for sight in self.named if not sight.right]
        return sorted(wrong, key=lambda sight: sight.aside)

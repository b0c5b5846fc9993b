"""Chooses the one thing to do about an HTTP-01 answer that is not found.

The innermost thing that is wrong comes first, since nothing further out can work without it; only a name that leads
nowhere comes before that, since it needs a person. Only values in and out.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Final

from certwright.dns.finding import several
from certwright.providers.guard import is_public
from certwright.solvers.http01.answer import WELL_KNOWN
from certwright.solvers.http01.check.met import Kind, Met
from certwright.solvers.http01.check.sight import POD, Looked, Places, Sight

if TYPE_CHECKING:
    from collections.abc import Mapping

_BY_STATUS: Final[Mapping[int, str]] = {
    **dict.fromkeys(
        (404, 503),
        "wait; if this lasts, see that the controller runs that takes up {kind}, that its class is right, and that no "
        "other one serves {name}",
    ),
    **dict.fromkeys((401, 403, 407), "let {path} pass without a login or an address filter at {address}"),
    **dict.fromkeys((502, 504), "let the controller of {kind} reach the {pod}; a NetworkPolicy may forbid it"),
}
_BY_KIND: Final[Mapping[Kind, str]] = {
    Kind.UNRESOLVED: "see that {address}, which {kind} reports, is in the DNS",
    Kind.FORBIDDEN: "let the controller of {kind} report the address that others reach it at",
    Kind.NETWORK: "see that the controller of {kind} listens at port 80 of {address}, and that no NetworkPolicy or "
    "firewall keeps the operator from it",
}
_FROM_OUTSIDE: Final = (
    "see from outside whether port 80 of {address} leads to {kind}; if it does, only the way back into the network is "
    "missing here, and the policies Warn and Skip go on without it"
)
_OTHER: Final = "another Ingress or route serves {name} with this path first: find it, and let {kind} come before it"


def action(looked: Looked, places: Places) -> str:
    """The one thing to do.

    Args:
        looked: What was met; by the name it was not the answer everywhere.
        places: Where was looked.
    """
    inside = looked.entry + ((looked.pod,) if looked.pod else ())
    if any(sight.met.kind is Kind.UNASKED for sight in looked.named + inside):
        return "see why the servers of the order's other names answer so slowly"
    if looked.lack:
        return _make_record(looked, places)
    if any(sight.right for sight in looked.named):
        return _make_even(looked, places)
    if any(sight.right for sight in looked.entry):
        return _lead_here(looked, places)
    if looked.pod and not looked.pod.right:
        return _mend_pod(looked.pod, places)
    return _mend_entry(looked, places) if places.entry_kind else _mend_server(looked)


def _make_record(looked: Looked, places: Places) -> str:
    """The record that the name lacks, if anybody can tell."""
    if looked.unanswered:
        return f"let the operator reach a DNS resolver that answers for {looked.name}, see its option --dns-resolvers"
    if looked.alias:
        return f"mend the CNAME record of {looked.name}, or make an A or AAAA record for {looked.alias}"
    if not places.entry:
        what = f"the address of {places.entry_kind}" if places.entry_kind else "the web server"
        return f"make an A or AAAA record for {looked.name} that points to {what}"
    first = min(places.entry)
    try:
        kind = "an AAAA" if ipaddress.ip_address(first).version == 6 else "an A"  # noqa: PLR2004 - the protocol's number
    except ValueError:
        kind = "a CNAME (at a zone's apex: ALIAS)"
    return f"make {kind} record for {looked.name} that points to {first}, the address of {places.entry_kind}"


def _make_even(looked: Looked, places: Places) -> str:
    """Some addresses are right and others are not."""
    wrong = looked.wrong
    addresses = several(sight.address for sight in wrong)
    if all(":" in sight.address for sight in wrong) and any(":" not in s.address for s in looked.named if s.right):
        return (
            f"make {addresses} serve the same as IPv4, or delete that AAAA record of {looked.name}: CAs try IPv6 first"
        )
    there = _entry(places)
    return f"point every address record of {looked.name} to {there}: a CA may take {addresses}"


def _lead_here(looked: Looked, places: Places) -> str:
    """The Ingress answers, and the name leads to something else."""
    wrong = looked.wrong
    first, address, there = wrong[0].met, wrong[0].address, _entry(places)
    if first.kind is Kind.FORBIDDEN and not first.redirect:
        return f"point {looked.name} to {there}; no CA can go to {address}"
    if first.redirect:
        return _mend_redirect(first, f"of {looked.name} at {address}")
    here = {sight.address for sight in looked.entry if sight.right}
    if address in here:
        return (
            f"find what else serves {WELL_KNOWN} for {looked.name} at {address}, and let {places.entry_kind} come first"
        )
    if first.kind is not Kind.NETWORK:
        return (
            f"another web server answers at {address}: point {looked.name} to {there}, or let that server pass "
            f"{WELL_KNOWN} on to there"
        )
    if is_public(address) and not any(map(is_public, here)):
        return _FROM_OUTSIDE.format(address=address, kind=there)
    return f"point {looked.name} to {there}, or let port 80 of {address} lead to there"


def _mend_entry(looked: Looked, places: Places) -> str:
    """The pod answers, and the Ingress does not pass it on."""
    kind = places.entry_kind
    if not looked.entry:
        return (
            f"see that a controller runs that takes up {kind}, that its class is right, and that it reports an address"
        )
    met, address = looked.entry[0].met, looked.entry[0].address
    if met.redirect:
        return _mend_redirect(met, f"of {kind}'s controller")
    if met.kind is Kind.NETWORK and is_public(address):
        return _FROM_OUTSIDE.format(address=address, kind=kind)
    text = _BY_STATUS.get(met.status) or _BY_KIND.get(met.kind, _OTHER)
    return text.format(kind=kind, name=looked.name, path=WELL_KNOWN, address=address, pod=POD)


def _mend_redirect(met: Met, whose: str) -> str:
    """A redirect is in the way."""
    if met.kind is Kind.REDIRECT:
        return f"take {WELL_KNOWN} out of the redirects {whose}"
    return f"take {WELL_KNOWN} out of the redirects {whose}, or make {met.redirect} serve the answer, too"


def _mend_pod(pod: Sight, places: Places) -> str:
    """Not even the pod answers."""
    if pod.met.kind is Kind.NETWORK:
        also = f"; {places.trouble}" if places.trouble else ""
        return f"let the operator reach the {POD} at {pod.address}; a NetworkPolicy may forbid it{also}"
    if pod.met.kind is Kind.FORBIDDEN:
        return f"see why the {POD} has the address {pod.address}, which is never connected to"
    return f"delete the {POD}, which is not this order's: it is made anew"


def _mend_server(looked: Looked) -> str:
    """There is no Ingress and no pod: a web server of the user's own serves the answer."""
    first = looked.wrong[0].met
    if first.redirect:
        return _mend_redirect(first, f"of {looked.name}")
    if first.kind is Kind.NETWORK:
        return f"let port 80 of {looked.name} lead to the web server, and let the operator reach it"
    return f"see that the web server of {looked.name} serves {WELL_KNOWN} out of the solver's volume"


def _entry(places: Places) -> str:
    """Where the name should lead."""
    if not places.entry:
        return places.entry_kind or "the web server"
    return f"{several(places.entry)} ({places.entry_kind})"

"""Turns what was met on the three ways to an HTTP-01 answer into a verdict with its evidence; values only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from certwright.dns.finding import several
from certwright.resources.order import ServerAnswer, Verdict
from certwright.solvers.http01.check.action import action
from certwright.solvers.http01.check.sight import POD, Looked, Sight

if TYPE_CHECKING:
    from certwright.solvers.http01.check.sight import Places

NAMED_SHOWN, ENTRY_SHOWN = 5, 2
"""Lines of a verdict for the addresses of the name, and for those of the Ingress; with the pod's, what status keeps."""


def waiting(looked: Looked, places: Places) -> Verdict:
    """The verdict while there is no pod: nobody is asked then, for a cache on the way might keep a "not found"."""
    return Verdict(
        ok=False,
        summary=f"{looked.url} cannot be served yet: {places.trouble}",
        missing=(ServerAnswer(POD, "", places.trouble),),
        action=f"wait for the {POD}; if this lasts, see why it does not run: {places.trouble}",
    )


def judge(looked: Looked, places: Places, *, tolerant: bool) -> Verdict:
    """The verdict on one name.

    Args:
        looked: What was met.
        places: Where was looked.
        tolerant: Whether it is enough, after a while, that the answer is served further inside. A name that has no
            address is no such case: no CA would find it either.
    """
    right = [sight for sight in looked.named if sight.right]
    aside = [sight for sight in looked.named if right and sight.aside]
    if right and len(right) + len(aside) == len(looked.named):
        summary = f"{looked.url} serves the answer at {several(sight.address for sight in right)}"
        if aside:
            summary += f"; not counted: {several(f'{sight.address} ({sight.met.text})' for sight in aside)}"
        return Verdict(ok=True, summary=summary)
    somewhere = bool(right) or any(sight.right for sight in _inside(looked))
    return Verdict(
        ok=False,
        summary=_summary(looked, places),
        missing=_missing(looked, places),
        action=action(looked, places),
        tolerable=tolerant and somewhere and (looked.unanswered or not looked.lack),
    )


def _inside(looked: Looked) -> tuple[Sight, ...]:
    return looked.entry + ((looked.pod,) if looked.pod else ())


def _summary(looked: Looked, places: Places) -> str:
    wrong = looked.wrong
    if not wrong:
        text = f"{looked.name} leads to no address: {looked.lack}"
    else:
        more = f", and {len(wrong) - 1} more of its addresses neither" if len(wrong) > 1 else ""
        text = f"{looked.url} does not serve the answer at {wrong[0].address} ({wrong[0].met.text}){more}"
    right = [sight for sight in looked.named if sight.right]
    if right:
        return f"{text}; at {several(sight.address for sight in right)} it does"
    if any(sight.right for sight in looked.entry):
        return f"{text}; {places.entry_kind} does"
    if looked.pod and looked.pod.right:
        return f"{text}; the {POD} does"
    return text


def _missing(looked: Looked, places: Places) -> tuple[ServerAnswer, ...]:
    """One line for each way that was tried and met something else, from the outside inwards."""
    lines = [ServerAnswer(looked.url, sight.address, sight.met.text) for sight in looked.wrong[:NAMED_SHOWN]]
    if looked.lack:
        lines.append(ServerAnswer(looked.url, "", looked.lack))
    inner_asked = bool(_inside(looked))
    if not any(sight.right for sight in looked.entry):
        lines += [ServerAnswer(places.entry_kind, s.address, s.met.text) for s in looked.entry[:ENTRY_SHOWN]]
        if inner_asked and places.entry_kind and not places.entry:
            lines.append(ServerAnswer(places.entry_kind, "", "it reports no address yet"))
    if looked.pod and not looked.pod.right:
        lines.append(ServerAnswer(POD, looked.pod.address, looked.pod.met.text))
    return tuple(lines)

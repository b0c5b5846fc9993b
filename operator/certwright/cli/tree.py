"""One Certificate as a tree: what it has, what is under way and by whom it is kept, and what comes next."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.text import Text
from rich.tree import Tree

from certwright.cli.printing import BAD, BUSY, FAINT, GOOD
from certwright.cli.times import full, relative
from certwright.resources.conditions import ISSUING, READY, STALLED
from certwright.resources.order import ChallengeState, OrderJournal
from certwright.resources.values import parse_time

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from certwright.cli.situation import Event, Situation, Story
    from certwright.resources.order import IdentifierJournal

NAMES_SHOWN = 10
STATES = {ChallengeState.VALID: GOOD, ChallengeState.INVALID: BAD}


def tree(story: Story, now: datetime) -> Tree:
    """The tree.

    Args:
        story: What to show.
        now: The moment that times are relative to.
    """
    item, status = story.situation, story.status
    word = {"True": "Ready", "False": "not Ready"}.get(item.ready, "not known yet")
    style = GOOD if item.is_ready else BAD if item.ready == "False" else BUSY
    root = Tree(Text.assemble("Certificate ", (f"{item.namespace}/{item.name}", "bold"), ": ", (word, style)))
    texts = _messages(status)
    for condition in status.get("conditions") or ():
        if condition.get("type") != STALLED:  # it repeats the others, for those who know no kind of object
            _condition(root, condition, texts, now)
    _names(root, item.names)
    _dates(root, item, now)
    issuer = story.issuer
    said = f": {issuer.message}" if issuer.message else ""
    style = {"True": GOOD, "Unknown": BUSY}.get(issuer.ready, BAD)
    root.add(Text.assemble(f"issuer {issuer.reference}: ", (_readiness(issuer.ready), style), said))
    _order(root, OrderJournal.of(status.get("order")), now)
    if status.get("lastFailure"):
        _failure(root, status["lastFailure"], status.get("failedIssuanceAttempts", 1), texts[ISSUING], now)
    _events(root, story.events, now)
    at = f" ({full(item.next.at, now)})" if item.next.at else ""
    root.add(Text.assemble(("next: ", "bold"), item.next.action, (at, BUSY)))
    return root


def _readiness(ready: str) -> str:
    return {"True": "Ready", "False": "not Ready", "Missing": "missing"}.get(ready, "not known yet")


def _messages(status: Mapping[str, Any]) -> dict[str, str]:
    """The conditions' messages; what Ready repeats of Issuing is left out, since the two stand together here."""
    texts = {str(item.get("type", "")): str(item.get("message", "")) for item in status.get("conditions") or ()}
    issuing = texts.setdefault(ISSUING, "")
    if issuing:
        texts[READY] = texts.get(READY, "").removesuffix(f": {issuing}")
    return texts


def _condition(root: Tree, condition: Mapping[str, Any], texts: Mapping[str, str], now: datetime) -> None:
    kind, state = str(condition.get("type", "")), str(condition.get("status", ""))
    style = {(READY, "True"): GOOD, (ISSUING, "True"): BUSY}.get((kind, state), BAD if kind in {READY, ISSUING} else "")
    since = parse_time(condition.get("lastTransitionTime"))
    age = f" ({relative(since, now)})" if since else ""
    text = f" {condition.get('reason', '')}: {texts.get(kind, '')}"
    root.add(Text.assemble(f"{kind} ", (state, style), text, (age, FAINT)))


def _names(root: Tree, names: tuple[str, ...]) -> None:
    more = f" and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else ""
    root.add(Text(f"names: {', '.join(names[:NAMES_SHOWN]) or 'none'}{more}"))


def _dates(root: Tree, item: Situation, now: datetime) -> None:
    if not item.not_after:
        root.add(Text(f"Secret {item.secret_name}: no certificate yet"))
        return
    node = root.add(Text(f"Secret {item.secret_name}: certificate number {item.revision}"))
    if item.not_before:
        node.add(Text(f"valid from {full(item.not_before, now)}"))
    node.add(Text(f"expires {full(item.not_after, now)}", BAD if item.not_after <= now else ""))
    if item.renewal_time:
        node.add(Text(f"renewal {full(item.renewal_time, now)}"))


def _order(root: Tree, order: OrderJournal | None, now: datetime) -> None:
    if order is None:
        return
    node = root.add(Text.assemble("order ", (order.state, BUSY), f" at {order.issuer}: {order.url}"))
    if order.waiting_until:
        node.add(Text(f"waits until {full(order.waiting_until, now)}", BUSY))
    if order.objects:
        made = ", ".join(f"{item.kind} {item.name}{' (rules in it)' if item.shared else ''}" for item in order.objects)
        node.add(Text(f"answered by {made}"))
    for identifier in order.identifiers:
        _identifier(node, identifier)


def _identifier(parent: Tree, identifier: IdentifierJournal) -> None:
    style = STATES.get(identifier.state, BUSY)
    node = parent.add(
        Text.assemble((identifier.name, "bold"), f" {identifier.challenge} ", (identifier.state.value, style))
    )
    if identifier.record:
        record = identifier.record
        node.add(Text(f"TXT {record.name} = {record.value} (zone {record.zone}, by {record.provider})"))
    if identifier.verdict:
        verdict = node.add(Text(identifier.verdict.summary))
        for answer in identifier.verdict.missing:
            verdict.add(Text.assemble(f"{answer.server} {answer.address}: ", (answer.answer, BAD)))
        if identifier.verdict.action:
            node.add(Text(f"to do: {identifier.verdict.action}"))
        if identifier.verdict.asked_again:
            node.add(Text(f"looked for again {identifier.verdict.asked_again}"))


def _failure(root: Tree, failure: Mapping[str, Any], attempts: object, issuing: str, now: datetime) -> None:
    moment = parse_time(failure.get("time"))
    when = f", {full(moment, now)}" if moment else ""
    head = f"last failure at {failure.get('issuer', '?')}, number {attempts} in a row{when}"
    node = root.add(Text(head, BAD))
    message = str(failure.get("message", ""))
    said = "as said above under Issuing" if message and message in issuing else message
    node.add(Text(f"{failure.get('reason', '')}: {said}"))
    problem = failure.get("problem")
    if isinstance(problem, dict):
        _problem(node, problem)


def _problem(parent: Tree, problem: Mapping[str, Any]) -> None:
    identifier = problem.get("identifier")
    about = f"{identifier.get('value')}: " if isinstance(identifier, dict) else ""
    node = parent.add(Text(f"{about}{problem.get('type', 'about:blank')}: {problem.get('detail', 'no detail')}"))
    for item in problem.get("subproblems") or ():
        if isinstance(item, dict):
            _problem(node, item)


def _events(root: Tree, events: tuple[Event, ...], now: datetime) -> None:
    if not events:
        return
    node = root.add("Events")
    for event in events:
        age = f"{relative(event.last, now)}: " if event.last else ""
        times = f" ({event.count} times)" if event.count > 1 else ""
        style = "" if event.type == "Normal" else BUSY
        node.add(Text.assemble((age, FAINT), (event.reason, style), f" {event.message}", times))

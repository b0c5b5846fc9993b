"""A diagnosis as a tree, for `check dns`: the way to the record first, then what is wrong and what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text
from rich.tree import Tree

from certwright.cli.printing import BAD, BUSY, FAINT, GOOD
from certwright.dns.finding import Severity
from certwright.dns.servers import ANSWERS
from certwright.resources.values import clip

if TYPE_CHECKING:
    from collections.abc import Iterable

    from certwright.cli.check_dns_issuer import IssuerSummary
    from certwright.dns.diagnosis import Diagnosis
    from certwright.dns.finding import Finding
    from certwright.dns.servers import ServerState

WORDS = {Severity.PROBLEM: ("problem: ", BAD), Severity.ADVICE: ("advice: ", BUSY), Severity.OK: ("fine: ", GOOD)}


def diagnosis_tree(item: Diagnosis) -> Tree:
    """One name."""
    word, style = ("problems", BAD) if item.problems else ("fine", GOOD)
    root = Tree(Text.assemble((item.name, "bold"), ": ", (word, style)))
    root.add(Text(f"record: TXT {' -> '.join(item.chain)}"))
    if item.path:
        root.add(Text(f"delegation: {' -> '.join(item.path)}"))
    if item.servers:
        node = root.add(Text(f"name servers of {item.zone}"))
        for state in item.servers:
            node.add(_server(state))
    _findings(root, item.findings)
    return root


def issuer_tree(item: IssuerSummary) -> Tree:
    """The issuer and its CA."""
    root = Tree(Text.assemble(("issuer ", ""), (item.reference, "bold"), f" at {item.server}"))
    root.add(Text(f"the CA's names in CAA records: {', '.join(item.identities) or 'not known'}"))
    root.add(Text(f"account: {item.account_uri or 'not registered yet'}"))
    _findings(root, item.findings)
    return root


def _server(state: ServerState) -> Text:
    parts = [f"UDP {state.udp}, TCP {state.tcp}"]
    if state.serial is not None:
        parts.append(f"serial {state.serial}")
    if state.holds:
        parts.append(clip(state.holds, 100))
    good = state.serial is not None and {state.udp, state.tcp} == {ANSWERS}
    return Text.assemble(f"{state.name} {state.address}: ", (", ".join(parts), FAINT if good else BAD))


def _findings(root: Tree, findings: Iterable[Finding]) -> None:
    for finding in findings:
        node = root.add(Text.assemble(WORDS[finding.severity], finding.text))
        if finding.action:
            node.add(Text(f"to do: {finding.action}"))

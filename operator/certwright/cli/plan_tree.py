"""The plan of a Certificate as a tree, for `check`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text
from rich.tree import Tree

from certwright.cli.printing import BAD, BUSY, FAINT, GOOD
from certwright.cli.times import full

if TYPE_CHECKING:
    from datetime import datetime

    from certwright.cli.issuer_plan import IssuerPlan
    from certwright.cli.plan import CertificatePlan, SecretPlan
    from certwright.cli.proofs import Proof

ACTIONS = {
    "Create": "will be made",
    "Keep": "stays as it is",
    "Repair": "gets its labels, annotations or encoding mended, without a new certificate",
    "Reissue": "gets a new certificate",
    "Unknown": "not looked at",
}


def plan_tree(plan: CertificatePlan, now: datetime) -> Tree:
    """The tree.

    Args:
        plan: What to show.
        now: The moment that times are relative to.
    """
    word, style = ("problems", BAD) if plan.problems else ("fine", GOOD)
    root = Tree(Text.assemble("Certificate ", (f"{plan.namespace}/{plan.name}", "bold"), ": ", (word, style)))
    if plan.key:
        root.add(Text(f"key {plan.key}"))
    if plan.issuer:
        root.add(_issuer(plan.issuer))
    for proof in plan.proofs:
        _proof(root, proof)
    for zone, servers in {proof.zone: proof.name_servers for proof in plan.proofs if proof.name_servers}.items():
        node = root.add(Text(f"name servers of {zone}"))
        for server in servers:
            node.add(Text(f"{server.name} {', '.join(server.addresses) or 'has no address'}"))
    if plan.secret:
        root.add(_secret(plan.secret))
    if plan.renewal_earliest and plan.renewal_latest:
        earliest, latest = plan.renewal_earliest, plan.renewal_latest
        between = f"between {earliest:%Y-%m-%d %H:%M} UTC and " if earliest != latest else ""
        kept = plan.secret and plan.secret.action in {"Keep", "Repair"}
        root.add(Text(f"renewal {between}{full(latest, now)}{'' if kept else ', if issued now'}"))
    for note in plan.notes:
        root.add(Text(f"not looked at: {note}", BUSY))
    for problem in plan.problems:
        root.add(Text.assemble(("problem: ", BAD), problem))
    return root


def _issuer(issuer: IssuerPlan) -> Text:
    if issuer.found == "Unknown":
        return Text(f"issuer {issuer.reference}: not looked up, since {issuer.message}")
    where = {"manifest": "in the manifest", "cluster": "in the cluster"}.get(issuer.found, issuer.found)
    ready = {"True": ("Ready", GOOD), "False": ("not usable", BAD)}.get(issuer.ready, ("not Ready yet", BUSY))
    kind = f"{issuer.type}, " if issuer.type else ""
    return Text.assemble(f"issuer {issuer.reference} ({kind}{where}): ", ready, f": {issuer.message}")


def _proof(root: Tree, proof: Proof) -> None:
    how = f" {proof.challenge} by {proof.solver}" if proof.challenge else " cannot be proven"
    why = f" ({proof.why})" if proof.why else ""
    node = root.add(Text.assemble((proof.name, "bold"), how, (why, FAINT)))
    if proof.record:
        node.add(Text(f"record TXT {proof.record} in zone {proof.zone}, written by {proof.provider}"))
    if proof.served:
        node.add(Text(f"answered by {proof.served}"))
    if proof.target_of:
        node.add(Text(f"{proof.target_of} leads there"))


def _secret(secret: SecretPlan) -> Text:
    why = f" ({secret.reason}: {secret.message})" if secret.reason else ""
    return Text.assemble(f"Secret {secret.name}: {ACTIONS[secret.action]}", (why, FAINT))

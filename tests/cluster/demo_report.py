"""What the demo says at its end: the certificates with their verdicts, the mistake, the time, and what to try next."""

import base64
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography import x509
from rich.console import Console
from rich.table import Table
from rich.text import Text

from certwright.errors import CertwrightError
from cluster import packages
from cluster.demo_chains import ChainError, verify
from cluster.demo_manifests import MISTAKES
from cluster.demo_timing import Logs, Marks
from cluster.demo_watch import Cluster, Progress
from cluster.https import fetch

WIDTH = 112
_NAMES_SHOWN = 2
_PHASES = ("order", "TXT records", "proof", "status")
_CAPTION = (
    "order: until it is in the journal; TXT records: until all are at the name server; proof: seen where the CA looks, "
    "validated, certificate in the Secret; status: until it says so"
)


@dataclass(frozen=True, slots=True)
class Step:
    """A part of the demo's own time."""

    what: str
    seconds: float


class Report:
    """Prints the results and remembers whether all is as expected.

    Args:
        console: Where to.
        facts: What the environment says of itself.
        cluster: Reads Secrets.

    Attributes:
        failures: What is not as expected.
    """

    def __init__(self, console: Console, facts: dict[str, Any], cluster: Cluster) -> None:
        self.failures: list[str] = []
        self._console = console
        self._facts = facts
        self._cluster = cluster

    def certificates(self, progress: list[Progress]) -> None:
        """The table of certificates, each chain verified against its CA's root."""
        table = Table("certificate", "names", "issuer", "Ready after", "expires", "chain", title="Certificates")
        for item in progress:
            spec, status = item.body.get("spec") or {}, item.body.get("status") or {}
            expected = "explained" if item.name in MISTAKES else "done"
            if item.state != expected:
                self.failures.append(f"{item.name} is not as expected; its status says: {item.says}")
            ready = f"{item.seconds:.1f} s" if item.state == "done" else "not Ready"
            reference = (spec.get("issuerRef") or {}).get("name", "")
            expiry = str(status.get("notAfter", "-")).partition("T")[0]
            table.add_row(item.name, _names(spec), reference, ready, expiry, self._chain(item))
        self._console.print(table)

    def mistakes(self, progress: list[Progress]) -> None:
        """What the status says of each mistake, word for word."""
        for item in progress:
            if item.name not in MISTAKES:
                continue
            self._console.print(f"\n[bold]{item.name}[/] is not Ready, and says why (kubectl describe shows the same):")
            for condition in (item.body.get("status") or {}).get("conditions") or []:
                if condition["type"] == "Issuing":
                    self._console.print(Text(f"  {condition['reason']}: {condition['message']}"))

    def times(self, steps: list[Step], progress: list[Progress], logs: Logs, since: Marks) -> None:
        """Where the time went."""
        self._console.print("\n[bold]Where the time went[/]")
        self._console.print("  " + ", ".join(f"{step.what} {step.seconds:.1f} s" for step in steps))
        if not logs.counts_api:
            self._console.print(f"  ACME requests: {logs.acme_requests(since)} (no audit log here to tell more)")
            return
        table = Table("seconds", *_PHASES, "API writes", "DNS changes", caption=_CAPTION, caption_justify="left")
        for item in progress:
            if not item.body:
                continue
            took = logs.phases(item.body, since)
            parts = (took.order, took.records, took.proof, took.stored)
            cells = ["-" if part is None else f"{part:.2f}" for part in parts]
            table.add_row(item.name, *cells, str(took.writes), str(took.changes))
        self._console.print(table)
        kinds = ", ".join(f"{number} {kind}" for kind, number in sorted(logs.api_writes(since).items()))
        self._console.print(f"  ACME requests of all, the account's registration included: {logs.acme_requests(since)}")
        self._console.print(f"  API writes of all, issuers and Events included: {kinds}")

    def next_steps(self, log: Path, ended_by: str) -> None:
        """What to try now; all of it works as it is printed."""
        where, path = f"-n {self._cluster.namespace}", str(packages.kubectl())
        kubectl = "kubectl" if shutil.which("kubectl") == path else path
        mended = json.dumps({"spec": {"dnsNames": ["mended.example.test"]}})
        lines = (
            f"export KUBECONFIG={self._facts['kubeconfig']}",
            f"{kubectl} get certificates {where}",
            f"{kubectl} describe certificate explained-mistake {where}",
            f".venv/bin/certwright status {where}",
            "# a name in a zone that takes updates mends the mistake:",
            f"{kubectl} patch certificate explained-mistake {where} --type=merge -p '{mended}'",
            f"tail -f {log}   # what the operator says",
            f"{ended_by}   # ends all of it",
        )
        self._console.print("\n[bold]It goes on running. Try:[/]")
        for line in lines:
            self._console.print(Text(f"  {line}"), soft_wrap=True)

    def _chain(self, item: Progress) -> str:
        if item.state != "done":
            return "-"
        try:
            verify(item.body, self._cluster.secret(item.body["spec"]["secretName"]), self._roots(item))
        except (ChainError, CertwrightError, OSError) as error:
            self.failures.append(f"{item.name}: the chain does not verify: {error}")
            return "[red]fails[/]"
        return "[green]OK[/]"

    def _roots(self, item: Progress) -> list[x509.Certificate]:
        """The CA's own root: asked from Pebble, or the self-signed certificate of our own authority."""
        if item.body["spec"]["issuerRef"]["name"].startswith("letsencrypt"):
            acme = self._facts["acme"]
            _, pem = fetch(f"{acme['management']}/roots/0", ca_file=Path(acme["ca_file"]))
        else:
            pem = base64.b64decode(self._cluster.secret("own-ca")["tls.crt"])
        return x509.load_pem_x509_certificates(pem)


def _names(spec: dict[str, Any]) -> str:
    names = [*spec.get("dnsNames", []), *([spec["commonName"]] if spec.get("commonName") else [])]
    more = len(names) - _NAMES_SHOWN
    return ", ".join(names[:_NAMES_SHOWN]) + (f" and {more} more" if more > 0 else "")

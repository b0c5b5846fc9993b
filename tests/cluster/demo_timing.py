"""Where the time of the demo's certificates went, told by the other sides: audit log, CA's log, name server's log."""

import re
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dns.exception
import dns.resolver

from cluster.audit import AuditEntry, read_audit
from cluster.demo_manifests import HTTP01_ISSUER, Manifest

_ACME = re.compile(r" (?:GET|HEAD|POST) /(?!set-renewal-info)\S* -> calling handler\(\)")
_UPDATE = re.compile(r"^(\S+ \S+) .* (adding|deleting) an RR at '?([^' ]+)'? TXT", re.MULTILINE)
_OPERATOR = "certwright/"
_SOLVER_KINDS = {"pods", "services", "ingresses"}


@dataclass(frozen=True, slots=True)
class Marks:
    """Places that the logs have reached."""

    audit: int
    acme: int
    dns: int


@dataclass(frozen=True, slots=True)
class Phases:
    """One certificate's seconds and counts; None where nothing marks the end of a phase.

    Attributes:
        order: From the apply until the order with its records is written down.
        records: From there until the last TXT record stands at the name server.
        proof: From there, or from the apply without records, until the certificate is in the Secret.
        stored: From there until the status says so.
        writes: Writes to the API server for this certificate, Events included.
        changes: TXT records added and removed.
    """

    order: float | None
    records: float | None
    proof: float | None
    stored: float | None
    writes: int
    changes: int


class Logs:
    """The three logs of an environment.

    Args:
        facts: What the environment says of itself.
        namespace: The demo's.
    """

    def __init__(self, facts: dict[str, Any], namespace: str) -> None:
        folder = Path(facts["state"])
        self._audit = folder / "controlplane" / "audit.log"
        self._acme = folder / "pebble" / "pebble.log"
        self._dns = folder / "bind" / "named.log"
        self._namespace = namespace
        self._resolver = dns.resolver.Resolver(configure=False)
        address, _, port = facts["dns"]["resolver"].rpartition(":")
        self._resolver.nameservers, self._resolver.port = [address], int(port)

    @property
    def counts_api(self) -> bool:
        """Whether there is an audit log; an existing cluster's is out of reach."""
        return self._audit.exists()

    def marks(self) -> Marks:
        """The places reached now."""
        return Marks(*(_size(log) for log in (self._audit, self._acme, self._dns)))

    def acme_requests(self, since: Marks) -> int:
        """How many requests the CA has got since."""
        return len(_ACME.findall(_tail(self._acme, since.acme)))

    def api_writes(self, since: Marks) -> Counter[str]:
        """How often the operator wrote each kind of thing since, in the demo's namespace."""
        return Counter(entry.resource for entry in self._writes(since))

    def phases(self, certificate: Manifest, since: Marks) -> Phases:
        """Where the time of one certificate went."""
        served = certificate["spec"]["issuerRef"]["name"] == HTTP01_ISSUER
        changes = [] if served else self._changes(certificate["spec"].get("dnsNames", []), since)
        writes = [entry for entry in self._writes(since) if _concerns(entry, certificate)]
        added = [moment for moment, word in changes if word == "adding"]
        status = [_time(entry) for entry in writes if entry.resource == "certificates/status"]
        secret = [_time(entry) for entry in writes if entry.name == certificate["spec"]["secretName"]]
        applied = self._applied(certificate, since)
        proves = certificate["spec"]["issuerRef"]["name"].startswith("letsencrypt")
        journal = status[0] if proves and status else None
        proven = max(added) if added else journal or applied
        stored = secret[0] if secret else None
        return Phases(
            order=_seconds(applied, journal),
            records=_seconds(journal, max(added)) if added else None,
            proof=_seconds(proven, stored),
            stored=_seconds(stored, status[-1]) if status else None,
            writes=len(writes),
            changes=len(changes),
        )

    def _writes(self, since: Marks) -> list[AuditEntry]:
        return [
            entry
            for entry in read_audit(self._audit, since.audit)
            if entry.is_write and entry.user_agent.startswith(_OPERATOR) and entry.namespace == self._namespace
        ]

    def _applied(self, certificate: Manifest, since: Marks) -> datetime | None:
        for entry in read_audit(self._audit, since.audit):
            named = (entry.resource, entry.name) == ("certificates", certificate["metadata"]["name"])
            if named and entry.is_write and entry.verb != "delete":
                return _time(entry)
        return None

    def _changes(self, names: list[str], since: Marks) -> list[tuple[datetime, str]]:
        owners = {self._owner(name.removeprefix("*.")) for name in names}
        return [
            # BIND writes the local time, without saying which.
            (datetime.strptime(moment, "%d-%b-%Y %H:%M:%S.%f").astimezone(UTC), word)
            for moment, word, owner in _UPDATE.findall(_tail(self._dns, since.dns))
            if owner in owners
        ]

    def _owner(self, name: str) -> str:
        """Where the TXT record of a name belongs, after CNAMEs."""
        challenge = f"_acme-challenge.{name}."
        try:
            return self._resolver.canonical_name(challenge).to_text(omit_final_dot=True)
        except dns.exception.DNSException:
            return challenge.rstrip(".")


def _concerns(entry: AuditEntry, certificate: Manifest) -> bool:
    """Whether a write is about the Certificate: itself, its Secret, its next key, its Events."""
    name, secret = str(certificate["metadata"]["name"]), str(certificate["spec"]["secretName"])
    kind = entry.resource.partition("/")[0]
    if kind in _SOLVER_KINDS:  # one certificate of the demo has a solver's objects
        return bool(certificate["spec"]["issuerRef"]["name"] == HTTP01_ISSUER)
    if kind == "certificates":
        return entry.name == name
    if kind == "secrets":
        return entry.name == secret or entry.name.startswith(f"{name}-next-")
    return kind == "events" and entry.name.startswith(f"{name}.")


def _time(entry: AuditEntry) -> datetime:
    return datetime.fromisoformat(entry.time)


def _seconds(begin: datetime | None, end: datetime | None) -> float | None:
    return max((end - begin).total_seconds(), 0.0) if begin and end else None


def _size(log: Path) -> int:
    return log.stat().st_size if log.exists() else 0


def _tail(log: Path, since: int) -> str:
    if not log.exists():
        return ""
    with log.open("rb") as content:
        content.seek(since)
        return content.read().decode(errors="replace")

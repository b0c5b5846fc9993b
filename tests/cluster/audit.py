"""The API server's audit log as a list of requests, so that tests can count what a client really did."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

WRITES = frozenset({"create", "update", "patch", "delete", "deletecollection"})

POLICY = yaml.safe_dump(
    {
        "apiVersion": "audit.k8s.io/v1",
        "kind": "Policy",
        "omitStages": ["RequestReceived"],
        "rules": [
            # The harness's own waiting is nobody's budget.
            {"level": "None", "nonResourceURLs": ["/healthz*", "/livez*", "/readyz*"]},
            {"level": "Metadata"},
        ],
    }
)


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One request that the API server answered.

    Attributes:
        user: Who asked, such as `admin`.
        user_agent: With what program.
        verb: get, list, watch, create, update, patch, delete or deletecollection.
        resource: Plural and subresource, such as `certificates/status`; the path for a request of no resource.
        namespace: Empty for what has none.
        name: Empty for lists and for names that the server makes up.
        code: HTTP status.
        time: When it arrived, RFC 3339.
        raw: The whole entry.
    """

    user: str
    user_agent: str
    verb: str
    resource: str
    namespace: str
    name: str
    code: int
    time: str
    raw: Mapping[str, Any]

    @property
    def is_write(self) -> bool:
        """Whether it asked for a change, refused ones included."""
        return self.verb in WRITES


def read_audit(log: Path, offset: int = 0) -> Iterator[AuditEntry]:
    """Yield the requests logged from a byte offset on, each once.

    A watch is yielded when it is opened, everything else when it is answered. A last line that is still being written
    is left for the next time.
    """
    if not log.exists():
        return
    with log.open("rb") as lines:
        lines.seek(offset)
        for line in lines:
            if not line.endswith(b"\n"):
                return
            event = json.loads(line)
            opened = event["stage"] == "ResponseStarted"
            if opened == (event["verb"] == "watch"):
                yield _entry(event)


def _entry(event: Mapping[str, Any]) -> AuditEntry:
    target = event.get("objectRef", {})
    resource = "/".join(filter(None, (target.get("resource"), target.get("subresource"))))
    return AuditEntry(
        user=event.get("user", {}).get("username", ""),
        user_agent=event.get("userAgent", ""),
        verb=event["verb"],
        resource=resource or event.get("requestURI", "").partition("?")[0],
        namespace=target.get("namespace", ""),
        name=target.get("name", ""),
        code=event.get("responseStatus", {}).get("code", 0),
        time=event["requestReceivedTimestamp"],
        raw=event,
    )

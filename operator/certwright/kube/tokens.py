"""Short-lived tokens of a ServiceAccount (TokenRequest), by which a cloud knows a workload of this cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING

from certwright.errors import InvalidSpec, Retryable
from certwright.kube.faults import NotFound
from certwright.kube.paths import CORE, path

if TYPE_CHECKING:
    from collections.abc import Sequence

    from certwright.kube.client import Kube

SECONDS = 600
"""How long a token is good for; the API server gives none for less."""


def make(kube: Kube, namespace: str, name: str, audiences: Sequence[str]) -> str:
    """Make a token that says "this is the ServiceAccount" to the audiences, for ten minutes; nothing keeps it.

    Args:
        kube: The client; it needs the right to create serviceaccounts/token there.
        namespace: The ServiceAccount's namespace.
        name: Its name.
        audiences: Who may take the token; none means the API server itself.

    Raises:
        InvalidSpec: There is no such ServiceAccount.
        CertwrightError: As `kube.faults` has it.
    """
    body = {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenRequest",
        "spec": {"audiences": list(audiences), "expirationSeconds": SECONDS},
    }
    try:
        answer = kube.request("POST", path(CORE, "serviceaccounts", namespace, name, "token"), body=body)
    except NotFound:
        raise InvalidSpec(
            f"there is no ServiceAccount {name} in namespace {namespace}; create it", reason="ServiceAccountNotFound"
        ) from None
    token = (answer.get("status") or {}).get("token")
    if not isinstance(token, str) or not token:
        raise Retryable(f"the API server made no token for ServiceAccount {namespace}/{name}")
    return token

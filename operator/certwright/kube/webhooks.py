"""Calls a solver that cert-manager's webhook protocol puts behind the API server, as an aggregated API.

The API server passes a payload on and the answer back; what is in them is not known here. A spec names the API group
and the solver, so both are held to what names can be.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from certwright.errors import CertwrightError, Retryable, Throttled
from certwright.kube.faults import Forbidden, NotFound, UnknownResource
from certwright.kube.paths import checked, path
from certwright.resources.values import clip

if TYPE_CHECKING:
    from collections.abc import Mapping

    from certwright.kube.client import Kube

VERSION = "v1alpha1"
TIMEOUT = 65.0
"""Seconds; the API server itself gives up after sixty, and its word says more than a connection that is cut."""
COUNTED_AS = "webhook"
MAX_NAMED = 8
"""Solvers that a message lists."""
UNAVAILABLE, NOT_SERVED = "WebhookUnavailable", "WebhookNotServed"


def call(kube: Kube, group: str, solver: str, payload: Mapping[str, Any]) -> dict[str, Any]:
    """Hand a payload to a solver.

    Args:
        kube: The client; it needs the right to create the solver's name in that API group.
        group: API group of the webhook.
        solver: The solver's name there.
        payload: What the protocol says.

    Returns:
        What the solver answered.

    Raises:
        InvalidSpec: The group or the solver is no name.
        Forbidden: The right is missing; the message has the rule to grant.
        Retryable: Nothing serves the solver (yet), or no good answer came.
        CertwrightError: See `kube.faults`.
    """
    where = path(f"/apis/{checked(group)}/{VERSION}", checked(solver))
    try:
        return kube.request("POST", where, body=payload, timeout=TIMEOUT, counted_as=COUNTED_AS)
    except Forbidden as error:
        raise Forbidden(
            f"{error.message}; the rule it takes: apiGroups [{group}], resources [{solver}], verbs [create]",
            reason=error.reason,
        ) from None
    except (NotFound, UnknownResource):
        raise Retryable(_not_served(kube, group, solver), reason=NOT_SERVED) from None
    except Throttled:
        raise
    except Retryable as error:
        raise Retryable(
            f"the webhook behind API group {group} gives no answer: {error.message}; look at the APIService "
            f"{VERSION}.{group} and at the webhook's pods",
            reason=UNAVAILABLE,
            after=error.after,
        ) from None


def _not_served(kube: Kube, group: str, solver: str) -> str:
    """What is missing: the whole group, or this solver of it."""
    try:
        answer = kube.request("GET", f"/apis/{group}/{VERSION}", counted_as=COUNTED_AS)
    except CertwrightError:
        return (
            f"no webhook serves the API group {group}: there is no APIService {VERSION}.{group}; install the webhook, "
            f"or correct groupName"
        )
    names = [str(item.get("name")) for item in answer.get("resources") or () if isinstance(item, dict)]
    listed = clip(", ".join(sorted(names)[:MAX_NAMED])) or "none"
    return f"the webhook of API group {group} has no solver {solver}; it has {listed}; correct solverName"

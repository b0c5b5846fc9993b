"""cert-manager's webhook protocol: a solver of somebody else's, running in the cluster, changes the zone.

It is handed a ChallengePayload (webhook.acme.cert-manager.io/v1alpha1) through the API server and finds credentials by
itself, in the namespace that it is told. The protocol asks it to keep several values at one name, and to remove the one
of the request only.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any, Final

from certwright.errors import InvalidSpec, Retryable
from certwright.providers.base import NOBODY, ConfigField, ProviderInfo
from certwright.providers.names import bare
from certwright.providers.telling import last_words

if TYPE_CHECKING:
    from certwright.providers.base import Identity, Secrets
    from certwright.resources.reading import Fields

API_VERSION: Final = "webhook.acme.cert-manager.io/v1alpha1"
KIND: Final = "ChallengePayload"
PRESENT, CLEAN_UP = "Present", "CleanUp"
LABEL: Final = "_acme-challenge."
REFUSED, BAD_ANSWER = "WebhookRefused", "WebhookFault"


class Webhook:
    """One solver of one webhook.

    Args:
        config: The provider's config; its `config` goes to the solver as it is.
        identity: Calls the webhook, and says which namespace and which credentials the solver may use.
    """

    def __init__(self, config: Fields, identity: Identity) -> None:
        self._group = _named(config, "groupName")
        self._solver = _named(config, "solverName")
        self._config = config.body.get("config")
        self._identity = identity
        self._path = config.path

    def add_txt(self, zone: str, name: str, value: str) -> None:
        """Have the solver present the value."""
        self._call(PRESENT, zone, name, value)

    def remove_txt(self, zone: str, name: str, value: str) -> None:
        """Have the solver clean the value up."""
        self._call(CLEAN_UP, zone, name, value)

    def find_zone(self, name: str) -> str | None:  # noqa: ARG002 - the interface
        """The protocol has no such question."""
        return None

    def _call(self, action: str, zone: str, name: str, value: str) -> None:
        request: dict[str, Any] = {
            "uid": str(uuid.uuid4()),
            "action": action,
            "type": "dns-01",
            # The name that is proven is not known here. Without CNAMEs it is this one, and solvers go by resolvedFQDN.
            "dnsName": bare(name).removeprefix(LABEL),
            "key": value,
            "resourceNamespace": self._identity.namespace,
            "resolvedFQDN": name,
            "resolvedZone": zone,
            "allowAmbientCredentials": self._ambient(),
        }
        if self._config is not None:
            request["config"] = self._config
        payload = {"apiVersion": API_VERSION, "kind": KIND, "request": request}
        answer = self._identity.webhook(self._group, self._solver, payload).get("response")
        who = f"{self._path}: the solver {self._solver} of {self._group}"
        if not isinstance(answer, dict):
            raise Retryable(
                f"{who} does not speak cert-manager's webhook protocol: its answer to {action} has no response; check "
                f"groupName and solverName, and the webhook's log",
                reason=BAD_ANSWER,
            )
        if answer.get("success") is not True:
            raise Retryable(f"{who} cannot {action} {name}{_said(answer)}; see the webhook's log", reason=REFUSED)

    def _ambient(self) -> bool:
        """Whether the solver may use credentials of its own surroundings for this issuer."""
        try:
            self._identity.ambient()
        except InvalidSpec:
            return False
        return True


def _said(response: dict[str, Any]) -> str:
    """The solver's own words, in one line, cut, and without what looks like a credential."""
    status = response.get("status")
    message = status.get("message") if isinstance(status, dict) else None
    return last_words(" ".join(str(message or "").split()).encode()) or " and does not say why"


def _named(config: Fields, field: str) -> str:
    name = config.text(field)
    if not name:
        raise InvalidSpec(f"{config.at(field)}: missing; the webhook's documentation says what it is")
    return name


def build(config: Fields, secrets: Secrets) -> Webhook:  # noqa: ARG001 - the interface
    """Make the provider, for nobody: it can be built and not used."""
    return Webhook(config, NOBODY)


def build_as(config: Fields, secrets: Secrets, identity: Identity) -> Webhook:  # noqa: ARG001 - solvers read Secrets
    """Make the provider; raises InvalidSpec naming the field that is wrong."""
    return Webhook(config, identity)


PROVIDER = ProviderInfo(
    name="webhook",
    description="any webhook solver written for cert-manager",
    fields=(
        ConfigField("groupName", "API group that the webhook serves.", required=True),
        ConfigField("solverName", "Name of the solver in that group.", required=True),
        ConfigField("config", "The solver's own settings; they are handed to it as they are."),
    ),
    build=build,
    build_as=build_as,
)

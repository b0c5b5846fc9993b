"""Tokens for Azure's management API: of a service principal's secret, a workload identity or a managed identity.

azure-identity makes and keeps them. It talks to Microsoft's login service, or to what the operator's environment names;
nothing that a tenant writes is a host.
"""

from __future__ import annotations

import json
import os
import threading
from dataclasses import dataclass
from functools import lru_cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from certwright.errors import CertwrightError, InvalidSpec, Retryable, Terminal
from certwright.providers.api import CREDENTIALS_REFUSED, UNAVAILABLE
from certwright.providers.http import TIMEOUT
from certwright.providers.login import package_of
from certwright.providers.telling import said

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from certwright.providers.credentials import Credential
    from certwright.resources.reading import Fields

WHERE: Final = "the operator's own Azure identity"
MISSING: Final = "NoAmbientCredentials"
TOKEN_FILE: Final = "AZURE_FEDERATED_TOKEN_FILE"  # noqa: S105 - a variable's name
_ONCE: Final[Mapping[str, Any]] = {"retry_total": 0, "retry_status": 0}
"""It would sleep between its own tries; what can be tried again is, by the operator."""
_KNOWN: Final[Mapping[str, Any]] = {**_ONCE, "disable_instance_discovery": True}
"""For login services that are those below, and need not be looked up."""
_BUSY: Final = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.GONE, HTTPStatus.TOO_MANY_REQUESTS})
"""Statuses that pass by themselves; the metadata service is gone while it is renewed."""


@dataclass(frozen=True, slots=True)
class Cloud:
    """One of Azure's clouds.

    Args:
        authority: Host of its login service.
        management: URL of its management API.
        url_field: Who chose that URL, where it is not Azure's own; for tests.
    """

    authority: str
    management: str
    url_field: str = ""


CLOUDS: Final = {
    "AzurePublicCloud": Cloud("login.microsoftonline.com", "https://management.azure.com"),
    "AzureChinaCloud": Cloud("login.chinacloudapi.cn", "https://management.chinacloudapi.cn"),
    "AzureUSGovernmentCloud": Cloud("login.microsoftonline.us", "https://management.usgovcloudapi.net"),
}


def cloud_of(config: Fields) -> Cloud:
    """The cloud of a config; raises InvalidSpec when there is none of that name (any more)."""
    name = config.text("environment") or "AzurePublicCloud"
    if name == "AzureGermanCloud":
        raise InvalidSpec(f"{config.at('environment')}: AzureGermanCloud was closed in 2021; zones are elsewhere now")
    if name not in CLOUDS:
        raise InvalidSpec(f"{config.at('environment')}: {name[:40]!r} must be one of {', '.join(CLOUDS)}")
    return CLOUDS[name]


class AzureLogin:
    """Adds a token to each request; see providers.login.

    Args:
        cloud: The cloud.
        make: Makes azure-identity's credential, of the package.
        where: What it is, for messages.
        secret: What no message may repeat.

    Raises:
        InvalidSpec: What the credential is made of cannot be.
        Terminal: azure-identity is not installed.
    """

    def __init__(self, cloud: Cloud, make: Callable[[Any], Any], where: str, *, secret: str = "") -> None:
        with package_of("azure", "azure-identity"):
            import azure.identity  # noqa: PLC0415 - only who uses Azure's DNS needs it
            from azure.core import exceptions  # noqa: PLC0415 - likewise
        self._exceptions = exceptions
        self._unavailable = azure.identity.CredentialUnavailableError
        self._scope = f"{cloud.management}/.default"
        self._where = where
        self._lock = threading.Lock()
        self._token, self._secret = "", secret
        try:
            self._credential = make(azure.identity)
        except ValueError as error:
            raise InvalidSpec(str(error).rstrip(".")) from None

    def headers(self, method: str, url: str, content: bytes | None, headers: Mapping[str, str]) -> dict[str, str]:  # noqa: ARG002 - a token is for any request
        """See providers.login."""
        with self._lock:
            try:
                self._token = self._credential.get_token(self._scope).token
            except OSError as error:
                raise InvalidSpec(
                    f"{TOKEN_FILE} of the operator's environment: the file cannot be read ({type(error).__name__})",
                    reason=MISSING,
                ) from None
            except self._exceptions.AzureError as error:
                raise self._fault(error) from None
            return {"Authorization": f"Bearer {self._token}"}

    @property
    def secrets(self) -> tuple[str, ...]:
        """See providers.login."""
        return (self._token,)

    def _fault(self, error: Any) -> CertwrightError:  # noqa: ANN401 - azure-core's
        cause: BaseException | None = error
        while cause:
            if isinstance(cause, Retryable):  # from our transport; azure-identity takes it for a refusal
                return cause
            cause = cause.__cause__ or cause.__context__
        # Trace and correlation ids and the time follow: they differ each time, and a status would never rest.
        text = str(error.message).partition(" Trace ID:")[0].partition("\n")[0]
        told = said(json.dumps({"message": text.strip()}).encode(), (self._secret, self._token))
        if isinstance(error, self._unavailable):
            return InvalidSpec(
                f"the operator has no Azure identity of its own{told}; give it a workload identity or a managed one, "
                "or name a service principal in the solver",
                reason=MISSING,
            )
        return Terminal(
            f"Azure gives no token{told}; the credentials are wrong or have expired: check {self._where}",
            reason=CREDENTIALS_REFUSED,
        )


def by_secret(cloud: Cloud, *, tenant: str, client: str, secret: Credential) -> AzureLogin:
    """The login of a service principal by its secret; raises InvalidSpec when the tenant's name cannot be one."""

    def make(package: Any) -> Any:  # noqa: ANN401 - the module azure.identity
        return package.ClientSecretCredential(
            tenant, client, secret.value, authority=cloud.authority, transport=_transport(), **_KNOWN
        )

    return AzureLogin(cloud, make, secret.where, secret=secret.value)


@dataclass(frozen=True, slots=True)
class Managed:
    """`managedIdentity`: which of the operator's identities; empty for its only one.

    Args:
        client: Its client ID.
        resource: Its resource ID, in place of that.
        tenant: Its tenant; for a workload identity.
    """

    client: str = ""
    resource: str = ""
    tenant: str = ""


@lru_cache(maxsize=64)
def by_environment(cloud: Cloud, managed: Managed) -> AzureLogin:
    """The operator's own login, shared by all solvers that use it: a workload identity, else a managed one.

    Raises:
        InvalidSpec: The workload identity lacks a part, or cannot be named by a resource.
    """
    file = os.environ.get(TOKEN_FILE)
    if not file:
        return AzureLogin(cloud, lambda package: _managed(package, managed), WHERE)
    if managed.resource:
        raise InvalidSpec("a workload identity has no resource ID; name it by managedIdentity.clientID")
    return AzureLogin(cloud, lambda package: _workload(package, cloud, managed, file), WHERE)


def _workload(package: Any, cloud: Cloud, managed: Managed, file: str) -> Any:  # noqa: ANN401 - see above
    return package.WorkloadIdentityCredential(
        tenant_id=managed.tenant or None,
        client_id=managed.client or None,
        token_file_path=file,
        authority=cloud.authority,
        transport=_transport(),
        **_KNOWN,
    )


def _managed(package: Any, managed: Managed) -> Any:  # noqa: ANN401 - see above
    # The metadata service is beside us: no proxy of the environment could reach it.
    options = {"transport": _transport(proxies=False), **_ONCE}
    if managed.resource:
        return package.ManagedIdentityCredential(identity_config={"resource_id": managed.resource}, **options)
    return package.ManagedIdentityCredential(client_id=managed.client or None, **options)


def _transport(*, proxies: bool = True) -> Any:  # noqa: ANN401 - azure-core's
    """Sends azure-identity's requests, once and within our times, and says so when nobody answers."""
    from azure.core.exceptions import AzureError  # noqa: PLC0415 - see above
    from azure.core.pipeline.transport import RequestsTransport  # noqa: PLC0415 - see above

    class Transport(RequestsTransport):  # type: ignore[misc]  # found by a __getattr__
        def send(self, request: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - the base class's signature
            host = str(request.url).partition("?")[0][:200]
            try:
                response = super().send(request, **kwargs)
            except AzureError:
                raise Retryable(f"{request.method} {host}: no reply", reason=UNAVAILABLE) from None
            if response.status_code in _BUSY or response.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
                raise Retryable(f"{request.method} {host}: Azure answers {response.status_code}", reason=UNAVAILABLE)
            return response

    return Transport(connection_timeout=TIMEOUT[0], read_timeout=TIMEOUT[1], use_env_settings=proxies)

"""Reads how to reach the API server and who we are: from a kubeconfig, or from the pod's ServiceAccount.

Tokens rotate and exec plugins hand out short-lived ones, so the authorization is asked for every few seconds; the
kubernetes package keeps it fresh. What is read here is never logged.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from kubernetes.client import Configuration
from kubernetes.client.rest import RESTClientObject, should_bypass_proxies
from kubernetes.config import load_incluster_config, load_kube_config

from certwright.errors import Terminal

if TYPE_CHECKING:
    import urllib3


AUTHORIZATION_KEPT = 5.0  # seconds; when a token ends within them, the refusal makes us log in again


@dataclass(frozen=True, slots=True)
class Credentials:
    """What another client of the same API server needs; the repr shows no credential.

    Args:
        server: URL without a trailing slash.
        ca_path: File of the CA's certificates; empty for the system's.
        certificate_path: File of the client certificate; empty when there is none.
        key_path: File of its key.
        authorization: Value of the Authorization header; empty when there is none.
        insecure: True when the kubeconfig says not to verify the server.
        server_name: Name to expect in the server's certificate, when it is not the host.
        proxy: URL of an HTTP proxy; empty when there is none.
    """

    server: str
    ca_path: str = ""
    certificate_path: str = ""
    key_path: str = ""
    authorization: str = field(default="", repr=False)
    insecure: bool = False
    server_name: str = ""
    proxy: str = ""


class Login:
    """One loaded configuration with its pool of connections.

    Args:
        kubeconfig: Path of a kubeconfig; None means the pod's own ServiceAccount.
        pool_size: Connections kept open.

    Raises:
        Terminal: When the kubeconfig, or the ServiceAccount's token, cannot be read.
    """

    def __init__(self, *, kubeconfig: str | None, pool_size: int) -> None:
        self._lock = threading.Lock()
        self._authorization, self._asked = "", -AUTHORIZATION_KEPT
        self._configuration: Any = Configuration()
        self._configuration.connection_pool_maxsize = pool_size
        try:
            if kubeconfig is None:
                load_incluster_config(client_configuration=self._configuration)  # type: ignore[no-untyped-call]
            else:
                load_kube_config(config_file=kubeconfig, client_configuration=self._configuration)  # type: ignore[no-untyped-call]
        except Exception as error:  # noqa: BLE001 - the file may hold anything, and the loader raises anything
            source = f"kubeconfig {kubeconfig}" if kubeconfig else "the pod's ServiceAccount"
            # The first line only: further ones may quote the file.
            text = str(error).partition("\n")[0]
            raise Terminal(f"cannot log in by {source}: {type(error).__name__}: {text}", reason="NoLogin") from None
        self.server: str = self._configuration.host.rstrip("/")
        pools: urllib3.PoolManager = RESTClientObject(self._configuration).pool_manager
        # One pool of one server: the manager of pools would cost a third of a request to find it each time.
        self.pool: urllib3.HTTPConnectionPool = pools.connection_from_url(self.server)
        self._proxy: str = self._configuration.proxy or ""
        if should_bypass_proxies(self.server, self._configuration.no_proxy or ""):
            self._proxy = ""  # as the pool has it
        # A proxy for plain HTTP wants whole URLs; in all other cases the server does not, but it may have a path.
        whole = self._proxy and self.server.startswith("http:")
        self.base: str = self.server if whole else urlsplit(self.server).path

    def authorization(self) -> str:
        """The Authorization header of this moment; empty when we are known by a client certificate."""
        # The hook may run a plugin or read a file; two threads must not do so at once. It also looks for proxies in the
        # environment each time, which costs a quarter of a request: hence not at each request.
        with self._lock:
            if time.monotonic() >= self._asked + AUTHORIZATION_KEPT:
                self._authorization = self._configuration.get_api_key_with_prefix("BearerToken") or ""
                self._asked = time.monotonic()
            return self._authorization

    def credentials(self) -> Credentials:
        """The same, for another client."""
        configuration = self._configuration
        return Credentials(
            server=self.server,
            ca_path=configuration.ssl_ca_cert or "",
            certificate_path=configuration.cert_file or "",
            key_path=configuration.key_file or "",
            authorization=self.authorization(),
            insecure=not configuration.verify_ssl,
            server_name=configuration.tls_server_name or "",
            proxy=self._proxy,
        )

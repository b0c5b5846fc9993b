"""The one way to the API server: a request in, a dict or a fault out.

The kubernetes package logs in and makes the connections; its model classes are left out, since they cost more than the
request. Thread-safe. Bodies and headers are never logged, nor put into a fault.
"""

from __future__ import annotations

import json
import threading
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import urllib3

from certwright.errors import Retryable
from certwright.kube.credentials import Credentials, Login
from certwright.kube.faults import Refusal, fault
from certwright.kube.paths import target

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from certwright.resources.names import Names

CONNECT_TIMEOUT, READ_TIMEOUT = 5.0, 30.0
JSON, MERGE_PATCH, APPLY = "application/json", "application/merge-patch+json", "application/apply-patch+yaml"
METADATA_LIST = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
VERBS = {"GET": "get", "POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
RELOGIN_PAUSE = 5.0


class Kube:
    """A client of one API server.

    Args:
        kubeconfig: Path of a kubeconfig; None means the pod's own ServiceAccount.
        names: The API group and what follows from it.
        user_agent: How the audit log shall name us.
        pool_size: Connections kept open: the number of threads that use it.
        on_write: Called with `verb resource ns/name` after the API server accepted a write.
        on_request: Called with (verb, resource, HTTP status, seconds) after each request; status 0 is no answer.

    Raises:
        Terminal: When there is nothing to log in by.
    """

    def __init__(
        self,
        *,
        kubeconfig: str | None,
        names: Names,
        user_agent: str = "certwright",
        pool_size: int = 16,
        on_write: Callable[[str], None] | None = None,
        on_request: Callable[[str, str, int, float], None] | None = None,
    ) -> None:
        self.names = names
        self._kubeconfig = kubeconfig
        self._pool_size = pool_size
        self._user_agent = user_agent
        self._on_write = on_write
        self._on_request = on_request
        self._lock = threading.Lock()
        self._login = Login(kubeconfig=kubeconfig, pool_size=pool_size)
        self._login_time = time.monotonic()

    @property
    def group_path(self) -> str:
        """Prefix of the paths of our own kinds."""
        return f"/apis/{self.names.api_version}"

    def credentials(self) -> Credentials:
        """How another client reaches the same API server, read anew so that a rotated token is the new one."""
        self._log_in_again(self._login)
        return self._login.credentials()

    def authorization(self) -> str:
        """The Authorization header of this moment, for that client; empty when a client certificate says who we are."""
        return self._login.authorization()

    def request(
        self,
        method: str,
        path: str,
        *,
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, str] | None = None,
        content_type: str = JSON,
        accept: str = JSON,
        timeout: float = READ_TIMEOUT,
        counted_as: str = "",
    ) -> dict[str, Any]:
        """Ask the API server.

        Args:
            method: HTTP method.
            path: Made by `paths.path`.
            body: Sent as JSON.
            query: Parameters.
            content_type: How a PATCH is meant.
            accept: What to answer with.
            timeout: Seconds to wait for the answer, after at most five for the connection.
            counted_as: What `on_request` is told in place of the resource, where a spec names the resource: no tenant
                makes counters.

        Raises:
            CertwrightError: One of `kube.faults`, by the status of the answer.
            Retryable: No answer, or one that is not from an API server.
        """
        url = f"{path}?{urlencode(query)}" if query else path
        data = None if body is None else json.dumps(body, separators=(",", ":")).encode()
        headers = {"Accept": accept, "User-Agent": self._user_agent, "Content-Type": content_type}
        login = self._login
        goal = target(path)
        counted = counted_as or goal.resource
        started = time.monotonic()
        response = self._send(login, method, url, data=data, headers=headers, timeout=timeout, counted=counted)
        if response.status == 401 and self._log_in_again(login):  # noqa: PLR2004
            login = self._login
            response = self._send(login, method, url, data=data, headers=headers, timeout=timeout, counted=counted)
        seconds = time.monotonic() - started
        verb = VERBS[method] if goal.name or method != "GET" else "list"
        if self._on_request:
            self._on_request(verb, counted, response.status, seconds)
        answer = _parse(response.data)
        if not 200 <= response.status < 300:  # noqa: PLR2004 - HTTP success
            raise fault(Refusal(verb, goal, response.status, answer, response.headers.get("Retry-After", "")))
        if self._on_write and method != "GET":
            self._on_write(f"{verb} {goal}")
        return answer

    def close(self) -> None:
        """Close the connections."""
        self._login.pool.close()

    def _send(
        self,
        login: Login,
        method: str,
        url: str,
        *,
        data: bytes | None,
        headers: dict[str, str],
        timeout: float,
        counted: str,
    ) -> urllib3.BaseHTTPResponse:
        if authorization := login.authorization():
            headers["Authorization"] = authorization
        try:
            return login.pool.urlopen(
                method,
                login.base + url,
                body=data,
                headers=headers,
                retries=False,
                redirect=False,
                assert_same_host=False,  # it is given whole URLs where a proxy wants them
                timeout=urllib3.Timeout(connect=min(CONNECT_TIMEOUT, timeout), read=timeout),
            )
        except (urllib3.exceptions.HTTPError, OSError) as error:
            if self._on_request:
                self._on_request(VERBS[method], counted, 0, 0.0)
            raise Retryable(
                f"the API server at {login.server} does not answer: {_cause(error)}", reason="ApiServerUnreachable"
            ) from None

    def _log_in_again(self, used: Login) -> bool:
        """Load the credentials anew; False when that was done just before, so that a refusal is one."""
        with self._lock:
            if self._login is not used:
                return True
            if time.monotonic() - self._login_time < RELOGIN_PAUSE:
                return False
            self._login = Login(kubeconfig=self._kubeconfig, pool_size=self._pool_size)
            self._login_time = time.monotonic()
            return True


def _parse(data: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(data)
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}


def _cause(error: BaseException) -> str:
    """What went wrong underneath, in few words: the last error of the chain says most."""
    while error.__cause__ or error.__context__:
        error = error.__cause__ or error.__context__  # type: ignore[assignment]
    return str(error) or type(error).__name__

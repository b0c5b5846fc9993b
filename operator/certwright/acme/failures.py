"""Why no reply came, said so that a person knows what to look at.

The libraries wrap the cause three deep; only the system's own exception at the bottom tells what happened.
"""

from __future__ import annotations

import socket
import ssl
from http.client import InvalidURL
from typing import TYPE_CHECKING

import requests
from urllib3.exceptions import ConnectTimeoutError, LocationValueError, ReadTimeoutError

from certwright.errors import InvalidSpec, Retryable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from certwright.errors import CertwrightError


def failure(error: Exception, *, method: str, url: str) -> CertwrightError:
    """Turn what the HTTP library raised into a fault that says what was asked, what happened and what to do."""
    what, todo, reason = "no usable reply", "check spec.acme.server and the network", "ConnectionLost"
    causes = list(_causes(error))
    # A ValueError further in is not about the URL: a chunk's length that is no number, a certificate not trusted.
    if isinstance(error, ValueError) or any(isinstance(cause, InvalidURL | LocationValueError) for cause in causes):
        return InvalidSpec(f"{url[:160]!r} is not a URL; check spec.acme.server")
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            what = f"the server's certificate is not trusted ({cause.verify_message.rstrip('.')})"
            todo = "set spec.acme.caBundle to the root of the server's certificate, or mend the server's name"
            reason = "ServerUntrusted"
        elif isinstance(cause, socket.gaierror):
            what, reason = "the host name does not resolve", "ServerUnknown"
            todo = "check spec.acme.server and the cluster's DNS"
        elif isinstance(cause, ConnectionRefusedError):
            what, reason = "the connection is refused", "ConnectionRefused"
            todo = "check host and port of spec.acme.server and whether the server runs"
        elif isinstance(cause, TimeoutError | ConnectTimeoutError | ReadTimeoutError):
            what, reason = "no whole reply in time", "Timeout"
            todo = "check that the cluster may reach the server; it is tried again"
        elif isinstance(cause, ssl.SSLError):
            what, reason = "the server does not speak TLS as it should", "TLSFailed"
            todo = "check host and port of spec.acme.server"
        elif isinstance(cause, requests.exceptions.ProxyError):
            what, reason = "the proxy does not let it through", "ProxyFailed"
            todo = "check HTTPS_PROXY and NO_PROXY of the operator"
        elif isinstance(cause, ConnectionError):
            what, todo = "the connection was cut", "it is tried again"
        else:
            continue
        break
    return Retryable(f"{method} {url[:160]}: {what}; {todo}", reason=reason)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Walk from the innermost cause outwards."""
    seen: list[BaseException] = []
    pending: list[BaseException] = [error]
    while pending:
        one = pending.pop(0)
        if one not in seen:
            seen.append(one)
            inner = (one.__cause__, one.__context__, getattr(one, "reason", None), *one.args)
            pending += [cause for cause in inner if isinstance(cause, BaseException)]
    return reversed(seen)

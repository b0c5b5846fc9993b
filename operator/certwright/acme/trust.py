"""Whom a TLS connection to an ACME server trusts, and a socket that keeps a deadline.

No setting of the environment overrules a bundle given in the spec. Nothing here connects.
"""

from __future__ import annotations

import ssl
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from requests.utils import DEFAULT_CA_BUNDLE_PATH
from urllib3 import disable_warnings
from urllib3.exceptions import InsecureRequestWarning

from certwright.errors import InvalidSpec

if TYPE_CHECKING:
    from collections.abc import Iterator

    from _typeshed import WriteableBuffer

_current = threading.local()


@contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """Bound the time all reads of this thread take together, headers and body.

    A timeout of a socket bounds one read; a server that sends a byte now and then never meets it.
    """
    _current.ends = time.monotonic() + seconds
    try:
        yield
    finally:
        _current.ends = None


class _DeadlineSocket(ssl.SSLSocket):
    """A TLS socket whose reads end with the thread's deadline."""

    def recv_into(self, buffer: WriteableBuffer, nbytes: int | None = None, flags: int = 0) -> int:
        ends: float | None = getattr(_current, "ends", None)
        if ends is not None:
            left = ends - time.monotonic()
            if left <= 0:
                raise TimeoutError("the reply came too slowly")
            timeout = self.gettimeout()
            if timeout is None or left < timeout:
                self.settimeout(left)
        return super().recv_into(buffer, nbytes, flags)


def tls_context(*, ca_bundle_pem: bytes | None, skip_tls_verify: bool) -> ssl.SSLContext:
    """Build the context for connections to an ACME server.

    Args:
        ca_bundle_pem: One or more certificates that alone are trusted; None trusts the system's.
        skip_tls_verify: Trust anybody, for tests.

    Raises:
        InvalidSpec: The bundle holds no certificate, or something that is none.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.sslsocket_class = _DeadlineSocket
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if skip_tls_verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        disable_warnings(InsecureRequestWarning)  # a person chose it; a warning at each request tells nobody
    elif ca_bundle_pem is None:
        paths = ssl.get_default_verify_paths()
        if paths.cafile or paths.capath:
            context.load_default_certs()
        else:  # a bare container image
            context.load_verify_locations(cafile=DEFAULT_CA_BUNDLE_PATH)
    else:
        try:
            context.load_verify_locations(cadata=ca_bundle_pem.decode("ascii"))
        except (ssl.SSLError, ValueError):
            raise InvalidSpec(
                "spec.acme.caBundle: it is not a list of certificates in PEM; "
                "give the base64 of one or more -----BEGIN CERTIFICATE----- blocks"
            ) from None
    return context

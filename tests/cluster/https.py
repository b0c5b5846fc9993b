"""One HTTPS request, for readiness checks and Pebble's management API: no library, no proxy, no environment."""

import http.client
import ssl
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit


def fetch(
    url: str,
    *,
    ca_file: Path,
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
    timeout: float = 5.0,
) -> tuple[int, bytes]:
    """Return status and body of a GET, or of a POST if there is a body.

    Raises:
        OSError: no connection, a certificate that does not verify, or a broken answer.
    """
    parts = urlsplit(url)
    context = ssl.create_default_context(cafile=str(ca_file))
    connection = http.client.HTTPSConnection(parts.netloc, timeout=timeout, context=context)
    path = f"{parts.path}?{parts.query}" if parts.query else parts.path
    try:
        connection.request("GET" if body is None else "POST", path, body=body, headers=dict(headers or {}))
        answer = connection.getresponse()
        return answer.status, answer.read()
    except http.client.HTTPException as error:
        raise OSError(f"{url}: {error!r}") from error
    finally:
        connection.close()

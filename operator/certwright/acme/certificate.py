"""The certificate chain a CA serves (RFC 8555 7.4.2, 9.1).

It is taken apart and put together again, so that nothing but certificates ever reaches a Secret.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cryptography import x509

from certwright.acme.reading import malformed

if TYPE_CHECKING:
    from certwright.acme.transport import Reply

MAX_CERTIFICATES = 16
MAX_ALTERNATES = 16
_BLOCK = re.compile(rb"-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----")


@dataclass(frozen=True, slots=True)
class CertificateChain:
    """A chain, the leaf first, each block ended by one newline; `alternates` are the URLs of other chains for it."""

    url: str
    pem: bytes
    alternates: tuple[str, ...] = ()
    retry_after: float | None = None

    @classmethod
    def read(cls, reply: Reply) -> CertificateChain:
        """Read it from a reply.

        Raises:
            Retryable: It is no chain of certificates in PEM, or an absurdly long one, or has other blocks in it.
        """
        blocks = _BLOCK.findall(reply.body)
        if reply.body.count(b"-----BEGIN ") != len(blocks):  # RFC 8555 11.4: nothing but certificates
            raise malformed(reply.url, "the reply has blocks that are no certificates")
        if not 0 < len(blocks) <= MAX_CERTIFICATES:
            raise malformed(reply.url, f"the reply has {len(blocks)} certificates")
        pem = b"".join(b"\n".join(block.splitlines()) + b"\n" for block in blocks)
        try:
            x509.load_pem_x509_certificates(pem)
        except ValueError:
            raise malformed(reply.url, "the reply has a certificate that cannot be read") from None
        return cls(reply.url, pem, reply.links("alternate")[:MAX_ALTERNATES], reply.retry_after)

"""The nonces a server has handed out and nobody has used yet (RFC 8555 6.5).

The newest is used first: it has the best chance to be still known. No lock is held, least of all while something is
asked of the server; two threads can never get the same nonce.
"""

from __future__ import annotations

import re
from collections import deque

_NONCE = re.compile(r"[A-Za-z0-9_-]{1,1024}", re.ASCII)


def usable(nonce: str | None) -> str | None:
    """Take a Replay-Nonce header as it is; None when it is missing or not base64url (RFC 8555 6.5.1)."""
    return nonce if nonce is not None and _NONCE.fullmatch(nonce) else None


class NoncePool:
    """A bounded stack of nonces, shared by threads.

    Args:
        size: How many are kept; the oldest give way.
    """

    __slots__ = ("_nonces",)

    def __init__(self, *, size: int = 64) -> None:
        # A deque's append and pop are each one step for other threads; the language documents that.
        self._nonces: deque[str] = deque(maxlen=size)

    def __len__(self) -> int:
        return len(self._nonces)

    def put(self, nonce: str | None) -> None:
        """Keep the Replay-Nonce of a reply; one that is not usable is dropped."""
        nonce = usable(nonce)
        if nonce is not None:
            self._nonces.append(nonce)

    def take(self) -> str | None:
        """Take the newest nonce; None when there is none left."""
        try:
            return self._nonces.pop()
        except IndexError:
            return None

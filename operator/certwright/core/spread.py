"""Numbers that differ from object to object and never from moment to moment, so that a restart moves nothing."""

from __future__ import annotations

import hashlib


def fraction(uid: str, salt: str = "") -> float:
    """A number in [0, 1) that depends on the object's uid and the purpose alone."""
    return int.from_bytes(hashlib.sha256(f"{salt}/{uid}".encode()).digest()[:7]) / 2**56

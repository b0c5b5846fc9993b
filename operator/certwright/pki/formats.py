"""Further forms of key and chain, for programs that want one file or binary: they follow from the PEM entries alone."""

from __future__ import annotations

import re
from base64 import b64decode
from binascii import Error as Base64Error
from typing import TYPE_CHECKING

from certwright.resources.outputs import FORMATS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_BODY = re.compile(rb"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----(.*?)-----END", re.DOTALL)


def der(key_pem: bytes) -> bytes:
    """The key in binary, in the encoding that its PEM has; empty when there is none."""
    found = _BODY.search(key_pem)
    try:
        return b64decode(found[1]) if found else b""
    except Base64Error:
        return b""


def combined(key_pem: bytes, chain_pem: bytes) -> bytes:
    """Key and chain as one file, with an empty line in between."""
    return key_pem + b"\n" + chain_pem


def entries(formats: Iterable[str], key_pem: bytes, chain_pem: bytes) -> dict[str, bytes]:
    """The entries of a Secret for types of additional formats."""
    made = {"DER": lambda: der(key_pem), "CombinedPEM": lambda: combined(key_pem, chain_pem)}
    return {FORMATS[name]: made[name]() for name in formats if name in FORMATS}


def worn(data: Mapping[str, bytes], key_pem: bytes, chain_pem: bytes) -> tuple[str, ...]:
    """The entries that are there and do not follow from key and chain."""
    present = {name: entry for name, entry in FORMATS.items() if data.get(entry)}
    if not present:
        return ()
    wanted = entries(present, key_pem, chain_pem)
    return tuple(entry for entry, value in wanted.items() if data[entry] != value)

"""Masks keys and credentials in log lines, wherever they stand: the last thing that happens to a line.

Nothing of the kind should reach a log in the first place; this is for the day when it does, in an error's text say.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from certwright.resources.names import ObjectKey

if TYPE_CHECKING:
    from collections.abc import MutableMapping

MASK = "[redacted]"
MAX_DEPTH = 8
MAX_TEXT = 20_000  # characters; a longer text is cut before it is searched

_FIELD = re.compile(
    r"secret|key|token|passw|passphrase|credential|authori[sz]ation$|bearer|cookie|hmac|private|string_?data",
    re.IGNORECASE,
)
# What a field may say about a secret without being one.
_HARMLESS = re.compile(
    r"[_-](?:name|names|namespace|kind|algorithm|size|type|count|label|ref|uid|version|until)$"
    r"|[a-z](?:Name|Namespace|Kind|Algorithm|Size|Ref|Version)$"
)
_TEXTS: tuple[tuple[re.Pattern[str], str], ...] = (
    # A PEM key, whole or cut off, with real or escaped line ends.
    (
        re.compile(r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----.*?(?:-----END [A-Z0-9 ]*PRIVATE KEY-----|\Z)", re.DOTALL),
        MASK,
    ),
    # A PEM of any kind in base64, as in a Secret's data.
    (re.compile(r"LS0tLS1CRUdJTi[A-Za-z0-9+/=_-]*"), MASK),
    # HTTP credentials, with or without the header's name.
    (re.compile(r"(?i)(authorization[\"']?\s*[:=]\s*[\"']?)(?:[a-z]+\s+)?[^\s\"',;}]+"), rf"\1{MASK}"),
    # (a word of prose has no digits)
    (re.compile(r"(?i)\b(bearer|basic)\s+(?=\S{20}|\S*(?-i:[0-9=+/_A-Z]))[A-Za-z0-9+/=._~-]{8,}"), rf"\1 {MASK}"),
    # A JWT or the JWS of a ServiceAccount.
    (re.compile(r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]*)?"), MASK),
    # The private members of a JWK (RFC 7518 section 6).
    (re.compile(r"([\"'](?:d|p|q|dp|dq|qi|k)[\"']\s*:\s*[\"'])[A-Za-z0-9_-]{16,}"), rf"\1{MASK}"),
    # password=…, "clientSecret": "…", api_key: …, but not the path of a field
    (
        re.compile(
            r"(?i)((?<![\w.-])(?!spec\.|status\.)[\w.-]*"
            r"(?:passw(?:or)?d|passphrase|token|api[-_]?key|private[-_]?key|access[-_]?key|secret[-_]?key|client[-_]?secret|tsig[-_]?secret|hmac[-_]?key|credentials?)\b[\"']?\s*[:=]\s*[\"']?)"
            r"[^\s\"',;&}\])]+"
        ),
        rf"\1{MASK}",
    ),
    (re.compile(r"(?i)([\"']secret[\"']\s*:\s*[\"']|\bsecret=[\"']?)[^\s\"',;&}\])]+"), rf"\1{MASK}"),
    # user:password@host in a URL
    (re.compile(r"(://[^\s/:@]+:)[^\s/@]+(@)"), rf"\1{MASK}\2"),
)


def redact(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A structlog processor; put it last before the renderer, when exceptions are text already."""
    for name, value in event.items():
        event[name] = _value(name, value, MAX_DEPTH)
    return event


def redact_text(text: str) -> str:
    """A text with everything masked that looks like a key or a credential."""
    if len(text) > MAX_TEXT:
        text = f"{text[:MAX_TEXT]}…"
    for pattern, replacement in _TEXTS:
        text = pattern.sub(replacement, text)
    return text


def _value(name: str, value: Any, depth: int) -> Any:  # noqa: ANN401 - anything may be logged
    if value is None or isinstance(value, (bool, int, float)):
        return value
    # `key` is our word for what names an object, too.
    if depth <= 0 or (_names_a_secret(name) and not isinstance(value, ObjectKey)):
        return MASK
    if isinstance(value, Mapping):
        return _mapping(value, depth)
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_value("", item, depth - 1) for item in value]
    if isinstance(value, (bytes, bytearray, memoryview)):
        return f"[{len(value)} bytes]"
    return redact_text(str(value))


def _mapping(value: Mapping[Any, Any], depth: int) -> dict[str, Any]:
    # A Secret's body: whatever its data's keys are called.
    is_secret = value.get("kind") == "Secret" or str(value.get("type", "")).startswith("kubernetes.io/")
    return {
        str(key): MASK if is_secret and key in ("data", "stringData") else _value(str(key), item, depth - 1)
        for key, item in value.items()
    }


def _names_a_secret(name: str) -> bool:
    return bool(_FIELD.search(name)) and not _HARMLESS.search(name)

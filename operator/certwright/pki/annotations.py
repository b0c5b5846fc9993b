"""What a TLS Secret's annotations say of its certificate, in cert-manager's notation. Names no group."""

from __future__ import annotations

from typing import TYPE_CHECKING

from certwright.pki.subject import ATTRIBUTES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from certwright.pki.certificate import CertificateFacts


def secret_annotations(facts: CertificateFacts) -> dict[str, str]:
    """The annotations that follow from a certificate, by the last part of their key.

    The first four are there even when empty, the others only when not.
    """
    optional = {
        "email-sans": _line(facts.emails),
        **{f"subject-{field.lower()}": _line(getattr(facts.subject, field)) for field in ATTRIBUTES},
        "subject-serialnumber": facts.subject.serialNumber,
    }
    return {
        "common-name": facts.common_name,
        "alt-names": _line(facts.dns_names),
        "ip-sans": _line(facts.ip_addresses),
        "uri-sans": _line(facts.uris),
        **{word: value for word, value in optional.items() if value},
    }


def _line(values: Iterable[str]) -> str:
    """One line of CSV (RFC 4180); like Go's writer it quotes a leading space, too."""
    return ",".join(_cell(value) for value in values)


def _cell(value: str) -> str:
    if value and (value[0].isspace() or value == r"\." or any(mark in value for mark in ',"\r\n')):
        return '"' + value.replace('"', '""') + '"'
    return value

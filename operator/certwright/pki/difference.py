"""Whether a certificate is still what its spec asks for. Compares; does not say what follows from it."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import TYPE_CHECKING

from certwright.pki import constraints
from certwright.pki.certificate import NOTHING_RARE
from certwright.pki.subject import (
    ATTRIBUTES,
    COMMON_NAME_LIMIT,
    asked_common_name,
    distinguished_name,
    layout,
    normal_ip,
    read_name,
)
from certwright.pki.usages import canonical
from certwright.pki.values import encodable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from certwright.pki.certificate import CertificateFacts
    from certwright.resources.certificate import CertificateSpec

DIGEST_LENGTH = 20
_SHOWN = 3


def describe_difference(spec: CertificateSpec, facts: CertificateFacts, *, fuzzy: bool) -> str | None:
    """Which field of a spec a certificate does not satisfy; None when it satisfies all.

    Not compared are the key (see `keys.mismatch`), the issuer and the duration: a certificate does not tell them, or
    another than the one that was asked for is no fault of the spec's.

    Args:
        spec: The Certificate's spec.
        facts: The certificate.
        fuzzy: Compare only what an ACME CA proves, DNS names and addresses (RFC 8555 7.1.4, RFC 8738), wherever the
            common name went: such a CA drops subject, usages and other names, and asking again changes nothing.

    Raises:
        InvalidSpec: A value of the spec cannot be in a certificate.
    """
    if spec.csr_ref:  # names and key are those of the request, which is not known here
        return None if fuzzy else _granted(spec, facts)
    return _proven(spec, facts) if fuzzy else _exact(spec, facts)


def request_digest(spec: CertificateSpec) -> str:
    """A short hash of all that a certificate is asked for by, the same for specs that ask for the same.

    The encoding, the Secret's template and the time of renewal are no part of a request. The issuer's group is left
    out because an empty one and our own mean the same; where names stand in their list and their case do not count.

    Raises:
        InvalidSpec: A value of the spec cannot be in a certificate.
    """
    key, issuer = spec.private_key, spec.issuer_ref
    request = {
        "commonName": spec.common_name,
        "dnsNames": sorted(_folded(spec.dns_names)),
        "ipAddresses": sorted(_addresses(spec.ip_addresses)),
        "uris": sorted(set(spec.uris)),
        "emailAddresses": sorted(set(spec.email_addresses)),
        "subject": {field: sorted(set(getattr(spec.subject, field))) for field in ATTRIBUTES},
        "serialNumber": spec.subject.serialNumber,
        "isCA": spec.is_ca,
        "usages": sorted(canonical(spec.usages, is_ca=spec.is_ca)),
        "encodeUsages": spec.encode_usages,
        "duration": spec.duration.total_seconds() if spec.duration_set else None,
        "key": [key.algorithm, 0 if key.algorithm == "Ed25519" else key.size],
        "issuer": [issuer.kind, issuer.name],
        **_rarely(spec),
    }
    return sha256(json.dumps(request, sort_keys=True).encode()).hexdigest()[:DIGEST_LENGTH]


def _rarely(spec: CertificateSpec) -> dict[str, object]:
    """What few ask for; left out where nobody does, so that the digests of all others stay as they were."""
    limits = spec.name_constraints
    rarely: dict[str, object] = {
        "literalSubject": spec.literal_subject,
        "otherNames": sorted(_other_names(spec)),
        "nameConstraints": constraints.described(constraints.extension(limits), critical=limits.critical)
        if limits
        else (),
        "mustStaple": spec.must_staple,
        "signatureAlgorithm": spec.signature_algorithm,
        "request": [asked.name, asked.key] if (asked := spec.csr_ref) else (),
        "keyFrom": [taken.name, taken.key] if (taken := spec.private_key.secret_ref) else (),
    }
    return {field: value for field, value in rarely.items() if value}


def _other_names(spec: CertificateSpec) -> set[str]:
    return {f"{name.oid}={name.value}" for name in spec.other_names}


def _exact(spec: CertificateSpec, facts: CertificateFacts) -> str | None:
    if spec.literal_subject:
        return _literal(spec, facts) or _beyond_the_subject(spec, facts)
    common_name = spec.common_name if len(spec.common_name) <= COMMON_NAME_LIMIT else ""
    if common_name != facts.common_name:
        return f"spec.commonName: it has {facts.common_name or 'none'}"
    rows: list[tuple[str, Iterable[str], Iterable[str]]] = [
        *((f"subject.{field}", getattr(spec.subject, field), getattr(facts.subject, field)) for field in ATTRIBUTES),
        ("subject.serialNumber", {spec.subject.serialNumber} - {""}, {facts.subject.serialNumber} - {""}),
    ]
    return _first(rows) or _beyond_the_subject(spec, facts)


def _literal(spec: CertificateSpec, facts: CertificateFacts) -> str | None:
    """Whether the whole name is as it was written; the order of attributes within one RDN is no part of a name."""
    wanted = distinguished_name(spec)
    common_name, subject = read_name(wanted)
    same_values = common_name == facts.common_name and all(
        set(getattr(subject, field)) == set(getattr(facts.subject, field)) for field in (*ATTRIBUTES, "serialNumber")
    )
    found = (facts.rare or NOTHING_RARE).layout
    if layout(wanted) == found and (found or same_values):
        return None
    return f"spec.literalSubject: its subject is {found or 'another one'}"


def _beyond_the_subject(spec: CertificateSpec, facts: CertificateFacts) -> str | None:
    limits = spec.name_constraints
    rare = facts.rare or NOTHING_RARE
    wanted_limits = constraints.described(constraints.extension(limits), critical=limits.critical) if limits else ()
    rows: list[tuple[str, Iterable[str], Iterable[str]]] = [
        ("dnsNames", _folded(spec.dns_names), _folded(facts.dns_names)),
        ("ipAddresses", _addresses(spec.ip_addresses), facts.ip_addresses),
        ("uris", spec.uris, facts.uris),
        ("emailAddresses", spec.email_addresses, facts.emails),
        ("otherNames", _other_names(spec), rare.other_names),
        ("nameConstraints", wanted_limits, rare.constraints),
    ]
    difference = _first(rows) or _granted(spec, facts)
    if difference is None and spec.must_staple != rare.must_staple:
        difference = f"spec.mustStaple: it {'has' if rare.must_staple else 'has not'} the extension"
    return difference


def _granted(spec: CertificateSpec, facts: CertificateFacts) -> str | None:
    """What an issuer grants whatever the request says."""
    usages = canonical(spec.usages, is_ca=spec.is_ca)
    difference = _first([("usages", usages, facts.usages)])
    if difference is None and spec.is_ca != facts.is_ca:
        difference = f"spec.isCA: it is {'a CA' if facts.is_ca else 'no CA'}"
    return difference


def _first(rows: Iterable[tuple[str, Iterable[str], Iterable[str]]]) -> str | None:
    """The first field whose values differ."""
    told = (_told(field, set(wanted) - set(found), set(found) - set(wanted)) for field, wanted, found in rows)
    return next((difference for difference in told if difference), None)


def _proven(spec: CertificateSpec, facts: CertificateFacts) -> str | None:
    """A CA may take the common name from among the names, put it among them, or drop it."""
    asked, got = asked_common_name(spec).lower(), facts.common_name.lower()
    names, addresses = _folded(facts.dns_names), set(facts.ip_addresses)
    wanted_names, wanted_addresses = _folded(spec.dns_names), _addresses(spec.ip_addresses)
    return (
        _told("commonName", {asked} - {"", got} - names - addresses, set())
        or _told("dnsNames", wanted_names - names - {got}, names - wanted_names - {asked})
        or _told("ipAddresses", wanted_addresses - addresses - {got}, addresses - wanted_addresses - {asked})
    )


def _told(field: str, missing: set[str], unasked: set[str]) -> str | None:
    for names, verb in ((missing, "lacks"), (unasked, "has, unasked,")):
        if names:
            more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
            return f"spec.{field}: it {verb} {', '.join(sorted(names)[:_SHOWN])}{more}"
    return None


def _folded(names: Iterable[str]) -> set[str]:
    return {name.lower() for name in names}


def _addresses(texts: Iterable[str]) -> set[str]:
    return {encodable("spec.ipAddresses", normal_ip, text) for text in texts}

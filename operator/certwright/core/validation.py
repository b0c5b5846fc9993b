"""The rules of a Certificate's spec: those that CEL cannot say, and those it can for objects older than the CRD.

The first broken rule is reported with its field, so that a person mends one thing at a time.
"""

from __future__ import annotations

import ipaddress
import re
from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from certwright.core import windows
from certwright.errors import InvalidSpec
from certwright.pki import constraints
from certwright.pki.keys import SIGNATURE_ALGORITHMS
from certwright.pki.subject import asked_common_name, distinguished_name, other_names
from certwright.pki.usages import canonical
from certwright.resources.certificate import Subject
from certwright.resources.names import CLUSTER_ISSUER, ISSUER
from certwright.resources.outputs import FORMATS, PROFILES
from certwright.resources.renewal import DISABLED, POLICIES

if TYPE_CHECKING:
    from certwright.resources.certificate import CertificateSpec
    from certwright.resources.meta import SecretRef
    from certwright.resources.names import Names

COMMON_NAME_LIMIT = 64
"""Of a common name (RFC 5280, ub-common-name), counted in UTF-8 bytes, so that every encoding fits."""
NAME_LIMIT, LABEL_LIMIT = 253, 63
SIZES = {"RSA": range(2048, 8193), "ECDSA": (256, 384, 521), "Ed25519": (0,)}
SHORTEST, SHORTEST_BEFORE = timedelta(hours=1), timedelta(minutes=5)
_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?", re.IGNORECASE)
_OBJECT_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?")


def validate(spec: CertificateSpec, names: Names) -> None:
    """Check a Certificate's spec.

    Raises:
        InvalidSpec: Naming the first field that is wrong and what to do.
    """
    if spec.unsupported:
        raise InvalidSpec(
            f"{spec.unsupported[0]}: this version does not support it; remove the field", reason="NotSupported"
        )
    _references(spec, names)
    if spec.csr_ref:
        _request_alone(spec, spec.csr_ref)
    else:
        _subject_names(spec)
    _key(spec)
    canonical(spec.usages, is_ca=spec.is_ca)
    distinguished_name(spec)  # before an order is spent on what no request can hold
    other_names(spec)
    _constraints(spec)
    _times(spec)
    _renewal(spec)
    _outputs(spec)
    for key in (*spec.secret_annotations, *spec.secret_labels):
        group = key.partition("/")[0]
        ours = "/" in key and (group == names.group or group.endswith(f".{names.group}"))
        if ours and not (key == names.direct_injection and key in spec.secret_annotations):
            raise InvalidSpec(f"spec.secretTemplate: {key} is set by the operator itself; remove it from the template")


def validate_for_acme(spec: CertificateSpec) -> None:
    """Check what an ACME CA cannot certify, since it would leave it out without a word.

    Raises:
        InvalidSpec: Naming the field.
    """
    for asked, name in (
        (spec.uris, "uris"),
        (spec.email_addresses, "emailAddresses"),
        (spec.other_names, "otherNames"),
        (spec.is_ca, "isCA"),
    ):
        if asked:
            raise InvalidSpec(
                f"spec.{name}: an ACME CA cannot certify that; remove it, or use a ca or selfSigned issuer"
            )


def dns_name_problem(name: str, *, wildcard: bool) -> str | None:
    """Why this is not a DNS name that a certificate can hold; None when it is (RFC 1035 2.3.4, RFC 6125 6.4.3)."""
    bare = name.removeprefix("*.") if wildcard else name
    problem = None
    if not bare or bare.startswith(".") or ".." in bare:
        problem = "has an empty label"
    elif bare.endswith("."):
        problem = "ends with a dot; write it without"
    elif "*" in bare:
        problem = "may have a * as its whole leftmost label only" if wildcard else "may not have a * here"
    elif not bare.isascii():
        problem = "is not ASCII; write it in its xn-- form"
    elif len(name) > NAME_LIMIT:
        problem = f"has {len(name)} characters; {NAME_LIMIT} is the limit"
    elif any(len(label) > LABEL_LIMIT for label in bare.split(".")):
        problem = f"has a label of more than {LABEL_LIMIT} characters"
    elif not all(_LABEL.fullmatch(label) for label in bare.split(".")):
        problem = "is not a DNS name: letters, digits and hyphens between dots"
    elif _is_ip(bare):
        problem = "is an IP address; put it under spec.ipAddresses"
    return problem


def _request_alone(spec: CertificateSpec, reference: SecretRef) -> None:
    """A request that somebody else made says all that is in it, and its key is not ours."""
    if not reference.name:
        raise InvalidSpec("spec.csrSecretRef.name: missing; name the Secret with the certificate signing request")
    said = (
        (spec.common_name, "commonName"),
        (spec.literal_subject, "literalSubject"),
        (spec.subject != Subject(), "subject"),
        (spec.dns_names, "dnsNames"),
        (spec.ip_addresses, "ipAddresses"),
        (spec.uris, "uris"),
        (spec.email_addresses, "emailAddresses"),
        (spec.other_names, "otherNames"),
        (spec.name_constraints, "nameConstraints"),
        (spec.must_staple, "mustStaple"),
        (spec.signature_algorithm, "signatureAlgorithm"),
        (spec.private_key.secret_ref, "privateKey.secretRef"),
    )
    for value, name in said:
        if value:
            raise InvalidSpec(f"spec.{name}: means nothing with csrSecretRef, which says it all; remove one of them")
    for wanted, name in ((spec.outputs.keystores, "keystores"), (spec.outputs.formats, "additionalOutputFormats")):
        if wanted:
            raise InvalidSpec(f"spec.{name}: cannot be made without the key, which csrSecretRef leaves where it is")


def _references(spec: CertificateSpec, names: Names) -> None:
    if not spec.secret_name:
        raise InvalidSpec("spec.secretName: missing; name the Secret that the certificate is put into")
    if len(spec.secret_name) > NAME_LIMIT or not _OBJECT_NAME.fullmatch(spec.secret_name):
        raise InvalidSpec(f"spec.secretName: {spec.secret_name[:80]!r} is not a name a Secret can have")
    if not spec.issuer_ref.name:
        raise InvalidSpec("spec.issuerRef.name: missing; name an Issuer or ClusterIssuer")
    if spec.issuer_ref.group not in {"", names.group}:
        raise InvalidSpec(
            f"spec.issuerRef.group: issuers of {spec.issuer_ref.group} are not served here; "
            f"use {names.group} or leave it out"
        )
    if spec.issuer_ref.kind not in {ISSUER, CLUSTER_ISSUER}:
        raise InvalidSpec(
            f"spec.issuerRef.kind: {spec.issuer_ref.kind[:40]!r} is neither {ISSUER} nor {CLUSTER_ISSUER}"
        )


def _subject_names(spec: CertificateSpec) -> None:
    if spec.literal_subject and (spec.common_name or spec.subject != Subject()):
        other = "commonName" if spec.common_name else "subject"
        raise InvalidSpec(f"spec.literalSubject: contradicts spec.{other}; write all of the subject into one of them")
    common_name = asked_common_name(spec)
    others = spec.dns_names or spec.ip_addresses or spec.uris or spec.email_addresses or spec.other_names
    if not (common_name or others):
        raise InvalidSpec(
            "spec.dnsNames: no name is asked for; give at least one of dnsNames, ipAddresses, uris, emailAddresses, "
            "otherNames, commonName, or a literalSubject with a CN"
        )
    size = len(common_name.encode(errors="surrogatepass"))
    if size > COMMON_NAME_LIMIT:
        raise InvalidSpec(
            f"spec.commonName: has {size} bytes in UTF-8 and {COMMON_NAME_LIMIT} is the limit; "
            "leave it out and put the name under spec.dnsNames"
        )
    _sans(spec)


def _sans(spec: CertificateSpec) -> None:
    for index, name in enumerate(spec.dns_names):
        problem = dns_name_problem(name, wildcard=True)
        if problem:
            raise InvalidSpec(f"spec.dnsNames[{index}]: {name[:80]!r} {problem}")
    for index, address in enumerate(spec.ip_addresses):
        if not _is_ip(address) or "%" in address:  # the zone of an address means nothing elsewhere
            raise InvalidSpec(f"spec.ipAddresses[{index}]: {address[:80]!r} is not an IP address")
    for index, uri in enumerate(spec.uris):
        if not _is_uri(uri):
            raise InvalidSpec(
                f"spec.uris[{index}]: {uri[:80]!r} is not a URI with a scheme, like spiffe://cluster/ns/x"
            )
    for index, email in enumerate(spec.email_addresses):
        local, at, domain = email.rpartition("@")
        if not (local and at) or not email.isascii() or " " in email or dns_name_problem(domain, wildcard=False):
            raise InvalidSpec(f"spec.emailAddresses[{index}]: {email[:80]!r} is not an email address")


def _key(spec: CertificateSpec) -> None:
    key = spec.private_key
    if key.secret_ref and not key.secret_ref.name:
        raise InvalidSpec("spec.privateKey.secretRef.name: missing; name the Secret with the key")
    anything = key.secret_ref is not None and not key.algorithm
    if not anything and key.algorithm not in SIZES:
        raise InvalidSpec(f"spec.privateKey.algorithm: {key.algorithm[:40]!r} is none of {', '.join(SIZES)}")
    sizes = SIZES.get(key.algorithm, ())
    free = key.algorithm == "Ed25519" or (key.secret_ref is not None and 0 in {key.size, len(sizes)})
    if not free and key.size not in sizes:
        have = f"from {sizes[0]} to {sizes[-1]}" if isinstance(sizes, range) else ", ".join(map(str, sizes))
        raise InvalidSpec(f"spec.privateKey.size: {key.size} bits is not a size of {key.algorithm}; it has {have}")
    if key.encoding not in {"PKCS1", "PKCS8"}:
        raise InvalidSpec(f"spec.privateKey.encoding: {key.encoding[:40]!r} is neither PKCS1 nor PKCS8")
    algorithm = spec.signature_algorithm
    if algorithm and not anything and SIGNATURE_ALGORITHMS.get(algorithm, ("",))[0] != key.algorithm:
        fitting = ", ".join(name for name, (kind, _) in SIGNATURE_ALGORITHMS.items() if kind == key.algorithm)
        raise InvalidSpec(
            f"spec.signatureAlgorithm: {algorithm[:40]!r} is not for a key of {key.algorithm}; use {fitting}"
        )
    if key.rotation_policy not in {"Always", "Never"}:
        raise InvalidSpec(f"spec.privateKey.rotationPolicy: {key.rotation_policy[:40]!r} is neither Always nor Never")


def _constraints(spec: CertificateSpec) -> None:
    if not spec.name_constraints:
        return
    if not spec.is_ca:
        raise InvalidSpec("spec.nameConstraints: only a CA can have them; set spec.isCA to true, or remove them")
    constraints.extension(spec.name_constraints)


def _outputs(spec: CertificateSpec) -> None:
    formats = spec.outputs.formats
    for name in formats:
        if name not in FORMATS:
            raise InvalidSpec(f"spec.additionalOutputFormats: {name[:40]!r} is none of {', '.join(FORMATS)}")
        if formats.count(name) > 1:
            raise InvalidSpec(f"spec.additionalOutputFormats: {name} is there twice; remove one")
    for store in spec.outputs.keystores:
        if store.profile and store.profile not in PROFILES:
            raise InvalidSpec(f"{store.path}.profile: {store.profile[:40]!r} is none of {', '.join(PROFILES)}")
        if store.password and store.has_password:
            raise InvalidSpec(f"{store.path}.password: contradicts passwordSecretRef; keep one of them")
        if not (store.password or store.has_password):
            raise InvalidSpec(f"{store.path}.passwordSecretRef: missing; name a Secret with the keystore's password")


def _times(spec: CertificateSpec) -> None:
    if spec.duration < SHORTEST:
        raise InvalidSpec("spec.duration: less than an hour cannot be renewed in time; ask for 1h or more")
    if spec.renew_before is not None and spec.renew_before_percentage is not None:
        raise InvalidSpec("spec.renewBefore: contradicts spec.renewBeforePercentage; keep one of them")
    if spec.renew_before is not None and not SHORTEST_BEFORE <= spec.renew_before < spec.duration:
        raise InvalidSpec("spec.renewBefore: must be at least 5m and less than spec.duration")
    if spec.renew_before_percentage is not None and not 0 < spec.renew_before_percentage < 100:  # noqa: PLR2004 - per cent
        raise InvalidSpec("spec.renewBeforePercentage: must be between 1 and 99")


def _renewal(spec: CertificateSpec) -> None:
    renewal = spec.renewal
    if renewal.policy not in POLICIES:
        raise InvalidSpec(f"spec.renewal.policy: {renewal.policy[:40]!r} is none of {', '.join(POLICIES)}")
    if renewal.policy == DISABLED and renewal.windows:
        raise InvalidSpec("spec.renewal.windows: mean nothing with policy Disabled; remove one of them")
    for index, window in enumerate(renewal.windows):
        windows.validate(window, f"spec.renewal.windows[{index}]")
    if spec.revision_history_limit is not None and spec.revision_history_limit < 1:
        raise InvalidSpec("spec.revisionHistoryLimit: must be 1 or more")


def _is_ip(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _is_uri(text: str) -> bool:
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return bool(parts.scheme and (parts.netloc or parts.path)) and text.isascii() and not re.search(r"\s", text)

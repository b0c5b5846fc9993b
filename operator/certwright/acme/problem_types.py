"""The problem types of RFC 8555 6.7 and its followers as a table: which fault, which reason, what to do.

Data and the few fault classes a caller of the client must tell apart. Only `problems` reads the table.
"""

from __future__ import annotations

from dataclasses import dataclass

from certwright.errors import CertwrightError, ChallengeFailed, InvalidSpec, Retryable, Terminal, Throttled

URN = "urn:ietf:params:acme:error:"


class AccountDoesNotExist(Terminal):
    """The CA has no account for this key: register, then go on. Raised also before the first registration."""

    default_reason = "AccountDoesNotExist"


class Gone(Retryable):
    """The CA does not know the order, authorization or certificate (any longer): abandon it and order anew."""

    default_reason = "NotFound"


class OrderNotReady(Retryable):
    """Finalize came too early or twice (RFC 8555 7.4): read the order and go by its status."""

    default_reason = "OrderNotReady"


class AlreadyReplaced(Retryable):
    """Another order has replaced that certificate already (RFC 9773 5): order without `replaces`."""

    default_reason = "AlreadyReplaced"


@dataclass(frozen=True, slots=True)
class Advice:
    """One row: the fault's class and reason, the RFC section, what the CA says by it and what to do."""

    fault: type[CertwrightError]
    reason: str
    section: str
    says: str
    todo: str


_AGAIN = "it is tried again"
_NAME = "mend that, then wait or renew by hand"

TYPES: dict[str, Advice] = {
    "accountDoesNotExist": Advice(
        AccountDoesNotExist,
        "AccountDoesNotExist",
        "RFC 8555 7.3.1",
        "the CA has no account for this key",
        "register it",
    ),
    "alreadyReplaced": Advice(
        AlreadyReplaced, "AlreadyReplaced", "RFC 9773 5", "another order replaces that certificate", "order without it"
    ),
    "alreadyRevoked": Advice(
        Terminal, "AlreadyRevoked", "RFC 8555 7.6", "the certificate is revoked already", "nothing is left to do"
    ),
    "badCSR": Advice(
        Terminal,
        "BadCSR",
        "RFC 8555 7.4",
        "the CA does not accept the certificate request",
        "try another spec.privateKey algorithm or size, or fewer fields in the spec",
    ),
    "badNonce": Advice(Retryable, "BadNonce", "RFC 8555 6.5", "the CA refuses its own nonces", _AGAIN),
    "badPublicKey": Advice(
        Terminal,
        "BadPublicKey",
        "RFC 8555 6.2",
        "the CA does not accept the public key",
        "choose another algorithm or size: ECDSA P-256 and RSA 2048 are accepted everywhere",
    ),
    "badRevocationReason": Advice(
        Terminal, "BadRevocationReason", "RFC 8555 7.6", "the CA does not accept the reason", "choose another reason"
    ),
    "badSignatureAlgorithm": Advice(
        Terminal,
        "BadSignatureAlgorithm",
        "RFC 8555 6.2",
        "the CA does not accept signatures of this account key",
        "use an ECDSA P-256 or RSA account key",
    ),
    "caa": Advice(
        ChallengeFailed,
        "CAARefused",
        "RFC 8555 6.7, RFC 8659",
        "a CAA record forbids this CA to issue",
        "add this CA to the name's CAA records, or use an issuer that they allow",
    ),
    "compound": Advice(ChallengeFailed, "Refused", "RFC 8555 6.7.1", "the CA refused several names", _NAME),
    "connection": Advice(
        ChallengeFailed,
        "ConnectionFailed",
        "RFC 8555 6.7",
        "the CA could not connect to the name",
        "let the CA reach port 80 (HTTP-01) or 443 (TLS-ALPN-01), or use DNS-01",
    ),
    "dns": Advice(
        ChallengeFailed,
        "DNSFailed",
        "RFC 8555 6.7",
        "the CA could not look the name up",
        "mend the zone's delegation, name servers or DNSSEC",
    ),
    "externalAccountRequired": Advice(
        InvalidSpec,
        "ExternalAccountRequired",
        "RFC 8555 7.3.4",
        "the CA wants an account bound to one of its own",
        "set spec.acme.externalAccountBinding with the key the CA gave you",
    ),
    "incorrectResponse": Advice(
        ChallengeFailed,
        "IncorrectResponse",
        "RFC 8555 6.7",
        "the CA found another answer than the challenge's",
        "look for other records, servers or caches that answer for the name",
    ),
    "invalidContact": Advice(
        InvalidSpec,
        "InvalidContact",
        "RFC 8555 7.3",
        "the CA does not accept the contact address",
        "mend spec.acme.email",
    ),
    "invalidProfile": Advice(
        InvalidSpec,
        "InvalidProfile",
        "draft-ietf-acme-profiles",
        "the CA has no such profile for this order",
        "choose a profile that the CA's directory names, or none",
    ),
    "malformed": Advice(
        ChallengeFailed, "Malformed", "RFC 8555 6.7", "the CA does not accept the request", "ask the CA what it means"
    ),
    "orderNotReady": Advice(
        OrderNotReady, "OrderNotReady", "RFC 8555 7.4", "the order is not ready", "its state is read again"
    ),
    "rateLimited": Advice(Throttled, "RateLimited", "RFC 8555 6.6", "the CA's limit is reached", _AGAIN),
    "rejectedIdentifier": Advice(
        ChallengeFailed,
        "RejectedIdentifier",
        "RFC 8555 7.4",
        "the CA does not issue for the name",
        "take the name out, or use another issuer",
    ),
    "serverInternal": Advice(Retryable, "ServerInternal", "RFC 8555 6.7", "the CA has a fault of its own", _AGAIN),
    "tls": Advice(
        ChallengeFailed,
        "TLSFailed",
        "RFC 8555 6.7",
        "the CA had a TLS fault when it connected to the name",
        "let port 443 of the name reach the solver",
    ),
    "unauthorized": Advice(
        ChallengeFailed, "Unauthorized", "RFC 8555 6.7", "the CA does not see control of the name proven", _NAME
    ),
    "unsupportedContact": Advice(
        InvalidSpec,
        "UnsupportedContact",
        "RFC 8555 7.3",
        "the CA does not support this kind of contact",
        "use a plain address in spec.acme.email",
    ),
    "unsupportedIdentifier": Advice(
        InvalidSpec,
        "UnsupportedIdentifier",
        "RFC 8555 7.4",
        "the CA does not certify this kind of name",
        "take the name out, or use another issuer",
    ),
    "userActionRequired": Advice(
        Terminal,
        "UserActionRequired",
        "RFC 8555 7.3.3",
        "the CA wants a person to act, often to agree to new terms",
        "do what its page says",
    ),
}
"""By the last word of the type."""

NOT_ALLOWED = Advice(
    ChallengeFailed,
    "Unauthorized",
    "RFC 8555 7.3.6",
    "the CA does not allow the account to do this",
    "if the CA has closed the account, use another account key",
)
"""`unauthorized` as the answer to a request: that is about the account, not about control of a name."""

"""CAA as a CA reads it (RFC 8659, RFC 8657): whether a set of records lets it issue, and if not, what to add.

Only values in and out: who asks for the records is `caa_lookup`. Where a CA has latitude, it is Let's Encrypt's reading
that counts here: flag bit 1 is taken for the critical one as well, since many believe that it is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from certwright.resources.values import clip

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

CRITICAL = 128 | 1
KNOWN_TAGS = frozenset({"issue", "issuewild", "iodef", "issuemail", "issuevmc", "contactemail", "contactphone"})
RECORDS_SHOWN = 3
_LABEL = r"[a-z0-9](?:-*[a-z0-9])*"
_DOMAIN = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_TAG = re.compile(_LABEL, re.IGNORECASE)
_VALUE = re.compile(r"[\x21-\x3a\x3c-\x7e]*")


class Ruling(StrEnum):
    """What CAA says to an issuance."""

    ALLOWS = "allows"
    REFUSES = "refuses"
    UNKNOWN = "cannot tell"


@dataclass(frozen=True, slots=True)
class CaaRecord:
    """One record as it stands in the zone; `tag` is lower case."""

    flags: int
    tag: str
    value: bytes

    def __str__(self) -> str:
        """As a zone file has it, cut to a line."""
        text = self.value.decode("ascii", "backslashreplace").replace('"', '\\"')
        return f'CAA {self.flags} {self.tag} "{clip(text, 120)}"'


@dataclass(frozen=True, slots=True)
class Grant:
    """Whom an `issue` or `issuewild` record lets issue, and under which conditions (RFC 8659 section 4.2).

    Args:
        domain: The CA's name in lower case; empty lets nobody, and so does a value that cannot be read.
        parameters: By lower-case name.
        readable: False when the value has another form.
    """

    domain: str
    parameters: Mapping[str, str] = field(default_factory=dict)
    readable: bool = True

    @classmethod
    def of(cls, value: bytes) -> Grant:
        """Read a value."""
        broken = cls("", readable=False)
        try:
            domain, _, rest = value.decode("ascii").partition(";")
        except UnicodeDecodeError:
            return broken
        domain = domain.strip(" \t").lower()
        if domain and not _DOMAIN.fullmatch(domain):
            return broken
        parameters: dict[str, str] = {}
        for part in rest.split(";") if rest.strip(" \t") else ():
            name, equals, text = (piece.strip(" \t") for piece in part.partition("="))
            if not equals or not _TAG.fullmatch(name) or not _VALUE.fullmatch(text) or name.lower() in parameters:
                return broken
            parameters[name.lower()] = text
        return cls(domain, parameters)


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be issued, by whom.

    Args:
        identities: The CA's names for CAA, `meta.caaIdentities` of its directory; empty when nobody knows.
        wildcard: Whether it is for `*.` below the name.
        method: The ACME challenge type; empty when any would do.
        account_uri: The ACME account's URL; empty when there is none yet.
    """

    identities: tuple[str, ...] = ()
    wildcard: bool = False
    method: str = ""
    account_uri: str = ""


@dataclass(frozen=True, slots=True)
class CaaVerdict:
    """A ruling with its reason; `action` says what to do where it does not allow."""

    ruling: Ruling
    text: str
    action: str = ""


def judge(records: Sequence[CaaRecord], found_at: str, wish: Wish) -> CaaVerdict:
    """Say whether the CA may issue.

    Args:
        records: The relevant RRset (RFC 8659 section 3).
        found_at: The name it stands at, with its final dot.
        wish: What is to be issued.
    """
    if not records:
        return CaaVerdict(Ruling.ALLOWS, "there is no CAA record at the name or above it: any CA may issue")
    for record in records:
        if record.flags & CRITICAL and record.tag not in KNOWN_TAGS:
            return CaaVerdict(
                Ruling.REFUSES,
                f"{found_at} {record} is marked critical, and no CA knows its tag: none may issue",
                "remove that record, or set its flags to 0",
            )
    wild = wish.wildcard and any(record.tag == "issuewild" for record in records)
    tag = "issuewild" if wild else "issue"
    relevant = [record for record in records if record.tag == tag]
    if not relevant:
        return CaaVerdict(Ruling.ALLOWS, f"the CAA records at {found_at} do not say who may issue: any CA may")
    if not wish.identities:
        return _anonymous(relevant, found_at, wish)
    return _weighed(relevant, found_at, wish)


def _weighed(relevant: Sequence[CaaRecord], found_at: str, wish: Wish) -> CaaVerdict:
    """The verdict on a known CA: one record that lets it issue is enough."""
    doubts: list[str] = []
    refusals: list[str] = []
    for record in relevant:
        reason, sure = _objection(Grant.of(record.value), wish)
        if not reason:
            return CaaVerdict(Ruling.ALLOWS, f"{found_at} {record} lets {wish.identities[0]} issue")
        (refusals if sure else doubts).append(f"{record} {reason}")
    if doubts:
        return CaaVerdict(
            Ruling.UNKNOWN,
            f"at {found_at}: {_few(doubts)}",
            "compare it with the account of the issuer, which `status.acme.uri` names, or give --account-uri",
        )
    return CaaVerdict(
        Ruling.REFUSES,
        f"at {found_at}: {_few(refusals)}",
        f'add the record {found_at} CAA 0 {relevant[0].tag} "{_granting(relevant, wish)}", beside those that are there',
    )


def _objection(grant: Grant, wish: Wish) -> tuple[str, bool]:
    """What a record has against the wish, empty for nothing; and whether that is sure."""
    if not grant.domain:
        return "lets nobody issue" if grant.readable else "cannot be read, and so lets nobody issue", True
    if grant.domain not in {identity.lower().rstrip(".") for identity in wish.identities}:
        return f"lets {grant.domain} issue, not {' or '.join(wish.identities)}", True
    methods, account = grant.parameters.get("validationmethods"), grant.parameters.get("accounturi")
    if methods is not None and wish.method and wish.method not in methods.split(","):
        return f"lets it issue by {methods.replace(',', ' or ') or 'no method'} only, not by {wish.method}", True
    if account is None or account == wish.account_uri:
        return "", True
    if not wish.account_uri:
        return f"lets the account {account} only issue, and which account will ask is not known", False
    return f"lets the account {account} only issue, not {wish.account_uri}", True


def _anonymous(relevant: Sequence[CaaRecord], found_at: str, wish: Wish) -> CaaVerdict:
    """The verdict where nobody said which CA it will be."""
    domains = sorted({grant.domain for record in relevant if (grant := Grant.of(record.value)).domain})
    if not domains:
        return CaaVerdict(
            Ruling.REFUSES,
            f"{found_at} {relevant[0]} lets no CA issue{' wildcards' if wish.wildcard else ''}",
            f'replace it by one that names your CA, such as {found_at} CAA 0 {relevant[0].tag} "letsencrypt.org"',
        )
    return CaaVerdict(
        Ruling.UNKNOWN,
        f"the CAA records at {found_at} let {_few(domains, ' or ')} issue, and nobody else",
        "see that your CA is among them: name it by --issuer or --caa-identity",
    )


def _granting(relevant: Sequence[CaaRecord], wish: Wish) -> str:
    """A value that would grant the wish, as strict as the records that are there."""
    names = {name for record in relevant for name in Grant.of(record.value).parameters}
    value = wish.identities[0]
    if "validationmethods" in names and wish.method:
        value += f"; validationmethods={wish.method}"
    if "accounturi" in names and wish.account_uri:
        value += f"; accounturi={wish.account_uri}"
    return value


def _few(texts: Sequence[str], between: str = "; ") -> str:
    more = f" and {len(texts) - RECORDS_SHOWN} more" if len(texts) > RECORDS_SHOWN else ""
    return between.join(texts[:RECORDS_SHOWN]) + more

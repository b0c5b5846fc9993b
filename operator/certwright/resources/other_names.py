"""`spec.otherNames` and `spec.nameConstraints` of a Certificate: names beyond those that every certificate has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from certwright.resources.reading import Fields


@dataclass(frozen=True, slots=True)
class OtherName:
    """One of `spec.otherNames`: a text whose meaning an object identifier gives (RFC 5280 4.2.1.6)."""

    oid: str
    value: str


@dataclass(frozen=True, slots=True)
class Subtrees:
    """The names that a CA may, or may not, sign for; each list is one kind of name."""

    dns_domains: tuple[str, ...] = ()
    ip_ranges: tuple[str, ...] = ()
    email_addresses: tuple[str, ...] = ()
    uri_domains: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.dns_domains or self.ip_ranges or self.email_addresses or self.uri_domains)


@dataclass(frozen=True, slots=True)
class NameConstraints:
    """`spec.nameConstraints` (RFC 5280 4.2.1.10); false when it constrains nothing."""

    critical: bool = False
    permitted: Subtrees = Subtrees()
    excluded: Subtrees = Subtrees()

    def __bool__(self) -> bool:
        return bool(self.permitted or self.excluded)


NO_CONSTRAINTS = NameConstraints()


def parse_other_names(spec: Fields) -> tuple[OtherName, ...]:
    """Read `otherNames`.

    Raises:
        InvalidSpec: When a field has the wrong type.
    """
    return tuple(OtherName(item.text("oid"), item.text("utf8Value")) for item in spec.parts("otherNames"))


def parse_name_constraints(spec: Fields) -> NameConstraints:
    """Read `nameConstraints`.

    Raises:
        InvalidSpec: When a field has the wrong type.
    """
    constraints = spec.part("nameConstraints")
    if not constraints:
        return NO_CONSTRAINTS
    return NameConstraints(
        critical=constraints.flag("critical"),
        permitted=_subtrees(constraints.part("permitted")),
        excluded=_subtrees(constraints.part("excluded")),
    )


def _subtrees(fields: Fields) -> Subtrees:
    return Subtrees(
        dns_domains=fields.texts("dnsDomains"),
        ip_ranges=fields.texts("ipRanges"),
        email_addresses=fields.texts("emailAddresses"),
        uri_domains=fields.texts("uriDomains"),
    )

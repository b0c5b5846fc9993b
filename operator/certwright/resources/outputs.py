"""What a Certificate wants in its Secret beside PEM: `spec.additionalOutputFormats` and `spec.keystores`.

A password never gets in here: an inline one stays in the object, and whoever needs it asks the API server.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from certwright.resources.meta import SecretRef

if TYPE_CHECKING:
    from certwright.resources.reading import Fields

FORMATS = {"DER": "key.der", "CombinedPEM": "tls-combined.pem"}
"""Type of an additional format to the entry of the Secret."""
PROFILES = ("LegacyRC2", "LegacyDES", "Modern2023", "Modern2026")
JKS, PKCS12 = "jks", "pkcs12"
KEYSTORES = {JKS: "keystore.jks", PKCS12: "keystore.p12"}
TRUSTSTORES = {JKS: "truststore.jks", PKCS12: "truststore.p12"}
"""Kind of a keystore to the entry of the Secret."""
ENTRIES = (*FORMATS.values(), *KEYSTORES.values(), *TRUSTSTORES.values())
"""All entries that follow from the key and the certificates."""
DEFAULT_ALIAS = "certificate"


@dataclass(frozen=True, slots=True)
class Keystore:
    """A keystore that is to be made.

    Args:
        kind: `jks` or `pkcs12`.
        password: Where its password is; None when it is in the Certificate itself.
        has_password: Whether the Certificate itself has one.
        alias: Of the key's entry; JKS only.
        profile: How it is encrypted; PKCS#12 only.
    """

    kind: str
    password: SecretRef | None
    has_password: bool = False
    alias: str = ""
    profile: str = ""

    @property
    def path(self) -> str:
        """Where it stands in the spec."""
        return f"spec.keystores.{self.kind}"


@dataclass(frozen=True, slots=True)
class Outputs:
    """All that is wanted beside PEM; false when nothing is.

    Args:
        formats: Types of additional formats, as the spec has them.
        keystores: Those that are to be made.
    """

    formats: tuple[str, ...] = ()
    keystores: tuple[Keystore, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.formats or self.keystores)

    def entries(self, *, has_ca: bool) -> frozenset[str]:
        """The entries that the Secret must have for it; there are truststores only where there is a CA to trust."""
        wanted = [FORMATS[name] for name in self.formats if name in FORMATS]
        wanted += [KEYSTORES[store.kind] for store in self.keystores]
        wanted += [TRUSTSTORES[store.kind] for store in self.keystores if has_ca]
        return frozenset(wanted)


NO_OUTPUTS = Outputs()


def parse_outputs(spec: Fields) -> Outputs:
    """Read both fields.

    Raises:
        InvalidSpec: When a field has the wrong type.
    """
    formats = tuple(item.text("type") for item in spec.parts("additionalOutputFormats"))
    stores = spec.part("keystores")
    jks, pkcs12 = stores.part(JKS), stores.part(PKCS12)
    keystores = []
    if jks.flag("create"):
        alias = jks.text("alias") or DEFAULT_ALIAS
        keystores.append(Keystore(JKS, _password(jks), has_password=bool(jks.text("password")), alias=alias))
    if pkcs12.flag("create"):
        profile = pkcs12.text("profile") or PROFILES[0]
        keystores.append(
            Keystore(PKCS12, _password(pkcs12), has_password=bool(pkcs12.text("password")), profile=profile)
        )
    return Outputs(formats, tuple(keystores)) if formats or keystores else NO_OUTPUTS


def _password(store: Fields) -> SecretRef | None:
    reference = SecretRef.of(store.part("passwordSecretRef"), default_key="password")
    return reference if reference and reference.name else None

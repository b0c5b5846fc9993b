"""What the reconciler tells whoever measures it; the real thing is in ops/, a quiet one is here for tests and tools."""

from __future__ import annotations

from typing import Protocol


class Instruments(Protocol):
    """Counters and timers. Every call is quick and cannot fail."""

    def reconciled(self, kind: str, result: str, seconds: float) -> None:
        """One reconcile ended."""

    def issued(self, issuer_type: str, seconds: float) -> None:
        """A certificate was stored, so many seconds after its issuance began."""

    def failed(self, issuer_type: str, reason: str) -> None:
        """An issuance failed, or waits for something a person must mend."""


class Quiet:
    """Measures nothing."""

    def reconciled(self, kind: str, result: str, seconds: float) -> None:
        """See Instruments."""

    def issued(self, issuer_type: str, seconds: float) -> None:
        """See Instruments."""

    def failed(self, issuer_type: str, reason: str) -> None:
        """See Instruments."""

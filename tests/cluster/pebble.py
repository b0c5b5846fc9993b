"""Pebble, Let's Encrypt's own test CA: RFC 8555 in all its strictness, with faults on request."""

import json
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from cluster.authority import Authority
from cluster.build import pebble
from cluster.https import fetch
from cluster.ports import accepts, free_port
from cluster.process import Child

_REQUEST = re.compile(r" ([A-Z]+) (/\S*) -> calling handler\(\)")
_NINETY_DAYS = 90 * 24 * 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class PebbleOptions:
    """How Pebble behaves.

    Attributes:
        dns_server: `address:port` that validation asks, by TCP; None for the machine's resolver.
        nonce_reject: Per cent of good nonces that are refused with badNonce.
        authz_reuse: Per cent of valid authorizations that a new order gets again.
        strict: Pebble's strict mode.
        external_accounts: Key id to MAC key (base64url); when given, an account needs an external account binding.
        retry_after_authz: Seconds in the Retry-After header of an authorization being validated; 0 for no header.
        retry_after_order: The same for an order being finalized.
        profiles: Profile to validity in seconds. With several, an order that names none gets a random one.
        validation_sleeps: Whether validation waits for up to `validation_sleep` seconds first.
        validation_sleep: See there.
        always_valid: Whether every challenge succeeds without being looked at.
        chain_length: Intermediates in a chain.
        alternate_roots: Further roots, each of which gives an alternate chain.
        http_port: Where HTTP-01 is validated; 0 for a free port.
        tls_port: Where TLS-ALPN-01 is validated; 0 for a free port.
        blocked: Domains that orders are refused for.
        key_algorithm: ecdsa or rsa, for the CA's own keys.
    """

    dns_server: str | None = None
    nonce_reject: int = 0
    authz_reuse: int = 0
    strict: bool = True
    external_accounts: Mapping[str, str] = field(default_factory=dict)
    retry_after_authz: int = 1
    retry_after_order: int = 1
    profiles: Mapping[str, int] = field(default_factory=lambda: {"default": _NINETY_DAYS})
    validation_sleeps: bool = False
    validation_sleep: int = 5
    always_valid: bool = False
    chain_length: int = 1
    alternate_roots: int = 0
    http_port: int = 0
    tls_port: int = 0
    blocked: tuple[str, ...] = ("blocked-domain.example",)
    key_algorithm: str = "ecdsa"


class Pebble:
    """A running Pebble. Everything it knows is in memory: a restart empties it, and makes new roots.

    Args:
        folder: For certificates, configuration and the log.
        options: How it behaves.

    Attributes:
        directory_url: What an Issuer's `server` is set to.
        ca_file: The CA of its own TLS listeners (not of what it issues).
        http_port: Where HTTP-01 is validated.
        tls_port: Where TLS-ALPN-01 is validated.
    """

    def __init__(self, folder: Path, options: PebbleOptions | None = None) -> None:
        self.folder = folder
        self.options = options or PebbleOptions()
        self.http_port = self.options.http_port or free_port()
        self.tls_port = self.options.tls_port or free_port()
        self._acme_port, self._management_port = free_port(), free_port()
        self.directory_url = f"https://127.0.0.1:{self._acme_port}/dir"
        self.management_url = f"https://127.0.0.1:{self._management_port}"
        authority = Authority(folder, "Pebble's listeners")
        self.ca_file = authority.file
        listener = authority.server("listener")
        config = folder / "pebble.json"
        config.write_text(json.dumps({"pebble": self._config(str(listener.certificate), str(listener.key))}, indent=2))
        command = [pebble().path(), "-config", config]
        if self.options.strict:
            command.append("-strict")
        if self.options.dns_server:
            command += ["-dnsserver", self.options.dns_server]
        self.process = Child("pebble", [str(part) for part in command], folder=folder, env=self._environment())

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start it and return when its directory answers.

        Raises:
            StartError: it ended or does not answer.
        """
        self.process.start()
        self.process.wait_until(self._answers, seconds=20)

    def stop(self) -> None:
        """Stop it; all accounts, orders and roots are gone."""
        self.process.stop(grace=2)

    def kill9(self) -> None:
        """Kill it at once."""
        self.process.kill9()

    def restart(self) -> None:
        """Stop it and start it at the same address, emptied and with new roots."""
        self.stop()
        self.start()

    def directory(self) -> dict[str, Any]:
        """Return the ACME directory."""
        return dict(json.loads(self._get(self.directory_url)))

    def root_pem(self, number: int = 0) -> str:
        """Return the root certificate that issued chains end at; numbers above 0 are the alternate ones."""
        return self._get(f"{self.management_url}/roots/{number}").decode()

    def intermediate_pem(self, number: int = 0) -> str:
        """Return the intermediate certificate."""
        return self._get(f"{self.management_url}/intermediates/{number}").decode()

    def certificate_status(self, serial: int) -> dict[str, Any]:
        """Return what Pebble knows of a certificate: `Status` is Valid or Revoked."""
        return dict(json.loads(self._get(f"{self.management_url}/cert-status-by-serial/{serial:x}")))

    def set_renewal_info(self, certificate_pem: str, answer: str) -> None:
        """Set what the renewal information of a certificate answers, word for word."""
        body = json.dumps({"Certificate": certificate_pem, "ARIResponse": answer}).encode()
        status, text = fetch(f"{self.management_url}{_MANAGEMENT}", ca_file=self.ca_file, headers=_AGENT, body=body)
        if status >= 300:
            raise OSError(f"set-renewal-info: {status} {text.decode(errors='replace')}")

    def requests(self, since: int = 0) -> list[tuple[str, str]]:
        """Return the ACME requests since a `mark()` as (method, path), without the ids at the end of paths."""
        if not self.process.log.exists():
            return []
        with self.process.log.open("rb") as log:
            log.seek(since)
            text = log.read().decode(errors="replace")
        return [(method, path) for method, path in _REQUEST.findall(text) if path != _MANAGEMENT]

    def request_counts(self, since: int = 0) -> Counter[str]:
        """Return how often each `METHOD path` was asked since a `mark()`."""
        return Counter(f"{method} {path}" for method, path in self.requests(since))

    def mark(self) -> int:
        """Return the place that the log has reached."""
        return self.process.log.stat().st_size if self.process.log.exists() else 0

    def _get(self, url: str) -> bytes:
        status, body = fetch(url, ca_file=self.ca_file, headers=_AGENT)
        if status != 200:
            raise OSError(f"{url}: {status} {body[:200].decode(errors='replace')}")
        return body

    def _answers(self) -> bool:
        try:
            # Not by asking for the directory: tests count who asks for that.
            return bool(self.root_pem()) and accepts("127.0.0.1", self._acme_port)
        except OSError:
            return False

    def _config(self, certificate: str, key: str) -> dict[str, Any]:
        options = self.options
        return {
            "listenAddress": f"127.0.0.1:{self._acme_port}",
            "managementListenAddress": f"127.0.0.1:{self._management_port}",
            "certificate": certificate,
            "privateKey": key,
            "httpPort": self.http_port,
            "tlsPort": self.tls_port,
            "ocspResponderURL": "",
            "externalAccountBindingRequired": bool(options.external_accounts),
            "externalAccountMACKeys": dict(options.external_accounts),
            "domainBlocklist": list(options.blocked),
            "retryAfter": {"authz": options.retry_after_authz, "order": options.retry_after_order},
            "keyAlgorithm": options.key_algorithm,
            "profiles": {
                name: {"description": f"the profile {name}", "validityPeriod": seconds}
                for name, seconds in options.profiles.items()
            },
        }

    def _environment(self) -> dict[str, str]:
        options = self.options
        return {
            "PEBBLE_WFE_NONCEREJECT": str(options.nonce_reject),
            "PEBBLE_AUTHZREUSE": str(options.authz_reuse),
            "PEBBLE_VA_NOSLEEP": "0" if options.validation_sleeps else "1",
            "PEBBLE_VA_SLEEPTIME": str(options.validation_sleep),
            "PEBBLE_VA_ALWAYS_VALID": "1" if options.always_valid else "0",
            "PEBBLE_CHAIN_LENGTH": str(options.chain_length),
            "PEBBLE_ALTERNATE_ROOTS": str(options.alternate_roots),
        }


_AGENT = {"User-Agent": "certwright-test-harness"}
_MANAGEMENT = "/set-renewal-info/"  # the only request to the management API that is logged

"""The ACME client (RFC 8555): one account at one server, each call one short exchange.

It never sleeps and never polls: what is not ready yet comes back with its `retry_after`, and the caller decides when to
ask again. One instance serves any number of threads; no lock is held while a request is under way, but for the
directory's.
"""

from __future__ import annotations

import json
import threading
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from certwright.acme.account import Account
from certwright.acme.authorization import Authorization, Challenge
from certwright.acme.certificate import CertificateChain
from certwright.acme.directory import Directory, fetch_directory
from certwright.acme.identifier import Identifier
from certwright.acme.jws import b64
from certwright.acme.nonces import NoncePool, usable
from certwright.acme.order import Order
from certwright.acme.problem_types import AccountDoesNotExist
from certwright.acme.problems import Problem, fault_for
from certwright.acme.reading import malformed
from certwright.acme.servers import directory_url as resolve
from certwright.acme.transport import utc_now
from certwright.errors import ChallengeFailed, Retryable, Terminal

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from concurrent.futures import Executor

    from certwright.acme.jws import AccountKey, ExternalAccountBinding
    from certwright.acme.transport import Clock, Reply, Transport

DIRECTORY_AGE = timedelta(hours=6)
MAX_NONCE_TRIES = 200
"""A server that refuses nine nonces of ten gets past this once in a billion requests."""
MAX_NONCE_SECONDS = 120.0
_PEM_CHAIN = "application/pem-certificate-chain"


class AcmeClient:
    """One account at one ACME server.

    Args:
        directory_url: The directory's https URL, or a short name of `servers`.
        key: The account's key.
        transport: Shared by clients with the same settings.
        account_url: The account's URL if it is known; else `register` finds or makes it.
        clock: Tells the time; aware.

    Raises:
        InvalidSpec: The directory URL cannot be one.
    """

    def __init__(
        self,
        *,
        directory_url: str,
        key: AccountKey,
        transport: Transport,
        account_url: str | None = None,
        clock: Clock = utc_now,
    ) -> None:
        self.key = key
        self._url = resolve(directory_url, allow_http=transport.allow_http)
        self._transport = transport
        self._account_url = account_url
        self._clock = clock
        self._nonces = NoncePool()
        self._directory: Directory | None = None
        self._directory_read = datetime.min.replace(tzinfo=UTC)
        self._directory_lock = threading.Lock()
        self._directory_fault: tuple[float, Exception] | None = None

    @property
    def account_url(self) -> str | None:
        """The account's URL; None before `register`."""
        return self._account_url

    def directory(self) -> Directory:
        """The server's directory (RFC 8555 7.1.1), six hours old at most, older while the server is away.

        Raises:
            InvalidSpec: What answers is no ACME server.
            Retryable: Nothing answers.
        """
        known = self._directory
        if known is not None and self._clock() - self._directory_read < DIRECTORY_AGE:
            return known
        asked = time.monotonic()
        with self._directory_lock:
            if self._directory is not None and self._clock() - self._directory_read < DIRECTORY_AGE:
                return self._directory
            # Threads that waited here for one that failed share its fault: each trying in turn would hold them all.
            if self._directory_fault is not None and self._directory_fault[0] >= asked:
                raise self._directory_fault[1]
            try:
                self._directory = fetch_directory(self._url, transport=self._transport, clock=self._clock)
            except Exception as fault:
                if self._directory is None:
                    self._directory_fault = (time.monotonic(), fault)
                    raise
            self._directory_read = self._clock()
            return self._directory

    def register(
        self,
        *,
        contact: Sequence[str] = (),
        terms_agreed: bool = False,
        eab: ExternalAccountBinding | None = None,
        only_existing: bool = False,
    ) -> Account:
        """Make the account for the key, or find it (RFC 8555 7.3, 7.3.1, 7.3.4).

        Args:
            contact: URIs such as "mailto:someone@example.com"; an account found keeps its own.
            terms_agreed: The person has agreed to the CA's terms.
            eab: Binding to an account a person has at the CA.
            only_existing: Find, never make.

        Raises:
            AccountDoesNotExist: `only_existing`, and there is none.
            InvalidSpec: The CA does not accept the contact, or wants a binding.
            Terminal: The CA refuses the account or has closed it.
            Retryable: See the module `problems`.
        """
        url = self.directory().new_account
        payload: dict[str, Any] = {}
        if only_existing:
            payload["onlyReturnExisting"] = True
        if contact:
            payload["contact"] = list(contact)
        if terms_agreed:
            payload["termsOfServiceAgreed"] = True
        if eab is not None:
            payload["externalAccountBinding"] = eab.sign(self.key.jwk, url=url)
        account = Account.read(self._account_post(url, payload, kind="newAccount", kid=None), url=None)
        account.require_valid()
        self._account_url = account.url
        return account

    def account(self) -> Account:
        """Read the account (RFC 8555 7.3); raises as `register`."""
        return self._own_account(None)

    def update_contact(self, contact: Sequence[str]) -> Account:
        """Replace the account's contacts (RFC 8555 7.3.2); raises as `register`."""
        return self._own_account({"contact": list(contact)})

    def new_order(
        self,
        identifiers: Iterable[Identifier | str],
        *,
        not_before: datetime | None = None,
        not_after: datetime | None = None,
        profile: str | None = None,
        replaces: str | None = None,
    ) -> Order:
        """Order a certificate (RFC 8555 7.4).

        Args:
            identifiers: What it is for; repeats are dropped.
            not_before: Asked for; most CAs refuse it.
            not_after: Likewise.
            profile: A name from the directory.
            replaces: The ARI identifier of the certificate to be replaced (RFC 9773 5).

        Raises:
            AccountDoesNotExist: Register, then order again.
            AlreadyReplaced: Order again without `replaces`.
            ChallengeFailed: The CA refuses a name.
            Terminal: The order is for other names than asked.
            Retryable: See the module `problems`; after a lost reply an order may exist that nobody knows.
        """
        asked = tuple(dict.fromkeys(Identifier.of(item) if isinstance(item, str) else item for item in identifiers))
        payload: dict[str, Any] = {"identifiers": [item.body() for item in asked]}
        if not_before is not None:
            payload["notBefore"] = _rfc3339(not_before)
        if not_after is not None:
            payload["notAfter"] = _rfc3339(not_after)
        if profile:
            payload["profile"] = profile
        if replaces:
            payload["replaces"] = replaces
        order = Order.read(self._post(self.directory().new_order, payload, kind="newOrder"), url=None)
        order.require(asked)
        return order

    def order(self, url: str) -> Order:
        """Read an order (RFC 8555 7.1.3); raises Gone when the CA does not know it, else as `new_order`."""
        return Order.read(self._post(url, None, kind="order"), url=url)

    def authorization(self, url: str) -> Authorization:
        """Read an authorization (RFC 8555 7.5); raises Gone when the CA does not know it, else as `new_order`."""
        return Authorization.read(self._post(url, None, kind="authorization"))

    def authorizations(self, urls: Sequence[str], *, executor: Executor | None = None) -> tuple[Authorization, ...]:
        """Read several, side by side where there is an executor; raises the first fault in their order.

        Args:
            urls: An order's.
            executor: Not the one this call runs in: its threads could all be waiting here.
        """
        spread = map if executor is None or len(urls) < 2 else executor.map  # noqa: PLR2004 - one alone
        return tuple(spread(self.authorization, urls))

    def accept(self, challenge: Challenge) -> Challenge:
        """Tell the CA that a challenge is ready to be validated (RFC 8555 7.5.1); raises as `authorization`."""
        return Challenge.read(self._post(challenge.url, {}, kind="challenge"))

    def deactivate_authorization(self, url: str) -> Authorization:
        """Give an authorization up (RFC 8555 7.5.2); raises as `authorization`."""
        return Authorization.read(self._post(url, {"status": "deactivated"}, kind="deactivateAuthorization"))

    def finalize(self, order: Order, csr_der: bytes) -> Order:
        """Send the certificate request (RFC 8555 7.4).

        Raises:
            OrderNotReady: Too early, or a second time: read the order.
            Terminal: The CA does not accept the request.
            ChallengeFailed: The CA refuses to issue.
            Retryable: See the module `problems`.
        """
        return Order.read(self._post(order.finalize, {"csr": b64(csr_der)}, kind="finalize"), url=order.url)

    def certificate(self, url: str) -> CertificateChain:
        """Download a chain (RFC 8555 7.4.2); raises Gone when the CA does not know it, else Retryable."""
        return CertificateChain.read(self._post(url, None, kind="certificate", accept=_PEM_CHAIN))

    def _kid(self) -> str:
        if self._account_url is None:
            raise AccountDoesNotExist("no account is registered for this key yet; register it")
        return self._account_url

    def _own_account(self, payload: dict[str, Any] | None) -> Account:
        url = self._kid()
        return Account.read(self._account_post(url, payload, kind="account", kid=url), url=url)

    def _account_post(self, url: str, payload: dict[str, Any] | None, *, kind: str, kid: str | None) -> Reply:
        try:
            return self._signed(url, payload, kind=kind, kid=kid)
        except ChallengeFailed as fault:  # nothing was challenged: what is refused here is the account
            raise Terminal(
                f"the CA refuses the account; check the account key and spec.acme.externalAccountBinding: "
                f"{fault.problem.get('detail') or fault.message}"[:300],
                reason="AccountRefused",
            ) from fault

    def _post(self, url: str, payload: dict[str, Any] | None, *, kind: str, accept: str | None = None) -> Reply:
        return self._signed(url, payload, kind=kind, kid=self._kid(), accept=accept)

    def _signed(
        self, url: str, payload: dict[str, Any] | None, *, kind: str, kid: str | None, accept: str | None = None
    ) -> Reply:
        """POST, signed anew for each nonce the server refuses (RFC 8555 6.5); None is POST-as-GET."""
        body = b"" if payload is None else json.dumps(payload, separators=(",", ":")).encode()
        ends = time.monotonic() + MAX_NONCE_SECONDS
        nonce = self._nonces.take() or self._new_nonce()
        for _ in range(MAX_NONCE_TRIES):
            reply = self._transport.post(
                url, self.key.sign(body, url=url, nonce=nonce, kid=kid), kind=kind, accept=accept
            )
            self._nonces.put(reply.headers.get("Replay-Nonce"))
            if reply.ok:
                return reply
            problem = Problem.read(reply.body)
            if problem.code != "badNonce":
                raise fault_for(
                    problem, now=self._clock(), status=reply.status, retry_after=reply.retry_after, asked=url
                )
            if time.monotonic() > ends:
                break
            nonce = self._nonces.take() or self._new_nonce()  # the one this very reply brought, newest first
        raise Retryable(f"{url[:160]}: the CA refused one nonce after another; it is tried again", reason="BadNonce")

    def _new_nonce(self) -> str:
        """Ask for a nonce (RFC 8555 7.2)."""
        url = self.directory().new_nonce
        reply = self._transport.head(url, kind="newNonce")
        if not reply.ok:
            raise fault_for(Problem(), now=self._clock(), status=reply.status, retry_after=reply.retry_after, asked=url)
        nonce = usable(reply.headers.get("Replay-Nonce"))
        if nonce is None:
            raise malformed(url, "the reply has no Replay-Nonce")
        return nonce


def _rfc3339(value: datetime) -> str:
    return value.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")

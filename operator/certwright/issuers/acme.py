"""The acme issuer: brings an order from its beginning to a chain (RFC 8555 section 7.4), one short call after another.

The journal in the Certificate's status is the truth; a Flight is this process's memory of it. With the journal alone,
after a crash or on another replica, the order is taken up where the CA says it stands.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from certwright.acme.problem_types import AccountDoesNotExist, Gone, OrderNotReady
from certwright.errors import ChallengeFailed, InvalidSpec, Retryable, Terminal, Throttled
from certwright.issuers import asking, proving
from certwright.issuers.base import Issued, OrderLost, Outcome, Pending, Planned, Report, Request
from certwright.issuers.flight import Flight
from certwright.pki import chain
from certwright.resources.order import ChallengeState, Record

if TYPE_CHECKING:
    from concurrent.futures import Executor
    from datetime import datetime

    from certwright.acme.client import AcmeClient
    from certwright.acme.order import Order
    from certwright.issuers.acme_accounts import Accounts
    from certwright.issuers.next_key import NextKeys
    from certwright.issuers.solver_set import SolverSets
    from certwright.resources.certificate import Certificate
    from certwright.resources.issuer import AcmeSpec, Issuer
    from certwright.resources.names import ObjectKey

FIRST_POLL, POLL_GROWTH, LONGEST_POLL = 0.25, 1.5, 15.0
"""Seconds until an order is asked for again when the CA does not say: the first, its growth, and the longest."""
PATIENT_POLLS = 3
"""Polls of an order that is being validated after which what was presented is looked after, too."""
ACCOUNT_LOST = "AccountDoesNotExist"
LASTING = 5.0
"""Seconds after which a wait is worth a write to the status."""


class Acme:
    """Issues by ACME.

    Args:
        accounts: The clients.
        next_keys: Where private keys rest.
        solver_sets: Builds solvers.
        executor: Runs requests of one order side by side; not the threads that call `advance`.
    """

    def __init__(self, accounts: Accounts, next_keys: NextKeys, solver_sets: SolverSets, *, executor: Executor) -> None:
        self._accounts = accounts
        self._next_keys = next_keys
        self._solver_sets = solver_sets
        self._executor = executor
        self._flights: dict[str, Flight] = {}
        self._made: dict[str, tuple[tuple[str, str], str]] = {}
        self._closed_until: dict[ObjectKey, Throttled] = {}

    def check(self, issuer: Issuer, now: datetime) -> Report:  # noqa: ARG002 - the interface
        """See that the account is registered."""
        return self._accounts.ensure(issuer, _spec(issuer))

    def advance(self, issuer: Issuer, request: Request) -> Outcome:
        """Go on as far as it goes without waiting.

        Raises:
            OrderLost: The journal's order must be abandoned.
            ChallengeFailed: The CA refused.
            CertwrightError: As the client, the solvers and the API server say.
        """
        spec = _spec(issuer)
        client = self._accounts.client(issuer, spec)
        try:
            if request.certificate.status.order is None:
                return self._begin(issuer, spec, client, request)
            self._made.pop(request.certificate.meta.uid, None)  # the journal has it
            flight = self._flights.get(request.certificate.meta.uid)
            known = flight and (flight.order.url, flight.generation)
            if flight is None or known != (request.certificate.status.order.url, issuer.meta.generation):
                flight = self._resume(issuer, spec, client, request)
            return self._go_on(client, flight, request)
        except InvalidSpec:
            # What has to be mended may be what the solvers were built from: next time they are built anew.
            self._flights.pop(request.certificate.meta.uid, None)
            raise
        except AccountDoesNotExist as fault:
            self._accounts.lost(issuer)
            self._forget(request.certificate)
            raise Retryable(f"{fault.message}; it is registered anew", reason=ACCOUNT_LOST) from None
        except Gone as fault:
            self._made.pop(request.certificate.meta.uid, None)
            raise OrderLost(f"the CA does not know the order any more: {fault.message}") from None

    def clean_up(self, issuer: Issuer | None, certificate: Certificate) -> None:
        """Remove the records and objects of the journal; the order itself is left to expire.

        Raises:
            CertwrightError: What the providers or the API server said.
        """
        flight = self._flights.get(certificate.meta.uid)
        journal = certificate.status.order
        if journal and not (flight and not flight.journaled and self._withdrawn(flight, issuer)):
            self._solver_sets.remove(certificate.meta.namespace, journal.objects)
            if any(identifier.record for identifier in journal.identifiers):
                if issuer is None or issuer.acme is None:
                    raise InvalidSpec(
                        "the issuer that knows the DNS provider's credentials is gone", reason="CleanUpFailed"
                    )
                proving.clean_up(journal, self._solver_sets.of(issuer, issuer.acme, certificate.meta))
        self._forget(certificate)

    @staticmethod
    def _withdrawn(flight: Flight, issuer: Issuer | None) -> bool:
        """Remove what was presented with the solvers that did it; False where newer ones can be built and must be."""
        newer = issuer if issuer and issuer.acme else None
        if newer and newer.meta.generation != flight.generation:
            return False
        try:
            proving.withdraw(flight)
        except (InvalidSpec, Terminal):
            if not newer:
                raise
            return False  # the credentials may have been changed since
        return True

    def _forget(self, certificate: Certificate) -> None:
        self._flights.pop(certificate.meta.uid, None)
        self._made.pop(certificate.meta.uid, None)

    def _begin(self, issuer: Issuer, spec: AcmeSpec, client: AcmeClient, request: Request) -> Planned:
        closed = self._closed_until.get(issuer.key)
        if closed and closed.until > request.now:
            raise Throttled(closed.message, until=closed.until, reason=closed.reason)
        certificate = request.certificate
        names = asking.names_to_order(self._next_keys, certificate)
        routes = proving.route(self._solver_sets.of(issuer, spec, certificate.meta), names)
        order = self._new_order(issuer, client, request, names)
        authorizations = client.authorizations(order.authorizations, executor=self._executor)
        proofs = proving.plan(authorizations, routes, client, order=order.url)
        flight = Flight(
            issuer=issuer.reference,
            digest=request.digest,
            order=order,
            proofs=proofs,
            since=time.monotonic(),
            generation=issuer.meta.generation,
            objects=proving.objects(proofs),
        )
        self._flights[certificate.meta.uid] = flight
        return Planned(flight.journal())

    def _new_order(self, issuer: Issuer, client: AcmeClient, request: Request, names: list[str]) -> Order:
        """An order at the CA: the one that was made last time, if a fault kept it from being journaled."""
        uid = request.certificate.meta.uid
        made_for = (issuer.reference, request.digest)
        known = self._made.get(uid)
        if known and known[0] == made_for:
            order = client.order(known[1])
            if order.status != "invalid":  # as it is when its time is over
                return order
        try:
            order = client.new_order(names)
        except Throttled as fault:
            self._closed_until[issuer.key] = fault
            raise
        self._made[uid] = (made_for, order.url)
        return order

    def _resume(self, issuer: Issuer, spec: AcmeSpec, client: AcmeClient, request: Request) -> Flight:
        """Take an order up from its journal: all that is not proven is presented again, which changes nothing."""
        certificate, journal = request.certificate, request.certificate.status.order
        if journal is None:  # pragma: no cover - the caller looked
            raise OrderLost("there is no journal")
        order = client.order(journal.url)
        proofs = []
        if order.status == "pending":
            authorizations = client.authorizations(order.authorizations, executor=self._executor)
            unproven = [authorization.name for authorization in authorizations if authorization.status != "valid"]
            routes = proving.route(self._solver_sets.of(issuer, spec, certificate.meta), unproven)
            proofs = proving.plan(authorizations, routes, client, order=order.url)
            journaled = {identifier.name: identifier.record for identifier in journal.identifiers}
            records = [proof.planned for proof in proofs if isinstance(proof.planned, Record)]
            if not (set(records) <= set(journaled.values()) and set(proving.objects(proofs)) <= set(journal.objects)):
                raise OrderLost("what the order's solvers would present is not what was planned")
            for proof in proofs:  # the record of a name that was proven meanwhile is there to be removed
                proof.planned = proof.planned or journaled.get(proof.name)
        flight = Flight(
            journal.issuer,
            request.digest,
            order,
            proofs,
            since=time.monotonic(),
            journaled=journal.identifiers,
            generation=issuer.meta.generation,
            objects=journal.objects,
        )
        self._flights[certificate.meta.uid] = flight
        return flight

    def _go_on(self, client: AcmeClient, flight: Flight, request: Request) -> Outcome:
        polled = False
        while True:
            status = flight.order.status
            if status == "pending":
                proving.present(flight, time.monotonic())
                seconds = proving.check(flight, time.monotonic())
                accepted_before = len(flight.in_state(ChallengeState.ACCEPTED))
                proving.accept(flight, client, self._executor)
                if seconds is not None:
                    return self._pending(flight, seconds)
                if len(flight.in_state(ChallengeState.ACCEPTED)) > accepted_before:
                    flight.since = time.monotonic()
                    flight.next_poll = flight.since + FIRST_POLL
            elif status == "ready":
                self._finalize(client, flight, request)
                polled = True
                continue
            elif status == "valid":
                return self._collect(client, flight, request)
            elif status == "invalid":
                raise self._refused(client, flight)
            early = flight.next_poll - time.monotonic()
            if polled or early > 0:
                return self._pending(flight, max(early, 0.0))
            if flight.polls >= PATIENT_POLLS:
                proving.keep(flight)
            self._take(flight, client.order(flight.order.url))
            polled = True

    def _finalize(self, client: AcmeClient, flight: Flight, request: Request) -> None:
        asked = asking.to_finalize(self._next_keys, request.certificate)
        try:
            self._take(flight, client.finalize(flight.order, asked.request))
        except OrderNotReady:  # finalized before a crash, or by a reply that was lost
            self._take(flight, client.order(flight.order.url))
            if flight.order.status == "ready":
                raise

    def _collect(self, client: AcmeClient, flight: Flight, request: Request) -> Issued:
        certificate = request.certificate
        asked = asking.finalized(self._next_keys, certificate)
        if asked is None or flight.order.certificate is None:
            what = "the private key it was finalized with is gone" if asked is None else "the CA names no certificate"
            raise OrderLost(f"the order is valid, but {what}")
        pem = client.certificate(flight.order.certificate).pem
        problem = chain.problem(pem, asked.key_digest, now=request.now)
        if problem:
            # An order made at once would most likely bring the same, and count against the CA's limits.
            raise Terminal(f"the CA's certificate cannot be used: {problem}", reason="InvalidCertificate")
        return Issued(chain=pem, ca=b"", key=asked.key)

    def _refused(self, client: AcmeClient, flight: Flight) -> ChallengeFailed:
        """The fault of an order that is invalid, with what the CA said of each name."""
        authorizations = client.authorizations(flight.order.authorizations, executor=self._executor)
        bad = [(item.name, item.error) for item in authorizations if item.error]
        if not bad:
            error = flight.order.error
            text = error.summary() if error else "it does not say why"
            return ChallengeFailed(f"the CA refused the order: {text}", problem=error.body() if error else None)
        name, problem = bad[0]
        more = f" (and {len(bad) - 1} more names)" if len(bad) > 1 else ""
        return ChallengeFailed(f"the CA could not validate {name}{more}: {problem.summary()}", problem=problem.body())

    def _take(self, flight: Flight, order: Order) -> None:
        flight.polls = 0 if order.status != flight.order.status else flight.polls + 1
        if order.status != flight.order.status:
            flight.since = time.monotonic()
        flight.order = order
        asked = order.retry_after
        pause = asked if asked is not None else min(FIRST_POLL * POLL_GROWTH**flight.polls, LONGEST_POLL)
        flight.next_poll = time.monotonic() + pause
        if order.status != "pending":
            for proof in flight.in_state(ChallengeState.ACCEPTED):
                proof.state = ChallengeState.VALID

    def _pending(self, flight: Flight, seconds: float) -> Pending:
        lasting = time.monotonic() - flight.since >= LASTING
        return Pending(flight.journal(), seconds, proving.progress(flight), lasting=lasting)


def _spec(issuer: Issuer) -> AcmeSpec:
    if issuer.acme is None:  # pragma: no cover - chosen by type
        raise Terminal(f"{issuer.reference} is not an ACME issuer")
    return issuer.acme

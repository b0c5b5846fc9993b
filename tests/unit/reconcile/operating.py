"""An operator on the fake API server, driven by hand: no threads, a clock that a test sets, and an issuer to script."""

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

from certwright.core.desired import stamped_digest
from certwright.errors import CertwrightError
from certwright.issuers.base import Backend, Issued, OrderLost, Outcome, Pending, Planned, Report, Request
from certwright.issuers.next_key import NextKeys
from certwright.issuers.self_signed import SelfSigned
from certwright.pki import signing
from certwright.reconcile.announcer import Announcer
from certwright.reconcile.attempts import Attempts
from certwright.reconcile.cache import Cache
from certwright.reconcile.certificates import CertificateReconciler
from certwright.reconcile.instruments import Quiet
from certwright.reconcile.issuance import Issuance
from certwright.reconcile.issuers import IssuerReconciler
from certwright.reconcile.observer import Observer
from certwright.reconcile.status_writer import StatusWriter
from certwright.reconcile.storing import Store
from certwright.reconcile.troubles import Troubles
from certwright.resources.certificate import Certificate
from certwright.resources.issuer import Issuer
from certwright.resources.names import CERTIFICATE, ISSUER, ObjectKey
from certwright.resources.order import ChallengeState, IdentifierJournal, OrderJournal, Record
from unit.reconcile.fake_kube import FakeKube

START = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
WEB = ObjectKey(CERTIFICATE, "shop", "web")
CA = ObjectKey(ISSUER, "shop", "it")
READY = {"conditions": [{"type": "Ready", "status": "True", "reason": "IsReady", "message": "ok",
                         "lastTransitionTime": "2026-11-23T11:00:00Z"}]}  # fmt: skip
SPEC: dict[str, Any] = {
    "secretName": "web-tls",
    "issuerRef": {"name": "it"},
    "dnsNames": ["web.example.com"],
    "privateKey": {"algorithm": "ECDSA"},
}
ACME_SPEC = {"acme": {"privateKeySecretRef": {"name": "account"}, "solvers": [{"dns01": {"rfc2136": {}}}]}}
Doing: TypeAlias = Outcome | Exception | Callable[[Request], Outcome]


def certificate_body(name: str = "web", **changes: Any) -> dict[str, Any]:
    return {"metadata": {"namespace": "shop", "name": name}, "spec": {**SPEC, **changes}}


def issuer_body(spec: Mapping[str, Any] | None = None, status: Mapping[str, Any] | None = None) -> dict[str, Any]:
    body = {"metadata": {"namespace": "shop", "name": "it"}, "spec": spec or ACME_SPEC}
    return {**body, "status": copy.deepcopy(dict(READY if status is None else status))}


@dataclass
class World:
    """What is outside of the operator beside the API server: a CA's orders and a zone's records."""

    orders: dict[str, str] = field(default_factory=dict)
    records: set[str] = field(default_factory=set)
    effect: Callable[[str], None] = lambda _: None


@dataclass
class OrderingCa:
    """An issuer like the ACME one: journal, record, key at rest, certificate. It keeps nothing in memory.

    `script` goes first: each call of `advance` takes one entry of it, until there is none.
    """

    world: World
    next_keys: NextKeys
    script: list[Doing] = field(default_factory=list)
    clean_up: list[CertwrightError] = field(default_factory=list)
    checks: list[CertwrightError] = field(default_factory=list)
    report: Report = field(default_factory=lambda: Report("IsReady", "ok"))
    calls: int = 0

    def check(self, issuer: Issuer, now: datetime) -> Report:
        assert issuer.key
        assert now
        if self.checks:
            raise self.checks.pop(0)
        return self.report

    def advance(self, issuer: Issuer, request: Request) -> Outcome:
        self.calls += 1
        if self.script:
            doing = self.script.pop(0)
            if isinstance(doing, Exception):
                raise doing
            return doing(request) if callable(doing) else doing
        certificate, journal = request.certificate, request.certificate.status.order
        if journal is None:
            url = f"https://ca.test/order/{len(self.world.orders)}"
            self.world.orders[url] = "pending"
            self.world.effect("order")
            return Planned(planned(issuer, request, url))
        if journal.url not in self.world.orders:
            raise OrderLost("the CA does not know it")
        value = f"value of {journal.url}"
        if self.world.orders[journal.url] == "pending":
            if value not in self.world.records:
                self.world.records.add(value)
                self.world.effect("present")
                return Pending(journal, 0.5, "0 of 1 names proven")
            self.world.orders[journal.url] = "ready"
            self.world.effect("accept")
        if self.world.orders[journal.url] == "ready":
            self.next_keys.lay(certificate)
            self.world.orders[journal.url] = "valid"
            self.world.effect("finalize")
            return Pending(journal, 0.5, "1 of 1 names proven")
        key = self.next_keys.find(certificate)
        if key is None:
            raise OrderLost("its key is gone")
        return Issued(signing.self_sign(certificate.spec, key, now=request.now).chain_pem, b"", key)

    def withdraw(self, issuer: Issuer | None, certificate: Certificate) -> None:
        assert issuer is None or issuer.acme
        if self.clean_up:
            raise self.clean_up.pop(0)
        journal = certificate.status.order
        if journal and f"value of {journal.url}" in self.world.records:
            self.world.records.remove(f"value of {journal.url}")
            self.world.effect("clean up")


def planned(issuer: Issuer, request: Request, url: str) -> OrderJournal:
    record = Record("_acme-challenge.web.example.com.", "example.com.", "rfc2136", f"value of {url}")
    identifier = IdentifierJournal("web.example.com", "dns-01", ChallengeState.PLANNED, record)
    return OrderJournal(issuer.reference, url, "pending", stamped_digest(request.certificate.spec), (identifier,))


class Operator:
    """One process of the operator; another one on the same FakeKube and World is the next process."""

    def __init__(
        self, kube: FakeKube, world: World | None = None, *, owner_reference: bool = False, now: datetime = START
    ) -> None:
        self.kube, self.world = kube, world or World()
        self.now = now
        self.woken: list[ObjectKey] = []
        self.cache = Cache(kube.names, "certwright")
        self.attempts = Attempts()
        self.queued: dict[ObjectKey, None] = {}
        kube.sink = self._news
        kube.tell_all(self._news)
        next_keys = NextKeys(kube, kube.names)  # type: ignore[arg-type]
        self.ca = OrderingCa(self.world, next_keys)
        backends: dict[str, Backend] = {"acme": self.ca, "selfSigned": SelfSigned(next_keys)}
        client: Any = kube
        observer = Observer(client, self.cache, kube.names, owner_wanted=owner_reference)
        writer, announcer = StatusWriter(client, self.cache), Announcer(client, kube.names)
        store = Store(client, kube.names, owner_reference=owner_reference)
        troubles = Troubles(
            writer=writer, announcer=announcer, attempts=self.attempts, instruments=Quiet(), names=kube.names
        )
        issuance = Issuance(
            backends=backends, clean_up=self.ca.withdraw, next_keys=next_keys, store=store, observer=observer,
            writer=writer, cache=self.cache, announcer=announcer, attempts=self.attempts, troubles=troubles,
            instruments=Quiet(), names=kube.names, wake=self.woken.append,
        )  # fmt: skip
        self.certificates = CertificateReconciler(
            cache=self.cache, observer=observer, writer=writer, store=store, issuance=issuance, troubles=troubles,
            attempts=self.attempts, names=kube.names, clock=lambda: self.now,
        )  # fmt: skip
        self.issuers = IssuerReconciler(
            kube=client, cache=self.cache, backends=backends, announcer=announcer, attempts=self.attempts,
            wake=self.woken.append, clock=lambda: self.now,
        )  # fmt: skip

    def reconcile(self, key: ObjectKey = WEB) -> float | None:
        self.queued.pop(key, None)
        return (self.certificates if key.kind == CERTIFICATE else self.issuers).reconcile(key)

    def settle(self, key: ObjectKey = WEB, *, rounds: int = 30, patience: float = 3600.0) -> float | None:
        """Reconcile and let the time pass that is asked for, until more than `patience` seconds are."""
        for _ in range(rounds):
            seconds = self.reconcile(key)
            if key in self.queued:
                continue
            if seconds is None or seconds > patience:
                return seconds
            self.now += timedelta(seconds=seconds)
        raise AssertionError(f"{key} does not come to rest: {self.status()}")

    def status(self, name: str = "web") -> dict[str, Any]:
        body = self.kube.get("certificates", name) or {}
        status: dict[str, Any] = body.get("status") or {}
        return status

    def conditions(self, name: str = "web") -> dict[str, tuple[str, str]]:
        found = self.status(name).get("conditions") or ()
        return {item["type"]: (item["status"], item["reason"]) for item in found}

    def message(self, kind: str, name: str = "web") -> str:
        found = self.status(name).get("conditions") or ()
        return next((str(item["message"]) for item in found if item["type"] == kind), "")

    def events(self) -> list[tuple[str, str]]:
        return [(body["type"], body["reason"]) for body in self.kube.all("events")]

    def _news(self, kind: str, event: str, body: Mapping[str, Any]) -> None:
        self.queued |= dict.fromkeys(self.cache.note(kind, event, body))


def operator(*, certificate: Mapping[str, Any] | None = None, issuer: Mapping[str, Any] | None = None) -> Operator:
    """An operator with one issuer that is ready and one Certificate that wants a first certificate."""
    kube = FakeKube()
    kube.put("issuers", issuer or issuer_body())
    kube.put("certificates", certificate or certificate_body())
    return Operator(kube)

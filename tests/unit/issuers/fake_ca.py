"""An ACME CA in memory, behind the calls that the real client has, with a zone that remembers its records."""

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from certwright.acme.authorization import Authorization, Challenge
from certwright.acme.identifier import Identifier
from certwright.acme.order import Order
from certwright.acme.problem_types import Gone, OrderNotReady
from certwright.acme.problems import Problem
from certwright.errors import CertwrightError, InvalidSpec
from certwright.pki import csr as requests
from certwright.pki import keys, signing
from certwright.resources.certificate import PrivateKeySpec
from certwright.resources.order import Record, SolverObject, Verdict
from certwright.solvers.base import Pace
from unit.core.factories import data_for, make_spec

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
ROOT = signing.load_authority(
    data_for(make_spec(isCA=True, commonName="root", dnsNames=None), begin=NOW), where="root", now=NOW
)


@dataclass
class FakeCa:
    """Validates what was accepted when the order is asked for; `script` holds faults by the call they meet."""

    orders: dict[str, Order] = field(default_factory=dict)
    authorizations_: dict[str, Authorization] = field(default_factory=dict)
    chains: dict[str, bytes] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    script: dict[str, list[CertwrightError]] = field(default_factory=dict)
    on_order: Callable[[Order], Order] = lambda order: order
    offers: tuple[str, ...] = ("http-01", "dns-01")
    proven: set[str] = field(default_factory=set)
    chain_for: Callable[[bytes], bytes] | None = None
    key: Any = field(default_factory=lambda: SimpleNamespace(key_authorization=lambda token: f"{token}.thumb"))

    def new_order(self, names: Iterable[str]) -> Order:
        self._call("new_order")
        url = f"https://ca.test/order/{len(self.orders)}"
        urls = []
        for name in names:
            bare = name.removeprefix("*.")
            where = f"{url}/authz/{len(urls)}"
            challenges = tuple(Challenge(kind, f"{where}/{kind}", "pending", f"token-{where}") for kind in self.offers)
            status = "valid" if name in self.proven else "pending"
            self.authorizations_[where] = Authorization(
                where, Identifier.of(bare), status, wildcard=bare != name, challenges=challenges
            )
            urls.append(where)
        identifiers = tuple(Identifier.of(name) for name in names)
        self.orders[url] = Order(url, "pending", identifiers, tuple(urls), f"{url}/finalize")
        return self.orders[url]

    def order(self, url: str) -> Order:
        self._call("order")
        if url not in self.orders:
            raise Gone("no such order")
        order = self.orders[url]
        states = {self.authorizations_[one].status for one in order.authorizations}
        if order.status == "pending" and states == {"valid"}:
            order = dataclasses.replace(order, status="ready")
        elif order.status == "pending" and "invalid" in states:
            order = dataclasses.replace(order, status="invalid")
        self.orders[url] = self.on_order(order)
        return self.orders[url]

    def authorizations(self, urls: Sequence[str], *, executor: object = None) -> tuple[Authorization, ...]:
        assert executor is not None
        self._call("authorizations")
        return tuple(self.authorizations_[url] for url in urls)

    def accept(self, challenge: Challenge) -> Challenge:
        self._call("accept")
        where = challenge.url.rpartition("/")[0]
        self.authorizations_[where] = dataclasses.replace(self.authorizations_[where], status="valid")
        return challenge

    def finalize(self, order: Order, der: bytes) -> Order:
        self._call("finalize")
        if self.orders[order.url].status != "ready":
            raise OrderNotReady("not ready")
        spec = make_spec()
        chain = signing.sign(der, spec, ROOT, now=NOW).chain_pem
        self.chains[order.url] = self.chain_for(der) if self.chain_for else chain
        valid = dataclasses.replace(self.orders[order.url], status="valid", certificate=f"{order.url}/cert")
        self.orders[order.url] = valid
        return dataclasses.replace(valid, status="processing", certificate=None)

    def certificate(self, url: str) -> Any:
        self._call("certificate")
        return SimpleNamespace(pem=self.chains[url.removesuffix("/cert")])

    def refuse(self, nth: int, *problems: Problem) -> None:
        """Make the CA find an authorization of the latest order invalid."""
        order = list(self.orders.values())[-1]
        for number, problem in enumerate(problems, start=nth):
            where = order.authorizations[number]
            failed = dataclasses.replace(self.authorizations_[where].challenges[-1], status="invalid", error=problem)
            self.authorizations_[where] = dataclasses.replace(
                self.authorizations_[where], status="invalid", challenges=(failed,)
            )

    def _call(self, name: str) -> None:
        self.calls.append(name)
        if self.script.get(name):
            raise self.script[name].pop(0)


def another_keys_chain(_: bytes) -> bytes:
    spec = make_spec()
    key = keys.generate(PrivateKeySpec("ECDSA", 256))
    return signing.sign(requests.make_csr(spec, key), spec, ROOT, now=NOW).chain_pem


def root_only(_: bytes) -> bytes:
    return ROOT.chain[0].public_bytes(Encoding.PEM)


@dataclass(eq=False)
class FakeSolver:
    """Writes to a set in place of a zone, and sees what is in it unless it is told not to."""

    zone: set[Record] = field(default_factory=set)
    pace: Pace = field(default_factory=lambda: Pace(timeout=timedelta(hours=1)))
    tolerable: bool = False
    made: tuple[SolverObject, ...] = ()
    kept: int = 0
    unseen: set[str] = field(default_factory=set)
    calls: list[str] = field(default_factory=list)
    faults: dict[str, list[CertwrightError]] = field(default_factory=dict)

    def plan_all(self, names: Sequence[str]) -> list[Record | CertwrightError]:
        fault = (self.faults.get("plan") or [None]).pop(0)
        if fault:
            return [fault] * len(names)
        return [Record(f"_acme-challenge.{name.removeprefix('*.')}.", "example.com.", "fake", "") for name in names]

    def answer(self, planned: Record, *, token: str, key_authorization: str, order: str) -> Record:
        assert key_authorization.startswith(token)
        assert order
        return dataclasses.replace(planned, value=key_authorization)

    def objects(self, planned: Sequence[Record]) -> tuple[SolverObject, ...]:
        assert planned
        return self.made

    def present(self, records: Sequence[Record], whole: Sequence[Record]) -> None:
        self._call("present")
        assert set(records) <= set(whole)
        self.zone.update(records)

    def keep(self, whole: Sequence[Record]) -> None:
        self._call("keep")
        self.kept += 1
        self.zone.update(whole)

    def check(self, records: Sequence[Record], whole: Sequence[Record]) -> list[Verdict]:
        self._call("check")
        assert set(records) <= set(whole)
        return [
            Verdict(ok=True, summary="seen")
            if record in self.zone and record.name not in self.unseen
            else Verdict(ok=False, summary="0 of 2 servers", action="wait", tolerable=self.tolerable)
            for record in records
        ]

    def clean_up(self, records: Sequence[Record]) -> None:
        self._call("clean_up")
        self.zone.difference_update(records)

    def _call(self, name: str) -> None:
        self.calls.append(name)
        if self.faults.get(name):
            raise self.faults[name].pop(0)


@dataclass
class FakeSolvers:
    """All solvers of an issuer are one; it can be taken away."""

    solver: FakeSolver
    gone: bool = False
    removed: list[SolverObject] = field(default_factory=list)

    def of(self, *_: object) -> "FakeSolvers":
        return self

    def remove(self, namespace: str, objects: Sequence[SolverObject]) -> None:
        assert namespace
        self.removed += objects

    def choose(self, name: str) -> tuple[str, FakeSolver]:
        if self.gone:
            raise InvalidSpec(f"no solver for {name}", reason="NoSolver")
        return "dns-01", self.solver

    def led_elsewhere(self, _: object) -> dict[str, object]:
        return {}

    def for_record(self, name: str, _: Record) -> FakeSolver:
        return self.choose(name)[1]


@dataclass
class FakeAccounts:
    ca: FakeCa
    losses: int = 0
    report: Any = None

    def client(self, *_: object) -> FakeCa:
        return self.ca

    def lost(self, _: object) -> None:
        self.losses += 1

    def ensure(self, *_: object) -> Any:
        return self.report


def a_request(*names: x509.GeneralName, common_name: str = "", key: Any = None) -> bytes:
    """A certificate signing request as somebody else makes it, PEM."""
    subject = [x509.NameAttribute(NameOID.COMMON_NAME, common_name)] if common_name else []
    builder = x509.CertificateSigningRequestBuilder(x509.Name(subject))
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(key or ec.generate_private_key(ec.SECP256R1()), hashes.SHA256()).public_bytes(Encoding.PEM)

import base64
import dataclasses
from collections.abc import Callable
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from cryptography import x509

from certwright.acme.problem_types import AccountDoesNotExist, OrderNotReady
from certwright.acme.problems import Problem
from certwright.core.desired import stamped_digest
from certwright.errors import CertwrightError, ChallengeFailed, InvalidSpec, Retryable, Terminal, Throttled
from certwright.issuers.acme import LASTING, Acme
from certwright.issuers.asking import ordered_names
from certwright.issuers.base import Issued, OrderLost, Outcome, Pending, Planned, Report, Request
from certwright.issuers.next_key import NextKeys
from certwright.pki.certificate import parse_chain
from certwright.resources.certificate import parse_certificate
from certwright.resources.issuer import parse_issuer
from certwright.resources.order import ChallengeState, OrderJournal, SolverObject
from certwright.solvers.base import Pace
from unit.core.factories import make_spec
from unit.issuers.fake_ca import (
    NOW,
    FakeAccounts,
    FakeCa,
    FakeSolver,
    FakeSolvers,
    a_request,
    another_keys_chain,
    root_only,
)
from unit.reconcile.fake_kube import FakeKube
from unit.reconcile.operating import certificate_body, issuer_body

ISSUER = parse_issuer({"kind": "Issuer", **issuer_body()})
TWO = ["*.example.com", "example.com"]
CAA = Problem("urn:ietf:params:acme:error:caa", "CAA forbids it")


class Bench:
    """One Certificate at an ACME issuer; `restart` is the next process with the same CA, zone and cluster."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, names: list[str] | None = None) -> None:
        self.seconds = 1000.0
        monkeypatch.setattr("certwright.issuers.acme.time", SimpleNamespace(monotonic=lambda: self.seconds))
        self.kube: Any = FakeKube()
        body = self.kube.put("certificates", certificate_body(dnsNames=names or ["web.example.com"]))
        self.certificate = parse_certificate(body)
        self.ca, self.solver = FakeCa(), FakeSolver()
        self.solvers, self.accounts = FakeSolvers(self.solver), FakeAccounts(self.ca)
        self.restart()

    def restart(self) -> None:
        parts: Any = (self.accounts, NextKeys(self.kube, self.kube.names), self.solvers)
        self.acme = Acme(*parts, executor=SimpleNamespace(map=map))  # type: ignore[arg-type]

    def advance(self) -> Outcome:
        """Ask once, and journal what is to be journaled, as the reconciler does."""
        digest = stamped_digest(self.certificate.spec)
        outcome = self.acme.advance(ISSUER, Request(self.certificate, digest, NOW))
        if isinstance(outcome, Planned) or (isinstance(outcome, Pending) and outcome.lasting):
            self.journal(outcome.order)
        return outcome

    def journal(self, order: OrderJournal | None) -> None:
        read_back = OrderJournal.of(order.body()) if order else None
        self.certificate = dataclasses.replace(
            self.certificate, status=dataclasses.replace(self.certificate.status, order=read_back)
        )

    def until(self, kind: type, *, rounds: int = 20) -> Any:
        for _ in range(rounds):
            outcome = self.advance()
            if isinstance(outcome, kind):
                return outcome
            self.seconds += outcome.seconds if isinstance(outcome, Pending) else 0.0
        raise AssertionError(self.ca.calls)

    def clean(self) -> bool:
        self.acme.clean_up(ISSUER, self.certificate)
        return not self.solver.zone


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(monkeypatch)


@pytest.fixture
def two(monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(monkeypatch, TWO)


def states(bench: Bench) -> list[ChallengeState]:
    order = bench.certificate.status.order
    assert order is not None
    return [item.state for item in order.identifiers]


def test_an_order_is_journaled_before_anything_is_presented(bench: Bench) -> None:
    planned = bench.advance()
    assert isinstance(planned, Planned)
    assert (planned.order.issuer, planned.order.state) == ("Issuer/it", "pending")
    (identifier,) = planned.order.identifiers
    assert (identifier.name, identifier.challenge, identifier.state) == (
        "web.example.com", "dns-01", ChallengeState.PLANNED,
    )  # fmt: skip
    assert identifier.record is not None
    assert identifier.record.value
    assert (bench.solver.calls, bench.ca.calls) == ([], ["new_order", "authorizations"])


def test_an_order_comes_to_a_chain_by_as_few_requests_as_it_takes(bench: Bench) -> None:
    issued = bench.until(Issued)
    facts, length = parse_chain(issued.chain)
    assert (facts.dns_names, length, issued.ca) == (("web.example.com",), 1, b"")
    assert bench.ca.calls == [
        "new_order", "authorizations", "accept", "order", "finalize", "order", "certificate",
    ]  # fmt: skip
    assert bench.clean()
    assert bench.acme._flights == {}


def test_apex_and_wildcard_are_proven_side_by_side(two: Bench) -> None:
    two.advance()
    two.advance()
    assert len(two.solver.zone) == 2
    assert two.solver.calls == ["present", "check"]
    assert two.ca.calls.count("accept") == 2
    two.until(Issued)
    assert two.clean()


def test_each_name_is_accepted_as_soon_as_it_is_seen(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(monkeypatch, ["a.example.com", "b.example.com"])
    bench.solver.unseen = {"_acme-challenge.b.example.com."}
    bench.advance()
    waits = []
    for _ in range(6):
        pending = bench.advance()
        assert isinstance(pending, Pending)
        waits.append(pending.seconds)
    assert waits == [0.5, 1.0, 2.0, 4.0, 5.0, 5.0]
    assert bench.ca.calls.count("accept") == 1
    assert pending.message == "1 of 2 names are ready for the CA; b.example.com: 0 of 2 servers"
    assert pending.order.identifiers[1].verdict is not None
    bench.solver.unseen = set()
    bench.until(Issued)


def test_a_name_that_is_proven_already_needs_no_record(two: Bench) -> None:
    two.ca.proven = {TWO[0]}
    two.advance()
    assert states(two) == [ChallengeState.VALID, ChallengeState.PLANNED]
    two.until(Issued)
    assert two.ca.calls.count("accept") == 1


def test_an_order_whose_names_are_all_proven_presents_nothing(bench: Bench) -> None:
    bench.ca.proven = {"web.example.com"}
    bench.until(Issued)
    assert bench.solver.calls == []
    assert bench.clean()


def test_a_wait_is_worth_a_write_only_when_it_lasts(bench: Bench) -> None:
    bench.solver.unseen = {"_acme-challenge.web.example.com."}
    bench.advance()
    first = bench.advance()
    assert isinstance(first, Pending)
    assert not first.lasting
    bench.seconds += LASTING
    later = bench.advance()
    assert isinstance(later, Pending)
    assert later.lasting
    assert states(bench) == [ChallengeState.CHECKING]


def test_the_cas_retry_after_is_obeyed(bench: Bench) -> None:
    bench.ca.on_order = lambda order: dataclasses.replace(order, status="processing", retry_after=7.0)
    bench.advance()
    bench.advance()
    bench.seconds += 0.3
    waits = bench.advance()
    assert isinstance(waits, Pending)
    assert waits.seconds == pytest.approx(7.0)
    asked = bench.ca.calls.count("order")
    assert isinstance(bench.advance(), Pending)
    assert bench.ca.calls.count("order") == asked, "an early call asks nobody"


def test_polls_without_a_word_from_the_ca_grow_apart(bench: Bench) -> None:
    bench.ca.on_order = lambda order: dataclasses.replace(order, status="processing")
    bench.advance()
    waits = []
    for _ in range(20):
        pending = bench.advance()
        assert isinstance(pending, Pending)
        waits.append(pending.seconds)
        bench.seconds += pending.seconds + 0.001
    assert waits == sorted(waits)
    assert max(waits) == pytest.approx(15.0, abs=0.01)


def test_a_record_that_is_never_seen_is_given_up_by_the_solvers_timeout(bench: Bench) -> None:
    bench.solver.pace = Pace(timeout=timedelta(seconds=60))
    bench.solver.unseen = {"_acme-challenge.web.example.com."}
    bench.advance()
    bench.advance()
    bench.seconds += 61
    with pytest.raises(ChallengeFailed, match=r"web\.example\.com: 0 of 2 servers, after 61 s; wait") as fault:
        bench.advance()
    assert fault.value.reason == "PropagationTimeout"
    assert bench.clean()


def test_a_record_that_somebody_undid_is_written_again(bench: Bench) -> None:
    bench.solver.unseen = {"_acme-challenge.web.example.com."}
    bench.advance()
    bench.advance()
    bench.seconds += 30
    bench.advance()
    assert bench.solver.calls.count("present") == 1
    bench.seconds += 100
    bench.advance()
    bench.solver.unseen = set()
    bench.until(Issued)
    assert bench.solver.calls.count("present") == 2
    assert bench.clean()


def test_the_first_look_waits_as_long_as_the_solver_says(bench: Bench) -> None:
    bench.solver.pace = Pace(wait=timedelta(seconds=20))
    bench.advance()
    pending = bench.advance()
    assert isinstance(pending, Pending)
    assert (pending.seconds, bench.solver.calls) == (20.0, ["present"])


def test_an_order_that_the_ca_refuses_says_why_for_each_name(two: Bench) -> None:
    two.advance()
    two.ca.refuse(0, CAA, Problem(detail="and this"))
    two.ca.on_order = lambda order: dataclasses.replace(order, status="invalid")
    with pytest.raises(
        ChallengeFailed, match=r"could not validate \*\.example\.com \(and 1 more names\): .*CAA"
    ) as fault:
        two.until(Issued)
    assert fault.value.problem["type"] == CAA.type
    assert two.clean()


@pytest.mark.parametrize(("error", "text"), [(CAA, "CAA forbids it"), (None, "it does not say why")])
def test_an_order_that_the_ca_refuses_as_a_whole(bench: Bench, error: Problem | None, text: str) -> None:
    bench.advance()
    bench.ca.on_order = lambda order: dataclasses.replace(order, status="invalid", error=error)
    with pytest.raises(ChallengeFailed, match=f"the CA refused the order: .*{text}"):
        bench.until(Issued)


def test_an_order_that_the_ca_forgot_is_lost(bench: Bench) -> None:
    bench.advance()
    bench.ca.orders.clear()
    with pytest.raises(OrderLost, match="does not know the order"):
        bench.until(Issued)
    assert bench.clean()
    bench.journal(None)
    bench.until(Issued)


def test_an_account_that_the_ca_forgot_is_registered_anew(bench: Bench) -> None:
    bench.ca.script["new_order"] = [AccountDoesNotExist("who are you")]
    with pytest.raises(Retryable, match="registered anew") as fault:
        bench.advance()
    assert (fault.value.reason, bench.accounts.losses) == ("AccountDoesNotExist", 1)
    bench.until(Issued)


def test_a_limit_on_orders_is_kept_for_all_certificates_of_the_issuer(bench: Bench) -> None:
    bench.ca.script["new_order"] = [Throttled("300 orders", until=NOW + timedelta(hours=1))]
    for _ in range(3):
        with pytest.raises(Throttled, match="300 orders"):
            bench.advance()
    assert bench.ca.calls == ["new_order"]
    later = Request(bench.certificate, stamped_digest(bench.certificate.spec), NOW + timedelta(hours=1))
    assert isinstance(bench.acme.advance(ISSUER, later), Planned)


def test_an_order_that_could_not_be_journaled_is_used_again(bench: Bench) -> None:
    bench.ca.script["authorizations"] = [Retryable("the CA is away")]
    with pytest.raises(Retryable):
        bench.advance()
    bench.until(Issued)
    assert bench.ca.calls.count("new_order") == 1


NO_ORDER: dict[str, tuple[Callable[[Bench], None], type[CertwrightError]]] = {
    "no solver fits": (lambda bench: setattr(bench.solvers, "gone", True), InvalidSpec),
    "no zone is found": (lambda bench: bench.solver.faults.update(plan=[Terminal("no zone")]), InvalidSpec),
}


@pytest.mark.parametrize(("prepare", "kind"), NO_ORDER.values(), ids=NO_ORDER)
def test_no_order_is_spent_when(bench: Bench, prepare: Callable[[Bench], None], kind: type[CertwrightError]) -> None:
    prepare(bench)
    with pytest.raises(kind):
        bench.advance()
    assert bench.ca.calls == []


def test_a_ca_that_does_not_offer_the_challenge_is_told(bench: Bench) -> None:
    bench.ca.offers = ("http-01",)
    with pytest.raises(Terminal, match=r"does not offer dns-01 for web\.example\.com, only http-01"):
        bench.advance()


def test_a_ca_that_authorizes_another_name_is_told(bench: Bench) -> None:
    make = bench.ca.new_order

    def other(names: Any) -> Any:
        assert names
        return make(["other.example.com"])

    bench.ca.new_order = other  # type: ignore[method-assign]
    with pytest.raises(Terminal, match=r"other\.example\.com"):
        bench.advance()


def _step(bench: Bench) -> None:
    assert isinstance(bench.advance(), Pending)


def _later(bench: Bench) -> None:
    bench.seconds += 1


RESUMED: dict[str, list[Callable[[Bench], None]]] = {
    "nothing was presented": [],
    "all was presented": [lambda two: two.solver.unseen.add("_acme-challenge.example.com."), _step],
    "all was accepted": [_step],
    "the order is finalized": [_step, _later, _step],
}


@pytest.mark.parametrize("before", RESUMED.values(), ids=RESUMED)
def test_another_process_takes_an_order_up_when(two: Bench, before: list[Callable[[Bench], None]]) -> None:
    two.advance()
    for happens in before:
        happens(two)
    two.solver.unseen.clear()
    two.restart()
    issued = two.until(Issued)
    assert issued.key is not None
    assert two.ca.calls.count("new_order") == 1
    assert two.clean()


def test_another_process_cleans_up_after_names_that_were_proven_before_it_came(two: Bench) -> None:
    """One name was validated, one not: both records are ours to remove."""
    two.advance()
    _step(two)
    first, second = list(two.ca.authorizations_)
    two.ca.authorizations_[second] = dataclasses.replace(two.ca.authorizations_[second], status="pending")
    assert two.ca.authorizations_[first].status == "valid"
    two.restart()
    two.until(Issued)
    assert len(two.solver.zone) == 2
    assert two.clean()


@pytest.mark.parametrize("status", ["processing", "pending"])
def test_a_wait_that_lasts_after_a_restart_keeps_the_records_in_the_journal(two: Bench, status: str) -> None:
    two.advance()
    _step(two)
    two.ca.on_order = lambda order: dataclasses.replace(order, status=status)
    two.restart()
    for _ in range(3):
        two.seconds += LASTING
        assert isinstance(two.advance(), Pending)
    order = two.certificate.status.order
    assert order is not None
    assert {item.record for item in order.identifiers} == two.solver.zone
    two.restart()
    assert two.clean()


def test_an_order_whose_records_are_others_than_planned_is_lost(bench: Bench) -> None:
    bench.advance()
    bench.ca.key = SimpleNamespace(key_authorization=lambda token: f"{token}.other")
    bench.restart()
    with pytest.raises(OrderLost, match="not what was planned"):
        bench.advance()


def test_finalizing_twice_is_no_fault(bench: Bench) -> None:
    bench.advance()
    url = next(iter(bench.ca.orders))
    _step(bench)
    _later(bench)
    real = bench.ca.finalize

    def lost(order: Any, der: bytes) -> Any:
        real(order, der)
        return real(order, der)

    bench.ca.finalize = lost  # type: ignore[method-assign]
    assert isinstance(bench.until(Issued), Issued)
    assert bench.ca.orders[url].status == "valid"


def test_an_order_that_is_ready_and_then_not_is_tried_again(bench: Bench) -> None:
    bench.advance()
    _step(bench)
    _later(bench)
    bench.ca.script["finalize"] = [OrderNotReady("too early")]
    with pytest.raises(Retryable):
        bench.advance()
    bench.until(Issued)


@pytest.mark.parametrize("chain", [another_keys_chain, root_only], ids=["another key's", "the root alone"])
def test_a_chain_that_cannot_be_used_is_a_failure_and_waited_for(bench: Bench, chain: Callable[[bytes], bytes]) -> None:
    """Ordering anew at once would bring the same chain, order after order."""
    bench.ca.chain_for = chain
    with pytest.raises(Terminal, match="the CA's certificate cannot be used") as fault:
        bench.until(Issued)
    assert fault.value.reason == "InvalidCertificate"


def test_a_key_that_somebody_deleted_costs_the_order(bench: Bench) -> None:
    bench.advance()
    _step(bench)
    _later(bench)
    _step(bench)
    bench.kube.remove("secrets", bench.kube.names.next_key_secret("web", bench.certificate.meta.uid))
    with pytest.raises(OrderLost, match="the private key it was finalized with is gone"):
        bench.until(Issued)


def test_a_valid_order_without_a_certificate_is_lost(bench: Bench) -> None:
    bench.advance()
    _step(bench)
    bench.ca.on_order = lambda order: dataclasses.replace(order, certificate=None)  # what `finalize` made is taken back
    with pytest.raises(OrderLost, match="names no certificate"):
        bench.until(Issued)


def test_records_cannot_be_removed_when_the_issuer_is_gone(bench: Bench) -> None:
    bench.advance()
    bench.advance()
    bench.restart()
    with pytest.raises(InvalidSpec, match="issuer that knows") as fault:
        bench.acme.clean_up(None, bench.certificate)
    assert fault.value.reason == "CleanUpFailed"


def test_every_record_is_tried_when_one_cannot_be_removed(two: Bench) -> None:
    two.advance()
    two.advance()
    two.restart()
    two.solvers.gone = True
    with pytest.raises(InvalidSpec):
        two.acme.clean_up(ISSUER, two.certificate)
    two.solvers.gone = False
    two.solver.faults["clean_up"] = [Retryable("the zone is away")]
    with pytest.raises(Retryable):
        two.acme.clean_up(ISSUER, two.certificate)
    assert two.clean()


def test_a_certificate_without_an_order_has_nothing_to_remove(bench: Bench) -> None:
    assert bench.clean()
    assert bench.solver.calls == []


def test_an_issuer_is_ready_when_its_account_is(bench: Bench) -> None:
    bench.accounts.report = Report("ACMEAccountRegistered", "registered", {"uri": "u"})
    assert bench.acme.check(ISSUER, NOW) is bench.accounts.report


def test_names_are_ordered_once_and_in_lower_case() -> None:
    spec = make_spec(dnsNames=["B.example", "a.example"], ipAddresses=["192.0.2.1"], commonName="A.example")
    assert ordered_names(spec) == ["b.example", "a.example", "192.0.2.1"]
    assert ordered_names(make_spec(dnsNames=None, commonName="cn.example")) == ["cn.example"]


def _mend(bench: Bench) -> FakeSolver:
    """The issuer's Secret is mended: a solver that is built now has other credentials, in front of the same zone."""
    bench.solvers.solver = FakeSolver(zone=bench.solver.zone)
    return bench.solvers.solver


def test_after_a_mistake_the_solver_is_built_anew(bench: Bench) -> None:
    bench.solver.faults = {"present": [Terminal("the key is wrong", reason="TSIGRefused")] * 9}
    bench.advance()
    with pytest.raises(InvalidSpec, match="the key is wrong"):
        bench.advance()
    other = _mend(bench)
    bench.until(Issued)
    assert "present" in other.calls
    assert bench.ca.calls.count("new_order") == 1
    assert bench.clean()


def test_a_changed_issuer_is_taken_up_in_the_middle_of_an_order(bench: Bench) -> None:
    bench.solver.faults = {"present": [Retryable("no answer", reason="DNSUnavailable")] * 9}
    bench.advance()
    with pytest.raises(Retryable):
        bench.advance()
    other = _mend(bench)
    changed = dataclasses.replace(ISSUER, meta=dataclasses.replace(ISSUER.meta, generation=2))
    digest = stamped_digest(bench.certificate.spec)
    bench.acme.advance(changed, Request(bench.certificate, digest, NOW))
    assert "present" in other.calls
    bench.acme.clean_up(changed, bench.certificate)
    assert not bench.solver.zone


def test_records_are_removed_with_the_credentials_there_are(bench: Bench) -> None:
    bench.until(Issued)
    bench.solver.faults = {"clean_up": [Terminal("the key is wrong")]}
    other = _mend(bench)
    assert bench.clean()
    assert other.calls == ["clean_up"]


def test_records_are_removed_by_a_changed_issuer(bench: Bench) -> None:
    bench.until(Issued)
    other = _mend(bench)
    changed = dataclasses.replace(ISSUER, meta=dataclasses.replace(ISSUER.meta, generation=2))
    bench.acme.clean_up(changed, bench.certificate)
    assert other.calls == ["clean_up"]


def test_records_that_only_the_old_credentials_could_remove_are_told_of(bench: Bench) -> None:
    bench.until(Issued)
    bench.solver.faults = {"clean_up": [Terminal("the key is wrong")]}
    with pytest.raises(Terminal, match="the key is wrong"):
        bench.acme.clean_up(None, bench.certificate)


POD = SolverObject("Pod", "certwright-http-solver-1")


def test_objects_are_journaled_first_and_removed_by_the_journal(bench: Bench) -> None:
    bench.solver.made = (POD,)
    planned = bench.advance()
    assert isinstance(planned, Planned)
    assert planned.order.objects == (POD,)
    bench.advance()
    bench.restart()
    bench.advance()
    bench.clean()
    assert bench.solvers.removed == [POD]


def test_an_order_whose_objects_would_be_others_is_lost(bench: Bench) -> None:
    bench.solver.made = (POD,)
    bench.advance()
    bench.solver.made = (SolverObject("Ingress", "other"),)
    bench.restart()
    with pytest.raises(OrderLost, match="not what was planned"):
        bench.advance()


def test_what_is_tolerable_will_do_after_a_while(bench: Bench) -> None:
    bench.solver.unseen = {"_acme-challenge.web.example.com."}
    bench.solver.pace = Pace(wait=timedelta(seconds=1), grace=timedelta(seconds=20))
    bench.advance()
    bench.seconds += 22
    bench.advance()
    assert "accept" not in bench.ca.calls
    bench.solver.tolerable = True
    bench.seconds += 1
    bench.advance()
    bench.seconds += 10
    bench.advance()
    assert "accept" not in bench.ca.calls
    bench.seconds += 11
    bench.advance()
    assert "accept" in bench.ca.calls


def test_what_the_ca_looks_at_is_looked_after(bench: Bench) -> None:
    bench.advance()
    bench.ca.on_order = lambda order: dataclasses.replace(order, status="pending")
    for _ in range(8):
        bench.advance()
        bench.seconds += 15
    assert bench.solver.kept > 1


@pytest.mark.parametrize("call", ["present", "check", "keep"])
def test_what_the_cluster_refuses_is_a_mistake_and_not_the_cas_refusal(bench: Bench, call: str) -> None:
    bench.advance()
    bench.ca.on_order = lambda order: dataclasses.replace(order, status="pending")
    bench.solver.faults[call] = [Terminal("a policy refused the pod", reason="Refused")]

    def go_on() -> None:
        for _ in range(9):
            bench.advance()
            bench.seconds += 15

    with pytest.raises(InvalidSpec, match="a policy refused the pod"):
        go_on()


def test_an_order_for_a_request_of_somebody_else_s(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its names are ordered, it is sent as it is, and no key of ours is made."""
    bench = Bench(monkeypatch)
    pem = a_request(x509.DNSName("theirs.example.com"))
    meta = {"namespace": "shop", "name": "request"}
    bench.kube.put("secrets", {"metadata": meta, "data": {"tls.csr": base64.b64encode(pem).decode()}})
    spec = {"csrSecretRef": {"name": "request"}, "dnsNames": []}
    bench.certificate = parse_certificate(bench.kube.put("certificates", certificate_body(**spec)))
    issued = bench.until(Issued)
    facts, _ = parse_chain(issued.chain)
    assert (issued.key, facts.dns_names) == (None, ("theirs.example.com",))
    assert [str(name.value) for name in bench.ca.orders["https://ca.test/order/0"].identifiers] == [
        "theirs.example.com"
    ]
    assert not [line for line in bench.kube.writes if "secrets" in line]


def test_a_request_that_changes_while_its_order_goes_on_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(monkeypatch)
    meta = {"namespace": "shop", "name": "request"}
    pems = [a_request(x509.DNSName("theirs.example.com")) for _ in range(2)]
    bench.kube.put("secrets", {"metadata": meta, "data": {"tls.csr": base64.b64encode(pems[0]).decode()}})
    spec = {"csrSecretRef": {"name": "request"}, "dnsNames": []}
    bench.certificate = parse_certificate(bench.kube.put("certificates", certificate_body(**spec)))
    while "finalize" not in bench.ca.calls:
        outcome = bench.advance()
        bench.seconds += outcome.seconds if isinstance(outcome, Pending) else 0.0
    bench.kube.put("secrets", {"metadata": meta, "data": {"tls.csr": base64.b64encode(pems[1]).decode()}})
    with pytest.raises(Terminal, match="is not for the key of the request"):
        bench.until(Issued)

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from certwright.resources.order import (
    EVIDENCE_LIMIT,
    MISSING_LIMIT,
    VALUES_LIMIT,
    ChallengeState,
    IdentifierJournal,
    OrderJournal,
    Record,
    ServerAnswer,
    Verdict,
)

texts = st.text(max_size=20)
verdicts = st.builds(
    Verdict,
    ok=st.just(False),  # one that is good has nothing to tell, so it is not kept
    summary=texts,
    missing=st.lists(
        st.builds(ServerAnswer, *[texts] * 5, st.lists(texts, max_size=VALUES_LIMIT).map(tuple)), max_size=MISSING_LIMIT
    ).map(tuple),
    action=texts,
    asked_again=texts,
)
identifiers = st.builds(
    IdentifierJournal,
    name=texts,
    challenge=texts,
    state=st.sampled_from(ChallengeState),
    record=st.none() | st.builds(Record, texts, texts, texts, texts),
    verdict=st.none() | verdicts,
)
moments = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1)).map(  # noqa: DTZ001 - made aware just below
    lambda moment: moment.replace(microsecond=0, tzinfo=UTC)
)
journals = st.builds(
    OrderJournal,
    issuer=texts,
    url=texts,
    state=texts,
    request=texts,
    identifiers=st.lists(identifiers, max_size=EVIDENCE_LIMIT).map(tuple),
    waiting_until=st.none() | moments,
)


@given(journals)
def test_a_journal_is_read_as_it_was_written(journal: OrderJournal) -> None:
    body = json.loads(json.dumps(journal.body()))
    assert OrderJournal.of(body) == journal
    assert body == journal.body()


RECORD = Record("_acme-challenge.example.com.", "example.com.", "rfc2136", "value")


def test_the_evidence_is_bounded_and_every_record_is_kept() -> None:
    verdict = Verdict(
        ok=False,
        summary="s" * 1000,
        missing=tuple(
            ServerAnswer(f"ns{number}", "192.0.2.1", "a" * 1000, "UDP", "NXDOMAIN", ("v" * 99,) * 9)
            for number in range(50)
        ),
        action="t" * 1000,
    )
    seen = IdentifierJournal("seen", "dns-01", ChallengeState.CHECKING, RECORD, Verdict(ok=True, summary="seen"))
    unseen = [
        IdentifierJournal(f"n{number}", "dns-01", ChallengeState.CHECKING, RECORD, verdict) for number in range(99)
    ]
    body = OrderJournal("Issuer/x", "https://ca.test/1", "pending", "1.x", (seen, *unseen)).body()
    assert all(item["record"] == RECORD.body() for item in body["identifiers"])
    told = [item for item in body["identifiers"] if "verdict" in item]
    assert [item["name"] for item in told] == [f"n{number}" for number in range(EVIDENCE_LIMIT)]
    assert all(len(item["verdict"]["missing"]) == MISSING_LIMIT for item in told)
    assert len(told[0]["verdict"]["summary"]) == len(told[0]["verdict"]["action"]) == 300
    assert max(len(answer["answer"]) for answer in told[0]["verdict"]["missing"]) == 300
    assert {tuple(map(len, answer["values"])) for answer in told[0]["verdict"]["missing"]} == {(50, 50, 50)}
    assert len(json.dumps(body)) < 90_000


def test_the_transport_alone_makes_no_other_answer() -> None:
    """A path that loses some packets would else have the status written again and again."""
    answer = ServerAnswer("ns1", "192.0.2.1", "NXDOMAIN", "UDP", "NXDOMAIN")
    assert answer == ServerAnswer("ns1", "192.0.2.1", "NXDOMAIN", "TCP", "NXDOMAIN")
    assert answer != ServerAnswer("ns1", "192.0.2.1", "NXDOMAIN", "UDP", "NOERROR")


def test_whether_a_verdict_is_tolerable_is_not_kept() -> None:
    verdict = Verdict(ok=False, summary="s", tolerable=True)
    assert verdict.body() == {"summary": "s"}
    assert Verdict.of(verdict.body()) == Verdict(ok=False, summary="s")


@pytest.mark.parametrize("body", [None, {}, "nonsense", ["x"], 5])
def test_what_is_no_journal_counts_as_none(body: object) -> None:
    assert OrderJournal.of(body) is None


def test_a_journal_that_somebody_damaged_is_read_as_far_as_it_goes() -> None:
    body = {
        "url": 5,
        "identifiers": ["x", {"name": "a", "state": "flying", "record": "x", "verdict": {"missing": "x"}}],
        "waitingUntil": "soon",
    }
    assert OrderJournal.of(body) == OrderJournal(
        "", "5", "", "", (IdentifierJournal("a", "", ChallengeState.PLANNED, None, Verdict(ok=False, summary="")),)
    )
    assert OrderJournal.of({"url": "x", "identifiers": "x"}) == OrderJournal("", "x", "", "")
    missing = Verdict.of({"summary": "s", "missing": ["x", {"server": "ns"}]})
    assert missing == Verdict(ok=False, summary="s", missing=(ServerAnswer("ns", "", ""),))

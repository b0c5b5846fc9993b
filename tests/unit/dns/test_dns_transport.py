import os
import resource
import time
from dataclasses import replace

import dns.name
import dns.rcode
import pytest
from dns.rdatatype import AAAA, SOA, TXT, A

from certwright.dns.transport import Conversation, Limits, converse, hold
from certwright.dns.wire import Endpoint, Fault, Query, Reply, Via, matches, pack, truncated
from certwright.errors import Retryable
from unit.dns.fake_dns import LIMITS, FakeDns

WWW = dns.name.from_text("www.example.com.")


def one(query: Query) -> Conversation[Reply]:
    (reply,) = yield [query]
    return reply


def query(world: FakeDns, address: str = "127.7.0.1", name: dns.name.Name = WWW) -> Query:
    return Query(Endpoint(address, world.port), name, A)


def test_an_answer_by_udp(world: FakeDns) -> None:
    reply = hold(one(query(world)))
    assert (str(reply), reply.transport) == ("NOERROR", "UDP")
    assert reply.answer is not None
    assert reply.answer.answer[0][0].address == "192.0.2.1"


@pytest.mark.parametrize("fault", ["truncates", "tcp-only"])
def test_tcp_where_udp_is_not_enough(world: FakeDns, fault: str) -> None:
    world.faults["127.7.0.1"] = fault
    reply = hold(one(query(world)), limits=LIMITS)
    assert reply.transport == "TCP"
    assert reply.answer is not None
    assert reply.answer.answer[0][0].address == "192.0.2.1"


@pytest.mark.parametrize(
    ("fault", "via", "said"),
    [
        ("tcp-only", Via.UDP, "no answer"),
        ("tcp-only", Via.TCP, "NOERROR"),
        ("udp-only", Via.UDP, "NOERROR"),
        ("udp-only", Via.TCP, "no answer"),
        ("truncates", Via.UDP, "NOERROR"),
    ],
)
def test_one_transport_alone(world: FakeDns, fault: str, via: Via, said: str) -> None:
    world.faults["127.7.0.1"] = fault
    reply = hold(one(replace(query(world), via=via)), limits=LIMITS)
    assert (str(reply), reply.transport) == (said, via.value)


def test_the_whole_reply_has_all_sections(world: FakeDns) -> None:
    asked = replace(query(world, name=dns.name.from_text("example.com.")), rdtype=SOA)
    world.zone("example.com", "sub NS ns1.example.com.", "127.7.0.1")
    below = replace(asked, name=dns.name.from_text("x.sub.example.com."), whole=True)
    reply = hold(one(below))
    assert reply.message is not None
    assert reply.message.authority


def test_a_long_answer_comes_whole(world: FakeDns) -> None:
    world.add_txt("many.example.com.", *(f"{number:03}" + "x" * 200 for number in range(100)))
    world.faults["127.7.0.1"] = "truncates"
    reply = hold(one(Query(Endpoint("127.7.0.1", world.port), dns.name.from_text("many.example.com."), TXT)))
    assert reply.answer is not None
    assert len(reply.answer.answer[0]) == 100


def test_forged_and_foreign_answers_are_passed_over(world: FakeDns) -> None:
    world.faults["127.7.0.1"] = "forges"
    reply = hold(one(query(world)))
    assert reply.answer is not None
    assert reply.answer.answer[0].name == WWW


def test_garbage_is_a_fault(world: FakeDns) -> None:
    world.faults["127.7.0.1"] = "garbage"
    assert hold(one(query(world)), limits=LIMITS).fault in {Fault.MALFORMED, Fault.TIMEOUT}


def test_refused_is_no_answer(world: FakeDns) -> None:
    world.faults["127.7.0.1"] = "refused"
    reply = hold(one(query(world)))
    assert (reply.answer, str(reply)) == (None, "REFUSED")


def test_nobody_listens(world: FakeDns) -> None:
    reply = hold(one(query(world, "127.7.0.99")))
    assert (reply.fault, reply.answer) == (Fault.CLOSED, None)


def test_no_route() -> None:
    reply = hold(one(Query(Endpoint("255.255.255.255"), WWW, A)), limits=LIMITS)
    assert reply.message is None


def test_silent_servers_cost_their_time_out_once(world: FakeDns) -> None:
    world.faults["127.7.0.1"] = "silent"
    names = [dns.name.from_text(f"w{number}.example.com.") for number in range(60)]
    start = time.monotonic()
    replies = converse([one(query(world, name=name)) for name in names], limits=LIMITS)
    assert time.monotonic() - start < 5
    assert {reply.fault for reply in replies if isinstance(reply, Reply)} == {Fault.TIMEOUT}


def test_the_whole_run_has_an_end(world: FakeDns) -> None:
    world.faults["127.7.0.1"] = "silent"

    def stubborn() -> Conversation[int]:
        for number in range(50):
            (reply,) = yield [query(world, name=dns.name.from_text(f"w{number}.example.com."))]
            assert reply.fault is Fault.TIMEOUT
        return 50

    start = time.monotonic()
    assert hold(stubborn(), limits=Limits(udp=0.1, tcp=0.1, total=0.4)) == 50
    assert time.monotonic() - start < 1.5


def test_a_question_asked_by_many_goes_out_once(world: FakeDns) -> None:
    replies = converse([one(query(world)) for _ in range(20)])
    assert len(replies) == 20
    assert len(world.asked) == 1


def test_few_sockets_serve_many_queries(world: FakeDns) -> None:
    names = [dns.name.from_text(f"w{number}.example.com.") for number in range(300)]
    replies = converse([one(query(world, name=name)) for name in names], limits=Limits(sockets=5))
    assert all(isinstance(reply, Reply) and str(reply) == "NXDOMAIN" for reply in replies)


def test_out_of_file_descriptors_is_no_answer(world: FakeDns) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (len(os.listdir("/proc/self/fd")) + 8, hard))  # noqa: PTH208
    try:
        names = [dns.name.from_text(f"w{number}.example.com.") for number in range(60)]
        replies = converse([one(query(world, name=name)) for name in names], limits=LIMITS)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert all(isinstance(reply, Reply) for reply in replies)
    assert any(str(reply) == "NXDOMAIN" for reply in replies)


def test_a_fault_ends_only_its_conversation(world: FakeDns) -> None:
    def failing() -> Conversation[Reply]:
        yield [query(world)]
        raise Retryable("no")

    first, second = converse([failing(), one(query(world))])
    assert isinstance(first, Retryable)
    assert isinstance(second, Reply)
    with pytest.raises(Retryable):
        hold(failing())


def test_conversations_may_ask_nothing_at_all(world: FakeDns) -> None:
    def silent() -> Conversation[str]:
        assert (yield []) == ()
        return "done"

    assert converse([silent(), silent()]) == ["done", "done"]
    assert world.asked == []


def test_a_defect_passes_through_and_leaves_no_socket_open(world: FakeDns) -> None:
    def broken() -> Conversation[None]:
        yield [query(world)]
        raise ZeroDivisionError

    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    with pytest.raises(ZeroDivisionError):
        converse([broken(), one(query(world, "127.7.0.2"))])  # type: ignore[list-item]
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208


def test_several_questions_keep_their_order(world: FakeDns) -> None:
    def several() -> Conversation[list[str]]:
        endpoint = Endpoint("127.7.0.1", world.port)
        replies = yield [Query(endpoint, WWW, kind) for kind in (A, AAAA, SOA)]
        return [reply.query.rdtype.name for reply in replies]

    assert hold(several()) == ["A", "AAAA", "SOA"]


def test_ipv6() -> None:
    with FakeDns() as world:
        try:
            world.zone("example.com", "", "::1")
        except OSError:
            pytest.skip("no IPv6 here")
        assert hold(one(query(world, "::1"))).answer is not None


def test_what_answers_a_query() -> None:
    sent = pack(Query(Endpoint("192.0.2.1"), WWW, A, recurse=True))
    flags = 0x8000
    answer = sent[:2] + flags.to_bytes(2, "big") + sent[4:]
    assert matches(answer, sent)
    assert matches(answer.upper() if answer[:2].isdigit() else answer[:12] + answer[12:].upper(), sent)
    assert not matches(sent, sent), "a query is no answer"
    assert not matches(answer[:11], sent)
    refused = sent[:2] + (flags | 5).to_bytes(2, "big") + bytes(8)
    assert matches(refused, sent), "an error may leave out the question"
    assert not matches(sent[:2] + flags.to_bytes(2, "big") + bytes(8), sent)
    assert truncated(sent[:2] + 0x8200.to_bytes(2, "big") + sent[4:])
    assert dns.rcode.to_text(dns.rcode.REFUSED) == "REFUSED"


def test_ids_are_random() -> None:
    ids = {pack(Query(Endpoint("192.0.2.1"), WWW, A))[:2] for _ in range(50)}
    assert len(ids) > 40


def test_endpoints_read_as_settings() -> None:
    assert str(Endpoint("192.0.2.1")) == "192.0.2.1:53"
    assert str(Endpoint("2001:db8::1", 5353)) == "[2001:db8::1]:5353"

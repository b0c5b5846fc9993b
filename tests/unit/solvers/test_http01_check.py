"""The check before the CA is told: real web servers on loopback addresses, found by the tests' own DNS."""

import time
from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from socket import socket as Socket  # noqa: N812 - a type

import pytest
from dns.rcode import SERVFAIL

from certwright.dns.resolvers import Resolvers, Server
from certwright.providers.guard import Guard
from certwright.resources.order import MISSING_LIMIT, ServerAnswer, Verdict
from certwright.solvers.http01.answer import Answer
from certwright.solvers.http01.check import action as http01_action
from certwright.solvers.http01.check import look as http01_look
from certwright.solvers.http01.check.look import Bounds
from certwright.solvers.http01.check.looking import Places, Policy, check
from unit.dns.fake_dns import RESOLVER, FakeDns
from unit.solvers.fake_web import Asked, FakeWeb, Site, full, page, self_signed

NAME = "www.shop.example"
URL = f"http://{NAME}"
HERE, OTHER, INGRESS, POD = "127.8.1.1", "127.8.1.2", "127.8.1.10", "127.8.1.20"
KIND = "Ingress shop/certwright-http-solver-ab12"
RIGHT = Answer(NAME, "tok", "tok.thumb")
LB = "lb.cloud.example"
WELL_KNOWN = "/.well-known/acme-challenge/"


def serving(*answers: Answer, header: str = "host") -> Site:
    """What a solver pod does: the answers of its names, else 404."""
    known = {(answer.identifier, answer.path): answer.key_authorization for answer in answers or (RIGHT,)}

    def site(asked: Asked) -> bytes:
        host = asked.headers.get(header, "").removeprefix("host=").strip('"[]')
        body = known.get((host, asked.target))
        return page(404, "not found") if body is None else page(200, body, kind="text/plain")

    return site


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return self_signed(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def executor() -> Iterator[Executor]:
    with ThreadPoolExecutor(8) as pool:
        yield pool


@dataclass
class Here:
    """A DNS, a web, and the place that is looked from."""

    dns: FakeDns
    web: FakeWeb
    executor: Executor
    guard: Guard = Guard(allow_loopback=True)  # noqa: RUF009 - frozen
    bounds: Bounds = Bounds(look=30, check=60)  # noqa: RUF009 - likewise

    def zone(self, *lines: str, zone: str = "shop.example") -> None:
        self.dns.zone(zone, "\n".join(lines), "127.7.0.9")

    def places(self, *entry: str, pod: str = POD, trouble: str = "") -> Places:
        return Places(entry, KIND, f"{pod}:{self.web.ports.http}" if pod else "", trouble)

    def check(
        self, places: Places, *answers: Answer, policy: Policy = Policy.WARN, header: str = "Host"
    ) -> list[Verdict]:
        return check(
            answers or (RIGHT,),
            places,
            policy=policy,
            resolvers=Resolvers([Server(RESOLVER, self.dns.port)]),
            executor=self.executor,
            proxy_header=header,
            guard=self.guard,
            ports=self.web.ports,
            bounds=self.bounds,
        )

    def one(self, places: Places, answer: Answer = RIGHT, policy: Policy = Policy.WARN) -> Verdict:
        """The verdict on one name, which is the same when nothing changed."""
        (verdict,) = self.check(places, answer, policy=policy)
        assert self.check(places, answer, policy=policy) == [verdict]
        assert len(verdict.summary) <= 300
        assert len(verdict.action) <= 300
        assert len(verdict.missing) <= MISSING_LIMIT
        assert verdict.ok == (not verdict.missing) == (not verdict.action)
        return verdict


@pytest.fixture
def here(world: FakeDns, certificate: Path, executor: Executor) -> Iterator[Here]:
    with FakeWeb(certificate) as web:
        yield Here(world, web, executor)


def met(verdict: Verdict) -> list[tuple[str, str, str]]:
    return [(answer.server, answer.address, answer.answer) for answer in verdict.missing]


# -- all is well


def test_the_name_serves_the_answer(here: Here) -> None:
    here.zone(f"www 60 IN A {HERE}")
    here.web.serve(HERE, serving())
    assert here.one(here.places(INGRESS)) == Verdict(ok=True, summary=f"{URL} serves the answer at {HERE}")
    assert here.web.asked[0].host == NAME
    assert here.web.asked[0].target == f"{WELL_KNOWN}tok"


def test_white_space_at_the_end_does_not_count(here: Here) -> None:
    here.zone(f"www 60 IN A {HERE}")
    here.web.serve(HERE, page(200, "tok.thumb \r\n"))
    assert here.one(here.places()).ok


def test_along_a_cname_to_every_address(here: Here) -> None:
    here.zone("www 60 IN CNAME lb", f"lb 60 IN A {HERE}", f"lb 60 IN A {OTHER}")
    here.web.serve(HERE, serving())
    here.web.serve(OTHER, serving())
    assert here.one(here.places()).summary == f"{URL} serves the answer at {HERE}, {OTHER}"


def test_no_more_than_four_addresses(here: Here) -> None:
    here.zone(*(f"www 60 IN A 127.8.2.{number}" for number in range(1, 8)))
    for number in range(1, 8):
        here.web.serve(f"127.8.2.{number}", serving())
    assert here.one(here.places()).ok
    assert {asked.address for asked in here.web.asked} == {f"127.8.2.{number}" for number in range(1, 5)}


def test_a_hundred_names_are_a_hundred_requests(here: Here) -> None:
    answers = [Answer(f"n{number}.shop.example", f"t{number}", f"t{number}.x") for number in range(100)]
    here.zone(f"* 60 IN A {HERE}")
    here.web.serve(HERE, serving(*answers))
    verdicts = here.check(here.places(INGRESS), *answers)
    assert all(verdict.ok for verdict in verdicts)
    assert len(here.web.asked) == 100


def test_an_address_that_is_dead_is_found_out_once(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    tried = []

    def counted(
        request: http01_look.Request, *, connect: float, total: float
    ) -> http01_look.Page | http01_look.Failure:
        tried.append(request.address)
        return http01_look_fetch(request, connect=connect, total=total)

    http01_look_fetch = http01_look.fetch
    monkeypatch.setattr(http01_look, "fetch", counted)
    answers = [Answer(f"n{number}.shop.example", f"t{number}", f"t{number}.x") for number in range(100)]
    here.zone(f"* 60 IN A {HERE}")
    here.web.serve(INGRESS, serving(*answers))
    verdicts = here.check(here.places(INGRESS), *answers)
    assert all(verdict.tolerable for verdict in verdicts)
    assert tried.count(HERE) == 1
    assert tried.count(INGRESS) == 100
    assert POD not in tried


def test_an_ip_address(here: Here) -> None:
    answer = Answer(HERE, "tok", "tok.thumb")
    here.web.serve(HERE, serving(answer))
    assert here.one(here.places(), answer).summary == f"http://{HERE} serves the answer at {HERE}"
    assert here.web.asked[0].host == HERE
    assert here.dns.asked == []


def test_an_ipv6_address(here: Here) -> None:
    answer = Answer("0:0::1", "tok", "tok.thumb")
    here.web.serve("::1", page(200, "tok.thumb"))
    assert here.one(here.places(), answer).summary == "http://[0:0::1] serves the answer at ::1"
    assert here.web.asked[0].host == "[::1]"


# -- policies


def test_skip_asks_nobody(here: Here) -> None:
    (verdict,) = here.check(here.places(INGRESS), policy=Policy.SKIP)
    assert verdict == Verdict(ok=True, summary="not checked: http01.check.policy is Skip")
    assert (here.web.asked, here.dns.asked) == ([], [])


def hairpin(here: Here) -> None:
    here.zone(f"www 60 IN A {HERE}")
    here.web.serve(INGRESS, serving())


def test_warn_puts_up_with_a_name_that_only_others_reach(here: Here) -> None:
    hairpin(here)
    verdict = here.one(here.places(INGRESS))
    assert (verdict.ok, verdict.tolerable) == (False, True)
    assert verdict.summary == f"{URL} does not serve the answer at {HERE} (connection refused); {KIND} does"
    assert verdict.action == f"point {NAME} to {INGRESS} ({KIND}), or let port 80 of {HERE} lead to there"
    assert met(verdict) == [(URL, HERE, "connection refused")]


def test_require_does_not(here: Here) -> None:
    hairpin(here)
    assert here.one(here.places(INGRESS), policy=Policy.REQUIRE) == replace(
        here.one(here.places(INGRESS)), tolerable=False
    )


def test_a_public_address_may_only_lack_the_way_back(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http01_action, "is_public", lambda address: address == HERE)
    hairpin(here)
    assert here.one(here.places(INGRESS)).action == (
        f"see from outside whether port 80 of {HERE} leads to {INGRESS} ({KIND}); if it does, only the way back into "
        "the network is missing here, and the policies Warn and Skip go on without it"
    )


def test_the_load_balancer_may_only_lack_the_way_back(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http01_action, "is_public", lambda address: address == HERE)
    here.zone(f"www 60 IN A {HERE}")
    here.web.serve(POD, serving())
    verdict = here.one(here.places(HERE))
    assert verdict.tolerable
    assert verdict.action.startswith(f"see from outside whether port 80 of {HERE} leads to {KIND};")


# -- the name


def test_a_name_that_is_not_in_the_dns(here: Here) -> None:
    here.zone()
    here.web.serve(INGRESS, serving())
    verdict = here.one(here.places(INGRESS))
    lack = f"no such name (NXDOMAIN from {RESOLVER}:{here.dns.port})"
    assert verdict.summary == f"{NAME} leads to no address: {lack}; {KIND} does"
    assert verdict.action == f"make an A record for {NAME} that points to {INGRESS}, the address of {KIND}"
    assert met(verdict) == [(URL, "", lack)]
    assert not verdict.tolerable, "no CA would find it either"


@pytest.mark.parametrize(
    ("entry", "action"),
    [
        ((), f"make an A or AAAA record for {NAME} that points to the address of {KIND}"),
        (("::1",), f"make an AAAA record for {NAME} that points to ::1, the address of {KIND}"),
        (
            (LB,),
            f"make a CNAME (at a zone's apex: ALIAS) record for {NAME} that points to {LB}, the address of {KIND}",
        ),
    ],
)
def test_the_record_that_lacks(here: Here, entry: tuple[str, ...], action: str) -> None:
    here.zone("www 60 IN TXT x")
    here.zone(f"lb 60 IN A {INGRESS}", zone="cloud.example")
    here.web.serve(POD, serving())
    verdict = here.one(here.places(*entry))
    assert (URL, "", "no A or AAAA record") in met(verdict)
    assert verdict.action == action


def test_a_cname_to_nowhere(here: Here) -> None:
    here.zone("www 60 IN CNAME lb.cloud.example.")
    here.zone(zone="cloud.example")
    verdict = here.one(here.places(INGRESS))
    assert "its CNAME leads to lb.cloud.example., and there is no such name" in verdict.summary
    assert verdict.action == f"mend the CNAME record of {NAME}, or make an A or AAAA record for lb.cloud.example"


def test_nobody_answers_for_the_name(here: Here) -> None:
    here.dns.broken[f"{NAME}."] = SERVFAIL
    here.web.serve(INGRESS, serving())
    verdict = here.one(here.places(INGRESS))
    assert "SERVFAIL" in verdict.summary
    assert verdict.action.startswith(f"let the operator reach a DNS resolver that answers for {NAME}")
    assert verdict.tolerable


def test_what_is_no_host_name(here: Here) -> None:
    here.zone(f"www 60 IN A {HERE}")
    here.web.serve(HERE, serving())
    first, second = here.check(here.places(), Answer("*.shop.example", "a", "a.b"), RIGHT)
    assert (first.ok, first.action, second.ok) == (False, "use a dns01 solver for it", True)


def test_one_address_of_two_is_wrong(here: Here) -> None:
    here.zone(f"www 60 IN A {HERE}", f"www 60 IN A {OTHER}")
    here.web.serve(HERE, serving())
    here.web.serve(OTHER, page(404))
    verdict = here.one(here.places(HERE))
    assert verdict.summary == f"{URL} does not serve the answer at {OTHER} (404 Not Found); at {HERE} it does"
    assert verdict.action == f"point every address record of {NAME} to {HERE} ({KIND}): a CA may take {OTHER}"
    assert met(verdict) == [(URL, OTHER, "404 Not Found")]
    assert len(here.web.asked_of(HERE)) == 2, "the Ingress need not be asked when the name is right somewhere"


def test_ipv6_that_leads_elsewhere_is_named(here: Here) -> None:
    here.zone(f"www 60 IN A {HERE}", "www 60 IN AAAA ::1")
    here.web.serve(HERE, serving())
    verdict = here.one(here.places(HERE))
    assert met(verdict) == [(URL, "::1", "connection refused")]
    assert verdict.action == (
        f"make ::1 serve the same as IPv4, or delete that AAAA record of {NAME}: CAs try IPv6 first"
    )
    assert verdict.tolerable


def test_ipv6_that_goes_nowhere_is_not_counted(here: Here) -> None:
    """Clusters without a way to IPv6 are common, and a CA goes on with IPv4."""
    here.bounds = replace(here.bounds, connect=0.5)
    here.zone(f"www 60 IN A {HERE}", "www 60 IN AAAA ::1")
    here.web.serve(HERE, serving())
    with full("::1", here.web.ports.http):
        verdict = here.one(here.places(HERE))
    assert verdict == Verdict(ok=True, summary=f"{URL} serves the answer at {HERE}; not counted: ::1 (timed out)")


def test_an_address_that_is_never_connected_to(here: Here) -> None:
    here.zone("www 60 IN A 169.254.169.254")
    here.web.serve(INGRESS, serving())
    verdict = here.one(here.places(INGRESS))
    assert met(verdict) == [
        (URL, "169.254.169.254", "not connected to: a link-local address, where clouds keep their metadata")
    ]
    assert verdict.action == f"point {NAME} to {INGRESS} ({KIND}); no CA can go to 169.254.169.254"


def test_loopback_only_where_the_guard_allows_it(here: Here) -> None:
    here.guard = Guard()
    here.zone(f"www 60 IN A {HERE}")
    here.web.serve(HERE, serving())
    verdict = here.one(here.places(HERE))
    assert {answer.answer for answer in verdict.missing} == {"not connected to: a loopback address"}
    assert here.web.asked == []


# -- what web servers say


@pytest.mark.parametrize(
    ("reply", "text"),
    [
        (page(404, "x"), "404 Not Found"),
        (page(418), "418 I'm a Teapot"),
        (page(599), "status 599"),
        (page(303, location=f"http://{NAME}/x"), "303 See Other"),
        (page(200, "hello", kind="text/html"), "another body (5 bytes of text/html)"),
        (page(200, "hello"), "another body (5 bytes)"),
        (page(200, "x" * 1000, kind="text/html"), "another body (less than 1 kB of text/html)"),
        (page(200, "x" * 1100, kind="text/html"), "another body (1 to 4 kB of text/html)"),
        (page(200, "x" * 90000, kind="text/html"), "another body (more than 4 kB of text/html)"),
        (page(200, " \n"), "an empty body"),
        (page(200, "tok.another"), "the token with the thumbprint of another account key"),
        (page(200, "tok.thumb", length=90), "connection closed before the answer was complete"),
        (b"", "connection closed before the answer was complete"),
        (b"SSH-2.0-x\r\n", "an answer that is not HTTP"),
    ],
)
def test_what_was_met(here: Here, reply: bytes, text: str) -> None:
    here.zone(f"www 60 IN A {HERE}")
    here.web.serve(HERE, reply)
    here.web.serve(POD, serving())
    verdict = here.one(here.places(HERE))
    assert met(verdict) == [(URL, HERE, text), (KIND, HERE, text)]
    assert verdict.tolerable
    assert len(here.web.asked_of(HERE)) == 2, "the same question is not asked twice in one check"


def test_no_page_is_repeated(here: Here) -> None:
    here.zone(f"www 60 IN A {HERE}")
    here.web.serve(HERE, b"HTTP/1.1 403 top-secret\r\nServer: top-secret\r\nContent-Length: 10\r\n\r\ntop-secret")
    assert "top-secret" not in repr(here.one(here.places(HERE)))


def test_a_slow_drip_times_out(here: Here) -> None:
    here.bounds = Bounds(look=0.5, check=60)

    def drip(sock: Socket) -> None:
        while not here.web.over.wait(0.02):
            sock.sendall(b"x")

    here.zone(f"www 60 IN A {HERE}")
    here.web.serve(HERE, lambda _: drip)
    assert met(here.one(here.places()))[0] == (URL, HERE, "timed out")


def test_a_server_that_never_answers_does_not_take_a_time_out_for_each_name(here: Here) -> None:
    here.bounds = Bounds(look=0.5, check=60)
    answers = [Answer(f"n{number}.shop.example", f"t{number}", f"t{number}.x") for number in range(100)]
    here.zone(f"* 60 IN A {HERE}")
    here.web.serve(HERE, lambda _: lambda _: here.web.over.wait() and None)
    verdicts = here.check(here.places(pod=""), *answers)
    assert {verdict.missing[0].answer for verdict in verdicts} == {"timed out"}
    assert len(here.web.asked) < 20, "each thread once, and the first"


def test_when_time_is_over_the_rest_is_not_asked(here: Here) -> None:
    here.bounds = Bounds(check=0)
    here.zone(f"www 60 IN A {HERE}")
    here.web.serve(HERE, serving())
    verdict = here.one(here.places(HERE))
    assert verdict.missing[0].answer == "not asked: other names of the order took all the time there is"
    assert verdict.action == "see why the servers of the order's other names answer so slowly"
    assert here.web.asked == []


# -- redirects


def test_to_https_with_any_certificate(here: Here) -> None:
    here.zone(f"www 60 IN A {HERE}")
    here.web.serve(HERE, lambda asked: page(308, location=f"https://{NAME}{asked.target}"))
    here.web.serve(HERE, serving(), tls=True)
    assert here.one(here.places()).ok
    assert [(asked.tls, asked.host, asked.sni) for asked in here.web.asked[:2]] == [
        (False, NAME, ""),
        (True, NAME, NAME),
    ]


def test_to_another_host_by_our_resolvers(here: Here) -> None:
    here.zone(f"www 60 IN A {HERE}", f"apex 60 IN A {OTHER}")
    here.web.serve(HERE, lambda asked: page(301, location=f"//APEX.shop.example{asked.target}"))
    here.web.serve(OTHER, serving(replace(RIGHT, identifier="apex.shop.example")))
    assert here.one(here.places()).ok
    assert ("apex.shop.example.", "A") in here.dns.asked_of(RESOLVER)


def test_to_a_path_beside(here: Here) -> None:
    here.zone(f"www 60 IN A {HERE}")
    here.web.serve(HERE, lambda asked: page(302, location="tok2") if asked.target.endswith("/tok") else page(410))
    verdict = here.one(here.places())
    assert verdict.missing[0].answer.startswith(f"redirected to {URL}{WELL_KNOWN}tok2: ")


def test_within_private_networks_to_the_challenge_only(here: Here) -> None:
    """A tenant's server must not have the operator ask the cluster's own servers for what it likes."""
    here.zone(f"www 60 IN A {HERE}", f"internal 60 IN A {OTHER}")
    here.web.serve(HERE, page(302, location="http://internal.shop.example/admin/delete?all=yes"))
    here.web.serve(OTHER, page(200, "done"))
    verdict = here.one(here.places())
    assert verdict.missing[0].answer == (
        "redirected to http://internal.shop.example/admin/delete: not connected to: a private address, where only the "
        "challenge's own path is asked for"
    )
    assert here.web.asked_of(OTHER) == []


def test_to_any_path_of_a_public_server(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http01_look, "is_public", lambda _: True)
    here.zone(f"www 60 IN A {HERE}", f"login 60 IN A {OTHER}")
    here.web.serve(HERE, page(302, location="http://login.shop.example/start me?token=secret#top"))
    here.web.serve(OTHER, page(200, "please log in", kind="text/html"))
    here.web.serve(POD, serving())
    verdict = here.one(here.places(HERE))
    text = "redirected to http://login.shop.example/start%20me: another body (13 bytes of text/html)"
    assert met(verdict) == [(URL, HERE, text), (KIND, HERE, text)]
    assert verdict.action == (
        f"take {WELL_KNOWN} out of the redirects of {KIND}'s controller, or make http://login.shop.example/start%20me "
        "serve the answer, too"
    )
    assert here.web.asked_of(OTHER)[0].target == "/start%20me?token=secret"


def test_to_the_metadata_service(here: Here) -> None:
    here.zone(f"www 60 IN A {HERE}", "sly 60 IN A 169.254.169.254")
    for target in ("http://169.254.169.254/latest/meta-data/", f"http://sly.shop.example{WELL_KNOWN}tok"):
        with FakeWeb(here.web._certificate) as here.web:
            here.web.serve(HERE, page(302, location=target))
            verdict = here.one(here.places())
            assert verdict.missing[0].answer.endswith(
                ": not connected to: a link-local address, where clouds keep their metadata"
            )


def test_in_a_circle(here: Here) -> None:
    here.zone(f"www 60 IN A {HERE}")
    here.web.serve(HERE, lambda asked: page(301, location=f"https://{NAME}{asked.target}"))
    here.web.serve(HERE, lambda asked: page(301, location=f"http://{NAME}{asked.target}"), tls=True)
    here.web.serve(INGRESS, serving())
    verdict = here.one(here.places(INGRESS))
    assert met(verdict) == [(URL, HERE, f"redirected to https://{NAME}: redirected back to {URL}, in a circle")]
    assert verdict.action == f"take {WELL_KNOWN} out of the redirects of {NAME} at {HERE}"
    assert len(here.web.asked_of(HERE)) == 4


def test_without_end(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http01_look, "is_public", lambda _: True)
    here.zone(f"www 60 IN A {HERE}")
    here.web.serve(HERE, lambda _: page(302, location=f"/{time.monotonic_ns()}"))
    here.web.serve(INGRESS, serving())
    verdict = here.one(here.places(INGRESS))
    assert met(verdict) == [(URL, HERE, f"redirected 10 times, at last to {URL}: redirected more than 10 times")]
    assert len(here.web.asked_of(HERE)) == 22, "ten redirects are followed in each of two checks"


@pytest.mark.parametrize(
    ("location", "text"),
    [
        ("http://[::1", "redirected to something that is not a URL"),
        ("http://x:port/", "redirected to something that is not a URL"),
        ("ftp://shop.example/x", "redirected to ftp:; a CA follows http and https only"),
        ("javascript:alert(1)", "redirected to javascript:; a CA follows http and https only"),
        (
            "http://www.shop.example:8080/",
            "redirected to port 8080 of www.shop.example; a CA follows to ports 80 and 443 only",
        ),
        ("", "a redirect without a usable Location"),
        (f"{WELL_KNOWN}tok#top", f"redirected back to {URL}, in a circle"),
        ("http://", "redirected to a host that is not a DNS name"),
        ("http:///x", "redirected to a host that is not a DNS name"),
        ("http://in_-.valid-/", "redirected to a host that is not a DNS name"),
        ("http://[fe80::1%25eth0]/", "redirected to an address with a zone, which means nothing elsewhere"),
    ],
)
def test_redirects_that_no_ca_follows(here: Here, location: str, text: str) -> None:
    here.zone(f"www 60 IN A {HERE}")
    here.web.serve(HERE, page(302, location=location))
    assert here.one(here.places()).missing[0].answer == text


def test_an_odd_port_is_named(here: Here) -> None:
    here.zone(f"www 60 IN A {HERE}")
    odd = f"http://{NAME}:{here.web.ports.https}"
    here.web.serve(HERE, lambda asked: page(302, location=odd + asked.target))
    here.web.serve(HERE, page(404), port=here.web.ports.https)
    assert here.one(here.places()).missing[0].answer == f"redirected to {odd}: 404 Not Found"
    assert here.web.asked[1].host == f"{NAME}:{here.web.ports.https}"


def test_to_a_host_without_address(here: Here) -> None:
    here.zone(f"www 60 IN A {HERE}")
    here.web.serve(HERE, page(302, location="//gone.shop.example"))
    assert "redirected to http://gone.shop.example/: no such name" in here.one(here.places()).missing[0].answer


def test_to_a_host_that_nobody_answers_for(here: Here) -> None:
    here.zone(f"www 60 IN A {HERE}")
    here.dns.broken["dead.shop.example."] = SERVFAIL
    here.web.serve(HERE, page(302, location="//dead.shop.example"))
    assert here.one(here.places()).missing[0].answer == (
        "redirected to http://dead.shop.example/: no DNS resolver answers for its name"
    )


# -- the Ingress


@pytest.mark.parametrize(
    ("reply", "text", "action"),
    [
        (page(404), "404 Not Found", "wait; if this lasts, see that the controller runs that takes up "),
        (page(503), "503 Service Unavailable", "wait; if this lasts, see that the controller runs that takes up "),
        (page(401), "401 Unauthorized", f"let {WELL_KNOWN} pass without a login or an address filter at {INGRESS}"),
        (page(502), "502 Bad Gateway", f"let the controller of {KIND} reach the solver pod; "),
        (page(200, "home"), "another body (4 bytes)", f"another Ingress or route serves {NAME} with this path first"),
        (page(500), "500 Internal Server Error", f"another Ingress or route serves {NAME} with this path first"),
        (
            b"",
            "connection closed before the answer was complete",
            f"see that the controller of {KIND} listens at port 80 of {INGRESS}, and that no NetworkPolicy or firewall",
        ),
    ],
)
def test_the_pod_answers_and_the_ingress_does_not(here: Here, reply: bytes, text: str, action: str) -> None:
    here.zone(f"www 60 IN A {HERE}")
    here.web.serve(INGRESS, reply)
    here.web.serve(POD, serving())
    verdict = here.one(here.places(INGRESS))
    assert verdict.summary.endswith("; the solver pod does")
    assert met(verdict) == [(URL, HERE, "connection refused"), (KIND, INGRESS, text)]
    assert verdict.action.startswith(action)
    assert verdict.tolerable


def test_an_ingress_without_address(here: Here) -> None:
    here.zone(f"www 60 IN A {HERE}")
    here.web.serve(HERE, page(404))
    here.web.serve(POD, serving())
    verdict = here.one(here.places())
    assert met(verdict) == [(URL, HERE, "404 Not Found"), (KIND, "", "it reports no address yet")]
    assert verdict.action == (
        f"see that a controller runs that takes up {KIND}, that its class is right, and that it reports an address"
    )


def test_a_host_name_that_the_ingress_reports(here: Here) -> None:
    here.zone(f"www 60 IN A {HERE}")
    here.zone(f"lb 60 IN A {INGRESS}", zone="cloud.example")
    here.web.serve(INGRESS, serving())
    assert here.one(here.places("lb.cloud.example")).summary.endswith(f"; {KIND} does")


def test_a_host_name_that_leads_nowhere(here: Here) -> None:
    """As in a cluster on a desk, whose controller reports localhost."""
    here.zone(f"www 60 IN A {HERE}")
    here.web.serve(POD, serving())
    verdict = here.one(here.places("localhost"))
    assert met(verdict)[1][:2] == (KIND, "localhost")
    assert verdict.action == f"see that localhost, which {KIND} reports, is in the DNS"
    assert verdict.tolerable
    here.dns.broken["localhost."] = SERVFAIL
    assert "no resolver answered for A of localhost." in met(here.one(here.places("localhost")))[1][2]


def test_an_ingress_that_reports_a_loopback_address(here: Here) -> None:
    here.zone(f"www 60 IN A {HERE}")
    here.web.serve(POD, serving())
    verdict = here.one(here.places("169.254.1.1"))
    assert verdict.action == f"let the controller of {KIND} report the address that others reach it at"


def test_one_address_of_the_ingress_is_enough(here: Here) -> None:
    here.zone()
    here.web.serve(INGRESS, serving())
    verdict = here.one(here.places("127.8.1.9", INGRESS, "127.8.1.11"))
    assert verdict.summary.endswith(f"; {KIND} does")
    assert {asked.address for asked in here.web.asked} == {INGRESS}


def test_another_web_server_has_the_name(here: Here) -> None:
    here.zone(f"www 60 IN A {HERE}")
    here.web.serve(HERE, page(200, "shop", kind="text/html"))
    here.web.serve(INGRESS, serving())
    verdict = here.one(here.places(INGRESS))
    assert met(verdict) == [(URL, HERE, "another body (4 bytes of text/html)")]
    assert verdict.action == (
        f"another web server answers at {HERE}: point {NAME} to {INGRESS} ({KIND}), or let that server pass "
        f"{WELL_KNOWN} on to there"
    )


def test_redirects_among_the_names_stay_at_the_ingress(here: Here) -> None:
    """From behind NAT, neither the name nor its www can be reached; the Ingress has both."""
    apex = Answer("shop.example", "apex", "apex.thumb")
    here.zone(f"@ 60 IN A {HERE}", f"www 60 IN A {HERE}")
    solver = serving(apex, replace(apex, identifier=NAME), RIGHT)
    here.web.serve(
        INGRESS,
        lambda asked: (
            page(308, location=f"https://{NAME}{asked.target}") if asked.host == "shop.example" else solver(asked)
        ),
    )
    here.web.serve(INGRESS, solver, tls=True)
    first, second = here.check(here.places(INGRESS), apex, RIGHT)
    assert first.tolerable
    assert second.tolerable
    assert [asked.host for asked in here.web.asked if asked.tls] == [NAME]


@pytest.mark.parametrize(
    ("header", "sent"), [("X-Forwarded-Host", NAME), ("Forwarded", f"host={NAME}"), ("Host", None)]
)
def test_the_header_of_a_proxy(here: Here, header: str, sent: str | None) -> None:
    here.zone(f"www 60 IN A {INGRESS}")
    here.web.serve(INGRESS, page(404))
    here.web.serve(POD, serving(header=header.lower()))
    (verdict,) = here.check(here.places(INGRESS), header=header)
    assert verdict.summary.endswith("; the solver pod does")
    by_name, *by_entry = here.web.asked_of(INGRESS)
    (pod,) = here.web.asked_of(POD)
    name = header.lower() if header != "Host" else "x-forwarded-host"
    assert by_name.headers.get(name) is None, "a CA sends no such header"
    assert [asked.headers.get(name) for asked in by_entry] == ([sent] if sent else [])
    assert (pod.host, pod.headers.get(name)) == (NAME, sent)


def test_an_ipv6_address_in_the_header_of_a_proxy(here: Here) -> None:
    answer = Answer("::1", "tok", "tok.thumb")
    here.web.serve(POD, serving(answer, header="forwarded"))
    (verdict,) = here.check(here.places(), answer, header="Forwarded")
    assert verdict.tolerable
    assert here.web.asked_of(POD)[0].headers["forwarded"] == 'host="[::1]"'


def test_what_stands_before_the_ingress_only_for_the_name(here: Here) -> None:
    """With a proxy's header, the Ingress answers where the plain name meets something else."""
    here.zone(f"www 60 IN A {INGRESS}")
    solver = serving(header="x-forwarded-host")
    here.web.serve(INGRESS, solver)
    (verdict,) = here.check(here.places(INGRESS), header="X-Forwarded-Host")
    assert verdict.action == f"find what else serves {WELL_KNOWN} for {NAME} at {INGRESS}, and let {KIND} come first"


# -- the pod


def test_no_pod_yet_asks_nobody(here: Here) -> None:
    here.zone(f"www 60 IN A {HERE}")
    here.web.serve(HERE, page(404))
    trouble = "the solver pod is Pending: 0/1 nodes are available: 1 Insufficient cpu"
    verdict = here.one(here.places(INGRESS, pod="", trouble=trouble))
    assert verdict == Verdict(
        ok=False,
        summary=f"{URL} cannot be served yet: {trouble}",
        missing=(ServerAnswer("solver pod", "", trouble),),
        action=f"wait for the solver pod; if this lasts, see why it does not run: {trouble}",
    )
    assert (here.web.asked, here.dns.asked) == ([], [])


def test_nothing_answers_and_the_pod_cannot_be_reached(here: Here) -> None:
    here.zone(f"www 60 IN A {HERE}")
    verdict = here.one(here.places(INGRESS, trouble="the solver pod is not Ready"))
    pod = f"{POD}:{here.web.ports.http}"
    assert met(verdict) == [
        (URL, HERE, "connection refused"),
        (KIND, INGRESS, "connection refused"),
        ("solver pod", pod, "connection refused"),
    ]
    assert verdict.action == (
        f"let the operator reach the solver pod at {pod}; a NetworkPolicy may forbid it; the solver pod is not Ready"
    )
    assert verdict.summary == f"{URL} does not serve the answer at {HERE} (connection refused)"
    assert not verdict.tolerable


def test_a_pod_with_the_wrong_answer(here: Here) -> None:
    here.zone(f"www 60 IN A {HERE}")
    for address in (HERE, INGRESS, POD):
        here.web.serve(address, page(200, "tok.old"))
    verdict = here.one(here.places(INGRESS))
    assert [answer.server for answer in verdict.missing] == [URL, KIND, "solver pod"]
    assert verdict.action == "delete the solver pod, which is not this order's: it is made anew"


def test_a_pod_is_not_followed_elsewhere(here: Here) -> None:
    here.zone()
    here.web.serve(POD, lambda asked: page(301, location=f"http://{INGRESS}{asked.target}"))
    here.web.serve(INGRESS, page(200, "tok.thumb"))
    assert met(here.one(here.places()))[-1][2] == "301 Moved Permanently"
    assert here.web.asked_of(INGRESS) == []


def test_a_pod_at_an_ipv6_address(here: Here) -> None:
    here.zone(f"www 60 IN A {HERE}")
    here.web.serve("::1", serving())
    assert here.one(here.places(pod="[::1]")).tolerable


def test_a_pod_at_an_address_that_is_never_connected_to(here: Here) -> None:
    here.zone(f"www 60 IN A {HERE}")
    assert here.one(here.places(pod="169.254.169.254")).action.startswith("see why the solver pod has the address 169.")


# -- a web server of the user's own


@pytest.mark.parametrize(
    ("reply", "action"),
    [
        (page(404), f"see that the web server of {NAME} serves {WELL_KNOWN} out of the solver's volume"),
        (b"", f"let port 80 of {NAME} lead to the web server, and let the operator reach it"),
        (page(301, location="ftp://x/"), f"take {WELL_KNOWN} out of the redirects of {NAME}"),
    ],
)
def test_without_ingress_and_pod(here: Here, reply: bytes, action: str) -> None:
    here.zone(f"www 60 IN A {HERE}")
    here.web.serve(HERE, reply)
    verdict = here.one(Places(entry_kind=""))
    assert [answer.server for answer in verdict.missing] == [URL]
    assert verdict.action == action
    assert not verdict.tolerable


def test_a_name_without_ingress_that_is_not_in_the_dns(here: Here) -> None:
    here.zone()
    assert (
        here.one(Places(entry_kind="")).action == f"make an A or AAAA record for {NAME} that points to the web server"
    )


def test_one_bad_address_without_ingress(here: Here) -> None:
    here.zone(f"www 60 IN A {HERE}", f"www 60 IN A {OTHER}")
    here.web.serve(HERE, serving())
    assert here.one(Places(entry_kind="")).action == (
        f"point every address record of {NAME} to the web server: a CA may take {OTHER}"
    )


def test_a_key_authorization_is_in_no_text(here: Here) -> None:
    here.zone(f"www 60 IN A {HERE}")
    here.web.serve(HERE, page(200, "tok.thumb2"))
    assert "thumb" not in repr(RIGHT)
    assert "tok.thumb" not in repr(here.one(here.places(HERE)))


def test_many_bad_addresses_fit_into_status(here: Here) -> None:
    here.zone(*(f"www 60 IN A 127.8.2.{number}" for number in range(1, 5)), "www 60 IN AAAA ::1")
    verdict = here.one(here.places("127.8.3.1", "127.8.3.2", "127.8.3.3"))
    assert [answer.server for answer in verdict.missing] == [URL] * 5 + [KIND] * 2 + ["solver pod"]
    assert verdict.summary.endswith(", and 4 more of its addresses neither")
    assert verdict.body()["missing"][-1]["server"] == "solver pod"

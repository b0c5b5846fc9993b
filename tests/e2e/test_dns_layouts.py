"""The worked examples of docs/dns01.md: a hidden primary, and a DNS that looks different from inside.

The issuers are those of the page, with the addresses of the test's name servers in place of the page's.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dns.message
import dns.query
import pytest
import yaml
from dns_away import KEY, SECRET, WORLD, Away, missing
from waits import get, until, wait_condition, wait_issuer, wait_order, wait_ready

from cluster.authority import Authority
from cluster.environment import REPOSITORY, Environment
from cluster.manifests import Manifest, acme_issuer, apply, certificate
from cluster.nameserver import zone_text

pytestmark = [pytest.mark.cluster, pytest.mark.slow]
OWN = "_acme-challenge.www.example.com."
PAGE = (REPOSITORY / "docs" / "dns01.md").read_text(encoding="utf-8")


@pytest.fixture(autouse=True)
def _possible(env: Environment) -> None:
    if reason := missing(env):
        pytest.skip(reason)


def example(heading: str, number: int = 0) -> Manifest:
    """The solver in a section of the page."""
    section = PAGE.split(f"\n### {heading}\n")[1].split("\n#")[0]
    found = re.findall(r"<!-- part: Issuer spec\.acme\.solvers\[0\]\.dns01 -->\n```yaml\n(.*?)```", section, re.DOTALL)
    return dict(yaml.safe_load(found[number]))


def settled(dns01: Manifest, **places: str) -> Manifest:
    """The example's solver with the test's places, and looks every second so that what heals is noticed soon."""
    text = yaml.safe_dump(dns01)
    for old, new in places.items():
        words = old.removeprefix("at_").split("_")
        address = ".".join(words[:4]) + "".join(f":{port}" for port in words[4:])
        assert address in text, f"{address} is not in the example"
        text = text.replace(address, new)
    made = dict(yaml.safe_load(text))
    made["propagation"] = {"interval": "1s", **(made.get("propagation") or {})}
    return made


def prepare(away: Away, namespace: str, dns01: Manifest) -> None:
    """The issuer of an example."""
    tsig = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "tsig-key", "namespace": namespace},
        "stringData": {"secret": SECRET},
    }
    solvers = [{"dns01": dns01}]
    apply(away.env, tsig, acme_issuer(away.env, namespace, pebble=away.pebble, solvers=solvers))
    wait_issuer(away.env, namespace)


def evidence(env: Environment, namespace: str) -> list[Any]:
    """Who has not got the record, by status."""
    order = wait_order(env, namespace, "web")
    verdict = order["identifiers"][0].get("verdict") or {}
    return [(item["server"], item["address"], item["answer"]) for item in verdict.get("missing", [])]


class TestHiddenPrimary:
    """The primary takes updates and no questions; two secondaries serve the zone."""

    PRIMARY, ONE, TWO, RESOLVER = "10.53.2.1", "10.53.2.11", "10.53.2.12", "10.53.0.54"

    @pytest.fixture
    def away(self, env: Environment, tmp_path: Path) -> Iterator[Away]:
        names = "".join(f"example.com. NS ns{n}.example.com.\n" for n in (1, 2))
        glue = f"ns1.example.com. A {self.ONE}\nns2.example.com. A {self.TWO}"
        with Away(env, tmp_path, [self.PRIMARY, self.ONE, self.TWO, self.RESOLVER], names, glue) as made:
            zone = zone_text("hidden.example.com.", "@ NS ns1\n@ NS ns2", f"ns1 A {self.ONE}\nns2 A {self.TWO}")
            told = f"also-notify {{ {self.ONE}; {self.TWO}; }}; notify explicit; notify-delay 0; notify-source"
            statement = (
                f'{KEY}zone "example.com" {{ type primary; file "zone"; allow-update {{ key "certwright"; }}; '
                f"{told} {self.PRIMARY}; }};\n"
            )
            made.primary = made.serve("primary", self.PRIMARY, config=statement, zone=zone)  # type: ignore[attr-defined]
            for name, address in (("ns1", self.ONE), ("ns2", self.TWO)):
                secondary = f'zone "example.com" {{ type secondary; file "zone"; primaries {{ {self.PRIMARY}; }}; }};\n'
                made.serve(name, address, config=secondary)
            made.resolve("resolver", self.RESOLVER)
            yield made

    def test_it_is_updated_and_the_secondaries_are_asked(self, away: Away, namespace: str) -> None:
        env = away.env
        away.operate(namespace, self.RESOLVER)
        prepare(away, namespace, settled(example("A hidden primary"), at_192_0_2_10=self.PRIMARY))
        apply(env, certificate(namespace, "web", "www.example.com", "*.www.example.com"))
        wait_ready(env, namespace, "web", 60)
        log = away.primary.process.log.read_text()  # type: ignore[attr-defined]
        assert "updating zone 'example.com/IN': adding an RR" in log
        assert not re.findall(r"query: \S+ IN TXT", log), "nobody looks for the record at the primary"
        for server in (self.PRIMARY, self.ONE, self.TWO):
            until(lambda at=server: not away.txt(at, OWN), 20, f"the records are gone at {server}")

    def test_a_secondary_that_gets_nothing_is_named_until_it_does(self, away: Away, namespace: str) -> None:
        env = away.env
        away.operate(namespace, self.RESOLVER)
        prepare(away, namespace, settled(example("A hidden primary"), at_192_0_2_10=self.PRIMARY))
        closed = f"ip daddr {self.TWO} udp sport != 53 ip saddr {self.PRIMARY} drop"
        with away.network.rules(f"table ip t {{ chain c {{ type filter hook input priority 0; {closed}; }}; }}"):
            apply(env, certificate(namespace, "web", "www.example.com"))
            wait_condition(env, namespace, "web", "Issuing", says="1 of 2 addresses", timeout=60)
            assert evidence(env, namespace) == [("ns2.example.com.", self.TWO, "NXDOMAIN")]
            verdict = wait_order(env, namespace, "web")["identifiers"][0]["verdict"]
            assert verdict["action"] == "wait; if this lasts, look at the zone transfer to ns2.example.com."
            assert verdict["askedAgain"].startswith("within 1s")
            assert away.txt(self.ONE, OWN)
            assert not away.txt(self.TWO, OWN)
        away.notify(self.TWO, self.PRIMARY, "example.com")
        wait_ready(env, namespace, "web", 60)


class TestSplitByView:
    """One server with two views: who asks from inside sees other records. Updates choose the view by their key."""

    SERVER, INSIDE, CLIENT = "10.53.3.1", "10.53.0.54", "10.53.9.9"

    @pytest.fixture
    def away(self, env: Environment, tmp_path: Path) -> Iterator[Away]:
        delegation = f"example.com. NS ns1.example.com.\nns1.example.com. A {self.SERVER}"
        with Away(env, tmp_path, [self.SERVER, self.INSIDE, self.CLIENT], delegation) as made:
            common = f"@ NS ns1\nns1 A {self.SERVER}"
            files = {
                "inside": zone_text("ns1", common, "www A 10.0.0.80"),
                "outside": zone_text("ns1", common, "www A 192.0.2.80"),
            }
            # Within this network whoever asks a server of it does so from that server's own address.
            inner = f"acl inside {{ {self.SERVER}; {self.INSIDE}; }};\n"
            views = (
                'view "inside" { match-clients { !key certwright; inside; };\n'
                'zone "example.com" { type primary; file "inside"; }; };\n'
                'view "outside" { match-clients { any; };\n'
                'zone "example.com" { type primary; file "outside"; allow-update { key "certwright"; }; }; };\n'
            )
            made.serve("views", self.SERVER, config=KEY + inner + views, **files)
            made.resolve("inner", self.INSIDE)
            yield made

    def test_the_views_differ(self, away: Away) -> None:
        def address(resolver: str) -> str:
            question = away.network.call(lambda: _ask(resolver, "www.example.com"))
            return str(question.answer[0][0])

        assert (address(self.INSIDE), address(WORLD)) == ("10.0.0.80", "192.0.2.80")

    def test_from_inside_the_record_is_never_seen_and_status_says_by_whom(self, away: Away, namespace: str) -> None:
        """Then the issuer is changed to that of the page, and the certificate comes."""
        env = away.env
        away.operate(namespace, self.INSIDE)
        solver = settled(example("Split DNS by views"), at_192_0_2_10=self.SERVER, at_9_9_9_9=WORLD)
        blind = {name: value for name, value in solver.items() if name not in {"nameservers", "propagation"}}
        prepare(away, namespace, {**blind, "propagation": {"interval": "1s"}})
        apply(env, certificate(namespace, "web", "www.example.com"))
        wait_condition(env, namespace, "web", "Issuing", says="0 of 1 addresses", timeout=60)
        assert evidence(env, namespace) == [("ns1.example.com.", self.SERVER, "NXDOMAIN")]
        assert away.txt(self.SERVER, OWN, source=self.CLIENT), "from outside it is there"

        prepare(away, namespace, solver)
        wait_ready(env, namespace, "web", 90)
        until(lambda: not away.txt(self.SERVER, OWN, source=self.CLIENT), 20, "the record is gone")


class TestSplitByServer:
    """Two sets of servers: the company's own for inside, somebody else's for the world."""

    OUTER, INNER, INSIDE = "10.53.4.1", "10.53.4.2", "10.53.0.54"

    @pytest.fixture
    def away(self, env: Environment, tmp_path: Path) -> Iterator[Away]:
        delegation = f"example.com. NS ns.example.com.\nns.example.com. A {self.OUTER}"
        with Away(env, tmp_path, [self.OUTER, self.INNER, self.INSIDE], delegation) as made:
            outer = f'{KEY}zone "example.com" {{ type primary; file "zone"; allow-update {{ key "certwright"; }}; }};\n'
            made.serve("outer", self.OUTER, config=outer, zone=zone_text("ns", f"@ NS ns\nns A {self.OUTER}"))
            inner = 'zone "example.com" { type primary; file "zone"; };\n'
            made.serve("inner", self.INNER, config=inner, zone=zone_text("dc1", f"@ NS dc1\ndc1 A {self.INNER}"))
            copy = f'zone "example.com" {{ type secondary; file "zone"; primaries {{ {self.INNER}; }}; }};\n'
            made.resolve("inside", self.INSIDE, copy)
            yield made

    def test_the_worlds_resolvers_lead_to_the_worlds_servers(self, away: Away, namespace: str) -> None:
        env = away.env
        away.operate(namespace, self.INSIDE)
        solver = settled(example("Split DNS by servers"), at_192_0_2_10=self.OUTER, at_9_9_9_9=WORLD)
        prepare(away, namespace, {name: value for name, value in solver.items() if name != "nameservers"})
        apply(env, certificate(namespace, "web", "www.example.com"))
        wait_condition(env, namespace, "web", "Issuing", says="0 of 1 addresses", timeout=60)
        assert evidence(env, namespace) == [("dc1.example.com.", self.INNER, "NXDOMAIN")]

        prepare(away, namespace, solver)
        wait_ready(env, namespace, "web", 90)
        assert get(env, "issuers", namespace, "acme")
        assert not away.txt(self.OUTER, OWN)


class TestPort53Closed:
    """No name server can be reached from the cluster, and one resolver by TLS only."""

    SERVER, RESOLVER = "10.53.5.1", "10.53.0.54"

    @pytest.fixture
    def away(self, env: Environment, tmp_path: Path) -> Iterator[Away]:
        delegation = f"example.com. NS ns.example.com.\nns.example.com. A {self.SERVER}"
        with Away(env, tmp_path, [self.SERVER, self.RESOLVER], delegation) as made:
            zone = zone_text("ns", f"@ NS ns\nns A {self.SERVER}\nwww A 192.0.2.80", minimum=900)
            statement = (
                f'{KEY}zone "example.com" {{ type primary; file "zone"; allow-update {{ key "certwright"; }}; }};\n'
            )
            updates = f"listen-on port 8053 {{ {self.SERVER}; }};"
            made.serve("ns", self.SERVER, config=statement, options=updates, zone=zone)
            authority = Authority(tmp_path / "tls", "the resolver's CA")
            pair = authority.server("resolver", addresses=[self.RESOLVER])
            tls = f'tls own {{ cert-file "{pair.certificate}"; key-file "{pair.key}"; }};\n'
            made.resolve("resolver", self.RESOLVER, tls, options=f"listen-on port 853 tls own {{ {self.RESOLVER}; }};")
            made.ca_file = authority.file  # type: ignore[attr-defined]
            yield made

    def test_a_resolver_by_tls_is_enough(self, away: Away, namespace: str) -> None:
        """First without it, so that status says what is wrong."""
        env = away.env
        resolvers = f"{{ {self.RESOLVER}, {WORLD} }}"
        closed = "".join(f"ip saddr != {resolvers} ip daddr != {WORLD} {way} dport 53 drop; " for way in ("udp", "tcp"))
        solver = settled(example("Where port 53 is closed"), at_192_0_2_10_53=f"{self.SERVER}:8053",
                         at_dns_example_net=self.RESOLVER)  # fmt: skip
        with away.network.rules(f"table ip t {{ chain c {{ type filter hook input priority 0; {closed} }}; }}"):
            away.operate(namespace, self.RESOLVER, SSL_CERT_FILE=str(away.ca_file))  # type: ignore[attr-defined]
            prepare(away, namespace, {**solver, "propagation": {"interval": "1s"}})
            apply(env, certificate(namespace, "web", "www.example.com"))
            wait_condition(env, namespace, "web", "Issuing", says="0 of 1 addresses", timeout=60)
            verdict = wait_order(env, namespace, "web")["identifiers"][0]["verdict"]
            assert evidence(env, namespace) == [("ns.example.com.", self.SERVER, "no answer")]
            assert verdict["missing"][0]["transport"] == "UDP, then TCP"
            assert verdict["action"].endswith("on port 53 by UDP and TCP, or set propagation.mode to Recursive")

            prepare(away, namespace, solver)
            wait_ready(env, namespace, "web", 90)


def _ask(server: str, name: str) -> dns.message.Message:
    return dns.query.udp(dns.message.make_query(name, "A"), server, timeout=5)

"""Random trees of zones, delegations and CNAMEs: discovery finds what the tree was made of."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from certwright.dns.cname import follow
from unit.dns.fake_dns import RESOLVER, FakeDns

LABELS = st.lists(st.sampled_from(["a", "b", "c"]), max_size=4)
SERVERS = ["127.7.0.1", "127.7.0.2", "127.7.0.3"]


def name_of(labels: list[str], domain: str) -> str:
    return ".".join([*labels, domain])


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    cuts=st.lists(st.tuples(LABELS, st.sampled_from(SERVERS)), max_size=5),
    host=LABELS,
    target=st.none() | LABELS,
)
def test_the_deepest_zone_is_found_wherever_cnames_lead(
    cuts: list[tuple[list[str], str]], host: list[str], target: list[str] | None
) -> None:
    apexes = {"example.com": SERVERS[0], "example.net": SERVERS[1]}
    apexes |= {name_of(labels, domain): server for labels, server in cuts for domain in ("example.com", "example.net")}
    challenge = "_acme-challenge." + name_of(host, "example.com")
    expected = challenge if target is None else name_of(["proof", *target], "example.net")

    def deepest(name: str, *, without: str = "") -> str:
        return max((apex for apex in apexes if f".{name}".endswith(f".{apex}") and apex != without), key=len)

    with FakeDns() as world:
        for apex, server in apexes.items():
            lines = [
                f"{child}. 60 IN NS ns1.{child}."
                for child in apexes
                if child != apex and f".{child}".endswith(f".{apex}") and deepest(child, without=child) == apex
            ]
            if target is not None and deepest(challenge) == apex:
                lines.append(f"{challenge}. 60 IN CNAME {expected}.")
            world.zone(apex, "\n".join(lines), server)
        chain = follow(world.finder(), challenge)
        assert (chain.target, chain.zone.name) == (f"{expected}.", f"{deepest(expected)}.")
        assert all(name not in {f"{challenge}.", f"{expected}."} for name, _ in world.asked_of(RESOLVER))

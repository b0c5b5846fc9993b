import dns.name
import dns.rcode
import pytest

from certwright.dns.caa import CaaRecord, CaaVerdict, Grant, Ruling, Wish, judge
from certwright.dns.caa_lookup import ruling
from certwright.dns.transport import hold
from unit.dns.fake_dns import RESOLVER, FakeDns

LE, AT = "letsencrypt.org", "example.com."
ACCOUNT = "https://ca.example/acct/7"
WISH = Wish((LE,), method="dns-01", account_uri=ACCOUNT)
WILD = Wish((LE,), wildcard=True, method="dns-01", account_uri=ACCOUNT)
NOBODY_KNOWN = Wish()
NO_ACCOUNT = Wish((LE,), method="dns-01")


def record(text: str) -> CaaRecord:
    flags, tag, value = text.split(" ", 2)
    return CaaRecord(int(flags), tag, value.encode())


@pytest.mark.parametrize(
    ("value", "grant"),
    [
        (b"", Grant("")),
        (b";", Grant("")),
        (b"  ca.example ", Grant("ca.example")),
        (b"CA.Example;", Grant("ca.example")),
        (b"ca.example; a=1; B=x=y", Grant("ca.example", {"a": "1", "b": "x=y"})),
        (b"; a=1", Grant("", {"a": "1"})),
        (b"ca--x.example; a=", Grant("ca--x.example", {"a": ""})),
        (b"ca.example; a", Grant("", readable=False)),
        (b"ca.example; a=1 b=2", Grant("", readable=False)),
        (b"ca.example; a=1; a=2", Grant("", readable=False)),
        (b"ca.example; a=1;", Grant("", readable=False)),
        (b"ca example", Grant("", readable=False)),
        (b"-ca.example", Grant("", readable=False)),
        (b"\xff", Grant("", readable=False)),
    ],
)
def test_values(value: bytes, grant: Grant) -> None:
    assert Grant.of(value) == grant


@pytest.mark.parametrize(
    ("records", "wish", "expected", "says"),
    [
        ([], WISH, Ruling.ALLOWS, "no CAA record"),
        ([f"0 issue {LE}"], WISH, Ruling.ALLOWS, f'{AT} CAA 0 issue "{LE}" lets {LE} issue'),
        (["0 issue LetsEncrypt.ORG"], WISH, Ruling.ALLOWS, "lets"),
        (["0 issue a.example", f"0 issue {LE}"], WISH, Ruling.ALLOWS, LE),
        (["0 iodef mailto:a@example.com"], WISH, Ruling.ALLOWS, "do not say who may issue"),
        (["0 issuewild ;"], WISH, Ruling.ALLOWS, "do not say who may issue"),
        (["0 later x"], WISH, Ruling.ALLOWS, "do not say who may issue"),
        (["0 issue a.example"], WISH, Ruling.REFUSES, f"lets a.example issue, not {LE}"),
        (["0 issue ;"], WISH, Ruling.REFUSES, "lets nobody issue"),
        (["0 issue a b"], WISH, Ruling.REFUSES, "cannot be read"),
        (["128 later x", f"0 issue {LE}"], WISH, Ruling.REFUSES, "critical"),
        (["1 later x"], WISH, Ruling.REFUSES, "critical"),
        (["128 iodef x", f"128 issue {LE}"], WISH, Ruling.ALLOWS, "lets"),
        # wildcards: issuewild alone counts where there is one, else issue
        ([f"0 issue {LE}"], WILD, Ruling.ALLOWS, "lets"),
        (["0 issue a.example", f"0 issuewild {LE}"], WILD, Ruling.ALLOWS, "issuewild"),
        ([f"0 issue {LE}", "0 issuewild ;"], WILD, Ruling.REFUSES, 'issuewild ";" lets nobody issue'),
        ([f"0 issue {LE}", "0 issuewild ;"], WISH, Ruling.ALLOWS, "lets"),
        # RFC 8657
        ([f"0 issue {LE}; validationmethods=http-01,dns-01"], WISH, Ruling.ALLOWS, "lets"),
        ([f"0 issue {LE}; validationmethods=http-01"], WISH, Ruling.REFUSES, "by http-01 only, not by dns-01"),
        ([f"0 issue {LE}; validationmethods="], WISH, Ruling.REFUSES, "by no method only"),
        ([f"0 issue {LE}; validationmethods=http-01"], Wish((LE,)), Ruling.ALLOWS, "lets"),
        ([f"0 issue {LE}; accounturi={ACCOUNT}"], WISH, Ruling.ALLOWS, "lets"),
        ([f"0 issue {LE}; accounturi={ACCOUNT}8"], WISH, Ruling.REFUSES, f"not {ACCOUNT}"),
        ([f"0 issue {LE}; accounturi={ACCOUNT}"], NO_ACCOUNT, Ruling.UNKNOWN, "which account will ask"),
        ([f"0 issue {LE}; accounturi=a; accounturi=b"], WISH, Ruling.REFUSES, "cannot be read"),
        ([f"0 issue {LE}; later=1"], WISH, Ruling.ALLOWS, "lets"),
        # nobody said which CA it will be
        ([], NOBODY_KNOWN, Ruling.ALLOWS, "any CA"),
        ([f"0 issue {LE}", "0 issue a.example"], NOBODY_KNOWN, Ruling.UNKNOWN, f"let a.example or {LE} issue"),
        (["0 issue ;"], NOBODY_KNOWN, Ruling.REFUSES, "lets no CA issue"),
    ],
)
def test_judgement(records: list[str], wish: Wish, expected: Ruling, says: str) -> None:
    verdict = judge([record(text) for text in records], AT, wish)
    assert verdict.ruling == expected, verdict
    assert says in verdict.text
    assert bool(verdict.action) == (expected is not Ruling.ALLOWS)


@pytest.mark.parametrize(
    ("text", "wish", "addition"),
    [
        ("0 issue a.example", WISH, f'{AT} CAA 0 issue "{LE}"'),
        ("0 issuewild a.example", WILD, f'{AT} CAA 0 issuewild "{LE}"'),
        (
            "0 issue a.example; accounturi=x; validationmethods=y",
            WISH,
            f'{AT} CAA 0 issue "{LE}; validationmethods=dns-01; accounturi={ACCOUNT}"',
        ),
    ],
)
def test_what_to_add_grants_the_wish(text: str, wish: Wish, addition: str) -> None:
    verdict = judge([record(text)], AT, wish)
    assert f"add the record {addition}" in verdict.action
    added = record(addition.removeprefix(f"{AT} CAA ").replace('"', ""))
    assert judge([record(text), added], AT, wish).ruling is Ruling.ALLOWS


def test_many_records_make_a_short_text() -> None:
    text = judge([record(f"0 issue ca{number}.example") for number in range(50)], AT, WISH).text
    assert text.endswith("and 47 more")
    assert len(text) < 500


def ruled(world: FakeDns, name: str, wish: Wish = WISH) -> CaaVerdict:
    return hold(ruling(world.finder(), dns.name.from_text(name), wish))


class TestClimb:
    """RFC 8659 section 3."""

    def test_the_nearest_name_with_records_counts(self, world: FakeDns) -> None:
        world.zone("example.com", f'@ CAA 0 issue "a.example"\nin CAA 0 issue "{LE}"', "127.7.0.1")
        assert ruled(world, "www.in.example.com").ruling is Ruling.ALLOWS
        assert ruled(world, "www.example.com").ruling is Ruling.REFUSES
        assert "at example.com.:" in ruled(world, "www.example.com").text

    def test_up_to_the_top_level_domain(self, world: FakeDns) -> None:
        world.zone("com", '@ CAA 0 issue ";"', "127.7.0.9")
        assert ruled(world, "www.example.com").text == 'at com.: CAA 0 issue ";" lets nobody issue'

    def test_a_cname_leads_to_its_targets_records(self, world: FakeDns) -> None:
        world.zone("example.com", "www CNAME host.example.net.\n@ CAA 0 issue a.example", "127.7.0.1")
        world.zone("example.net", f'host CAA 0 issue "{LE}"', "127.7.0.3")
        verdict = ruled(world, "www.example.com")
        assert (verdict.ruling, verdict.text[:17]) == (Ruling.ALLOWS, "host.example.net.")

    def test_but_never_above_its_target(self, world: FakeDns) -> None:
        world.zone("example.com", "www CNAME host.example.net.", "127.7.0.1")
        world.zone("example.net", '@ CAA 0 issue ";"\nhost A 192.0.2.1', "127.7.0.3")
        assert ruled(world, "www.example.com").ruling is Ruling.ALLOWS

    def test_servfail_is_advice_only(self, world: FakeDns) -> None:
        world.broken["www.example.com."] = dns.rcode.SERVFAIL
        verdict = ruled(world, "www.example.com")
        assert verdict.ruling is Ruling.UNKNOWN
        assert "SERVFAIL" in verdict.text
        assert verdict.action

    def test_servfail_above_the_records_is_none(self, world: FakeDns) -> None:
        world.zone("example.com", f"www CAA 0 issue {LE}", "127.7.0.1")
        world.broken["example.com."] = dns.rcode.SERVFAIL
        assert ruled(world, "www.example.com").ruling is Ruling.ALLOWS

    def test_no_resolver_is_asked_for_names_that_do_not_exist(self, world: FakeDns) -> None:
        world.zone("example.com", f"c A 192.0.2.1\n@ CAA 0 issue {LE}", "127.7.0.1")
        assert ruled(world, "a.b.c.example.com").ruling is Ruling.ALLOWS
        asked = [name for name, kind in world.asked_of(RESOLVER) if kind == "CAA"]
        assert asked == ["c.example.com.", "example.com.", "com."]

    def test_unless_the_zones_servers_cannot_be_reached(self, world: FakeDns) -> None:
        world.zone("example.com", "a.b CAA 0 issue other.example", "127.7.0.1")
        world.faults["127.7.0.1"] = "silent"
        assert ruled(world, "a.b.example.com").ruling is Ruling.REFUSES

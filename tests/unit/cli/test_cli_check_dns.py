"""`certwright check dns` with a made-up DNS, a made-up API server and made-up providers."""

import base64
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from fake_api import Body, FakeApi, Run

from certwright.acme.directory import Directory
from certwright.cli import check_dns_issuer
from certwright.dns import interception
from certwright.errors import CertwrightError, InvalidSpec, Retryable, Terminal
from certwright.kube.faults import Forbidden
from certwright.providers import registry
from certwright.providers.base import ConfigField, ProviderInfo
from unit.dns.fake_dns import RESOLVER, FakeDns

LE = "letsencrypt.org"
BOTH = "ns1.example.com., ns2.example.com."
CNAME = "_acme-challenge.www.example.com. 300 IN CNAME x.example.net."
NO_ZONE = (
    "the account of cloud has no zone that holds _acme-challenge.www.example.com.; to do: create the zone example.com. "
    "there, take credentials that may see it, or lead _acme-challenge.www.example.com. by a CNAME into a zone that the "
    "account has"
)
ACCOUNT = "https://ca.example/acct/7"
CLOSED = "127.0.0.1:9"
"""Where nobody listens."""
TSIG = {
    "nameserver": CLOSED,
    "tsigKeyName": "k",
    "tsigAlgorithm": "HMACSHA256",
    "tsigSecretSecretRef": {"name": "tsig", "key": "key"},
}


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeDns]:
    with FakeDns() as fake:
        fake.zone("example.com", f'@ CAA 0 issue "{LE}"', "127.7.0.1", "127.7.0.2")
        fake.zone("com", "example NS ns1.example.com.\nexample NS ns2.example.com.", "127.7.0.9")
        monkeypatch.setenv("CERTWRIGHT_DNS_RESOLVERS", f"{RESOLVER}:{fake.port}")
        monkeypatch.setenv("CERTWRIGHT_DNS_AUTHORITATIVE_PORT", str(fake.port))
        monkeypatch.setattr(interception, "NOBODY", "127.7.0.200")
        yield fake


@pytest.fixture(autouse=True)
def _directory(monkeypatch: pytest.MonkeyPatch) -> None:
    directory = Directory("u", "n", "a", "o", caa_identities=(LE,))
    monkeypatch.setattr(check_dns_issuer, "fetch_directory", lambda *_, **__: directory)


@pytest.fixture
def dns(run: Run, world: FakeDns, monkeypatch: pytest.MonkeyPatch) -> Run:
    """`check dns` by the resolver of the fake world."""
    assert world
    monkeypatch.setenv("CERTWRIGHT_DNS_RESOLVERS", f"{RESOLVER}:{world.port}")
    return lambda *arguments: run("check", "dns", *arguments)


def found(dns: Run, *arguments: str, code: int = 0) -> Any:
    done = dns(*arguments, "-o", "json")
    assert done.exit_code == code, done.stdout + done.stderr
    return json.loads(done.stdout)


def codes(data: Any, severity: str = "problem") -> dict[str, str]:
    return {
        item["code"]: f"{item['text']}; to do: {item['action']}"
        for item in data["names"][0]["findings"]
        if item["severity"] == severity
    }


def issuer(api: FakeApi, *solvers: Body, uri: str = ACCOUNT, **acme: object) -> None:
    acme = {"privateKeySecretRef": {"name": "account"}, "solvers": list(solvers), **acme}
    meta = {"namespace": "shop", "name": "le"}
    api.add("issuers", {"metadata": meta, "spec": {"acme": acme}, "status": {"acme": {"uri": uri}}})


class TestText:
    def test_the_tree(self, dns: Run, world: FakeDns) -> None:
        done = dns("www.example.com", "--caa-identity", LE)
        assert done.exit_code == 0, done.stdout
        assert done.stdout.splitlines() == [
            "www.example.com: fine",
            "├── record: TXT _acme-challenge.www.example.com.",
            "├── delegation: com. -> example.com.",
            "├── name servers of example.com.",
            "│   ├── ns1.example.com. 127.7.0.1: UDP answers, TCP answers, serial 1, NXDOMAIN",
            "│   └── ns2.example.com. 127.7.0.2: UDP answers, TCP answers, serial 1, NXDOMAIN",
            "├── fine: nothing on the way answers in the name servers' place",
            "├── fine: com. delegates example.com. to ns1.example.com., ns2.example.com., as the zone says",
            "├── fine: all 2 addresses of the name servers of example.com. answer and agree",
            f'└── fine: example.com. CAA 0 issue "{LE}" lets {LE} issue',
            "1 name: no problems",
        ]
        assert world.port

    def test_problems_come_first_with_what_to_do(self, dns: Run) -> None:
        done = dns("www.example.com", "--caa-identity", "other.example", "--expect-cname", "x.example.net")
        assert done.exit_code == 4
        lines = done.stdout.splitlines()
        start = next(index for index, line in enumerate(lines) if "problem:" in line)
        assert lines[start : start + 4] == [
            "├── problem: _acme-challenge.www.example.com. has no CNAME, and x.example.net. is wanted",
            f"│   └── to do: create the record in the zone example.com. (name servers {BOTH}): {CNAME}",
            f'├── problem: at example.com.: CAA 0 issue "{LE}" lets {LE} issue, not other.example',
            '│   └── to do: add the record example.com. CAA 0 issue "other.example", beside those that are there',
        ]
        assert lines[-1] == "1 name: 2 problems"

    def test_advice_is_no_problem(self, dns: Run) -> None:
        done = dns("www.example.com")
        assert done.exit_code == 0
        assert "advice: the CAA records at example.com. let letsencrypt.org issue, and nobody else" in done.stdout
        assert "2 names: no problems" in dns("www.example.com", "example.com", "www.example.com").stdout

    def test_an_issuer(self, api: FakeApi, dns: Run) -> None:
        issuer(api, {"dns01": {"rfc2136": {"nameserver": CLOSED}}})
        lines = dns("www.example.com", "--issuer", "le").stdout.splitlines()
        assert lines[:3] == [
            "issuer Issuer/le at letsencrypt",
            f"├── the CA's names in CAA records: {LE}",
            f"└── account: {ACCOUNT}",
        ]
        assert f"advice: rfc2136 cannot be asked for the zone: the DNS server {CLOSED} cannot be" in "\n".join(lines)


def test_documents(dns: Run) -> None:
    data = found(dns, "*.example.com", "--caa-identity", LE)
    assert (data["problemCount"], data["issuer"]) == (0, None)
    (name,) = data["names"]
    assert {"name", "record", "chain", "path", "zone", "servers", "kept", "findings", "problemCount"} == set(name)
    assert name["servers"][0]["serial"] == 1
    assert yaml.safe_load(dns("example.com", "-o", "yaml").stdout)["names"][0]["zone"] == "example.com."


class TestUsage:
    @pytest.mark.parametrize("issuer", ["Vault/x", "Issuer/"])
    def test_a_kind_that_is_none(self, dns: Run, issuer: str) -> None:
        assert dns("www.example.com", "--issuer", issuer).exit_code == 2

    def test_no_name(self, dns: Run) -> None:
        assert dns().exit_code == 2

    def test_what_is_no_name_is_a_fault(self, dns: Run) -> None:
        done = dns("not a name")
        assert (done.exit_code, done.stdout) == (1, "")
        assert "is not a DNS name" in done.stderr

    def test_what_is_no_resolver_is_a_fault(self, dns: Run) -> None:
        done = dns("www.example.com", "--resolver", "a/b")
        assert done.stderr.startswith("certwright: --resolver: 'a/b' is not a server")

    def test_an_issuer_that_is_not_there(self, api: FakeApi, dns: Run) -> None:
        assert api
        done = dns("www.example.com", "--issuer", "ClusterIssuer/le")
        assert (done.exit_code, done.stderr) == (1, "certwright: there is no ClusterIssuer le\n")
        assert "there is no Issuer le in namespace blog" in dns("a.com", "--issuer", "le", "-n", "blog").stderr

    def test_an_issuer_that_needs_no_dns(self, api: FakeApi, dns: Run) -> None:
        api.add("issuers", {"metadata": {"namespace": "shop", "name": "le"}, "spec": {"selfSigned": {}}})
        assert "is a selfSigned issuer, which needs no DNS" in dns("a.com", "--issuer", "le").stderr

    def test_a_file_of_that_name(self, run: Run) -> None:
        assert "cannot read ./dns" in run("check", "./dns", "--offline").stderr


class TestIssuer:
    def test_its_account_and_method_count_for_caa(self, api: FakeApi, dns: Run, world: FakeDns) -> None:
        issuer(api, {"dns01": {"rfc2136": {"nameserver": CLOSED}}})
        record = f"letsencrypt.org; accounturi={ACCOUNT}; validationmethods=dns-01"
        world.zone("example.com", f'@ CAA 0 issue "{record}"', "127.7.0.1", "127.7.0.2")
        assert not codes(found(dns, "www.example.com", "--issuer", "le"))
        problems = codes(found(dns, "www.example.com", "--issuer", "le", "--account-uri", "https://x", code=4))
        assert f"lets the account {ACCOUNT} only issue, not https://x" in problems["CAARefuses"]

    def test_its_resolvers(self, api: FakeApi, dns: Run, world: FakeDns, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("CERTWRIGHT_DNS_RESOLVERS")
        own = f"{RESOLVER}:{world.port}"
        issuer(api, {"dns01": {"rfc2136": {"nameserver": CLOSED}, "nameservers": [own]}})
        assert found(dns, "www.example.com", "--issuer", "le")["names"][0]["zone"] == "example.com."
        issuer(api, {"dns01": {"rfc2136": {"nameserver": CLOSED}}}, nameservers=[own])
        assert found(dns, "www.example.com", "--issuer", "le")["names"][0]["zone"] == "example.com."

    @pytest.mark.parametrize(
        ("fault", "severity", "code"),
        [(Retryable("no answer from the CA"), "advice", 0), (InvalidSpec("no ACME directory"), "problem", 4)],
    )
    def test_a_ca_that_does_not_answer(
        self,
        *,
        api: FakeApi,
        dns: Run,
        monkeypatch: pytest.MonkeyPatch,
        fault: CertwrightError,
        severity: str,
        code: int,
    ) -> None:
        def refuse(*_: object, **__: object) -> None:
            raise fault

        monkeypatch.setattr(check_dns_issuer, "fetch_directory", refuse)
        issuer(api, {"dns01": {"rfc2136": {"nameserver": CLOSED}}})
        (finding,) = found(dns, "www.example.com", "--issuer", "le", code=code)["issuer"]["findings"]
        assert (finding["text"], finding["severity"]) == (fault.message, severity)

    def test_no_solver_fits(self, api: FakeApi, dns: Run) -> None:
        issuer(api)
        assert "none is configured" in codes(found(dns, "www.example.com", "--issuer", "le", code=4))["NoSolver"]

    def test_another_challenge(self, api: FakeApi, dns: Run) -> None:
        issuer(api, {"http01": {"ingress": {}}})
        data = found(dns, "www.example.com", "--issuer", "le")
        assert "is proven by http-01, and not by its DNS" in codes(data, "advice")["OtherChallenge"]


class TestCredentials:
    def test_a_secret_that_is_missing(self, api: FakeApi, dns: Run) -> None:
        issuer(api, {"dns01": {"rfc2136": TSIG}})
        problems = codes(found(dns, "www.example.com", "--issuer", "le", code=4))
        assert "there is no Secret tsig in namespace shop; create it" in problems["BadCredentials"]

    def test_a_secret_with_nonsense(self, api: FakeApi, dns: Run) -> None:
        issuer(api, {"dns01": {"rfc2136": TSIG}})
        data = {"key": base64.b64encode(b"%%%").decode()}
        api.add("secrets", {"metadata": {"namespace": "shop", "name": "tsig"}, "type": "Opaque", "data": data})
        problems = codes(found(dns, "www.example.com", "--issuer", "le", code=4))
        assert "the solver's provider rfc2136 cannot be used:" in problems["BadCredentials"]
        assert "base64" in problems["BadCredentials"]
        assert not api.writes

    def test_a_secret_that_one_may_not_read(self, api: FakeApi, dns: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        issuer(api, {"dns01": {"rfc2136": TSIG}})
        whole = api.request

        def guarded(method: str, path: str, **options: Any) -> Body:
            if "/secrets/" in path:
                raise Forbidden("secrets is forbidden")
            return whole(method, path, **options)

        monkeypatch.setattr(api, "request", guarded)
        data = found(dns, "www.example.com", "--issuer", "le")
        assert "secrets is forbidden" in codes(data, "advice")["CredentialsUnseen"]

    @pytest.mark.parametrize(
        "solver",
        [
            {"route53": {}},
            {
                "route53": {
                    "role": "arn:aws:iam::123456789012:role/dns",
                    "auth": {"kubernetes": {"serviceAccountRef": {"name": "solver"}}},
                }
            },
            {"cloudDNS": {"project": "p"}},
            {"azureDNS": {"subscriptionID": "s", "resourceGroupName": "g"}},
        ],
    )
    def test_what_only_the_operator_can_log_in_by(self, api: FakeApi, dns: Run, solver: Body) -> None:
        issuer(api, {"dns01": solver})
        data = found(dns, "www.example.com", "--issuer", "le")
        text = codes(data, "advice")["CredentialsUnseen"]
        assert f"the credentials of {next(iter(solver))} cannot be looked at: they are the operator's own" in text
        assert not api.writes

    def test_an_unknown_provider(self, api: FakeApi, dns: Run) -> None:
        issuer(api, {"dns01": {"nodns": {}}})
        problems = codes(found(dns, "www.example.com", "--issuer", "le", code=4))
        assert "no DNS provider 'nodns' is installed" in problems["BadCredentials"]


def test_a_cname_into_the_zone_of_another_solver(api: FakeApi, dns: Run, world: FakeDns) -> None:
    """That one's credentials count, and not those of the solver that fits the name."""
    both = "ns1.challenges.example.net."
    world.zone("net", f"challenges.example NS {both}\nexample NS ns1.example.net.", "127.7.0.10")
    world.zone("example.net", f"challenges NS {both}", "127.7.0.8")
    world.zone("challenges.example.net", "", "127.7.0.7")
    text = f'_acme-challenge.www CNAME www.challenges.example.net.\n@ CAA 0 issue "{LE}"'
    world.zone("example.com", text, "127.7.0.1", "127.7.0.2")
    general, other = {"dns01": {"rfc2136": {"nameserver": "127.0.0.1:9"}}}, {"dns01": {"rfc2136": TSIG}}
    issuer(api, general, {"selector": {"dnsZones": ["challenges.example.net"]}, **other})
    data = found(dns, "www.example.com", "--issuer", "le", code=4)
    assert "there is no Secret tsig in namespace shop; create it" in codes(data)["BadCredentials"]
    data = found(dns, "a.example.com", "--issuer", "le")
    assert "127.0.0.1:9" in codes(data, "advice")["ProviderUnavailable"]


class Account:
    """A provider that lists zones; `says` is a zone, None, or the fault it raises."""

    def __init__(self, says: str | CertwrightError | None) -> None:
        self._says = says

    def find_zone(self, name: str) -> str | None:
        assert name == "_acme-challenge.www.example.com."
        if isinstance(self._says, CertwrightError):
            raise self._says
        return self._says

    def add_txt(self, zone: str, name: str, value: str) -> None:
        raise AssertionError(zone, name, value)

    remove_txt = add_txt


class TestAccount:
    @pytest.mark.parametrize(
        ("says", "severity", "code", "words"),
        [
            ("example.com.", "ok", "Provider", "the account of cloud has the zone example.com."),
            (None, "problem", "ZoneNotInAccount", NO_ZONE),
            ("com.", "problem", "WrongZone", "into its zone com., and the DNS has it in example.com."),
            (
                Terminal("the token is wrong (403)"),
                "problem",
                "BadCredentials",
                "cloud refuses the credentials, or what they are to do: the token is wrong (403); to do: mend the cred",
            ),
            (
                Terminal("it has not got example.com.", reason="NotPrimary"),
                "problem",
                "ZoneNotInAccount",
                "it has not got example.com.; to do: name the server that has the zone",
            ),
            (Retryable("503"), "advice", "ProviderUnavailable", "cloud cannot be asked for the zone: 503"),
        ],
    )
    def test_the_zone(
        self,
        *,
        api: FakeApi,
        dns: Run,
        monkeypatch: pytest.MonkeyPatch,
        says: str | CertwrightError | None,
        severity: str,
        code: str,
        words: str,
    ) -> None:
        info = ProviderInfo("cloud", "made up", (ConfigField("x", "nothing"),), lambda _fields, _secrets: Account(says))
        monkeypatch.setattr(registry, "load", lambda _name: info)
        issuer(api, {"dns01": {"cloud": {"x": "y"}}})
        data = found(dns, "www.example.com", "--issuer", "le", code=4 if severity == "problem" else 0)
        assert words in codes(data, severity)[code]

    def test_credentials_that_may_not_list_zones(self, api: FakeApi, dns: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        account = Account(None)
        account.may_list = False  # type: ignore[attr-defined]
        info = ProviderInfo("cloud", "made up", (ConfigField("x", "nothing"),), lambda _fields, _secrets: account)
        monkeypatch.setattr(registry, "load", lambda _name: info)
        issuer(api, {"dns01": {"cloud": {"x": "y"}}})
        words = "the provider cloud can be built; it cannot say which zones it may change"
        assert words in codes(found(dns, "www.example.com", "--issuer", "le"), "ok")["Provider"]

    @pytest.mark.parametrize(
        ("says", "severity", "code", "words"),
        [
            (None, "ok", "Provider", "takes the credentials for the zone example.com.: tried by a change of nothing"),
            (
                Terminal("the key is wrong"),
                "problem",
                "BadCredentials",
                "the key is wrong; to do: mend the credentials",
            ),
            (Retryable("no answer"), "advice", "ProviderUnavailable", "no answer"),
        ],
    )
    def test_a_rehearsal(
        self,
        *,
        api: FakeApi,
        dns: Run,
        monkeypatch: pytest.MonkeyPatch,
        says: CertwrightError | None,
        severity: str,
        code: str,
        words: str,
    ) -> None:
        """Of a provider that has no list of zones, but can try."""

        class Trying(Account):
            def rehearse(self, zone: str) -> None:
                assert zone == "example.com."
                if says:
                    raise says

        info = ProviderInfo("x", "made up", (ConfigField("x", "nothing"),), lambda _fields, _secrets: Trying(None))
        monkeypatch.setattr(registry, "load", lambda _name: info)
        issuer(api, {"dns01": {"rfc2136": {"x": "y"}}})
        data = found(dns, "www.example.com", "--issuer", "le", code=4 if severity == "problem" else 0)
        assert words in codes(data, severity)[code]

    def test_a_zone_that_is_set(self, api: FakeApi, dns: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        info = ProviderInfo(
            "cloud", "made up", (ConfigField("x", "nothing"),), lambda _fields, _secrets: Account("com.")
        )
        monkeypatch.setattr(registry, "load", lambda _name: info)
        issuer(api, {"dns01": {"cloud": {"x": "y"}, "zone": "com"}})
        assert not codes(found(dns, "www.example.com", "--issuer", "le"))


def test_the_page_explains_every_finding() -> None:
    sources = Path(check_dns_issuer.__file__).parents[1]
    texts = [path.read_text() for folder in ("dns", "cli") for path in (sources / folder).glob("*.py")]
    codes = {code for text in texts for code in re.findall(r'\b(?:problem|advice)\(\s*f?"(\w+)"', text)}
    page = (sources.parents[1] / "docs" / "check-dns.md").read_text(encoding="utf-8")
    explained = set(re.findall(r"`(\w+)`", "".join(line.split("|")[1] for line in page.splitlines() if "| `" in line)))
    assert codes | {"NoUDP", "NoTCP", "BadCNAME"} == explained

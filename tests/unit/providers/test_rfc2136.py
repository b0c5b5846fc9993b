import base64
import logging
from collections.abc import Iterator

import dns.rcode
import pytest

from certwright.errors import CertwrightError, InvalidSpec, Retryable, Terminal
from certwright.providers import rfc2136
from certwright.providers.base import add_many
from certwright.providers.conformance import Check, Subject, checks
from certwright.providers.guard import Guard, networks
from certwright.resources.reading import Fields
from unit.providers.update_server import KEY, UpdateServer

SECRET = base64.b64encode(KEY.secret)
PATH = "spec.acme.solvers[0].dns01.rfc2136"
ZONE, NAME = "example.com.", "_acme-challenge.example.com."
REFERENCE = {"name": "tsig", "key": "secret"}


@pytest.fixture
def server() -> Iterator[UpdateServer]:
    with UpdateServer() as running:
        yield running


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rfc2136, "UDP_SECONDS", 0.5)
    monkeypatch.setattr(rfc2136, "TCP_SECONDS", 0.5)


def provider(port: int, secret: bytes = SECRET, **changes: object) -> rfc2136.Rfc2136:
    body: dict[str, object] = {
        "nameserver": f"127.0.0.1:{port}",
        "tsigKeyName": "certwright",
        "tsigAlgorithm": "HMACSHA256",
        "tsigSecretSecretRef": REFERENCE,
    }
    config = Fields({name: value for name, value in (body | changes).items() if value is not None}, PATH)
    return rfc2136.build(config, lambda _name, _key: secret)


@pytest.mark.parametrize("check", checks(), ids=lambda check: check.name)
@pytest.mark.parametrize("protocol", ["UDP", "TCP"])
def test_conformance(server: UpdateServer, check: Check, protocol: str) -> None:
    check.run(
        Subject(
            make=lambda: provider(server.port, protocol=protocol),
            read_txt=lambda name: list(server.txt[name]),
            zone=ZONE,
        )
    )


def test_small_updates_go_by_udp_and_large_ones_by_tcp(server: UpdateServer) -> None:
    items = [(f"_acme-challenge.w{number}.example.com.", "v" * 43) for number in range(250)]
    provider(server.port).add_txt(ZONE, NAME, "v")
    add_many(provider(server.port), ZONE, items)
    assert server.transports == ["UDP", "TCP", "TCP"]
    assert server.messages == [1, 200, 50]


def test_tcp_where_udp_is_not_answered(server: UpdateServer) -> None:
    server.quiet = {"UDP"}
    provider(server.port).add_txt(ZONE, NAME, "v")
    assert server.transports == ["UDP", "TCP"]
    assert server.txt[NAME] == {"v"}


@pytest.mark.parametrize("value", ['with "quotes" and \\ and ;', "long " * 100, "ü"])
def test_any_value(server: UpdateServer, value: str) -> None:
    provider(server.port).add_txt(ZONE, NAME, value)
    assert server.txt[NAME] == {value}
    provider(server.port).remove_txt(ZONE, NAME, value)
    assert server.txt[NAME] == set()


def test_without_a_key(server: UpdateServer) -> None:
    provider(server.port, tsigKeyName=None, tsigSecretSecretRef=None).add_txt(ZONE, NAME, "v")
    assert server.txt[NAME] == {"v"}


def test_by_name_of_the_server(server: UpdateServer) -> None:
    provider(server.port, nameserver=f"localhost:{server.port}").add_txt(ZONE, NAME, "v")
    assert server.txt[NAME] == {"v"}


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"secret": base64.b64encode(b"another")}, "BADSIGNATURE"),
        ({"tsigKeyName": "other"}, "BADKEY"),
    ],
)
def test_a_wrong_key_is_named(server: UpdateServer, changes: dict[str, object], word: str) -> None:
    with pytest.raises(Terminal) as caught:
        provider(server.port, **changes).add_txt(ZONE, NAME, "v")  # type: ignore[arg-type]
    assert caught.value.reason == "TSIGRefused"
    for part in (word, f"{PATH}.tsigKeyName", "the entry secret of Secret tsig", f"127.0.0.1:{server.port}"):
        assert part in caught.value.message


def test_clocks_that_differ(server: UpdateServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "_answer", lambda wire, _transport: server._tsig_error(wire, dns.rcode.BADTIME))
    with pytest.raises(Retryable, match="set the clocks"):
        provider(server.port).add_txt(ZONE, NAME, "v")


@pytest.mark.parametrize(
    ("code", "kind", "reason", "advice"),
    [
        (dns.rcode.REFUSED, Terminal, "UpdateRefused", r"allow key certwright to update TXT records"),
        (dns.rcode.NOTZONE, Terminal, "NotPrimary", r"point spec\.acme.*nameserver to the primary"),
        (dns.rcode.NOTAUTH, Terminal, "NotPrimary", r"does not take updates of example\.com\. \(NOTAUTH\)"),
        (dns.rcode.NOTIMP, Terminal, "NotPrimary", r"NOTIMP"),
        (dns.rcode.SERVFAIL, Retryable, "DNSUnavailable", r"failed to update example\.com\. \(SERVFAIL\)"),
    ],
)
def test_response_codes(
    server: UpdateServer, code: dns.rcode.Rcode, kind: type[CertwrightError], reason: str, advice: str
) -> None:
    server.rcode = code
    with pytest.raises(kind, match=advice) as caught:
        provider(server.port).remove_txt(ZONE, NAME, "v")
    assert caught.value.reason == reason


def test_an_unsigned_yes_is_not_believed(server: UpdateServer) -> None:
    server.unsigned = True
    with pytest.raises(Terminal, match="its answer is not signed with this key"):
        provider(server.port).add_txt(ZONE, NAME, "v")


def test_nobody_answers(server: UpdateServer) -> None:
    server.quiet = {"UDP", "TCP"}
    with pytest.raises(Retryable, match=r"127\.0\.0\.1 by UDP: no answer; 127\.0\.0\.1 by TCP: "):
        provider(server.port).add_txt(ZONE, NAME, "v")


def test_a_server_whose_name_does_not_resolve() -> None:
    with pytest.raises(Retryable, match=r"nameserver: nowhere\.invalid does not resolve"):
        provider(53, nameserver="nowhere.invalid").add_txt(ZONE, NAME, "v")


@pytest.mark.parametrize("text", ["HMACMD5", "hmac-sha1", "HmacSha224", "HMACSHA384", "hmac-sha512"])
def test_algorithms(text: str) -> None:
    assert provider(53, tsigAlgorithm=text)


def test_the_default_is_cert_managers() -> None:
    key = provider(53, tsigAlgorithm=None)._settings.key
    assert key is not None
    assert key.algorithm == rfc2136.ALGORITHMS["HMACMD5"]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"nameserver": None}, r"rfc2136\.nameserver"),
        ({"nameserver": "a b"}, r"rfc2136\.nameserver"),
        ({"nameserver": "1.2.3.4:0"}, r"rfc2136\.nameserver"),
        ({"nameserver": "http://x/"}, r"rfc2136\.nameserver"),
        ({"protocol": "DoT"}, r"rfc2136\.protocol"),
        ({"tsigAlgorithm": "GSS"}, r"rfc2136\.tsigAlgorithm"),
        ({"tsigKeyName": None}, "tsigKeyName and tsigSecretSecretRef.name need each other"),
        ({"tsigSecretSecretRef": None}, "need each other"),
        ({"tsigSecretSecretRef": {"name": "tsig"}}, r"tsigSecretSecretRef\.key"),
        ({"tsigKeyName": "a..b"}, r"rfc2136\.tsigKeyName"),
    ],
)
def test_a_bad_config_names_the_field(changes: dict[str, object], field: str) -> None:
    with pytest.raises(InvalidSpec, match=field):
        provider(53, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize("content", [b"", b"not base64!", b"\xff\xfe", b"abc"])
def test_a_malformed_secret_is_named_and_not_shown(content: bytes) -> None:
    with pytest.raises(InvalidSpec, match="the entry secret of Secret tsig is not base64") as caught:
        provider(53, secret=content)
    assert not content or content.decode("latin-1") not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_white_space_around_the_secret_is_no_fault() -> None:
    key = provider(53, secret=b" " + SECRET + b"\n")._settings.key
    assert key is not None
    assert key.secret == KEY.secret


def test_no_secret_in_texts(server: UpdateServer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    server.key = None
    made = provider(server.port)
    texts = [repr(made), repr(made._settings), str(made._settings.key)]
    server.rcode = dns.rcode.REFUSED
    with pytest.raises(CertwrightError) as caught:
        made.add_txt(ZONE, NAME, "v")
    texts += [repr(caught.value), caplog.text]
    assert not [text for text in texts if SECRET.decode() in text or KEY.secret.decode() in text]


@pytest.mark.parametrize(
    ("nameserver", "what"),
    [
        ("127.0.0.1:{port}", "127.0.0.1 is a loopback address"),
        ("localhost:{port}", "is a loopback address"),
        ("[::1]:{port}", "::1 is a loopback address"),
        ("169.254.169.254", "169.254.169.254 is a link-local address, where clouds keep their metadata"),
        ("[fd00:ec2::254]:53", "fd00:ec2::254 is the metadata service of AWS"),
    ],
)
@pytest.mark.parametrize("protocol", ["UDP", "TCP"])
def test_addresses_that_a_tenant_must_not_reach(
    server: UpdateServer, nameserver: str, what: str, protocol: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rfc2136, "standing", Guard)
    refused = provider(server.port, nameserver=nameserver.format(port=server.port), protocol=protocol)
    with pytest.raises(
        InvalidSpec, match=rf"rfc2136\.nameserver: the host .* is not connected to \(.*{what}"
    ) as caught:
        refused.add_txt(ZONE, NAME, "v")
    assert caught.value.reason == "AddressRefused"
    assert server.transports == []


def test_networks_that_the_operator_allows(server: UpdateServer, monkeypatch: pytest.MonkeyPatch) -> None:
    narrow = Guard(allow_loopback=True, allowed=networks(["192.0.2.0/24"], field="x"))
    monkeypatch.setattr(rfc2136, "standing", lambda: narrow)
    with pytest.raises(InvalidSpec, match=r"127\.0\.0\.1 is outside the networks that the operator allows"):
        provider(server.port).add_txt(ZONE, NAME, "v")
    assert server.transports == []

"""The ACME client against Pebble: whole orders, refused nonces, a CA that forgot everything, the requests it takes."""

from __future__ import annotations

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from certwright.acme.client import AcmeClient
from certwright.acme.jws import AccountKey, ExternalAccountBinding
from certwright.acme.problem_types import AccountDoesNotExist, Gone, OrderNotReady
from certwright.acme.transport import RequestDone, Transport
from certwright.errors import ChallengeFailed, InvalidSpec, Retryable, Terminal
from cluster.pebble import Pebble, PebbleOptions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from certwright.acme.certificate import CertificateChain
    from certwright.acme.order import Order

    Start = Callable[[PebbleOptions], "tuple[Pebble, Certifier]"]

pytestmark = pytest.mark.cluster

_MAC_KEY = "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W"


class Certifier:
    """A client with a transport that reports each request, and the issuing loop a caller would have."""

    def __init__(self, pebble: Pebble, *, key: AccountKey | None = None) -> None:
        self.done: list[RequestDone] = []
        self.transport = Transport(
            ca_bundle_pem=pebble.ca_file.read_bytes(), user_agent="certwright-test", on_request=self.done.append
        )
        self.key = key or account_key()
        self.client = AcmeClient(directory_url=pebble.directory_url, key=self.key, transport=self.transport)

    def register(self, *, terms_agreed: bool = True) -> None:
        self.client.register(contact=["mailto:someone@example.com"], terms_agreed=terms_agreed)

    def prove(self, order: Order) -> Order:
        for authorization in self.client.authorizations(order.authorizations):
            if authorization.status == "pending":
                challenge = next(one for one in authorization.challenges if one.type == "dns-01")
                assert self.client.accept(challenge).status in {"pending", "processing", "valid"}
        return self.poll(order, while_="pending")

    def poll(self, order: Order, *, while_: str) -> Order:
        """Ask until the status changes; often enough for a test, and counting only the last as needed."""
        for _ in range(200):
            found = self.client.order(order.url)
            if found.status != while_:
                return found
            del self.done[-1]
            time.sleep(0.02)
        raise AssertionError(f"the order stays {while_}")

    def issue(self, *names: str) -> CertificateChain:
        order = self.prove(self.client.new_order(names, profile="default"))
        assert order.status == "ready"
        order = self.client.finalize(order, csr(*names))
        if order.status == "processing":
            order = self.poll(order, while_="processing")
        assert order.certificate is not None
        return self.client.certificate(order.certificate)


def account_key(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | None = None) -> AccountKey:
    pem = (key or ec.generate_private_key(ec.SECP256R1())).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    return AccountKey.from_pem(pem)


def csr(*names: str) -> bytes:
    return (
        x509.CertificateSigningRequestBuilder()
        .subject_name(x509.Name([]))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False)
        .sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
        .public_bytes(serialization.Encoding.DER)
    )


@pytest.fixture
def certifier(tmp_path: Path) -> Iterator[Start]:
    """Start a Pebble with options, and a client for it."""
    with ExitStack() as stack:

        def start(options: PebbleOptions) -> tuple[Pebble, Certifier]:
            pebble = stack.enter_context(Pebble(tmp_path / "pebble", options))
            made = Certifier(pebble)
            stack.callback(made.transport.close)
            return pebble, made

        yield start


def test_an_account_is_made_found_and_changed(certifier: Start) -> None:
    _, one = certifier(PebbleOptions())
    with pytest.raises(AccountDoesNotExist):
        one.client.register(only_existing=True)
    with pytest.raises(AccountDoesNotExist, match="register"):
        one.client.new_order(["a.example.com"])
    made = one.client.register(contact=["mailto:someone@example.com"], terms_agreed=True)
    assert (made.created, made.status, made.contact) == (True, "valid", ("mailto:someone@example.com",))
    found = one.client.register(only_existing=True)
    assert (found.created, found.url) == (False, made.url)
    assert one.client.account_url == made.url
    assert one.client.update_contact(["mailto:other@example.com"]).contact == ("mailto:other@example.com",)
    assert one.client.account().contact == ("mailto:other@example.com",)


def test_terms_and_contacts_are_refused_with_advice(certifier: Start) -> None:
    _, one = certifier(PebbleOptions())
    with pytest.raises(Terminal):
        one.register(terms_agreed=False)
    with pytest.raises(InvalidSpec, match=r"spec\.acme\.email"):
        one.client.register(contact=["telnet:example.com"], terms_agreed=True)


def test_an_account_is_bound_to_an_external_one(certifier: Start) -> None:
    _, one = certifier(PebbleOptions(external_accounts={"kid-1": _MAC_KEY}))
    with pytest.raises(InvalidSpec, match="externalAccountBinding") as caught:
        one.client.register(terms_agreed=True)
    assert caught.value.reason == "ExternalAccountRequired"
    wrong = ExternalAccountBinding.from_text("kid-1", _MAC_KEY.swapcase())
    with pytest.raises(Terminal) as refused:
        one.client.register(terms_agreed=True, eab=wrong)
    assert _MAC_KEY not in str(refused.value)
    bound = one.client.register(terms_agreed=True, eab=ExternalAccountBinding.from_text("kid-1", _MAC_KEY))
    assert bound.created
    assert one.client.directory().external_account_required


@pytest.mark.parametrize(
    "key",
    [
        ec.generate_private_key(ec.SECP384R1()),
        ec.generate_private_key(ec.SECP521R1()),
        rsa.generate_private_key(public_exponent=65537, key_size=2048),
    ],
    ids=["P-384", "P-521", "RSA"],
)
def test_every_kind_of_account_key(certifier: Start, key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> None:
    pebble, one = certifier(PebbleOptions())
    other = AcmeClient(directory_url=pebble.directory_url, key=account_key(key), transport=one.transport)
    assert other.register(terms_agreed=True).created


def test_a_certificate_needs_seven_requests_and_no_nonce_of_its_own(certifier: Start) -> None:
    pebble, one = certifier(PebbleOptions(always_valid=True))
    one.register()
    del one.done[:]
    mark = pebble.mark()
    chain = one.issue("a.example.com")
    assert Counter(request.kind for request in one.done) == {
        "newOrder": 1,
        "authorization": 1,
        "challenge": 1,
        "order": 2,
        "finalize": 1,
        "certificate": 1,
    }
    assert ("HEAD", "/nonce-plz") not in pebble.requests(mark)
    leaf, *rest = x509.load_pem_x509_certificates(chain.pem)
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["a.example.com"]
    assert len(rest) == 1


def test_the_first_registration_needs_a_directory_and_one_nonce(certifier: Start) -> None:
    pebble, one = certifier(PebbleOptions())
    mark = pebble.mark()
    one.register()
    assert [request.kind for request in one.done] == ["directory", "newNonce", "newAccount"]
    assert pebble.requests(mark) == [("GET", "/dir"), ("HEAD", "/nonce-plz"), ("POST", "/sign-me-up")]


@pytest.mark.parametrize("reject", [50, 90])
def test_refused_nonces_change_nothing_but_the_count(certifier: Start, reject: int) -> None:
    _, one = certifier(PebbleOptions(always_valid=True, nonce_reject=reject))
    one.register()
    names = [f"{letter}.example.com" for letter in "abcdef"]
    with ThreadPoolExecutor(3) as threads:
        chains = list(threads.map(one.issue, names))
    leaves = [x509.load_pem_x509_certificates(chain.pem)[0] for chain in chains]
    assert len({leaf.serial_number for leaf in leaves}) == len(names)
    assert any(request.status == 400 for request in one.done)


def test_alternate_chains_are_named_and_can_be_read(certifier: Start) -> None:
    _, one = certifier(PebbleOptions(always_valid=True, alternate_roots=2, chain_length=2))
    one.register()
    chain = one.issue("a.example.com")
    assert len(x509.load_pem_x509_certificates(chain.pem)) == 3
    assert len(chain.alternates) == 2
    others = [x509.load_pem_x509_certificates(one.client.certificate(url).pem) for url in chain.alternates]
    assert len({other[-1].issuer for other in others}) == 2


def test_a_wildcard_and_its_apex(certifier: Start) -> None:
    _, one = certifier(PebbleOptions(always_valid=True))
    one.register()
    order = one.client.new_order(["*.example.com", "example.com", "EXAMPLE.com"], profile="default")
    with ThreadPoolExecutor(2) as threads:
        authorizations = one.client.authorizations(order.authorizations, executor=threads)
    assert {item.name for item in authorizations} == {"*.example.com", "example.com"}
    assert [item.url for item in authorizations] == list(order.authorizations)
    assert one.prove(order).status == "ready"


def test_an_emptied_ca_does_not_know_the_account(certifier: Start) -> None:
    pebble, one = certifier(PebbleOptions(always_valid=True))
    one.register()
    order = one.client.new_order(["a.example.com"], profile="default")
    pebble.restart()
    with pytest.raises(AccountDoesNotExist):
        one.client.order(order.url)
    one.register()
    with pytest.raises(Gone):
        one.client.order(order.url)
    assert one.issue("a.example.com").pem.startswith(b"-----BEGIN CERTIFICATE-----\n")


def test_a_ca_that_is_down_is_tried_again(certifier: Start) -> None:
    pebble, one = certifier(PebbleOptions())
    one.register()
    pebble.kill9()
    with pytest.raises(Retryable) as caught:
        one.client.new_order(["a.example.com"])
    assert caught.value.reason in {"ConnectionRefused", "ConnectionLost"}


def test_refusals_have_their_class(certifier: Start) -> None:
    _, one = certifier(PebbleOptions(always_valid=True, blocked=("blocked.example",)))
    one.register()
    with pytest.raises(ChallengeFailed) as rejected:
        one.client.new_order(["blocked.example"])
    assert rejected.value.reason == "RejectedIdentifier"
    with pytest.raises(InvalidSpec) as profile:
        one.client.new_order(["a.example.com"], profile="nonesuch")
    assert profile.value.reason == "InvalidProfile"
    order = one.client.new_order(["a.example.com"], profile="default")
    with pytest.raises(OrderNotReady):
        one.client.finalize(order, csr("a.example.com"))
    order = one.prove(order)
    with pytest.raises((Terminal, ChallengeFailed)) as refused:
        one.client.finalize(order, csr("b.example.com"))
    assert refused.value.reason in {"BadCSR", "Unauthorized"}


def test_a_challenge_that_fails_says_why(certifier: Start) -> None:
    _, one = certifier(PebbleOptions(dns_server="127.0.0.1:1"))
    one.register()
    order = one.client.new_order(["a.example.com"], profile="default")
    assert one.prove(order).status == "invalid"
    (authorization,) = one.client.authorizations(order.authorizations)
    assert authorization.status == "invalid"
    assert authorization.error is not None
    assert authorization.error.code in {"dns", "unauthorized", "connection"}


def test_an_authorization_can_be_given_up(certifier: Start) -> None:
    _, one = certifier(PebbleOptions())
    one.register()
    order = one.client.new_order(["a.example.com"], profile="default")
    assert one.client.deactivate_authorization(order.authorizations[0]).status == "deactivated"


def test_retry_after_comes_with_the_objects(certifier: Start) -> None:
    _, one = certifier(PebbleOptions(always_valid=True, retry_after_order=60))
    one.register()
    for number in range(6):  # Pebble throws dice for seconds or a date
        name = f"{number}.example.com"
        order = one.prove(one.client.new_order([name], profile="default"))
        wait = one.client.finalize(order, csr(name)).retry_after
        assert wait is not None
        assert 40 < wait <= 60

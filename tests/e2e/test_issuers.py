"""Issuers of every type and their accounts, as people set them up and change them."""

import secrets as random
from collections.abc import Iterator

import pytest
from bad_input_support import authority_pair, key_pem, secret, watched
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from waits import get, until, wait_condition, wait_issuer, wait_ready
from waits import secret as read_secret

from cluster.environment import Environment
from cluster.manifests import Manifest, acme_issuer, apply, certificate, condition, issuer, rfc2136, tsig_secret
from cluster.operator import Operator

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(90)]


@pytest.fixture(scope="module")
def tag() -> str:
    """Part of the names of what has no namespace."""
    return f"issuers-{random.token_hex(3)}"


@pytest.fixture(scope="module")
def steward(env: Environment, tag: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operator]:
    """An operator whose ClusterIssuers have their Secrets in a namespace of its own."""
    for name in (tag, f"{tag}-secrets"):
        env.kubectl("create", "namespace", name)
    options = (f"--cluster-resource-namespace={tag}-secrets",)
    running = Operator(env, tmp_path_factory.mktemp("steward"), options=options)
    running.start()
    yield running
    running.stop()
    env.kubectl("delete", "clusterissuer", f"{tag}-acme", f"{tag}-ca", "--ignore-not-found", check=False)
    env.kubectl("delete", "namespace", tag, f"{tag}-secrets", "--wait=false", check=False)


@pytest.fixture(scope="module")
def space(env: Environment, steward: Operator, tag: str) -> str:
    """A namespace with the TSIG key, where nothing of a ClusterIssuer is."""
    assert steward.child.running
    apply(env, tsig_secret(env, tag))
    return tag


def test_a_cluster_issuer_has_its_secrets_in_one_namespace(env: Environment, space: str, tag: str) -> None:
    """The account's, the provider's and a CA's; a Secret of that name beside the Certificate is not used."""
    crt, key = authority_pair()
    authority = {**issuer("", f"{tag}-ca", ca={"secretName": "root"}), "kind": "ClusterIssuer"}
    authority["metadata"].pop("namespace")
    apply(
        env,
        tsig_secret(env, f"{tag}-secrets", "cluster-tsig"),
        watched(secret(f"{tag}-secrets", "root", tls_crt=crt, tls_key=key)),
        secret(space, "root", tls_crt=b"not", tls_key=b"this"),
        acme_issuer(env, "", f"{tag}-acme", kind="ClusterIssuer", solvers=[rfc2136(env, secret="cluster-tsig")]),
        authority,
        *(
            certificate(
                space, word, f"{word}.example.test", issuerRef={"name": f"{tag}-{word}", "kind": "ClusterIssuer"}
            )
            for word in ("acme", "ca")
        ),
    )
    for word in ("acme", "ca"):
        wait_ready(env, space, word)
    assert read_secret(env, f"{tag}-secrets", f"{tag}-acme-account")
    assert read_secret(env, space, f"{tag}-acme-account") is None


def test_an_account_follows_its_issuer(env: Environment, space: str) -> None:
    """One request for another address, none for an issuer that is only applied again."""
    apply(env, acme_issuer(env, space, "contact"))
    first = wait_issuer(env, space, "contact")["status"]["acme"]
    assert first["lastRegisteredEmail"] == "ops@example.test"
    mark = env.pebble.mark()
    apply(env, acme_issuer(env, space, "contact", email="Other@Example.test"))
    second = until(lambda: _account(env, space, "contact", "other@example.test"), 20, "the address is known to the CA")
    wait_issuer(env, space, "contact")
    assert second["uri"] == first["uri"]
    assert second["lastPrivateKeyHash"] == first["lastPrivateKeyHash"]
    posts = [place for verb, place in env.pebble.requests(mark) if verb == "POST"]
    assert len(posts) == 1, posts
    mark = env.pebble.mark()
    apply(env, acme_issuer(env, space, "contact", email="Other@Example.test"))
    apply(env, certificate(space, "after-contact", "contact.example.test", issuer="contact"))
    wait_ready(env, space, "after-contact")
    assert not [place for _, place in env.pebble.requests(mark) if "sign-me-up" in place or "my-account" in place]


def _account(env: Environment, space: str, name: str, email: str) -> Manifest:
    body = get(env, "issuers", space, name) or {}
    account = (body.get("status") or {}).get("acme") or {}
    return account if account.get("lastRegisteredEmail") == email else {}


@pytest.mark.parametrize(
    ("wanted", "kind", "size"),
    [
        ({}, ec.EllipticCurvePrivateKey, 256),
        ({"algorithm": "RSA"}, rsa.RSAPrivateKey, 2048),
        ({"algorithm": "RSA", "size": 3072}, rsa.RSAPrivateKey, 3072),
        ({"algorithm": "ECDSA", "size": 384}, ec.EllipticCurvePrivateKey, 384),
    ],
    ids=["default", "rsa", "rsa-3072", "ecdsa-384"],
)
def test_an_account_key_of_any_kind(env: Environment, space: str, wanted: Manifest, kind: type, size: int) -> None:
    name = f"key-{wanted.get('algorithm', 'none').lower()}-{wanted.get('size', 0)}"
    apply(
        env,
        acme_issuer(env, space, name, **({"privateKey": wanted} if wanted else {})),
        certificate(space, name, f"{name}.example.test", issuer=name),
    )
    wait_ready(env, space, name)
    data = read_secret(env, space, f"{name}-account")
    assert data
    key = load_pem_private_key(data["tls.key"], None)
    assert isinstance(key, kind)
    assert key.key_size == size  # type: ignore[attr-defined]


def test_an_account_of_before_is_used(env: Environment, space: str) -> None:
    """A key that a person brings is registered already: the CA gives the account back, and no second one is made."""
    apply(env, acme_issuer(env, space, "before"))
    uri = wait_issuer(env, space, "before")["status"]["acme"]["uri"]
    moved = acme_issuer(
        env, space, "moved", privateKeySecretRef={"name": "before-account"}, disableAccountKeyGeneration=True
    )
    apply(env, moved, certificate(space, "moved", "moved.example.test", issuer="moved"))
    wait_ready(env, space, "moved")
    assert wait_issuer(env, space, "moved")["status"]["acme"]["uri"] == uri


def test_another_account_key_is_another_account(env: Environment, space: str) -> None:
    apply(env, acme_issuer(env, space, "changed"))
    first = wait_issuer(env, space, "changed")["status"]["acme"]
    apply(env, watched(secret(space, "changed-account", tls_key=key_pem(ec.generate_private_key(ec.SECP256R1())))))

    def other() -> Manifest:
        account = (get(env, "issuers", space, "changed") or {})["status"]["acme"]
        return account if account["uri"] != first["uri"] else {}

    assert until(other, 20, "another account")["lastPrivateKeyHash"] != first["lastPrivateKeyHash"]
    apply(env, certificate(space, "changed", "changed.example.test", issuer="changed"))
    wait_ready(env, space, "changed")


def test_a_ca_that_an_issuer_has_made(env: Environment, space: str) -> None:
    """All applied at once, in the wrong order: nothing but waiting is needed, and no mistake is told of."""
    apply(
        env,
        certificate(space, "leaf", "leaf.example.test", issuer="made"),
        issuer(space, "made", ca={"secretName": "made-root-tls"}),
        certificate(space, "made-root", issuer="bootstrap", isCA=True, commonName="A root"),
        issuer(space, "bootstrap", selfSigned={}),
    )
    wait_ready(env, space, "leaf")
    leaf, root = read_secret(env, space, "leaf-tls"), read_secret(env, space, "made-root-tls")
    assert leaf
    assert root
    assert leaf["ca.crt"] == root["tls.crt"]


def test_an_issuer_that_goes_bad_does_not_take_ready_from_its_certificates(env: Environment, space: str) -> None:
    crt, key = authority_pair()
    apply(
        env,
        watched(secret(space, "fading", tls_crt=crt, tls_key=key)),
        issuer(space, "fading", ca={"secretName": "fading"}),
        certificate(space, "fading", "fading.example.test", issuer="fading"),
    )
    wait_ready(env, space, "fading")
    env.kubectl("delete", "secret", "fading", "-n", space)
    said = wait_condition(env, space, "fading", "Ready", "False", resource="issuers", reason="SecretNotFound")
    assert "there is no Secret fading" in said["message"]
    body = get(env, "certificates", space, "fading")
    assert condition(body, "Ready")["status"] == "True"


def test_nothing_secret_is_logged(env: Environment, steward: Operator) -> None:
    log = steward.log()
    assert "Traceback" not in log
    assert env.bind.tsig_secret not in log
    assert "PRIVATE KEY" not in log

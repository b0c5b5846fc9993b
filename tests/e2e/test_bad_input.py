"""Mistakes of people, made against the real cluster, CA and DNS: what is said of each, and that it heals by itself.

All are made at once in one namespace, beside two certificates that are good and must not notice; then all are mended at
once. So the module takes as long as the slowest case and not as long as all of them.
"""

import base64
import contextlib
import json
import secrets as random
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
from bad_input_support import OTHER_TSIG, Case, Table, World, authority_pair, key_pem, leaks, watched, web_site
from cryptography.hazmat.primitives.asymmetric import rsa
from waits import client, fetch_certificate, get, secret, status, until, wait_condition, wait_ready

from certwright.core import backoff
from certwright.kube.paths import CORE, path
from certwright.resources.values import parse_time
from cluster.environment import Environment
from cluster.manifests import GROUP, Manifest, acme_issuer, apply, certificate, condition, issuer, tsig_secret
from cluster.operator import Operator
from cluster.pebble import Pebble, PebbleOptions
from cluster.ports import free_port

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(150)]

BLOCKED = "blocked.example.test"
MAC = "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W"
UNWATCHED = 90.0
"""Seconds until the change of a Secret that the operator does not watch is met: it looks again after 5, 10, 20, ... s,
and the whole table has to be said before the first is mended."""

TABLE = Table()


@TABLE.row
def unknown_issuer(world: World, name: str) -> Case:
    return Case(
        [world.certificate(name)],
        "IssuerNotFound",
        [f"Issuer {name} does not exist", "create it"],
        mend=[world.issuer(name, selfSigned={})],
    )


@TABLE.row
def unknown_cluster_issuer(world: World, name: str) -> Case:
    called = f"{world.namespace}-later"
    made = {**world.issuer(called, selfSigned={}), "kind": "ClusterIssuer", "metadata": {"name": called}}
    return Case(
        [world.certificate(name, issuerRef={"name": called, "kind": "ClusterIssuer"})],
        "IssuerNotFound",
        [f"ClusterIssuer {called} does not exist", "mend spec.issuerRef"],
        mend=[made],
    )


@TABLE.row
def tsig_secret_missing(world: World, name: str) -> Case:
    return Case(
        [world.acme(name, solvers=world.solver(name)), world.certificate(name)],
        "SecretNotFound",
        [f"no Secret {name} in namespace {world.namespace}", "create it"],
        mend=[world.secret(name, key=world.env.bind.tsig_secret)],
        heals_in=UNWATCHED,
    )


@TABLE.row
def tsig_secret_missing_and_then_watched(world: World, name: str) -> Case:
    return Case(
        [world.acme(name, solvers=world.solver(name)), world.certificate(name)],
        "SecretNotFound",
        [f"no Secret {name} in namespace {world.namespace}", "create it"],
        mend=[watched(world.secret(name, key=world.env.bind.tsig_secret))],
    )


@TABLE.row
def tsig_secret_not_base64(world: World, name: str) -> Case:
    return Case(
        [
            world.secret(name, key="~~ no base64 ~~"),
            world.acme(name, solvers=world.solver(name)),
            world.certificate(name),
        ],
        "InvalidSpec",
        ["tsigSecretSecretRef", "is not base64 text", f"Secret {name}"],
        mend=[world.secret(name, key=world.env.bind.tsig_secret)],
        heals_in=UNWATCHED,
    )


@TABLE.row
def tsig_secret_without_the_key(world: World, name: str) -> Case:
    return Case(
        [
            world.secret(name, other=world.env.bind.tsig_secret),
            world.acme(name, solvers=world.solver(name)),
            world.certificate(name),
        ],
        "SecretNotFound",
        ["no value under 'key'", "the keys it has: other"],
        mend=[world.secret(name, key=world.env.bind.tsig_secret)],
        heals_in=UNWATCHED,
    )


@TABLE.row
def tsig_key_wrong(world: World, name: str) -> Case:
    return Case(
        [world.secret(name, key=OTHER_TSIG), world.acme(name, solvers=world.solver(name)), world.certificate(name)],
        "TSIGRefused",
        ["does not accept the TSIG key", f"entry key of Secret {name}", "compare"],
        mend=[world.secret(name, key=world.env.bind.tsig_secret)],
        heals_in=UNWATCHED,
    )


@TABLE.row
def tsig_key_wrong_and_watched(world: World, name: str) -> Case:
    return Case(
        [
            watched(world.secret(name, key=OTHER_TSIG)),
            world.acme(name, solvers=world.solver(name)),
            world.certificate(name),
        ],
        "TSIGRefused",
        ["does not accept the TSIG key", f"entry key of Secret {name}"],
        mend=[watched(world.secret(name, key=world.env.bind.tsig_secret))],
    )


@TABLE.row
def zone_refuses_updates(world: World, name: str) -> Case:
    return Case(
        [world.acme(name), world.certificate(name, "www.frozen.test")],
        "UpdateRefused",
        ["refuses to update frozen.test", "allow-update"],
        mend=[world.certificate(name)],
    )


@TABLE.row
def name_in_no_zone(world: World, name: str) -> Case:
    return Case(
        [world.acme(name), world.certificate(name, "www.nowhere.invalid")],
        "ZoneNotFound",
        ["www.nowhere.invalid"],
        mend=[world.certificate(name)],
    )


@TABLE.row
def name_that_the_ca_blocks(world: World, name: str) -> Case:
    bound = _bound(world, name)
    return Case(
        [*bound, world.certificate(name, BLOCKED)],
        "RejectedIdentifier",
        [BLOCKED, "take the name out, or use another issuer", "tried again at"],
        mend=[world.certificate(name)],
    )


@TABLE.row
def secret_name_of_another(world: World, name: str) -> Case:
    first = world.certificate("another", issuer="ca", secret=f"{name}-shared")
    second = world.certificate(name, issuer="ca", secret=f"{name}-shared")
    return Case(
        [first, second],
        "IncorrectCertificate",
        ["belongs to Certificate another", "another spec.secretName"],
        mend=[world.certificate(name, issuer="ca")],
        kind="Ready",
    )


@TABLE.row
def secret_immutable(world: World, name: str) -> Case:
    fixed = {**world.secret(f"{name}-tls", note="mine"), "immutable": True}
    return Case(
        [fixed, world.certificate(name, issuer="ca")],
        "InvalidSpec",
        ["the API server refused", f"{name}-tls", "immutable"],
        delete=[f"secret/{name}-tls"],
        heals_in=UNWATCHED,
    )


@TABLE.row
def label_that_kubernetes_refuses(world: World, name: str) -> Case:
    template = {"labels": {"team": "not a label value!"}}
    return Case(
        [world.certificate(name, issuer="ca", secretTemplate=template)],
        "InvalidSpec",
        ["metadata.labels", "a valid label must"],
        mend=[world.certificate(name, issuer="ca", secretTemplate={"labels": {"team": "web"}})],
    )


@TABLE.row
def kept_key_does_not_fit(world: World, name: str) -> Case:
    key = key_pem(rsa.generate_private_key(65537, 2048))
    never = {"algorithm": "ECDSA", "rotationPolicy": "Never"}
    return Case(
        [
            world.secret(f"{name}-tls", tls_key=key),
            world.certificate(name, issuer="ca", privateKey=never),
        ],
        "CannotRegenerateKey",
        ["rotationPolicy is Never", "RSA of 2048 bits", "set it to Always"],
        mend=[world.certificate(name, issuer="ca", privateKey={**never, "rotationPolicy": "Always"})],
    )


def _not_supported(field: str, value: object) -> None:
    def build(world: World, name: str) -> Case:
        return Case(
            [world.certificate(name, issuer="ca", **{field: value})],
            "NotSupported",
            [f"spec.{field}", "remove the field"],
            mend=[world.certificate(name, issuer="ca")],
            kind="Ready",
        )

    build.__name__ = f"later_{field}"
    TABLE.row(build)


_not_supported("copies", {"namespaces": ["elsewhere"]})
_not_supported("restart", [{"kind": "Deployment", "name": "web"}])
_not_supported("revokeOnDelete", value=True)
_not_supported("fallbackIssuerRefs", [{"name": "other"}])


@TABLE.row
def ca_with_no_room_below_it(world: World, name: str) -> Case:
    """A CA whose path length is 0 may sign for others, and for no CA."""
    made = []
    for length in ("0", "1"):
        command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
        command += [
            "-subj",
            "/CN=short",
            "-days",
            "9",
            "-addext",
            f"basicConstraints=critical,CA:TRUE,pathlen:{length}",
        ]
        done = subprocess.run([*command, "-keyout", "-"], capture_output=True, text=True, check=True)
        made.append(watched(world.secret(name, tls_crt=done.stdout, tls_key=done.stdout)))
    return Case(
        [made[0], world.issuer(name, ca={"secretName": name}), world.certificate(name, isCA=True, commonName=name)],
        "InvalidSpec",
        ["spec.isCA", "its path length (0) lets no further CA stand below it", "use another issuer"],
        mend=[made[1]],
        heals_in=30.0,
    )


@TABLE.row
def keystore_password_missing(world: World, name: str) -> Case:
    keystores = {"pkcs12": {"create": True, "passwordSecretRef": {"name": name}}}
    return Case(
        [world.certificate(name, issuer="ca", keystores=keystores)],
        "KeystorePasswordSecretNotFound",
        ["spec.keystores.pkcs12.passwordSecretRef", f"no Secret {name}", "create it"],
        mend=[world.secret(name, password="changeit")],
        heals_in=UNWATCHED,
    )


@TABLE.row
def keystore_password_under_another_key(world: World, name: str) -> Case:
    keystores = {"jks": {"create": True, "passwordSecretRef": {"name": name, "key": "password"}}}
    return Case(
        [world.secret(name, pass_word="changeit"), world.certificate(name, issuer="acme", keystores=keystores)],
        "KeystorePasswordSecretNotFound",
        [f"Secret {name} has no value under 'password'", "the keys it has: pass.word"],
        mend=[world.secret(name, password="changeit")],
        heals_in=UNWATCHED,
    )


@TABLE.row
def renewal_window_that_is_none(world: World, name: str) -> Case:
    wrong, right = ({"windows": [{"cron": cron, "windowDuration": "4h"}]} for cron in ("0 25 * * *", "0 2 * * *"))
    return Case(
        [world.certificate(name, issuer="ca", renewal=wrong)],
        "InvalidSpec",
        ["spec.renewal.windows[0].cron", "Bad hour", "like 0 2 * * 6"],
        mend=[world.certificate(name, issuer="ca", renewal=right)],
        kind="Ready",
    )


@TABLE.row
def time_zone_that_is_none(world: World, name: str) -> Case:
    window = {"cron": "0 2 * * *", "windowDuration": "4h"}
    return Case(
        [world.certificate(name, issuer="ca", renewal={"windows": [{**window, "timezone": "Mars/Base"}]})],
        "InvalidSpec",
        ["spec.renewal.windows[0].timezone", "Mars/Base", "Europe/Berlin"],
        mend=[world.certificate(name, issuer="ca", renewal={"windows": [{**window, "timezone": "Asia/Tokyo"}]})],
        kind="Ready",
    )


@TABLE.row
def request_that_is_none(world: World, name: str) -> Case:
    command = ["openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    command += ["-subj", "/", "-addext", f"subjectAltName=DNS:{name}.example.test", "-keyout", "/dev/null"]
    request = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    body = world.certificate(name, issuer="acme", csrSecretRef={"name": name})
    del body["spec"]["dnsNames"]
    return Case(
        [world.secret(name, tls_csr="no request"), body],
        "InvalidSpec",
        ["spec.csrSecretRef", f"Secret {name}, tls.csr", "no certificate signing request in PEM"],
        mend=[world.secret(name, tls_csr=request)],
        heals_in=UNWATCHED,
    )


@TABLE.row
def literal_subject_of_an_unknown_type(world: World, name: str) -> Case:
    return Case(
        [world.certificate(name, issuer="ca", literalSubject="CN=web,FOO=x")],
        "InvalidSpec",
        ["spec.literalSubject", "the type 'FOO' is not known", "use one of C, O, OU"],
        mend=[world.certificate(name, issuer="ca", literalSubject="CN=web,O=x")],
        kind="Ready",
    )


@TABLE.row
def solver_of_a_later_kind(world: World, name: str) -> Case:
    alpn: Manifest = {"tlsALPN01": {"service": {"type": "LoadBalancer"}}}
    return Case(
        [world.acme(name, solvers=[alpn]), world.certificate(name)],
        "NotSupported",
        ["solvers[0].tlsALPN01", "dns01"],
        mend=[world.acme(name)],
    )


@TABLE.row
def issuer_of_a_later_type(world: World, name: str) -> Case:
    vault = {"server": "https://vault.example.test", "path": "pki/sign/x", "auth": {"tokenSecretRef": {"name": "t"}}}
    return Case(
        [world.issuer(name, vault=vault), world.certificate(name)],
        "NotSupported",
        ["spec.vault", "use acme, ca or selfSigned"],
        mend=[_replaced(world.issuer(name, selfSigned={}), "vault")],
        resource="issuers",
        kind="Ready",
    )


@TABLE.row
def acme_field_of_a_later_version(world: World, name: str) -> Case:
    return Case(
        [world.acme(name, profile="shortlived"), world.certificate(name)],
        "NotSupported",
        ["spec.acme.profile", "remove the field"],
        mend=[world.acme(name)],
        resource="issuers",
        kind="Ready",
    )


def _server(word: str, url: str, reason: str, *says: str, trust: bool = True) -> None:
    def build(world: World, name: str) -> Case:
        server = url.format(web=world.web, closed=world.closed, acme=world.env.pebble.directory_url)
        bundle = _b64(world.web_ca)
        return Case(
            [world.acme(name, server=server, **({"caBundle": bundle} if trust else {})), world.certificate(name)],
            reason,
            [text.format(web=world.web, closed=world.closed) for text in says],
            mend=[world.acme(name)],
            resource="issuers",
            kind="Ready",
        )

    build.__name__ = f"server_{word}"
    TABLE.row(build)


_server("html", "{web}/html", "InvalidSpec", "the answer is text/html, no ACME directory", "set spec.acme.server")
_server("json", "{web}/json", "InvalidSpec", "JSON without newNonce", "set spec.acme.server")
_server("404", "{web}/nothing", "InvalidSpec", "the answer is 404", "set spec.acme.server")
_server("name", "https://ca.nowhere.invalid/directory", "ServerUnknown", "ca.nowhere.invalid", "resolve")
_server("closed", "https://127.0.0.1:{closed}/dir", "ConnectionRefused", "127.0.0.1:{closed}", "refused")
_server("untrusted", "{acme}", "ServerUntrusted", "certificate", "spec.acme.caBundle")


@TABLE.row
def account_key_malformed(world: World, name: str) -> Case:
    return Case(
        [world.secret(f"{name}-account", tls_key="no key at all"), world.acme(name), world.certificate(name)],
        "InvalidAccountKey",
        [f"Secret {world.namespace}/{name}-account, tls.key", "no unencrypted private key"],
        delete=[f"secret/{name}-account"],
        resource="issuers",
        kind="Ready",
        heals_in=UNWATCHED,
    )


@TABLE.row
def account_key_must_be_there(world: World, name: str) -> Case:
    return Case(
        [world.acme(name, disableAccountKeyGeneration=True), world.certificate(name)],
        "SecretNotFound",
        [f"no Secret {world.namespace}/{name}-account", "disableAccountKeyGeneration"],
        mend=[watched(world.secret(f"{name}-account", tls_key=key_pem(rsa.generate_private_key(65537, 2048))))],
        resource="issuers",
        kind="Ready",
    )


def _bound(world: World, name: str, kid: str = "kid-1", mac: str = MAC) -> list[Manifest]:
    """An issuer at the CA that wants a binding, with the Secret of the binding's key."""
    binding = {"keyID": kid, "keySecretRef": {"name": f"{name}-eab", "key": "secret"}}
    return [
        world.secret(f"{name}-eab", secret=mac),
        world.acme(name, pebble=world.bound, externalAccountBinding=binding),
    ]


@TABLE.row
def binding_missing(world: World, name: str) -> Case:
    return Case(
        [world.acme(name, pebble=world.bound), world.certificate(name)],
        "ExternalAccountRequired",
        ["externalAccountBinding"],
        mend=_bound(world, name),
        resource="issuers",
        kind="Ready",
    )


@TABLE.row
def binding_secret_missing(world: World, name: str) -> Case:
    key, bound = _bound(world, name)
    return Case(
        [bound, world.certificate(name)],
        "SecretNotFound",
        [f"no Secret {name}-eab in namespace"],
        mend=[watched(key)],
        resource="issuers",
        kind="Ready",
    )


@TABLE.row
def binding_key_wrong(world: World, name: str) -> Case:
    return Case(
        [*_bound(world, name, mac="dGhpcyBpcyBub3QgdGhlIGtleSBvZiB0aGUgQ0E"), world.certificate(name)],
        "AccountRefused",
        ["externalAccountBinding"],
        mend=_bound(world, name),
        resource="issuers",
        kind="Ready",
        heals_in=UNWATCHED,
    )


@TABLE.row
def binding_of_an_unknown_id(world: World, name: str) -> Case:
    return Case(
        [*_bound(world, name, kid="kid-2"), world.certificate(name)],
        "AccountRefused",
        ["externalAccountBinding"],
        mend=_bound(world, name),
        resource="issuers",
        kind="Ready",
    )


@TABLE.row
def binding_key_malformed(world: World, name: str) -> Case:
    return Case(
        [*_bound(world, name, mac="!not base64url!"), world.certificate(name)],
        "InvalidSpec",
        ["externalAccountBinding", "not base64url"],
        mend=_bound(world, name),
        resource="issuers",
        kind="Ready",
        heals_in=UNWATCHED,
    )


def _authority(word: str, reason: str, *says: str, **wrong: bytes) -> None:
    def build(world: World, name: str) -> Case:
        right = dict(zip(("tls_crt", "tls_key"), authority_pair(), strict=True))
        first = [watched(world.secret(name, **wrong))] if wrong else []
        return Case(
            [*first, world.issuer(name, ca={"secretName": name}), world.certificate(name)],
            reason,
            [text.format(where=f"Secret {world.namespace}/{name}") for text in says],
            mend=[watched(world.secret(name, **right))],
            resource="issuers",
            kind="Ready",
        )

    build.__name__ = f"authority_{word}"
    TABLE.row(build)


def _pair(**how: bool) -> dict[str, bytes]:
    return dict(zip(("tls_crt", "tls_key"), authority_pair(**how), strict=True))


_authority("missing", "SecretNotFound", "there is no Secret", "tls.crt and tls.key")
_authority("expired", "InvalidCA", "{where}", "has expired at", "renew it", **_pair(expired=True))
_authority("of_no_ca", "InvalidCA", "is not a CA's", "isCA: true", **_pair(is_ca=False))
_authority(
    "with_another_key", "InvalidCA", "tls.key is not the key of tls.crt", **_pair() | {"tls_key": _pair()["tls_key"]}
)
_authority("without_key", "InvalidCA", "{where}: it has no tls.key", tls_crt=_pair()["tls_crt"])
_authority("of_garbage", "InvalidCA", "{where}, tls.crt", tls_crt=b"garbage", tls_key=b"garbage")


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _replaced(body: Manifest, gone: str) -> Manifest:
    """An apply keeps what it does not name, unless it applied it before; a null takes it away in any case."""
    return {**body, "spec": {**body["spec"], gone: None}}


@pytest.fixture(scope="module")
def world(env: Environment, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The second CA, the web site, a namespace, and in it the issuers and certificates that are good."""
    folder = tmp_path_factory.mktemp("world")
    namespace = f"bad-{random.token_hex(3)}"
    bound = PebbleOptions(
        dns_server=env.bind.resolver, external_accounts={"kid-1": MAC}, blocked=(BLOCKED,), retry_after_order=0
    )
    with ExitStack() as stack:
        pebble = stack.enter_context(Pebble(folder / "pebble", bound))
        url, trust = stack.enter_context(web_site(folder / "web"))
        made = World(env, namespace, pebble, url, trust, free_port())
        apply(env, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
        yield made
        env.kubectl("delete", "clusterissuer", f"{namespace}-later", check=False)
        env.kubectl("delete", "namespace", namespace, "--wait=false", check=False)


@pytest.fixture(scope="module")
def good(world: World, operator: Operator) -> dict[str, str]:
    """Certificates that have nothing to do with any mistake: name to resourceVersion as they came to rest."""
    assert operator.child.running
    env, namespace = world.env, world.namespace
    crt, key = authority_pair()
    apply(
        env,
        tsig_secret(env, namespace),
        acme_issuer(env, namespace),
        world.secret("ca", tls_crt=crt, tls_key=key),
        issuer(namespace, "ca", ca={"secretName": "ca"}),
        certificate(namespace, "good-acme", "good.example.test"),
        certificate(namespace, "good-ca", "good.example.test", issuer="ca"),
    )
    ready = (wait_ready(env, namespace, name) for name in ("good-acme", "good-ca"))
    return {body["metadata"]["name"]: body["metadata"]["resourceVersion"] for body in ready}


@pytest.fixture(scope="module")
def cases(world: World, good: dict[str, str]) -> dict[str, Case]:
    """Every mistake, made."""
    assert good
    built = TABLE.build(world)
    apply(world.env, *(body for case in built.values() for body in case.objects))
    return built


@dataclass(frozen=True, slots=True)
class Mended:
    """The cases, and when they were mended, by the clock that the operator has, too."""

    cases: dict[str, Case]
    at: datetime


@pytest.fixture(scope="module")
def mended(world: World, cases: dict[str, Case]) -> Mended:
    """Every mistake, mended; each had been noticed before."""
    deadline = time.monotonic() + 25
    for name, case in cases.items():
        with contextlib.suppress(AssertionError):  # the test of that row fails by it, the others need not
            _told(world, name, case, max(deadline - time.monotonic(), 0))
    doomed = [target for case in cases.values() for target in case.delete]
    world.env.kubectl("delete", "-n", world.namespace, *doomed)
    apply(world.env, *(body for case in cases.values() for body in case.mend))
    return Mended(cases, datetime.now(UTC))


def _told(world: World, name: str, case: Case, timeout: float = 25) -> Manifest:
    """Wait for the condition: Ready is False by it, and Issuing is True still where an order waits for the mending."""

    def look() -> Manifest:
        found = condition(get(world.env, case.resource, world.namespace, case.name or name), case.kind)
        told = found.get("reason") == case.reason and (case.kind == "Issuing" or found["status"] == "False")
        return found if told else {}

    return until(
        look,
        timeout,
        f"{name} has {case.kind} {case.reason}",
        lambda: (get(world.env, case.resource, world.namespace, case.name or name) or {}).get("status"),
    )


@pytest.mark.parametrize("name", TABLE.rows)
def test_a_mistake_is_explained(world: World, cases: dict[str, Case], name: str) -> None:
    case = cases[name]
    said = _told(world, name, case)
    for words in case.says:
        assert words in said["message"], said["message"]
    # Whoever looks at the Certificate alone reads the same.

    def look() -> bool:
        ready = condition(fetch_certificate(world.env, world.namespace, name), "Ready")
        return ready.get("status") == "False" and case.says[0] in ready["message"]

    until(look, 10, f"{name} says {case.says[0]}", lambda: status(world.env, world.namespace, name))


@pytest.mark.parametrize("name", TABLE.rows)
def test_it_heals_by_itself(world: World, mended: Mended, name: str) -> None:
    body = wait_ready(world.env, world.namespace, name, UNWATCHED)
    healed_at = parse_time(condition(body, "Ready")["lastTransitionTime"])
    assert healed_at
    assert (healed_at - mended.at).total_seconds() < mended.cases[name].heals_in
    assert secret(world.env, world.namespace, f"{name}-tls")
    assert "failedIssuanceAttempts" not in status(world.env, world.namespace, name)


def test_a_refusal_is_kept_with_all_the_ca_said(
    world: World, operator: Operator, good: dict[str, str], request: pytest.FixtureRequest
) -> None:
    """Made anew, since the others are mended by now; nothing is ordered again before the backoff is over."""
    assert good
    assert operator.child.running
    env, namespace = world.env, world.namespace
    request.getfixturevalue("cases")
    apply(env, *_bound(world, "refused"), world.certificate("refused", BLOCKED, "fine.example.test"))
    said = wait_condition(env, namespace, "refused", "Issuing", "False", reason="RejectedIdentifier")
    mark = world.bound.mark()
    state = status(env, namespace, "refused")
    failure = state["lastFailure"]
    assert state["failedIssuanceAttempts"] == 1
    assert failure["problem"]["type"] == "urn:ietf:params:acme:error:rejectedIdentifier"
    assert BLOCKED in json.dumps(failure["problem"])
    assert failure["issuer"] == "Issuer/refused"
    failed_at = parse_time(state["lastFailureTime"])
    again = parse_time(said["message"].split("tried again at ")[1].split(",")[0])
    assert failed_at
    assert again
    assert backoff.REFUSED[0] <= again - failed_at <= backoff.REFUSED[0] * 1.2
    # A change of the object that asks for nothing else does not shorten the wait.
    env.kubectl("label", "-n", namespace, f"certificates.{GROUP}", "refused", "a=b")
    until(lambda: fetch_certificate(env, namespace, "refused")["metadata"].get("labels"), 5, "it is labelled")
    assert world.bound.request_counts(mark)["POST /order-plz"] == 0


def test_a_secret_of_another_type_is_filled(world: World, operator: Operator, good: dict[str, str]) -> None:
    """Its type cannot be changed, and what somebody else has put into it stays."""
    assert good
    assert operator.child.running
    env, namespace = world.env, world.namespace
    apply(env, world.secret("opaque-tls", note="mine"), world.certificate("opaque", issuer="ca"))
    wait_ready(env, namespace, "opaque")
    data = secret(env, namespace, "opaque-tls")
    assert data
    assert data["note"] == b"mine"
    assert set(data) == {"note", "tls.crt", "tls.key", "ca.crt"}
    body = client(env.kubeconfig).request("GET", path(CORE, "secrets", namespace, "opaque-tls"))
    assert body["type"] == "Opaque"


def test_200_names_in_one_certificate(world: World, operator: Operator, good: dict[str, str]) -> None:
    assert good
    assert operator.child.running
    names = [f"host-{number}.many.example.test" for number in range(200)]
    apply(world.env, world.certificate("many", *names, issuer="acme"))
    body = wait_ready(world.env, world.namespace, "many", 60)
    assert body["status"]["revision"] == 1
    assert not [line for line in world.env.bind.zone_dump("example.test") if ".many.example.test" in line]


def test_good_certificates_never_noticed(world: World, mended: Mended, good: dict[str, str]) -> None:
    assert mended
    now = {name: fetch_certificate(world.env, world.namespace, name)["metadata"]["resourceVersion"] for name in good}
    assert now == good


def test_nothing_secret_or_internal_is_said(world: World, mended: Mended, operator: Operator) -> None:
    assert mended
    credentials = [world.env.bind.tsig_secret, OTHER_TSIG, MAC, "~~ no base64 ~~", "!not base64url!"]
    assert not leaks(world.env, [world.namespace], operator.log(), credentials)

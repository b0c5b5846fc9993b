"""The CRDs in a real API server: what each rule refuses and what it lets through, and what kubectl shows.

Every rule has rows with a value that it accepts and one that it refuses; a refused object breaks that one rule only,
and the answer names the field. A row that is missing for a rule, or left over from one, is an error.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
import yaml
from kubernetes import client, config

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cluster.environment import Environment

CRDS = Path(__file__).resolve().parents[2] / "crds"
GROUP, VERSION = "certwright.dev", "v1"
PLURALS = {"Certificate": "certificates", "Issuer": "issuers", "ClusterIssuer": "clusterissuers"}
UNPROCESSABLE = 422

Body = dict[str, Any]


@dataclass(frozen=True)
class Row:
    """One rule: a part of its message, and specs on both sides of it."""

    kind: str
    message: str
    accepted: Body
    refused: Body

    def __str__(self) -> str:
        return self.message[:60]


def certificate(**changes: object) -> Body:
    """A Certificate's spec; None takes a field out."""
    spec = {"secretName": "web", "issuerRef": {"name": "ca"}, "dnsNames": ["web.example.com"], **changes}
    return {name: value for name, value in spec.items() if value is not None}


def acme(**changes: object) -> Body:
    spec = {"server": "letsencrypt", "privateKeySecretRef": {"name": "account"}, **changes}
    return {"acme": {name: value for name, value in spec.items() if value is not None}}


def solver(**fields: object) -> Body:
    return acme(solvers=[fields])


def dns01(**fields: object) -> Body:
    return solver(dns01=fields)


def rfc2136(**fields: object) -> Body:
    return dns01(rfc2136={"nameserver": "ns1.example.com", **fields})


def ingress(**fields: object) -> Body:
    return solver(http01={"ingress": fields})


PROVIDER = {"rfc2136": {"nameserver": "ns1.example.com"}}
REF = {"name": "secret", "key": "entry"}
NO_KEY = {"name": "secret"}
AZURE = {"subscriptionID": "s", "resourceGroupName": "g"}
AKAMAI = {
    "serviceConsumerDomain": "akamai.example.com",
    "accessTokenSecretRef": REF,
    "clientSecretSecretRef": REF,
    "clientTokenSecretRef": REF,
}
PEM = "LS0tLS1CRUdJTg=="


def azure(**fields: object) -> Body:
    return dns01(azureDNS={**AZURE, **fields})


def keystores(kind: str, **fields: object) -> Body:
    return certificate(keystores={kind: {"create": True, **fields}})


CERTIFICATE_ROWS: list[tuple[str, Body, Body]] = [
    ("a certificate needs a name", certificate(), certificate(dnsNames=None)),
    ("a certificate needs a name", certificate(dnsNames=None, commonName="web"), certificate(dnsNames=[])),
    (
        "a certificate needs a name",
        certificate(dnsNames=None, ipAddresses=["192.0.2.1"]),
        certificate(dnsNames=None, commonName="", ipAddresses=[]),
    ),
    (
        "a certificate needs a name",
        certificate(dnsNames=None, uris=["spiffe://example.com/web"]),
        certificate(dnsNames=None, uris=[], emailAddresses=[], otherNames=[]),
    ),
    (
        "literalSubject and commonName exclude",
        certificate(literalSubject="CN=web,O=Example", commonName=""),
        certificate(literalSubject="CN=web,O=Example", commonName="web"),
    ),
    (
        "literalSubject and subject exclude",
        certificate(literalSubject="CN=web", subject={"organizations": []}),
        certificate(literalSubject="CN=web", subject={"postalCodes": ["10115"]}),
    ),
    (
        "literalSubject and subject exclude",
        certificate(subject={"serialNumber": "42"}),
        certificate(literalSubject="CN=web", subject={"serialNumber": "42"}),
    ),
    (
        "renewBefore and renewBeforePercentage exclude",
        certificate(renewBefore="360h"),
        certificate(renewBefore="360h", renewBeforePercentage=20),
    ),
    (
        "renewBefore must be less than duration",
        certificate(renewBefore="2159h59m"),
        certificate(renewBefore="2160h"),
    ),
    (
        "renewBefore must be less than duration",
        certificate(duration="24h0m0s", renewBefore="8h"),
        certificate(duration="24h", renewBefore="1440m"),
    ),
    ("renewBefore must be at least 5m", certificate(renewBefore="5m"), certificate(renewBefore="299s")),
    ("duration must be at least 1h", certificate(duration="60m"), certificate(duration="59m59s")),
    (
        "signatureAlgorithm must be SHA256WithRSA",
        certificate(signatureAlgorithm="SHA512WithRSA"),
        certificate(signatureAlgorithm="ECDSAWithSHA256"),
    ),
    (
        "signatureAlgorithm must be ECDSAWithSHA256",
        certificate(privateKey={"algorithm": "ECDSA"}, signatureAlgorithm="ECDSAWithSHA384"),
        certificate(privateKey={"algorithm": "ECDSA"}, signatureAlgorithm="SHA256WithRSA"),
    ),
    (
        "signatureAlgorithm must be PureEd25519",
        certificate(privateKey={"algorithm": "Ed25519"}, signatureAlgorithm="PureEd25519"),
        certificate(privateKey={"algorithm": "Ed25519"}, signatureAlgorithm="ECDSAWithSHA256"),
    ),
    (
        "nameConstraints are for CA certificates",
        certificate(isCA=True, nameConstraints={"permitted": {"dnsDomains": ["example.com"]}}),
        certificate(nameConstraints={"permitted": {"dnsDomains": ["example.com"]}}),
    ),
    (
        "nameConstraints needs permitted or excluded",
        certificate(isCA=True, nameConstraints={"excluded": {"ipRanges": ["192.0.2.0/24"]}}),
        certificate(isCA=True, nameConstraints={"critical": True}),
    ),
    ("secretName must be", certificate(secretName="web.example-1"), certificate(secretName="Web_1")),
    ("secretName must be", certificate(secretName="1"), certificate(secretName="")),
    (
        "issuerRef.kind must be",
        certificate(issuerRef={"name": "ca", "kind": "ClusterIssuer", "group": GROUP}),
        certificate(issuerRef={"name": "ca", "kind": "Clusterissuer", "group": GROUP}),
    ),
    (
        "issuerRef.kind must be",
        certificate(issuerRef={"name": "ca", "kind": "AWSPCAIssuer", "group": "awspca.example.com"}),
        certificate(issuerRef={"name": "ca", "kind": "AWSPCAIssuer"}),
    ),
    (
        "fallbackIssuerRefs[].kind must be",
        certificate(fallbackIssuerRefs=[{"name": "b", "kind": "Issuer"}]),
        certificate(fallbackIssuerRefs=[{"name": "b", "kind": "issuer"}]),
    ),
    ("commonName must have at most 64", certificate(commonName="x" * 64), certificate(commonName="x" * 65)),
    (
        "otherNames[].oid must be",
        certificate(otherNames=[{"oid": "1.3.6.1.4.1.311.20.2.3", "utf8Value": "web"}]),
        certificate(otherNames=[{"oid": "upn", "utf8Value": "web"}]),
    ),
    (
        "otherNames[].utf8Value must not be empty",
        certificate(otherNames=[]),
        certificate(otherNames=[{"oid": "1.3.6"}]),
    ),
    (
        "renewBeforePercentage must be 1 to 99",
        certificate(renewBeforePercentage=99),
        certificate(renewBeforePercentage=100),
    ),
    (
        "renewBeforePercentage must be 1 to 99",
        certificate(renewBeforePercentage=1),
        certificate(renewBeforePercentage=0),
    ),
    (
        "renewal.windows mean nothing",
        certificate(renewal={"policy": "Disabled"}),
        certificate(renewal={"policy": "Disabled", "windows": [{"cron": "0 2 * * *", "windowDuration": "4h"}]}),
    ),
    (
        "privateKey.size must be 2048 to 8192 for RSA",
        certificate(privateKey={"size": 8192}),
        certificate(privateKey={"size": 8193}),
    ),
    (
        "privateKey.size must be 2048 to 8192 for RSA",
        certificate(privateKey={"algorithm": "RSA", "size": 2048}),
        certificate(privateKey={"algorithm": "RSA", "size": 1024}),
    ),
    (
        "privateKey.size must be 2048 to 8192 for RSA",
        certificate(privateKey={"size": 0}),
        certificate(privateKey={"size": 256}),
    ),
    (
        "privateKey.size must be 256, 384 or 521",
        certificate(privateKey={"algorithm": "ECDSA", "size": 521}),
        certificate(privateKey={"algorithm": "ECDSA", "size": 512}),
    ),
    (
        "secretTemplate.annotations must not begin with certwright.dev/",
        certificate(secretTemplate={"annotations": {"certwright.dev/allow-direct-injection": "true", "x/y": "z"}}),
        certificate(secretTemplate={"annotations": {"certwright.dev/certificate-name": "web"}}),
    ),
    (
        "additionalOutputFormats must name each type once",
        certificate(additionalOutputFormats=[{"type": "DER"}, {"type": "CombinedPEM"}]),
        certificate(additionalOutputFormats=[{"type": "DER"}, {"type": "DER"}]),
    ),
    *(
        row
        for kind in ("jks", "pkcs12")
        for row in (
            (
                f"keystores.{kind}.password and keystores.{kind}.passwordSecretRef exclude",
                keystores(kind, password="changeit", passwordSecretRef={"name": ""}),
                keystores(kind, password="changeit", passwordSecretRef=REF),
            ),
            (
                f"keystores.{kind} needs a password",
                keystores(kind, passwordSecretRef=NO_KEY),
                keystores(kind),
            ),
            (
                f"keystores.{kind}.password must not be empty",
                keystores(kind, create=False),
                keystores(kind, password=""),
            ),
        )
    ),
    (
        "revisionHistoryLimit must be 1 or more",
        certificate(revisionHistoryLimit=1),
        certificate(revisionHistoryLimit=0),
    ),
]

ISSUER_ROWS: list[tuple[str, Body, Body]] = [
    ("an issuer must have exactly one type", {"selfSigned": {}}, {}),
    ("an issuer must have exactly one type", {"ca": {"secretName": "root"}}, {"ca": {"secretName": "root"}, **acme()}),
    (
        "an issuer must have exactly one type",
        {"vault": {"server": "https://vault.example.com", "path": "pki/sign/web"}},
        {"vault": {}, "venafi": {}},
    ),
    ("an issuer must have exactly one type", {"venafi": {"zone": "z", "cloud": {}}}, {"selfSigned": {}, "venafi": {}}),
    (
        "acme.skipTLSVerify excludes",
        acme(skipTLSVerify=False, caBundle=PEM, caBundleSecretRef=NO_KEY, caBundleConfigMapRef=NO_KEY),
        acme(skipTLSVerify=True, caBundle=PEM),
    ),
    ("acme.skipTLSVerify excludes", acme(skipTLSVerify=True), acme(skipTLSVerify=True, caBundleSecretRef=NO_KEY)),
    ("acme.skipTLSVerify excludes", acme(caBundle=PEM), acme(skipTLSVerify=True, caBundleConfigMapRef=NO_KEY)),
    (
        "acme.server is an http:// URL",
        acme(server="http://localhost:14000/dir", allowInsecureHTTP=True),
        acme(server="http://localhost:14000/dir"),
    ),
    (
        "acme.renewalInformation and acme.renewalInformationSource contradict",
        acme(renewalInformation="Disabled", renewalInformationSource="None"),
        acme(renewalInformation="Enabled", renewalInformationSource="None"),
    ),
    ("acme.server must be the https:// URL", acme(server=None), acme(server="")),
    ("acme.server must be the https:// URL", acme(server="zerossl"), acme(server="lets-encrypt")),
    (
        "acme.server is Let's Encrypt's first API",
        acme(server="https://acme-staging-v02.api.letsencrypt.org/directory"),
        acme(server="https://acme-staging.api.letsencrypt.org/directory"),
    ),
    (
        "acme.server is Let's Encrypt's first API",
        acme(server="https://acme-v02.api.letsencrypt.org/directory"),
        acme(server="https://acme-v01.api.letsencrypt.org/directory"),
    ),
    (
        "acme.privateKey.size must be 256, 384 or 521 for ECDSA",
        acme(privateKey={"size": 384}),
        acme(privateKey={"size": 4096}),
    ),
    (
        "acme.privateKey.size must be 2048 to 8192 for RSA",
        acme(privateKey={"algorithm": "RSA", "size": 4096}),
        acme(privateKey={"algorithm": "RSA", "size": 1024}),
    ),
    (
        "externalAccountBinding.keySecretRef.key must name",
        acme(externalAccountBinding={"keyID": "k", "keySecretRef": REF}),
        acme(externalAccountBinding={"keyID": "k", "keySecretRef": NO_KEY}),
    ),
    ("acme.requestsPerSecond must be 1 to 1000", acme(requestsPerSecond=1), acme(requestsPerSecond=0)),
    *(
        (f"{field}[] must be host:port", accepted, refused)
        for good, bad in (
            ("192.0.2.1", "192.0.2.1:domain"),
            ("192.0.2.1:53", "tcp://192.0.2.1"),
            ("resolver.example.com:5353", "http://resolver.example.com/dns-query"),
            ("2001:db8::1", "2001:db8::1]:53"),
            ("[2001:db8::1]:53", "[2001:db8::1]:"),
            ("https://resolver.example.com/dns-query", "https://resolver.example.com/a b"),
            ("tls://resolver.example.com:853", ""),
        )
        for field, accepted, refused in (
            ("acme.nameservers", acme(nameservers=[good]), acme(nameservers=[bad])),
            ("dns01.nameservers", dns01(**PROVIDER, nameservers=[good]), dns01(**PROVIDER, nameservers=[bad])),
        )
    ),
    ("a solver must have exactly one of", dns01(**PROVIDER), acme(solvers=[{}])),
    (
        "a solver must have exactly one of",
        acme(solvers=[{"dns01": PROVIDER}, {"http01": {"ingress": {}}}, {"tlsALPN01": {"service": {}}}]),
        solver(dns01=PROVIDER, http01={"ingress": {}}),
    ),
    ("dns01 must have exactly one provider", dns01(provider={"name": "desec"}), dns01(cnameStrategy="None")),
    (
        "dns01 must have exactly one provider",
        dns01(webhook={"groupName": "acme.example.com", "solverName": "x", "config": {"any": ["thing"]}}),
        dns01(**PROVIDER, digitalocean={"tokenSecretRef": REF}),
    ),
    (
        "rfc2136.tsigKeyName needs",
        rfc2136(tsigKeyName="", tsigSecretSecretRef={"name": ""}),
        rfc2136(tsigKeyName="key", tsigSecretSecretRef={"name": ""}),
    ),
    (
        "rfc2136.tsigSecretSecretRef needs",
        rfc2136(tsigKeyName="key", tsigSecretSecretRef=REF),
        rfc2136(tsigSecretSecretRef=REF),
    ),
    *(
        ("rfc2136.nameserver must be host or host:port", rfc2136(nameserver=good), rfc2136(nameserver=bad))
        for good, bad in (
            ("ns1.example.com:5353", "ns1.example.com:"),
            ("192.0.2.1", ""),
            ("192.0.2.1:53", "192.0.2.1:dns"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("[2001:db8::1]:53", "https://ns1.example.com"),
            ("_dns.ns1.example.com", "ns1.example.com:53:53"),
        )
    ),
    *(
        ("rfc2136.tsigAlgorithm must be", rfc2136(tsigAlgorithm=good), rfc2136(tsigAlgorithm=bad))
        for good, bad in (("HMACSHA256", "HMACSHA3"), ("hmac-sha512", "SHA512"), ("HmacMD5", "HMACMD5-2"), ("", "none"))
    ),
    (
        "azureDNS.clientID, azureDNS.tenantID and",
        azure(clientID="c", tenantID="t", clientSecretSecretRef=REF),
        azure(clientID="c", tenantID="t"),
    ),
    (
        "azureDNS.managedIdentity excludes",
        azure(managedIdentity={"clientID": "c"}, clientID=""),
        azure(managedIdentity={}, clientID="c", tenantID="t", clientSecretSecretRef=REF),
    ),
    (
        "azureDNS.managedIdentity.resourceID excludes",
        azure(managedIdentity={"resourceID": "r"}),
        azure(managedIdentity={"resourceID": "r", "clientID": "c"}),
    ),
    (
        "azureDNS.managedIdentity.tenantID needs",
        azure(managedIdentity={"tenantID": "t", "clientID": "c"}),
        azure(managedIdentity={"tenantID": "t"}),
    ),
    (
        "cloudflare needs credentials of one kind",
        dns01(cloudflare={"apiTokenSecretRef": REF}),
        dns01(cloudflare={"apiTokenSecretRef": REF, "apiKeySecretRef": REF, "email": "a@example.com"}),
    ),
    ("cloudflare needs credentials of one kind", dns01(cloudflare={"apiTokenSecretRef": REF}), dns01(cloudflare={})),
    (
        "cloudflare.apiKeySecretRef needs cloudflare.email",
        dns01(cloudflare={"apiKeySecretRef": REF, "email": "a@example.com"}),
        dns01(cloudflare={"apiKeySecretRef": REF, "email": ""}),
    ),
    (
        "route53.accessKeyID and route53.accessKeyIDSecretRef exclude",
        dns01(route53={"accessKeyIDSecretRef": REF, "secretAccessKeySecretRef": {"name": ""}}),
        dns01(route53={"accessKeyID": "AKIA", "accessKeyIDSecretRef": REF, "secretAccessKeySecretRef": REF}),
    ),
    *(
        (f"{path}.key must name", dns01(**body(REF)), dns01(**body(NO_KEY)))
        for path, body in (
            (
                "rfc2136.tsigSecretSecretRef",
                lambda ref: {"rfc2136": {"nameserver": "n", "tsigKeyName": "k", "tsigSecretSecretRef": ref}},
            ),
            ("acmeDNS.accountSecretRef", lambda ref: {"acmeDNS": {"host": "https://h", "accountSecretRef": ref}}),
            ("akamai.clientTokenSecretRef", lambda ref: {"akamai": {**AKAMAI, "clientTokenSecretRef": ref}}),
            ("akamai.clientSecretSecretRef", lambda ref: {"akamai": {**AKAMAI, "clientSecretSecretRef": ref}}),
            ("akamai.accessTokenSecretRef", lambda ref: {"akamai": {**AKAMAI, "accessTokenSecretRef": ref}}),
            (
                "azureDNS.clientSecretSecretRef",
                lambda ref: {"azureDNS": {**AZURE, "clientID": "c", "tenantID": "t", "clientSecretSecretRef": ref}},
            ),
            (
                "cloudDNS.serviceAccountSecretRef",
                lambda ref: {"cloudDNS": {"project": "p", "serviceAccountSecretRef": ref}},
            ),
            ("cloudflare.apiTokenSecretRef", lambda ref: {"cloudflare": {"apiTokenSecretRef": ref}}),
            ("cloudflare.apiKeySecretRef", lambda ref: {"cloudflare": {"apiKeySecretRef": ref, "email": "e"}}),
            ("digitalocean.tokenSecretRef", lambda ref: {"digitalocean": {"tokenSecretRef": ref}}),
            ("route53.accessKeyIDSecretRef", lambda ref: {"route53": {"accessKeyIDSecretRef": ref}}),
            ("route53.secretAccessKeySecretRef", lambda ref: {"route53": {"secretAccessKeySecretRef": ref}}),
        )
    ),
    *(
        (
            "propagation.timeout, interval and quorum mean nothing",
            dns01(**PROVIDER, propagation={"mode": "None", "wait": "2m"}),
            dns01(**PROVIDER, propagation={"mode": "None", **extra}),
        )
        for extra in ({"timeout": "5m"}, {"interval": "5s"}, {"quorum": 50})
    ),
    (
        "propagation.quorum must be 1 to 100",
        dns01(**PROVIDER, propagation={"quorum": 100}),
        dns01(**PROVIDER, propagation={"quorum": 101}),
    ),
    (
        "http01 must have exactly one way",
        solver(http01={"gatewayHTTPRoute": {"parentRefs": [{"name": "gateway"}]}}),
        solver(http01={"proxyHeader": "Host"}),
    ),
    (
        "http01 must have exactly one way",
        solver(http01={"webroot": {"claimName": "www"}}),
        solver(http01={"ingress": {}, "gatewayHTTPRoute": {}}),
    ),
    ("ingress.ingressClassName, ingress.class and", ingress(name="web"), ingress(name="web", **{"class": "nginx"})),
    (
        "ingress.ingressClassName, ingress.class and",
        ingress(ingressClassName="nginx", name=""),
        ingress(ingressClassName="nginx", name="web"),
    ),
    (
        "ingress.ingressClassName must be the name",
        ingress(**{"class": "azure/application-gateway"}),
        ingress(ingressClassName="azure/application-gateway"),
    ),
    ("ingress.serviceType must be", ingress(serviceType="ClusterIP"), ingress(serviceType="LoadBalancer")),
    ("ingress.serviceType must be", ingress(serviceType=""), ingress(serviceType="nodeport")),
    (
        "gatewayHTTPRoute.serviceType must be",
        solver(http01={"gatewayHTTPRoute": {"serviceType": "NodePort"}}),
        solver(http01={"gatewayHTTPRoute": {"serviceType": "ExternalName"}}),
    ),
    (
        "tlsALPN01 must have exactly one way",
        solver(tlsALPN01={"gatewayTLSRoute": {"parentRefs": [{"name": "gateway"}]}}),
        solver(tlsALPN01={"gatewayTLSRoute": {}, "service": {"type": "NodePort"}}),
    ),
]


def _durations() -> Iterator[tuple[str, str, Body, Body]]:
    """Rows for each duration: its form and, where it is not in the tables above, its lower bound."""
    places: list[tuple[str, str, str, str | None, Any]] = [
        ("Certificate", "duration", "1h30m", None, lambda value: certificate(duration=value)),
        ("Certificate", "renewBefore", "1.5h", None, lambda value: certificate(renewBefore=value)),
        ("Issuer", "http01.delay", "0", "-1s", lambda value: solver(http01={"ingress": {}, "delay": value})),
        ("Issuer", "tlsALPN01.delay", "0s", "-1s", lambda value: solver(tlsALPN01={"service": {}, "delay": value})),
        (
            "Issuer",
            "waitInsteadOfSelfCheck",
            "0s",
            "-1ms",
            lambda value: solver(dns01=PROVIDER, waitInsteadOfSelfCheck=value),
        ),
        ("Issuer", "propagation.wait", "0s", "-1s", lambda value: dns01(**PROVIDER, propagation={"wait": value})),
        ("Issuer", "propagation.timeout", "5m", "0s", lambda value: dns01(**PROVIDER, propagation={"timeout": value})),
        (
            "Issuer",
            "propagation.interval",
            "500ms",
            "0s",
            lambda value: dns01(**PROVIDER, propagation={"interval": value}),
        ),
        (
            "Issuer",
            "http01.check.grace",
            "1m",
            "-1m",
            lambda value: solver(http01={"ingress": {}, "check": {"policy": "Warn", "grace": value}}),
        ),
        (
            "Issuer",
            "allow[].maxDuration",
            "2160h",
            "0s",
            lambda value: {"selfSigned": {}, "allow": [{"maxDuration": value}]},
        ),
    ]
    places += [
        ("Issuer", f"timeouts.{name}", "30s", "0s", lambda value, name=name: acme(timeouts={name: value}))
        for name in ("connect", "request", "certificate", "dns")
    ]
    for kind, field, good, low, spec in places:
        for bad in ("90d", "soon", "", "15"):
            yield kind, f"{field} must be a duration in", spec(good), spec(bad)
        if low:
            yield kind, f"{field} must be {'more than 0s' if low == '0s' else '0s or more'}", spec(good), spec(low)


ROWS = [
    *(Row("Certificate", *row) for row in CERTIFICATE_ROWS),
    *(Row("Issuer", *row) for row in ISSUER_ROWS),
    *(Row(*row) for row in _durations()),
]


@cache
def rules(kind: str) -> dict[str, str]:
    """Each rule's message with the path that its answer names, list items being the first."""
    (version,) = yaml.safe_load((CRDS / f"{PLURALS[kind]}.yaml").read_text())["spec"]["versions"]
    found: dict[str, str] = {}

    def walk(node: Body, path: str) -> None:
        for rule in node.get("x-kubernetes-validations", []):
            found[rule["message"]] = path + rule.get("fieldPath", "")
        for name, child in node.get("properties", {}).items():
            walk(child, f"{path}.{name}" if path else name)
        if "items" in node:
            walk(node["items"], f"{path}[0]")

    walk(version["schema"]["openAPIV3Schema"], "")
    return found


@pytest.mark.parametrize("kind", ["Certificate", "Issuer"])
def test_the_table_has_every_rule(kind: str) -> None:
    starts = {row.message for row in ROWS if row.kind == kind}
    messages = list(rules(kind))
    assert [message for message in messages if not message.startswith(tuple(starts))] == []
    for start in starts:
        assert len([message for message in messages if message.startswith(start)]) == 1, start


class Server:
    """Creates objects without keeping them."""

    NAMESPACE: ClassVar[str] = "default"

    def __init__(self, kubeconfig: Path) -> None:
        self._client = config.new_client_from_config(str(kubeconfig))
        self._api = client.CustomObjectsApi(self._client)

    def close(self) -> None:
        self._client.close()

    def create(self, kind: str, spec: Body, *, keep: str | None = None) -> tuple[Body | None, list[Body]]:
        """The object as it was taken, or the causes of its refusal; kept under a name if one is given."""
        body = {
            "apiVersion": f"{GROUP}/{VERSION}",
            "kind": kind,
            "metadata": {"name": keep or "tried"},
            "spec": spec,
        }
        place = {
            "group": GROUP,
            "version": VERSION,
            "plural": PLURALS[kind],
            "body": body,
            "field_validation": "Strict",
        }
        if not keep:
            place["dry_run"] = "All"
        try:
            if kind == "ClusterIssuer":
                return self._api.create_cluster_custom_object(**place), []
            return self._api.create_namespaced_custom_object(namespace=self.NAMESPACE, **place), []
        except client.ApiException as error:
            if error.status != UNPROCESSABLE:
                raise
            return None, json.loads(error.body)["details"]["causes"]


@pytest.fixture(scope="module")
def server(env: Environment) -> Iterator[Server]:
    server = Server(env.kubeconfig)
    yield server
    server.close()


@pytest.mark.cluster
@pytest.mark.parametrize("row", ROWS, ids=str)
def test_rule(server: Server, row: Row) -> None:
    (message,) = (message for message in rules(row.kind) if message.startswith(row.message))
    _, causes = server.create(row.kind, row.accepted)
    assert causes == []
    _, causes = server.create(row.kind, row.refused)
    assert [(cause["field"], cause["message"]) for cause in causes] == [
        (rules(row.kind)[message], causes[0]["message"])
    ], causes
    assert message in causes[0]["message"]


@pytest.mark.cluster
def test_a_cluster_issuer_is_held_to_the_same_rules(server: Server) -> None:
    assert server.create("ClusterIssuer", {"selfSigned": {}})[1] == []
    (cause,) = server.create("ClusterIssuer", {})[1]
    assert "exactly one type" in cause["message"]


@pytest.mark.cluster
def test_defaults(server: Server) -> None:
    created, _ = server.create(
        "Issuer",
        {
            "acme": {
                "privateKeySecretRef": {"name": "account"},
                "privateKey": {},
                "solvers": [
                    {"dns01": {**PROVIDER, "propagation": {}}},
                    {"http01": {"gatewayHTTPRoute": {"parentRefs": [{"name": "gateway"}]}}},
                ],
            }
        },
    )
    assert created is not None
    dns, http = created["spec"]["acme"].pop("solvers")
    assert created["spec"]["acme"] == {
        "server": "https://acme-v02.api.letsencrypt.org/directory",
        "privateKeySecretRef": {"name": "account"},
        "privateKey": {"algorithm": "ECDSA"},
        "termsOfServiceAgreed": True,
        "caBundlePolicy": "Replace",
    }
    assert dns["dns01"]["propagation"] == {"mode": "Authoritative"}
    assert http["http01"]["gatewayHTTPRoute"]["parentRefs"] == [
        {"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "gateway"}
    ]


@pytest.mark.cluster
def test_a_certificates_own_defaults_are_not_written_into_it(server: Server) -> None:
    created, _ = server.create("Certificate", certificate())
    assert created is not None
    assert created["spec"] == certificate()


@pytest.mark.cluster
def test_many_and_long_names_are_accepted(server: Server) -> None:
    label = "x" * 60
    names = [f"n{number:04}.{label}.{label}.{label}.example.com" for number in range(1000)]
    names[0] = "*." + ".".join([label] * 4) + ".example"
    names[1] = (names[1] + "." + label)[:253].rstrip(".")
    assert server.create("Certificate", certificate(dnsNames=names[:200]))[1] == []
    assert server.create("Certificate", certificate(dnsNames=names))[1] == []
    _, causes = server.create("Certificate", certificate(dnsNames=[*names, "one.more"]))
    assert (causes[0]["field"], causes[0]["reason"]) == ("spec.dnsNames", "FieldValueTooMany")


@pytest.mark.cluster
def test_a_large_issuer_is_accepted(server: Server) -> None:
    solvers = [
        {
            "selector": {"dnsZones": [f"zone{number}.example.com"]},
            "dns01": {**PROVIDER, "nameservers": ["192.0.2.1:53"] * 8, "propagation": {"timeout": "5m"}},
        }
        for number in range(256)
    ]
    assert server.create("Issuer", acme(solvers=solvers))[1] == []


@pytest.mark.cluster
@pytest.mark.parametrize(
    ("kind", "spec"),
    [
        ("Certificate", certificate(dnsname="web.example.com")),
        ("Issuer", acme(solvers=[{"dns01": PROVIDER, "select": {}}])),
        ("Issuer", ingress(podTemplate={"spec": {"affinity": {"podAffinty": {}}}})),
    ],
)
def test_a_misspelt_field_is_refused(env: Environment, kind: str, spec: Body) -> None:
    manifest = {"apiVersion": f"{GROUP}/{VERSION}", "kind": kind, "metadata": {"name": "typo"}, "spec": spec}
    with pytest.raises(RuntimeError, match="unknown field"):
        env.kubectl("create", "--dry-run=server", "-f", "-", input=yaml.safe_dump(manifest))


@pytest.mark.cluster
@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("certificate", "put into a Secret together with its private key"),
        ("certificate.spec.renewBefore", "Default: a third of its actual lifetime"),
        ("certificate.spec.privateKey.rotationPolicy", "Default Always"),
        ("certificate.status.order.identifiers.verdict", "The one thing to do"),
        ("issuer.spec.acme.solvers.dns01.rfc2136", "TSIG"),
        ("issuer.spec.acme.solvers.http01.ingress.podTemplate.spec.tolerations", "NoExecute"),
        ("clusterissuer.spec.acme.caBundlePolicy", "Replace Append"),
    ],
)
def test_explain(env: Environment, path: str, words: str) -> None:
    printed = env.kubectl("explain", path, f"--api-version={GROUP}/{VERSION}")
    assert words in " ".join(printed.replace(", ", " ").split())


@pytest.mark.cluster
def test_columns_short_names_category_and_selection(env: Environment, namespace: str) -> None:
    def manifest(kind: str, name: str, spec: Body) -> str:
        return yaml.safe_dump(
            {
                "apiVersion": f"{GROUP}/{VERSION}",
                "kind": kind,
                "metadata": {"name": name, "namespace": namespace},
                "spec": spec,
            },
            explicit_start=True,
        )

    objects = [
        manifest("Certificate", "one", certificate(secretName="one-tls", issuerRef={"name": "alpha"})),
        manifest(
            "Certificate", "two", certificate(secretName="two-tls", issuerRef={"name": "beta", "kind": "ClusterIssuer"})
        ),
        manifest("Issuer", "alpha", {"selfSigned": {}}),
    ]
    env.kubectl("apply", "-f", "-", input="".join(objects))
    ready = {"type": "Ready", "status": "True", "reason": "Ready", "message": "all is well"}
    status = {"status": {"conditions": [ready], "notAfter": "2031-02-03T04:05:06Z"}}
    for target in ("certificate/one", "issuer/alpha"):
        env.kubectl("patch", target, "-n", namespace, "--subresource=status", "--type=merge", "-p", json.dumps(status))

    plain = env.kubectl("get", "cert", "-n", namespace).splitlines()
    assert plain[0].split() == ["NAME", "READY", "SECRET", "AGE"]
    assert plain[1].split()[:3] == ["one", "True", "one-tls"]
    wide = env.kubectl("get", "certs", "-n", namespace, "-o", "wide").splitlines()
    assert wide[0].split() == ["NAME", "READY", "SECRET", "ISSUER", "STATUS", "EXPIRATION", "AGE"]
    assert "alpha    all is well   2031-02-03T04:05:06Z" in wide[1]
    issuers = env.kubectl("get", "iss", "-n", namespace, "-o", "wide").splitlines()
    assert issuers[0].split() == ["NAME", "READY", "STATUS", "AGE"]
    assert issuers[1].split()[:5] == ["alpha", "True", "all", "is", "well"]
    assert "NAME" not in env.kubectl("get", "ciss", "--no-headers")
    assert set(env.kubectl("get", "certwright", "-n", namespace, "-o", "name").split()) == {
        f"certificate.{GROUP}/one",
        f"certificate.{GROUP}/two",
        f"issuer.{GROUP}/alpha",
    }
    for selector, name in (("name=alpha", "one"), ("name=beta", "two"), ("kind=ClusterIssuer", "two")):
        chosen = env.kubectl(
            "get", "cert", "-n", namespace, f"--field-selector=spec.issuerRef.{selector}", "-o", "name"
        )
        assert chosen.split() == [f"certificate.{GROUP}/{name}"]


STATUS = {
    "conditions": [
        {
            "type": "Ready",
            "status": "False",
            "reason": "Issuing",
            "message": "1 of 2 names proven",
            "lastTransitionTime": "2026-11-23T12:00:00Z",
            "observedGeneration": 1,
        }
    ],
    "notBefore": "2026-11-23T12:00:00Z",
    "notAfter": "2027-02-21T12:00:00Z",
    "renewalTime": "2027-01-22T12:00:00Z",
    "revision": 3,
    "failedIssuanceAttempts": 1,
    "lastFailureTime": "2026-11-23T11:00:00Z",
    "nextPrivateKeySecretName": "web-next",
    "order": {
        "issuer": "ClusterIssuer/letsencrypt",
        "url": "https://ca.example.com/order/1/2",
        "state": "pending",
        "request": "sha256:00",
        "startedAt": "2026-11-23T12:00:00Z",
        "waitingUntil": "2026-11-23T12:30:00Z",
        "identifiers": [
            {
                "name": "*.example.com",
                "challenge": "dns-01",
                "state": "checking",
                "record": {
                    "name": "_acme-challenge.example.com.",
                    "zone": "example.com.",
                    "provider": "rfc2136",
                    "value": "pmWkWSBCL51Bfkhn79xPuKBKHz__H6B-mY6G9_eieuM",
                },
                "verdict": {
                    "summary": "3 of 4 addresses of the zone's name servers hold the record",
                    "missing": [{"server": "ns2.example.com.", "address": "192.0.2.2", "answer": "NXDOMAIN"}],
                    "action": "wait",
                },
            }
        ],
    },
    "lastFailure": {
        "time": "2026-11-23T11:00:00Z",
        "issuer": "ClusterIssuer/letsencrypt",
        "reason": "CAARefused",
        "message": "CAA of example.com does not allow this CA",
        "request": "sha256:00",
        "problem": {
            "type": "urn:ietf:params:acme:error:caa",
            "title": "CAA",
            "detail": "refused",
            "status": 403,
            "instance": "https://ca.example.com/problem/1",
            "vendorsOwn": {"kept": True},
            "subproblems": [
                {
                    "type": "urn:ietf:params:acme:error:caa",
                    "detail": "refused",
                    "status": 403,
                    "identifier": {"type": "dns", "value": "example.com"},
                    "vendorsOwn": [1, 2],
                }
            ],
        },
    },
    "renewalInformation": {
        "window": {"start": "2027-01-20T00:00:00Z", "end": "2027-01-24T00:00:00Z"},
        "chosen": "2027-01-22T12:00:00Z",
        "nextCheck": "2026-11-23T18:00:00Z",
        "explanationURL": "https://ca.example.com/why",
    },
    "acme": {
        "ari": {
            "suggestedWindow": {"start": "2027-01-20T00:00:00Z", "end": "2027-01-24T00:00:00Z"},
            "explanationURL": "https://ca.example.com/why",
            "lastChecked": "2026-11-23T12:00:00Z",
            "nextCheck": "2026-11-23T18:00:00Z",
            "lastError": "none",
        }
    },
}


@pytest.mark.cluster
def test_the_whole_status_is_kept(env: Environment, namespace: str) -> None:
    manifest = {
        "apiVersion": f"{GROUP}/{VERSION}",
        "kind": "Certificate",
        "metadata": {"name": "web", "namespace": namespace},
        "spec": certificate(),
        "status": {"revision": 99},
    }
    env.kubectl("create", "-f", "-", input=yaml.safe_dump(manifest))
    assert "status" not in json.loads(env.kubectl("get", "cert", "web", "-n", namespace, "-o", "json"))
    patch = json.dumps({"status": STATUS})
    env.kubectl("patch", "cert", "web", "-n", namespace, "--subresource=status", "--type=merge", "-p", patch)
    after = json.loads(env.kubectl("get", "cert", "web", "-n", namespace, "-o", "json"))
    assert after["status"] == STATUS
    assert after["metadata"]["generation"] == 1

"""`certwright check` without a DNS and mostly without a cluster."""

import base64
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from fake_api import Body, FakeApi, Run, certificate, condition

from certwright.cli import proofs
from certwright.core.desired import secret_annotation_set, secret_labels
from certwright.dns.names import challenge_name
from certwright.dns.zone import NameServer
from certwright.errors import Retryable, Terminal
from certwright.kube.faults import Forbidden
from certwright.pki import keys
from certwright.pki.certificate import parse_chain
from certwright.pki.secret import tls_secret_data
from certwright.pki.signing import self_sign
from certwright.resources.certificate import parse_certificate
from certwright.resources.names import Names

NAMES = Names()
API = NAMES.api_version


def manifest(*bodies: Body) -> str:
    return yaml.safe_dump_all(bodies)


def self_signed() -> Body:
    return {
        "apiVersion": API,
        "kind": "Issuer",
        "metadata": {"name": "le"},
        "spec": {"selfSigned": {}},
    }


def acme(*solvers: Body) -> Body:
    spec = {"acme": {"privateKeySecretRef": {"name": "account"}, "solvers": list(solvers)}}
    return {"apiVersion": API, "kind": "Issuer", "metadata": {"name": "le"}, "spec": spec}


def wanted(name: str = "web", **spec: Any) -> Body:
    body = certificate(name)
    return {"apiVersion": API, "kind": "Certificate", "metadata": {"name": name}, "spec": {**body["spec"], **spec}}


def found(run: Run, *bodies: Body, code: int) -> Any:
    """What an offline check says."""
    done = run("check", "-", "--offline", "-o", "json", stdin=manifest(*bodies))
    assert done.exit_code == code, done.stdout + done.stderr
    return json.loads(done.stdout)


class TestOffline:
    def test_a_good_manifest(self, run: Run) -> None:
        data = found(run, self_signed(), wanted(), code=0)
        assert (data["cluster"], data["problemCount"]) == (False, 0)
        (plan,) = data["certificates"]
        assert plan["issuer"]["found"] == "manifest"
        assert plan["secret"]["action"] == "Unknown"
        assert plan["key"].startswith("RSA 2048")
        latest = datetime.fromisoformat(plan["renewalLatest"])
        assert latest - datetime.fromisoformat(plan["renewalEarliest"]) == pytest.approx(
            timedelta(hours=2160) * 0.02, abs=timedelta(seconds=2)
        )
        assert latest - datetime.now(UTC) == pytest.approx(timedelta(days=60), abs=timedelta(minutes=1))

    def test_renewals_wait_for_windows_or_never_come(self, run: Run) -> None:
        window = {"cron": "0 2 * * 6", "windowDuration": "4h"}
        data = found(run, self_signed(), wanted(renewal={"windows": [window]}), code=0)
        for field in ("renewalEarliest", "renewalLatest"):
            moment = datetime.fromisoformat(data["certificates"][0][field])
            assert moment.weekday() == 5
            assert 2 <= moment.hour < 6
        (plan,) = found(run, self_signed(), wanted(renewal={"policy": "Disabled"}), code=0)["certificates"]
        assert (plan["renewalEarliest"], plan["renewalLatest"]) == (None, None)

    def test_the_text_says_that_there_is_no_cluster(self, run: Run) -> None:
        text = run("check", "-", "--offline", stdin=manifest(self_signed(), wanted())).stdout
        assert "no cluster is looked into (--offline)" in text
        assert "Certificate default/web: fine" in text
        assert "1 Certificates, 1 issuers: no problems" in text

    @pytest.mark.parametrize(
        ("spec", "problem"),
        [
            ({"renewBefore": "1h", "renewBeforePercentage": 5}, "spec.renewBefore: contradicts"),
            ({"dnsNames": "a.test"}, "spec.dnsNames: must be a list, not str"),
            ({"duration": "soon"}, "spec.duration: 'soon' is not a duration"),
            ({"dnsNames": ["*"]}, "spec.dnsNames[0]: '*' "),
            ({"issuerRef": {"name": "le", "kind": "Vault"}}, "spec.issuerRef.kind: 'Vault' is neither"),
            ({"copies": {"namespaces": ["x"]}}, "spec.copies: this version does not support it"),
        ],
    )
    def test_a_bad_spec_names_the_field(self, run: Run, spec: Body, problem: str) -> None:
        (plan,) = found(run, self_signed(), wanted(**spec), code=4)["certificates"]
        assert any(text.startswith(problem) for text in plan["problems"])

    def test_a_bad_issuer(self, run: Run) -> None:
        broken = {**self_signed(), "spec": {"acme": {"server": "x"}}}
        data = found(run, broken, code=4)
        (problem,) = data["problems"]
        assert problem.startswith("Issuer/default/le: spec.acme.privateKeySecretRef.name: missing; name the Secret")

    def test_an_issuer_that_nobody_can_look_up_is_no_problem(self, run: Run) -> None:
        (plan,) = found(run, wanted(), code=0)["certificates"]
        assert plan["issuer"]["found"] == "Unknown"

    @pytest.mark.parametrize(
        ("text", "problem"),
        [
            ("a: [", "line 1, column 5: not YAML"),
            ("- 1\n", "document 1: is no Kubernetes object"),
            (f"apiVersion: {API}\nkind: Issuer\n", "document 1: Issuer has no metadata.name"),
            (
                "apiVersion: cert-manager.io/v1\nkind: Issuer\nmetadata: {name: a}\n",
                f"document 1: Issuer a is of cert-manager.io/v1, and {API} is served",
            ),
        ],
    )
    def test_a_bad_file(self, run: Run, text: str, problem: str) -> None:
        done = run("check", "-", "--offline", stdin=text)
        assert f"problem: {problem}" in done.stdout
        assert done.exit_code == 4

    def test_lists_files_and_other_kinds(self, run: Run, tmp_path: Path) -> None:
        file = tmp_path / "all.yaml"
        deployment = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "x"}}
        file.write_text(manifest({"kind": "List", "items": [self_signed(), wanted(), deployment]}))
        assert "1 Certificates, 1 issuers, 1 objects of other kinds" in run("check", str(file), "--offline").stdout

    def test_a_file_that_is_not_there_is_a_fault(self, run: Run) -> None:
        done = run("check", "/nowhere.yaml", "--offline")
        assert (done.exit_code, done.stdout) == (1, "")
        assert done.stderr == "certwright: cannot read /nowhere.yaml: No such file or directory\n"

    def test_no_cluster_at_all_is_said(self, run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
        done = run("check", "-", stdin=manifest(self_signed(), wanted()))
        assert "no cluster is looked into (no cluster is configured" in done.stdout
        assert done.exit_code == 0


class TestSolvers:
    @pytest.fixture(autouse=True)
    def _no_dns(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A DNS with one zone for everything."""
        zone = NameServer("ns1.example.test.", ("192.0.2.1",))

        class Solver:
            def __init__(self, config: object, **_: object) -> None:
                assert config

            def plan_all(self, items: list[str]) -> list[object]:
                return [
                    Terminal("no zone found")
                    if "nowhere" in name
                    else type("R", (), {"name": challenge_name(name).to_text(), "zone": "example.test."})()
                    for name in items
                ]

        monkeypatch.setattr(proofs, "Dns01Solver", Solver)
        monkeypatch.setattr(
            proofs, "converse", lambda talks, **_: [type("Z", (), {"nameservers": (zone,)})() for _ in talks]
        )

    RFC2136: Body = {"rfc2136": {"nameserver": "192.0.2.1"}}  # noqa: RUF012 - nobody changes it

    def test_why_a_solver_was_chosen(self, run: Run) -> None:
        solvers = (
            {"dns01": self.RFC2136},
            {"dns01": self.RFC2136, "selector": {"dnsZones": ["test", "example.test"]}},
            {"dns01": self.RFC2136, "selector": {"dnsNames": ["a.example.test"]}},
            {"tlsALPN01": {}, "selector": {"dnsNames": ["b.example.test"]}},
        )
        names = ["a.example.test", "*.example.test", "other.invalid", "b.example.test"]
        (plan,) = found(run, acme(*solvers), wanted(dnsNames=names), code=4)["certificates"]
        told = {proof["name"]: (proof["solver"][-3:], proof["why"]) for proof in plan["proofs"]}
        assert told == {
            "a.example.test": ("[2]", "its dnsNames has a.example.test"),
            "*.example.test": ("[1]", "its dnsZones has example.test"),
            "other.invalid": ("[0]", "it has no selector"),
            "b.example.test": ("[3]", "its dnsNames has b.example.test"),
        }
        assert plan["problems"] == ["b.example.test: this version does not support tls-alpn-01; use dns01 or http01"]

    @pytest.mark.parametrize(
        ("config", "served"),
        [
            ({"ingress": {}}, "a pod behind an Ingress of the default class"),
            ({"ingress": {"ingressClassName": "traefik"}}, "a pod behind an Ingress of class traefik"),
            ({"ingress": {"name": "shop"}}, "a pod behind the existing Ingress shop"),
            ({"gatewayHTTPRoute": {"parentRefs": [{"name": "web", "namespace": "infra"}]}}, "Gateway infra/web"),
            ({"webroot": {"claimName": "files"}}, "the web server of PersistentVolumeClaim files"),
        ],
    )
    def test_how_an_answer_would_be_served(self, run: Run, config: dict[str, Any], served: str) -> None:
        given = manifest(acme({"http01": config}), wanted(dnsNames=["b.example.test", "a.example.test"]))
        text = run("check", "-", "--offline", stdin=given).stdout
        assert text.count(served) == 2, text

    def test_a_wrong_http01_solver(self, run: Run) -> None:
        body = acme({"http01": {"gatewayHTTPRoute": {}}})
        (plan,) = found(run, body, wanted(dnsNames=["b.example.test"]), code=4)["certificates"]
        assert "gatewayHTTPRoute.parentRefs: missing" in plan["problems"][0]

    def test_what_an_acme_ca_cannot_certify(self, run: Run) -> None:
        (plan,) = found(run, acme({"dns01": self.RFC2136}), wanted(isCA=True), code=4)["certificates"]
        assert plan["problems"][0].startswith("spec.isCA: an ACME CA cannot certify that")

    def test_the_text_of_proofs(self, run: Run) -> None:
        text = run("check", "-", "--offline", stdin=manifest(acme({"dns01": self.RFC2136}), wanted())).stdout
        for part in (
            "web.example.test dns-01 by spec.acme.solvers[0] (it has no selector)",
            "record TXT _acme-challenge.web.example.test. in zone example.test., written by rfc2136",
            "name servers of example.test.",
            "ns1.example.test. 192.0.2.1",
        ):
            assert part in text

    def test_records_and_servers(self, run: Run) -> None:
        (plan,) = found(run, acme({"dns01": self.RFC2136}), wanted(), code=0)["certificates"]
        (proof,) = plan["proofs"]
        assert (proof["record"], proof["zone"]) == ("_acme-challenge.web.example.test.", "example.test.")
        assert proof["nameServers"] == [{"name": "ns1.example.test.", "addresses": ["192.0.2.1"]}]

    def test_what_cannot_be_proven(self, run: Run) -> None:
        body = wanted(dnsNames=["a.nowhere.test"], ipAddresses=["192.0.2.1"])
        (plan,) = found(run, acme({"dns01": self.RFC2136}), body, code=4)["certificates"]
        assert plan["problems"][0] == "a.nowhere.test: no zone found"
        assert plan["problems"][1].startswith("192.0.2.1: no solver of the issuer can prove 192.0.2.1")

    @pytest.mark.parametrize(
        ("config", "problem"),
        [
            ({"nodns": {}}, "no DNS provider 'nodns' is installed"),
            ({}, "must have a DNS provider"),
            ({"rfc2136": {}}, "nameserver"),
        ],
    )
    def test_a_bad_provider(self, run: Run, config: Body, problem: str) -> None:
        (plan,) = found(run, acme({"dns01": {"cnameStrategy": "Follow", **config}}), wanted(), code=4)["certificates"]
        assert problem in plan["problems"][0]

    def test_a_credential_of_the_manifest_and_one_that_is_missing(self, api: FakeApi, run: Run) -> None:
        assert api
        tsig = {
            **self.RFC2136["rfc2136"],
            "tsigKeyName": "k",
            "tsigSecretSecretRef": {"name": "tsig", "key": "key"},
        }
        objects = [acme({"dns01": {"rfc2136": tsig}}), wanted()]
        done = run("check", "-", stdin=manifest(*objects))
        assert "there is no Secret tsig in namespace shop; create it" in done.stdout
        secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "tsig"}, "stringData": {"key": "c2VjcmV0"}}
        done = run("check", "-", stdin=manifest(secret, *objects))
        assert done.exit_code == 0, done.stdout
        assert "c2VjcmV0" not in done.stdout


class TestSecret:
    """What would happen to the Secret, as the core decides."""

    def stored(self, api: FakeApi, body: Body) -> None:
        """The Certificate with its Secret, as the operator would have stored it."""
        full = {**body, "metadata": {**certificate(body["metadata"]["name"])["metadata"]}}
        parsed = parse_certificate(full)
        key = keys.generate(parsed.spec.private_key)
        chain = self_sign(parsed.spec, key, now=datetime.now(UTC)).chain_pem
        data = tls_secret_data(parsed.spec, key, chain_pem=chain)
        api.add("certificates", full)
        facts, _ = parse_chain(chain)
        api.add(
            "secrets",
            {
                "metadata": {
                    "namespace": "shop",
                    "name": parsed.spec.secret_name,
                    "labels": secret_labels(parsed.spec, NAMES),
                    "annotations": secret_annotation_set(parsed.meta.name, parsed.spec, NAMES, facts),
                },
                "type": "kubernetes.io/tls",
                "data": {name: base64.b64encode(value).decode() for name, value in data.items()},
            },
        )

    def plan(self, run: Run, *bodies: Body) -> Any:
        return json.loads(run("check", "-", "-o", "json", stdin=manifest(*bodies)).stdout)["certificates"][0]

    def test_made_kept_and_reissued(self, api: FakeApi, run: Run) -> None:
        body = wanted(privateKey={"algorithm": "ECDSA"})
        assert self.plan(run, self_signed(), body)["secret"]["action"] == "Create"
        self.stored(api, body)
        kept = self.plan(run, self_signed(), body)
        assert kept["secret"]["action"] == "Keep"
        assert kept["renewalEarliest"] == kept["renewalLatest"]
        more = wanted(privateKey={"algorithm": "ECDSA"}, dnsNames=["web.example.test", "b.example.test"])
        again = self.plan(run, self_signed(), more)["secret"]
        assert (again["action"], again["reason"]) == ("Reissue", "RequestChanged")
        assert "b.example.test" in again["message"]
        labels = wanted(privateKey={"algorithm": "ECDSA"}, secretTemplate={"labels": {"a": "b"}})
        assert self.plan(run, self_signed(), labels)["secret"]["action"] == "Repair"
        assert api.writes == []

    def test_what_may_not_be_read_is_a_note(self, api: FakeApi, run: Run) -> None:
        issuer = self_signed()
        plan = self.plan(run, issuer, wanted())
        assert plan["notes"] == []
        refuse = Forbidden("the API server refused")
        api.faults = [refuse] * 3
        plan = self.plan(run, issuer, wanted())
        assert plan["notes"] == ["Secret web-tls: the API server refused"]
        assert plan["secret"]["action"] == "Unknown"
        assert plan["problems"] == []

    def test_a_cluster_that_was_asked_for_has_to_answer(self, api: FakeApi, run: Run) -> None:
        api.faults = [Retryable("the API server does not answer")] * 2
        done = run("check", "-", "--kubeconfig", "mine", stdin=manifest(self_signed(), wanted()))
        assert (done.exit_code, done.stderr) == (1, "certwright: the API server does not answer\n")
        done = run("check", "-", stdin=manifest(self_signed(), wanted()))
        assert "no cluster is looked into (the API server does not answer)" in done.stdout

    def test_two_certificates_with_one_secret(self, api: FakeApi, run: Run) -> None:
        api.add("certificates", certificate("elder"))
        plan = self.plan(run, self_signed(), wanted(secretName="elder-tls"))
        assert plan["secret"]["action"] == "Keep"
        assert plan["problems"] == [
            "Secret elder-tls belongs to Certificate elder; give one of the two another spec.secretName"
        ]

    def test_the_issuer_is_ready_when_it_is_applied_as_it_stands(self, api: FakeApi, run: Run) -> None:
        live = self_signed()
        live["metadata"] = {"namespace": "shop", "name": "le", "generation": 1}
        live["spec"] = {"selfSigned": {"crlDistributionPoints": []}}
        live["status"] = {"conditions": [condition("Ready", "True", "IsReady", "it is")]}
        api.add("issuers", live)
        assert self.plan(run, self_signed(), wanted())["issuer"]["ready"] == "True"
        assert self.plan(run, wanted())["issuer"]["found"] == "cluster"
        live["status"]["conditions"][0].update(status="False", message="it is broken")
        assert self.plan(run, wanted())["problems"] == ["Issuer/le: it is broken"]

    def test_an_issuer_that_is_nowhere(self, api: FakeApi, run: Run) -> None:
        assert api
        assert "neither in the manifest nor in the cluster" in self.plan(run, wanted())["problems"][0]

    def test_a_ca_needs_its_secret_or_a_certificate_that_makes_it(self, api: FakeApi, run: Run) -> None:
        assert api
        authority = {**self_signed(), "metadata": {"name": "ca"}, "spec": {"ca": {"secretName": "root-tls"}}}
        leaf = wanted(issuerRef={"name": "ca"})
        assert self.plan(run, authority, leaf)["problems"] == [
            "Issuer/ca: there is no Secret root-tls in namespace shop; create it"
        ]
        assert self.plan(run, authority, leaf, wanted("root"), self_signed())["problems"] == []

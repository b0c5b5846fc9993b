"""The command line against a real API server and real name servers: what it asks, what it writes, what it finds."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
import yaml

from certwright.kube import certificates
from certwright.kube.client import Kube
from certwright.resources.names import CERTIFICATE, Names, ObjectKey
from cluster.audit import AuditEntry
from cluster.environment import Environment

pytestmark = pytest.mark.cluster
API = Names().api_version
MISSING = {
    "type": "Ready",
    "status": "False",
    "reason": "DoesNotExist",
    "message": "Secret web-tls does not exist yet",
    "lastTransitionTime": "2026-01-01T00:00:00Z",
    "observedGeneration": 1,
}
READY = {**MISSING, "status": "True", "reason": "Ready", "message": "Certificate is up to date and has not expired"}
ORDER = {
    "issuer": "Issuer/le",
    "url": "https://ca.example.test/order/1",
    "state": "pending",
    "request": "1.abc",
    "identifiers": [
        {
            "name": "web.example.test",
            "challenge": "dns-01",
            "state": "checking",
            "record": {
                "name": "_acme-challenge.web.example.test.",
                "zone": "example.test.",
                "provider": "rfc2136",
                "value": "the-value",
            },
            "verdict": {
                "summary": "1 of 2 addresses hold the record",
                "missing": [{"server": "ns2.example.test.", "address": "192.0.2.2", "answer": "NXDOMAIN"}],
                "action": "look at the zone transfer to ns2.example.test.",
            },
        }
    ],
}


class Shell:
    """Runs `certwright` as a user does."""

    def __init__(self, env: Environment, namespace: str) -> None:
        self._env = env
        self.namespace = namespace
        self.variables = {
            **{name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")},
            "KUBECONFIG": str(env.kubeconfig),
            "CERTWRIGHT_DNS_RESOLVERS": env.bind.resolver,
            "CERTWRIGHT_DNS_AUTHORITATIVE_PORT": str(env.bind.port),
        }

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-c", "from certwright.cli.main import main; main()", *arguments]

    def run(
        self, *arguments: str, stdin: str = "", code: int = 0, variables: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            self.command(*arguments),
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            env={**self.variables, **(variables or {})},
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done

    def create(self, name: str = "web", status: Mapping[str, Any] | None = None, **spec: object) -> None:
        body = certificate(name, **spec)
        body["metadata"]["namespace"] = self.namespace
        made = json.loads(self._env.kubectl("create", "-o", "json", "-f", "-", input=json.dumps(body)))
        if status:
            self.set_status(name, made["metadata"]["resourceVersion"], status)

    def set_status(self, name: str, version: str, status: Mapping[str, Any]) -> None:
        kube = Kube(kubeconfig=str(self._env.kubeconfig), names=Names())
        key = ObjectKey(CERTIFICATE, self.namespace, name)
        certificates.patch_status(kube, key, resource_version=version, status=status)
        kube.close()

    def read(self, name: str) -> dict[str, Any]:
        text = self._env.kubectl("-n", self.namespace, "get", f"certificates.{Names().group}/{name}", "-o", "json")
        return dict(json.loads(text))


@pytest.fixture
def shell(env: Environment, namespace: str) -> Shell:
    return Shell(env, namespace)


def certificate(name: str = "web", **spec: object) -> dict[str, Any]:
    return {
        "apiVersion": API,
        "kind": "Certificate",
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {
            "secretName": f"{name}-tls",
            "dnsNames": [f"{name}.example.test"],
            "issuerRef": {"name": "le"},
            **spec,
        },
    }


class TestStatus:
    def test_the_table_and_the_tree(self, shell: Shell) -> None:
        shell.create("web", {"conditions": [MISSING], "order": ORDER})
        shell.create(
            "api",
            {
                "conditions": [READY],
                "notBefore": "2026-01-01T00:00:00Z",
                "notAfter": "2126-04-01T00:00:00Z",
                "renewalTime": "2126-03-01T00:00:00Z",
                "revision": 1,
            },
        )
        table = shell.run("status", "-n", shell.namespace, code=4).stdout
        assert [line.split()[1:3] for line in table.splitlines()[1:3]] == [["api", "True"], ["web", "False"]]
        assert f"{shell.namespace}/web DoesNotExist:" in table
        tree = shell.run("status", "web", "-n", shell.namespace, code=4).stdout
        assert "ns2.example.test. 192.0.2.2: NXDOMAIN" in tree
        assert "issuer Issuer/le: missing" in tree
        assert shell.run("status", "api", "-n", shell.namespace).stdout.startswith("Certificate")
        names = {item["name"] for item in json.loads(shell.run("status", "-A", "-o", "json", code=4).stdout)["items"]}
        assert names >= {"api", "web"}

    def test_it_only_reads(self, shell: Shell, env: Environment) -> None:
        shell.create("web", {"conditions": [MISSING]})
        mark = env.audit_mark()
        shell.run("status", "web", "-n", shell.namespace, code=4)
        asked = requests_of_ours(env, mark)
        assert [(entry.verb, entry.resource) for entry in asked] == [
            ("get", "certificates"),
            ("get", "issuers"),
            ("list", "events"),
        ]

    def test_events_are_those_of_the_object(self, shell: Shell, env: Environment) -> None:
        shell.create("web", {"conditions": [MISSING]})
        for name, uid in (("web.1", shell.read("web")["metadata"]["uid"]), ("web.2", "of-one-that-is-gone")):
            event = {
                "apiVersion": "v1",
                "kind": "Event",
                "metadata": {"name": name, "namespace": shell.namespace},
                "involvedObject": {"kind": "Certificate", "name": "web", "namespace": shell.namespace, "uid": uid},
                "type": "Normal",
                "reason": "Issued",
                "message": f"told by {name}",
            }
            env.kubectl("create", "-f", "-", input=json.dumps(event))
        text = shell.run("status", "web", "-n", shell.namespace, code=4).stdout
        assert "told by web.1" in text
        assert "told by web.2" not in text

    @pytest.mark.needs("users")
    def test_a_missing_right_is_one_line(self, shell: Shell, env: Environment) -> None:
        variables = {"KUBECONFIG": str(env.kubeconfig_for("nobody-special", []))}
        done = shell.run("status", "-n", shell.namespace, code=1, variables=variables)
        assert done.stderr.startswith("certwright: ")
        assert done.stderr.count("\n") == 1
        assert "certificates" in done.stderr

    def test_no_api_server_is_one_line(self, shell: Shell, env: Environment) -> None:
        config = yaml.safe_load(env.kubeconfig.read_text())
        for item in config["clusters"]:
            item["cluster"]["server"] = "https://127.0.0.1:1"
        broken = env.kubeconfig.with_name("broken-kubeconfig")
        broken.write_text(yaml.safe_dump(config))
        done = shell.run("status", "--kubeconfig", str(broken), code=1)
        assert done.stderr.startswith("certwright: the API server at https://127.0.0.1:1 does not answer")
        assert done.stderr.count("\n") == 1

    def test_ctrl_c_ends_watching_quietly(self, shell: Shell) -> None:
        shell.create("web", {"conditions": [READY]})
        command = shell.command("status", "web", "-n", shell.namespace, "--watch")
        with subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=shell.variables,
            # Whoever is started in the background of a shell, tests for instance, hands down that Ctrl-C is ignored.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - one thread, one call
        ) as child:
            assert child.stdout
            assert child.stderr
            assert child.stdout.readline().startswith("Certificate")
            child.send_signal(2)
            assert child.wait(10) == 130
            assert child.stderr.read() == ""


class TestRenew:
    @pytest.mark.needs("audit")
    def test_it_sets_the_condition_and_nothing_else(self, shell: Shell, env: Environment) -> None:
        other = {**MISSING, "type": "Theirs", "status": "True"}
        shell.create("web", {"conditions": [READY, other], "revision": 1})
        before = shell.read("web")
        mark = env.audit_mark()
        shell.run("renew", "web", "-n", shell.namespace)
        asked = requests_of_ours(env, mark)
        assert [(entry.verb, entry.resource, entry.name) for entry in asked if entry.is_write] == [
            ("patch", "certificates/status", "web")
        ]
        after = shell.read("web")
        assert after["spec"] == before["spec"]
        assert after["metadata"]["generation"] == before["metadata"]["generation"]
        issuing = after["status"]["conditions"].pop()
        assert after["status"] == before["status"]
        assert (issuing["type"], issuing["status"], issuing["reason"]) == ("Issuing", "True", "ManuallyTriggered")

    def test_selected_by_label(self, shell: Shell) -> None:
        for name in ("web", "api"):
            shell.create(name, {"conditions": [READY]})
        shell.run("renew", "-l", "app=api", "-n", shell.namespace)
        assert len(shell.read("api")["status"]["conditions"]) == 2
        assert len(shell.read("web")["status"]["conditions"]) == 1

    def test_waiting_ends_with_the_new_revision(self, shell: Shell) -> None:
        shell.create("web", {"conditions": [READY], "revision": 1})
        command = shell.command("renew", "web", "-n", shell.namespace, "--wait", "--timeout", "60s")
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=shell.variables) as child:
            body = wait_for_condition(shell, "web")
            version = body["metadata"]["resourceVersion"]
            shell.set_status("web", version, {"conditions": [READY], "revision": 2, "notAfter": "2126-01-01T00:00:00Z"})
            assert child.wait(30) == 0
            assert child.stdout
            assert "Ready; certificate number 2, until 2126-01-01T00:00:00Z" in child.stdout.read()


class TestCheck:
    def issuer(self, env: Environment, **rfc2136: object) -> dict[str, Any]:
        server = f"{env.bind.addresses[0]}:{env.bind.port}"
        solver = {"dns01": {"rfc2136": {"nameserver": server, **rfc2136}}}
        spec = {"acme": {"server": "https://ca.test", "privateKeySecretRef": {"name": "a"}, "solvers": [solver]}}
        return {"apiVersion": API, "kind": "Issuer", "metadata": {"name": "le"}, "spec": spec}

    def check(self, shell: Shell, *bodies: Mapping[str, Any], code: int = 0, options: Sequence[str] = ()) -> Any:
        text = yaml.safe_dump_all(bodies)
        return json.loads(
            shell.run("check", "-", "-n", shell.namespace, "-o", "json", *options, stdin=text, code=code).stdout
        )

    @pytest.mark.parametrize("options", [(), ("--offline",)])
    def test_zones_cnames_and_servers(self, shell: Shell, env: Environment, options: tuple[str, ...]) -> None:
        names = ["example.test", "*.example.test", "alias.example.test", "www.sub.example.test"]
        data = self.check(shell, self.issuer(env), certificate(dnsNames=names), options=options)
        (plan,) = data["certificates"]
        proofs = {proof["name"]: proof for proof in plan["proofs"]}
        places = {name: (proof["record"], proof["zone"]) for name, proof in proofs.items()}
        assert places == {
            "example.test": ("_acme-challenge.example.test.", "example.test."),
            "*.example.test": ("_acme-challenge.example.test.", "example.test."),
            "alias.example.test": ("alias.validation.test.", "validation.test."),
            "www.sub.example.test": ("_acme-challenge.www.sub.example.test.", "sub.example.test."),
        }
        assert proofs["alias.example.test"]["targetOf"] == "_acme-challenge.alias.example.test."
        servers = {server["name"]: server["addresses"] for server in proofs["example.test"]["nameServers"]}
        assert servers == {
            f"ns{number}.example.test.": [address] for number, address in enumerate(env.bind.addresses, start=1)
        }
        assert plan["secret"]["action"] == ("Unknown" if options else "Create")

    @pytest.mark.needs("audit")
    def test_it_touches_nothing(self, shell: Shell, env: Environment) -> None:
        mark, zone = env.audit_mark(), env.bind.zone_dump("example.test")
        self.check(shell, self.issuer(env), certificate())
        asked = requests_of_ours(env, mark)
        assert asked
        assert not any(entry.is_write for entry in asked)
        assert env.bind.zone_dump("example.test") == zone

    def test_what_is_wrong_is_found(self, shell: Shell, env: Environment) -> None:
        missing = self.issuer(env, tsigKeyName="k", tsigSecretSecretRef={"name": "tsig", "key": "key"})
        (plan,) = self.check(shell, missing, certificate(), code=4)["certificates"]
        assert plan["problems"] == [
            (
                "web.example.test: spec.acme.solvers[0].dns01.rfc2136.tsigSecretSecretRef: "
                f"there is no Secret tsig in namespace {shell.namespace}; create it"
            )
        ]
        (plan,) = self.check(shell, self.issuer(env), certificate(dnsNames=["a.nowhere.test"]), code=4)["certificates"]
        assert "no zone found for _acme-challenge.a.nowhere.test." in plan["problems"][0]
        (plan,) = self.check(shell, certificate(), code=4)["certificates"]
        assert "neither in the manifest nor in the cluster" in plan["problems"][0]

    def test_the_cluster_has_what_the_manifest_has_not(self, shell: Shell, env: Environment) -> None:
        issuer = self.issuer(env)
        env.kubectl("-n", shell.namespace, "create", "-f", "-", input=json.dumps(issuer))
        shell.create("elder")
        (plan,) = self.check(shell, certificate())["certificates"]
        assert (plan["issuer"]["found"], plan["issuer"]["ready"]) == ("cluster", "Unknown")
        (plan,) = self.check(shell, certificate(secretName="elder-tls"), code=4)["certificates"]
        assert plan["problems"] == [
            "Secret elder-tls belongs to Certificate elder; give one of the two another spec.secretName"
        ]


def requests_of_ours(env: Environment, mark: Any) -> list[AuditEntry]:
    """What the command asked since the mark; the log is written soon after the answer."""
    found: list[AuditEntry] = []
    for _ in range(50):
        before = len(found)
        found = [entry for entry in env.audit(mark) if entry.user_agent.startswith("certwright-cli/")]
        if found and len(found) == before:
            break
        time.sleep(0.1)
    return found


def wait_for_condition(shell: Shell, name: str) -> dict[str, Any]:
    for _ in range(100):
        body = shell.read(name)
        if any(item["type"] == "Issuing" for item in body["status"]["conditions"]):
            return body
        time.sleep(0.1)
    raise AssertionError(f"{name} was not renewed")

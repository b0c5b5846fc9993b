"""The runs of the benchmark. Each counts what the servers saw and what the kernel charged; none judges."""

import dataclasses
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bench.process import Usage, usage
from bench.readiness import Readiness
from certwright.errors import Conflict
from certwright.kube.client import Kube
from certwright.resources.names import Names
from cluster import manifests
from cluster.environment import Environment
from cluster.image import CERTWRIGHT
from cluster.manifests import Manifest
from cluster.node import Node
from cluster.node_traefik import CLASS
from cluster.operator import Operator

AGENT = "certwright/"
LEASES = "leases"


@dataclasses.dataclass(slots=True)
class Run:
    """What one run cost.

    Args:
        title: What was done.
        certificates: How many it was done for; 0 where a cost a certificate makes no sense.
        seconds: Wall time from the first apply to the last Ready.
        latencies: Seconds from apply to Ready, each.
        requests: Requests to the API server by (verb, resource).
        acme: Requests to the CA by method and path.
        cpu: CPU seconds of the operator, user and system.
        resident: Its resident memory at the end, in bytes.
        threads: Its threads at the end.
    """

    title: str
    certificates: int
    seconds: float = 0.0
    latencies: list[float] = dataclasses.field(default_factory=list)
    requests: Counter[tuple[str, str]] = dataclasses.field(default_factory=Counter)
    acme: Counter[str] = dataclasses.field(default_factory=Counter)
    cpu: float = 0.0
    resident: int = 0
    threads: int = 0

    @property
    def writes(self) -> int:
        """Writes to the API server."""
        return sum(
            count for (verb, _), count in self.requests.items() if verb in {"create", "update", "patch", "delete"}
        )

    @property
    def reads(self) -> int:
        """Reads from the API server."""
        return sum(self.requests.values()) - self.writes

    def as_dict(self) -> dict[str, object]:
        """For JSON."""
        body = dataclasses.asdict(self)
        body["requests"] = {f"{verb} {resource}": count for (verb, resource), count in self.requests.items()}
        return {**body, "acme": dict(self.acme), "writes": self.writes, "reads": self.reads}


class Bench:
    """Runs on one environment; each run in a namespace of its own, with an operator of its own.

    Args:
        env: The servers.
        folder: Where logs go.
    """

    def __init__(self, env: Environment, folder: Path) -> None:
        self._env = env
        self._folder = folder
        self._kube = Kube(kubeconfig=str(env.kubeconfig), names=Names(), user_agent="bench", pool_size=8)

    def dns01(self, count: int) -> Run:
        """Certificates of one name each, ECDSA, checks on."""
        self._namespace("dns01", manifests.tsig_secret(self._env, "dns01"), manifests.acme_issuer(self._env, "dns01"))
        wanted = [manifests.certificate("dns01", f"c{n}", f"c{n}.example.test") for n in range(count)]
        return self._issue("DNS-01, one name each", "dns01", wanted)

    def many_names(self, names: int) -> Run:
        """One certificate of many names."""
        self._namespace("many", manifests.tsig_secret(self._env, "many"), manifests.acme_issuer(self._env, "many"))
        wanted = [manifests.certificate("many", "many", *(f"n{n}.example.test" for n in range(names)))]
        return self._issue(f"DNS-01, one certificate of {names} names", "many", wanted)

    def http01(self, node: Node, count: int) -> Run:
        """Certificates of one name each, each by a pod of its own behind the node's Ingress controller."""
        names = [[f"h{number}.example.test"] for number in range(count)]
        return self._http01(node, "http01", "HTTP-01, one name each", names)

    def http01_names(self, node: Node, names: int) -> Run:
        """One certificate of many names, by one pod."""
        many = [f"hn{number}.example.test" for number in range(names)]
        return self._http01(node, "http01-many", f"HTTP-01, one certificate of {names} names", [many])

    def ca(self, count: int) -> Run:
        """Certificates from a CA issuer, ECDSA."""
        self._authority("ca")
        wanted = [manifests.certificate("ca", f"c{n}", f"c{n}.example.test", issuer="ca") for n in range(count)]
        return self._issue("CA issuer", "ca", wanted)

    def restart(self, count: int) -> Run:
        """A restart with many Ready certificates: nothing must be written."""
        self._authority("fleet")
        wanted = [manifests.certificate("fleet", f"c{n}", f"c{n}.example.test", issuer="ca") for n in range(count)]
        self._issue("", "fleet", wanted)
        operator = self._operator("restart")
        mark, run = self._env.audit_mark(), Run(f"restart with {count} Ready certificates", 0)
        began = time.monotonic()
        operator.start()
        self._settle(operator)
        run.seconds = time.monotonic() - began
        self._count(run, mark, usage(operator.child.pid))
        operator.stop()
        return run

    def idle(self) -> Run:
        """An operator with nothing to do."""
        operator, run = self._operator("idle"), Run("idle, no certificates", 0)
        began, mark = time.monotonic(), self._env.audit_mark()
        operator.start()
        self._settle(operator)
        run.seconds = time.monotonic() - began
        self._count(run, mark, usage(operator.child.pid))
        operator.stop()
        return run

    def _http01(self, node: Node, namespace: str, title: str, names: list[list[str]]) -> Run:
        node.publish("example.test", *(name for group in names for name in group))
        solver = {"http01": {"ingress": {"ingressClassName": CLASS}}}
        self._namespace(namespace, manifests.acme_issuer(self._env, namespace, solvers=[solver]))
        wanted = [manifests.certificate(namespace, f"c{n}", *group) for n, group in enumerate(names)]
        return self._issue(title, namespace, wanted)

    def _issue(self, title: str, namespace: str, wanted: list[Manifest]) -> Run:
        operator = self._operator(namespace)
        operator.start()
        self._wait_issuers(namespace)
        self._settle(operator)
        before, run = usage(operator.child.pid), Run(title, len(wanted))
        mark, acme_mark = self._env.audit_mark(), self._env.pebble.mark()
        with Readiness(self._kube, namespace) as readiness:
            began = time.monotonic()
            with ThreadPoolExecutor(4) as pool:
                applied = dict(pool.map(self._create, wanted))
            ready = readiness.wait(set(applied), timeout=600.0)
            run.seconds = max(ready.values()) - began
            run.latencies = sorted(ready[name] - applied[name] for name in applied)
        self._settle(operator)
        self._count(run, mark, usage(operator.child.pid) - before)
        run.acme = self._env.pebble.request_counts(acme_mark)
        operator.stop()
        return run

    def _create(self, body: Manifest) -> tuple[str, float]:
        meta = body["metadata"]
        began = time.monotonic()
        self._kube.request("POST", f"{self._kube.group_path}/namespaces/{meta['namespace']}/certificates", body=body)
        return meta["name"], began

    def _count(self, run: Run, mark: int, used: Usage) -> None:
        for entry in self._env.audit(mark):
            if entry.user_agent.startswith(AGENT) and entry.resource != LEASES:
                run.requests[entry.verb, entry.resource] += 1
        run.cpu, run.resident, run.threads = used.cpu, used.resident, used.threads

    def _settle(self, operator: Operator) -> None:
        """Wait until the operator has used no CPU worth mentioning for half a second."""
        before = usage(operator.child.pid).cpu
        while True:
            time.sleep(0.5)
            now = usage(operator.child.pid).cpu
            if now - before < 0.02:
                return
            before = now

    def _operator(self, namespace: str) -> Operator:
        only = () if namespace in {"restart", "idle"} else (f"--namespaces={namespace}",)
        image = (f"--http01-solver-image={CERTWRIGHT}", "--http01-solver-image-pull-policy=Never")
        options = (*only, *image, "--log-level=warning")
        return Operator(self._env, self._folder, name=f"operator-{namespace}", options=options)

    def _namespace(self, name: str, *objects: Manifest) -> None:
        self._env.kubectl("create", "namespace", name)
        manifests.apply(self._env, *objects)

    def _authority(self, namespace: str) -> None:
        """A namespace with a CA issuer that a selfSigned one bootstraps."""
        root = manifests.certificate(
            namespace,
            "root",
            issuer="self-signed",
            secret="root",
            isCA=True,
            commonName="Bench root",
            duration="87600h",
        )
        self._namespace(
            namespace,
            manifests.issuer(namespace, "self-signed", selfSigned={}),
            root,
            manifests.issuer(namespace, "ca", ca={"secretName": "root"}),
        )

    def _wait_issuers(self, namespace: str) -> None:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                items = self._kube.request("GET", f"{self._kube.group_path}/namespaces/{namespace}/issuers")["items"]
            except Conflict:  # pragma: no cover - a read never conflicts
                continue
            if all(manifests.condition(item, "Ready").get("status") == "True" for item in items):
                return
            time.sleep(0.1)
        raise TimeoutError(f"the issuers of {namespace} are not ready")

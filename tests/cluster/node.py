"""A real node for a running environment: kubelet, containerd and what a cluster has besides.

    python -m cluster.node up [--state DIR]      start an environment with a node; print the kubeconfig and the address
    python -m cluster.node down [--state DIR]    end both

Ports 80 and 443 of the node's address are the Ingress controller's, as on the internet. Pods reach each other,
Services, the API server and, through the cluster's DNS, the harness's BIND; nothing beyond this machine.
"""

import json
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from cluster import node_config, node_images, node_programs, node_traefik
from cluster.bind import publish
from cluster.build import forward
from cluster.environment import KUBECONFIG_VARIABLE, Environment
from cluster.node_inside import CAP_SYS_RESOURCE, has_capability, inside, move_kubeconfig, snapshotter, variables
from cluster.node_sandbox import STATE, Sandbox
from cluster.ports import accepts
from cluster.process import Child, StartError

#: Of the Service `kubernetes` and of the cluster's DNS, in the range that the API server gives addresses from.
API_SERVICE, DNS_SERVICE = "10.0.0.1", "10.0.0.10"
_API_PORT = 6443
_FOLDERS = ("cni", "lib", "log")


class Node:
    """A node of an environment's cluster.

    Its name is its address: the API server looks nodes up by name to fetch logs, and no DNS would know another.

    Args:
        environment: A running one with a control plane of its own.
        folder: For data and logs; in the environment's state by default.

    Attributes:
        name: Of the Node object; the address.
        started_in: Seconds that the steps of the start took.
    """

    def __init__(self, environment: Environment, folder: Path | None = None) -> None:
        self._env = environment
        self.folder = folder or environment.state / "node"
        self.name = ""
        self.started_in: dict[str, float] = {}
        self._sandbox = Sandbox(self.folder)
        self._children: list[Child] = []
        self._registered = False

    @staticmethod
    def missing() -> str | None:
        """Return why there can be no node on this machine, in one line; None if there can."""
        if os.environ.get(KUBECONFIG_VARIABLE):
            return "a node needs a cluster of the harness's own, not an existing one"
        return Sandbox.missing()

    @property
    def address(self) -> str:
        """The node's address, reached from this machine."""
        return self._sandbox.address

    @property
    def gateway(self) -> str:
        """This machine's address as the node and its pods see it."""
        return self._sandbox.gateway

    @property
    def children(self) -> list[Child]:
        """The processes, in the order in which they were started."""
        return [self._sandbox.process, *self._children]

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start it and return when it is Ready and serves.

        Raises:
            BuildError: a program could not be built.
            MissingProgramError: a program could not be brought.
            StartError: something did not start; `stop()` ends the rest.
        """
        node_programs.build_node()
        control_plane = self._env.require("users", "controllers")
        self._timed("sandbox", self._sandbox.start)
        self.name = self.address
        api = urlsplit(control_plane.url)
        self.expose(_API_PORT, f"{api.hostname}:{api.port}")
        self.expose(53, self._env.bind.resolver)
        self._extend_serving_certificate()
        self._configure()
        self._timed("containerd", self._start_containerd)
        self._apply_objects()
        parts = [self._start_scheduler, self._start_kubelet, self._start_proxy, self._start_dns, self._start_traefik]
        with ThreadPoolExecutor(len(parts)) as pool:
            for future in [pool.submit(self._timed, part.__name__.removeprefix("_start_"), part) for part in parts]:
                future.result()

    def stop(self) -> None:
        """End it with all its pods, and take its objects out of the cluster if that still runs.

        What is the cluster's rather than the node's stays: the classes, Gateway API's CRDs, the Service of the DNS.
        """
        self._sandbox.stop()
        for child in reversed(self._children):
            child.stop()
        self._children.clear()
        control_plane = self._env.control_plane
        if self._registered and control_plane and control_plane.ready():
            self._remove_objects()
        self._registered = False

    def expose(self, port: int, target: str) -> str:
        """Let the node and its pods reach a server of this machine's loopback, by TCP and UDP.

        Args:
            port: At the gateway's address.
            target: `address:port` of the server.

        Returns:
            `address:port` for the node and its pods.
        """
        listen = f"{self.gateway}:{port}"
        child = Child(f"forward-{port}", [forward().path(), listen, target], folder=self.folder)
        self._children.append(child)
        child.start()
        child.wait_until(lambda: accepts(self.gateway, port))
        return listen

    def publish(self, zone: str, *names: str, address: str = "") -> None:
        """Have names of a zone of the harness's BIND lead to the node, as a public name leads to an Ingress controller.

        Args:
            zone: A dynamic one.
            names: Absolute, without the dot at the end.
            address: Where they lead to instead, such as the gateway.

        Raises:
            StartError: the name server refused it.
        """
        bind = self._env.bind
        (key,) = bind.keyring().values()
        publish(bind.resolver, key, zone, names, address or self.address)

    def load_image(self, archive: Path) -> None:
        """Import an OCI or Docker archive. Pods use it with `imagePullPolicy: Never`; there is no registry."""
        self._ctr("images", "import", f"--snapshotter={snapshotter(self.folder)}", inside(archive.resolve()))

    def run(self, *command: str | Path) -> str:
        """Run a command on the node and return what it printed; raises StartError if it fails."""
        return self._sandbox.run(*command)

    def nft(self, rules: str) -> None:
        """Change the packet filter of the node's network, as `nft` takes it; raises StartError if that fails."""
        program = node_programs.nft()
        paths = variables(program.path.parent, libraries=program.env.get("LD_LIBRARY_PATH", ""))
        settings = [f"{name}={value}" for name, value in paths.items()]
        self.run("env", *settings, inside(program.path), rules)

    def network(self) -> str:
        """Return the name of its network namespace, as /proc names it."""
        return self.run("readlink", "/proc/self/ns/net").strip()

    def _timed(self, name: str, part: Callable[[], None]) -> None:
        begin = time.monotonic()
        part()
        self.started_in[name] = time.monotonic() - begin

    def _child(self, name: str, *command: str | Path, env: dict[str, str] | None = None) -> Child:
        child = Child(name, self._sandbox.enter(*command), folder=self.folder, env=env)
        self._children.append(child)
        child.start()
        return child

    def _configure(self) -> None:
        for folder in _FOLDERS:
            (self.folder / folder).mkdir(exist_ok=True)
        files = {
            "containerd.toml": node_config.containerd(
                pause=node_images.PAUSE,
                cni=inside(node_programs.cni()),
                snapshotter=snapshotter(self.folder),
                restricted=not has_capability(CAP_SYS_RESOURCE),
            ),
            "cni/10-pods.conflist": node_config.cni(str(self._sandbox.pods)),
            "kubelet.yaml": node_config.kubelet(address=self.address, cgroup=self._sandbox.cgroup, dns=DNS_SERVICE),
            "middlewares.yaml": node_traefik.middlewares(),
            "Corefile": node_config.corefile(address=self.address, upstream=self.gateway),
        }
        for name, text in files.items():
            (self.folder / name).write_text(text)
        masters = "system:masters"
        users = {
            "kubelet": (f"system:node:{self.name}", ["system:nodes", masters]),
            "scheduler": ("system:kube-scheduler", []),
            "proxy": ("system:kube-proxy", []),
            "coredns": ("coredns", [masters]),
            "traefik": ("traefik", [masters]),
        }
        for name, (user, groups) in users.items():
            kubeconfig = self._env.kubeconfig_for(user, groups)
            move_kubeconfig(kubeconfig, self.folder / f"{name}.kubeconfig", f"https://{self.gateway}:{_API_PORT}")

    def _extend_serving_certificate(self) -> None:
        """Give the API server a certificate that names the Service `kubernetes` too, by which pods know it.

        It looks at the files again when they change, so it needs no restart.
        """
        authority = self._env.require("users")._authority
        name = "kubernetes"
        hosts = [name, f"{name}.default", f"{name}.default.svc", f"{name}.default.svc.{node_config.DOMAIN}"]
        authority.server("apiserver", addresses=["127.0.0.1", API_SERVICE], hosts=hosts)

    def _start_containerd(self) -> None:
        runc = node_programs.runc()
        env = variables(node_programs.containerd(), runc.path.parent, libraries=runc.env.get("LD_LIBRARY_PATH", ""))
        config = STATE / "containerd.toml"
        containerd = self._child("containerd", inside(node_programs.containerd() / "containerd"), "-c", config, env=env)
        containerd.wait_until(self._containerd_answers)
        for image in (node_images.pause(), node_images.python()):
            self.load_image(image)

    def _containerd_answers(self) -> bool:
        try:
            self._ctr("version")
        except StartError:
            return False
        return True

    def _ctr(self, *arguments: str) -> None:
        ctr = inside(node_programs.containerd() / "ctr")
        self.run(ctr, "--namespace=k8s.io", f"--address={node_config.CONTAINERD_SOCKET}", *arguments)

    def _start_kubelet(self) -> None:
        kubelet = self._child(
            "kubelet",
            *(inside(node_programs.nodeplane().path()), "kubelet"),
            f"--config={STATE}/kubelet.yaml",
            f"--kubeconfig={STATE}/kubelet.kubeconfig",
            f"--hostname-override={self.name}",
            f"--node-ip={self.address}",
        )
        self._registered = True
        kubelet.wait_until(self._ready)

    def _ready(self) -> bool:
        path = '{.status.conditions[?(@.type=="Ready")].status}'
        return self._env.kubectl("get", "node", self.name, "-o", f"jsonpath={path}", check=False).strip() == "True"

    def _start_scheduler(self) -> None:
        self._child(
            "kube-scheduler",
            *(inside(node_programs.nodeplane().path()), "kube-scheduler"),
            f"--kubeconfig={STATE}/scheduler.kubeconfig",
            *("--leader-elect=false", "--bind-address=127.0.0.1"),
        )

    def _start_proxy(self) -> None:
        nft = node_programs.nft()
        self._child(
            "kube-proxy",
            *(inside(node_programs.nodeplane().path()), "kube-proxy"),
            f"--kubeconfig={STATE}/proxy.kubeconfig",
            f"--hostname-override={self.name}",
            "--proxy-mode=nftables",
            # The limits of connection tracking are the machine's and may not be writable.
            *("--conntrack-max-per-core=0", "--conntrack-min=0"),
            *("--healthz-bind-address=127.0.0.1:10256", "--metrics-bind-address=127.0.0.1:10249"),
            env=variables(nft.path.parent, libraries=nft.env.get("LD_LIBRARY_PATH", "")),
        )

    def _start_dns(self) -> None:
        coredns = self._child("coredns", inside(node_programs.coredns().path()), "-conf", STATE / "Corefile")
        coredns.wait_until(lambda: "CoreDNS-" in coredns.log_tail())

    def _start_traefik(self) -> None:
        self._env.apply_crds(node_traefik.gateway_api())
        self._apply(*node_traefik.objects())
        traefik = self._child(
            "traefik",
            inside(node_traefik.traefik()),
            *node_traefik.flags(self.address, f"{STATE}/middlewares.yaml"),
            env={"KUBECONFIG": str(STATE / "traefik.kubeconfig")},
        )
        traefik.wait_until(lambda: accepts(self.address, node_traefik.HTTP_PORT))

    def _apply_objects(self) -> None:
        api: list[dict[str, object]] = [{"name": "https", "port": _API_PORT, "protocol": "TCP"}]
        dns: list[dict[str, object]] = [{"name": kind.lower(), "port": 53, "protocol": kind} for kind in ("UDP", "TCP")]
        self._registered = True
        self._apply(
            node_config.endpoint_slice("default", "kubernetes", f"node-{self.name}", self.gateway, api),
            node_config.endpoint_slice("kube-system", "kube-dns", f"node-{self.name}", self.address, dns),
            node_config.dns_service(DNS_SERVICE),
        )

    def _apply(self, *objects: object) -> None:
        items = {"apiVersion": "v1", "kind": "List", "items": objects}
        self._env.kubectl("apply", "-f", "-", input=json.dumps(items))

    def _remove_objects(self) -> None:
        gone = ["--ignore-not-found", "--wait=false"]
        mine = [f"--field-selector=spec.nodeName={self.name}", "--grace-period=0", "--force"]
        self._env.kubectl("delete", "pods", "--all-namespaces", *mine, *gone, check=False)
        self._env.kubectl("delete", "node", self.name, *gone, check=False)
        for namespace in ("default", "kube-system"):
            self._env.kubectl("delete", "endpointslice", f"node-{self.name}", f"--namespace={namespace}", *gone)


if __name__ == "__main__":
    from cluster.node_command import main

    raise SystemExit(main())

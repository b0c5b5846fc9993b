"""The configuration files of a node's programs, as text. Paths in them are those inside the sandbox."""

import json
from collections.abc import Sequence

import yaml

from cluster.node_sandbox import STATE

DOMAIN = "cluster.local"
CONTAINERD_SOCKET = "/run/containerd/containerd.sock"


def containerd(*, pause: str, cni: str, snapshotter: str, restricted: bool) -> str:
    """The configuration of containerd.

    Args:
        pause: Name of the image that holds a pod's namespaces.
        cni: Folder of the network plugins.
        snapshotter: overlayfs, or native where the state itself lies on an overlay.
        restricted: Whether the machine forbids what CAP_SYS_RESOURCE allows. Without saying so runc dies with
            "can't get final child's PID from pipe".
    """
    return f"""\
version = 2
[grpc]
  address = "{CONTAINERD_SOCKET}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{pause}"
  restrict_oom_score_adj = {str(restricted).lower()}
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "{snapshotter}"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        SystemdCgroup = false
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{cni}"
    conf_dir = "{STATE}/cni"
"""


def cni(pods: str) -> str:
    """The pods' network: a bridge. A pod may reach itself through a Service, hence the hairpin."""
    bridge = {
        "type": "bridge",
        "bridge": "cni0",
        "isGateway": True,
        "hairpinMode": True,
        "ipam": {"type": "host-local", "ranges": [[{"subnet": pods}]], "routes": [{"dst": "0.0.0.0/0"}]},
    }
    return json.dumps({"cniVersion": "1.0.0", "name": "pods", "plugins": [bridge]}, indent=2)


def kubelet(*, address: str, cgroup: str, dns: str) -> str:
    """The configuration of kubelet.

    It does not ask the API server who may talk to it: the API server of the harness has no client certificate for it.
    Its address is only reached from this machine.
    """
    nothing = dict.fromkeys(("memory.available", "nodefs.available", "nodefs.inodesFree", "imagefs.available"), "0%")
    return yaml.safe_dump(
        {
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "address": address,
            "authentication": {"anonymous": {"enabled": True}, "webhook": {"enabled": False}},
            "authorization": {"mode": "AlwaysAllow"},
            "cgroupDriver": "cgroupfs",
            "cgroupRoot": f"/{cgroup}",
            "failCgroupV1": False,
            "failSwapOn": False,
            "clusterDNS": [dns],
            "clusterDomain": DOMAIN,
            "resolvConf": "",
            "containerRuntimeEndpoint": f"unix://{CONTAINERD_SOCKET}",
            # The machine's disk may be as full as it likes: images cannot be fetched again, so none is thrown away.
            "evictionHard": nothing,
            "imageGCHighThresholdPercent": 100,
            "imageGCLowThresholdPercent": 99,
            "makeIPTablesUtilChains": False,
            "readOnlyPort": 0,
        },
        sort_keys=False,
    )


def corefile(*, address: str, upstream: str) -> str:
    """CoreDNS's configuration: the cluster's names from the API server, all others from the harness's BIND.

    Nothing is cached, so that tests see at once what they changed.
    """
    return f"""\
.:53 {{
    bind {address}
    errors
    ready 127.0.0.1:8181
    kubernetes {DOMAIN} in-addr.arpa ip6.arpa {{
        kubeconfig {STATE}/coredns.kubeconfig
        pods insecure
        fallthrough in-addr.arpa ip6.arpa
        ttl 1
    }}
    forward . {upstream}
}}
"""


def endpoint_slice(namespace: str, service: str, name: str, address: str, ports: Sequence[dict[str, object]]) -> object:
    """Where a Service without a selector leads to."""
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": name, "namespace": namespace, "labels": {"kubernetes.io/service-name": service}},
        "addressType": "IPv4",
        "endpoints": [{"addresses": [address], "conditions": {"ready": True}}],
        "ports": list(ports),
    }


def dns_service(address: str) -> object:
    """The Service that pods ask for names."""
    ports = [{"name": kind.lower(), "port": 53, "protocol": kind} for kind in ("UDP", "TCP")]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "kube-dns", "namespace": "kube-system"},
        "spec": {"clusterIP": address, "ports": ports},
    }

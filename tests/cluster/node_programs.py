"""The programs of a node: Kubernetes' and CoreDNS built here, containerd and its helpers from Debian's packages."""

import os
import shutil
from pathlib import Path

from cluster import node_images, node_traefik
from cluster.build import HERE, KUBERNETES, GoProgram, control_plane, forward
from cluster.packages import Program, debian

COREDNS = "v1.15.0"


def nodeplane() -> GoProgram:
    """Return the binary of kubelet, kube-proxy and kube-scheduler."""
    return GoProgram(
        name=f"nodeplane-{KUBERNETES}",
        module=HERE / "nodeplane",
        package=".",
        ldflags=control_plane().ldflags,
        expected="about a minute after the control plane's build, 5 minutes without it, then cached",
    )


def coredns() -> GoProgram:
    """Return the binary of CoreDNS."""
    return GoProgram(
        name=f"coredns-{COREDNS}",
        module=HERE / "coredns",
        package=".",
        ldflags="-s -w",
        expected="about 2 minutes the first time, then cached",
    )


def containerd() -> Path:
    """Return the folder with containerd, its shim, `ctr`."""
    return debian("containerd") / "usr" / "bin"


def runc() -> Program:
    """Return runc."""
    return _debian_program("runc", "runc")


def nft() -> Program:
    """Return nft, by which kube-proxy writes its rules: the machine's, else Debian's."""
    path = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"))
    if found := shutil.which("nft", path=path):
        return Program(Path(found))
    return _debian_program("nftables", "nft")


def cni() -> Path:
    """Return the folder with the plugins for pod networks."""
    return debian("containernetworking-plugins") / "usr" / "lib" / "cni"


def build_node() -> None:
    """Make sure that every program and image of a node is there, building and fetching what is not."""
    forward().path()
    containerd()
    runc()
    nft()
    cni()
    node_images.pause()
    node_images.python()
    nodeplane().path()
    coredns().path()
    node_traefik.traefik()
    node_traefik.gateway_api()


def _debian_program(package: str, name: str) -> Program:
    root = debian(package)
    program = next(path for folder in ("usr/sbin", "usr/bin", "sbin", "bin") if (path := root / folder / name).exists())
    folders = sorted({str(library.parent) for library in root.rglob("lib*.so*")})
    return Program(program, {"LD_LIBRARY_PATH": os.pathsep.join(folders)} if folders else {})

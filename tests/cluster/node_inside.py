"""How things of the machine look from inside a node's sandbox: paths, environment, credentials, rights."""

import base64
import os
import subprocess
from pathlib import Path

import yaml

from cluster.cache import cache_root
from cluster.node_sandbox import CACHE

CAP_SYS_RESOURCE = 24


def inside(path: Path) -> str:
    """Return where a file of the cache, or of the machine, is seen in the sandbox."""
    return str(CACHE / path.relative_to(cache_root())) if path.is_relative_to(cache_root()) else str(path)


def variables(*folders: Path, libraries: str = "") -> dict[str, str]:
    """Return environment variables by which programs of these folders, and their libraries, are found."""
    path = os.pathsep.join([*(inside(folder) for folder in folders), "/usr/sbin", "/usr/bin", "/sbin", "/bin"])
    places = [inside(Path(folder)) for folder in libraries.split(os.pathsep) if folder]
    return {"PATH": path, **({"LD_LIBRARY_PATH": os.pathsep.join(places)} if places else {})}


def has_capability(number: int) -> bool:
    """Tell whether this process has a capability, by its number."""
    status = Path("/proc/self/status").read_text()
    bits = next(line.split()[1] for line in status.splitlines() if line.startswith("CapEff:"))
    return bool(int(bits, 16) >> number & 1)


def snapshotter(folder: Path) -> str:
    """Return how containerd is to keep layers in a folder: an overlay on an overlay is refused by the kernel."""
    done = subprocess.run(
        ["stat", "--file-system", "--format=%T", str(folder)], capture_output=True, text=True, check=False
    )
    return "native" if "overlay" in done.stdout else "overlayfs"


def move_kubeconfig(source: Path, target: Path, server: str) -> None:
    """Copy a kubeconfig for use in a sandbox: with the credentials in it, and another way to the API server."""
    document = yaml.safe_load(source.read_text())
    cluster, user = document["clusters"][0]["cluster"], document["users"][0]["user"]
    for entry in (cluster, user):
        for key in ("certificate-authority", "client-certificate", "client-key"):
            if file := entry.pop(key, None):
                entry[f"{key}-data"] = base64.b64encode(Path(file).read_bytes()).decode()
    cluster["server"] = server
    cluster["tls-server-name"] = "kubernetes.default.svc"  # the way's own address is in no certificate
    target.touch(mode=0o600)
    target.write_text(yaml.safe_dump(document))

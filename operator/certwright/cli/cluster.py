"""Which cluster a command talks to, and in which namespace: the way kubectl chooses, so that nobody is surprised.

It reads files and opens a client; it asks the API server nothing.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from certwright import __version__
from certwright.errors import Terminal
from certwright.kube.client import Kube
from certwright.resources.names import Names

if TYPE_CHECKING:
    from collections.abc import Iterable

DEFAULT_KUBECONFIG = Path("~/.kube/config")
POD_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
NO_CLUSTER = "NoCluster"
"""Reason of the fault where nothing says which cluster is meant."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """A client, and the namespace that is meant where none is given."""

    kube: Kube
    namespace: str


def connect(kubeconfig: str, api_group: str) -> Cluster:
    """Open a client.

    Args:
        kubeconfig: Path, or several with colons; empty for kubectl's default, else the pod's own account.
        api_group: Group of our resources.

    Raises:
        Terminal: There is no cluster to talk to (reason NoCluster), or its kubeconfig cannot be read.
    """
    path = kubeconfig or default_kubeconfig()
    if not path and "KUBERNETES_SERVICE_HOST" not in os.environ:
        raise Terminal(
            f"no cluster is configured: there is no {DEFAULT_KUBECONFIG}; give --kubeconfig or set KUBECONFIG",
            reason=NO_CLUSTER,
        )
    kube = Kube(kubeconfig=path or None, names=Names(api_group), user_agent=f"certwright-cli/{__version__}")
    return Cluster(kube, context_namespace(path.split(os.pathsep)) if path else _pod_namespace())


def default_kubeconfig() -> str:
    """The file kubectl reads when it is told nothing; empty when there is none."""
    path = DEFAULT_KUBECONFIG.expanduser()
    return str(path) if path.exists() else ""


def context_namespace(paths: Iterable[str]) -> str:
    """The namespace of the current context; where several files are merged, the first that says so counts.

    A file that cannot be read is left to the client, whose fault says more.
    """
    import yaml  # noqa: PLC0415 - `--help` needs none

    current, namespaces = "", dict[str, str]()
    for path in paths:
        try:
            config = yaml.safe_load(Path(path).expanduser().read_text(encoding="utf-8"))
        except (OSError, UnicodeError, yaml.YAMLError):
            continue
        if not isinstance(config, dict):
            continue
        current = current or str(config.get("current-context") or "")
        for item in config.get("contexts") or ():
            namespaces.setdefault(item.get("name", ""), (item.get("context") or {}).get("namespace") or "")
    return namespaces.get(current) or "default"


def _pod_namespace() -> str:
    try:
        return POD_NAMESPACE.read_text(encoding="utf-8").strip() or "default"
    except OSError:
        return "default"

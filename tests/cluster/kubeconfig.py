"""Kubeconfig files for the harness's API server."""

from collections.abc import Mapping
from pathlib import Path

import yaml


def write_kubeconfig(path: Path, *, server: str, ca_file: Path, user: Mapping[str, str]) -> Path:
    """Write a kubeconfig with one cluster and one user, readable by its owner only.

    Args:
        path: Where to.
        server: The API server's URL.
        ca_file: The CA that its certificate is checked against.
        user: The credentials as kubeconfig names them: `token`, or `client-certificate` and `client-key`.
    """
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "certwright", "cluster": {"server": server, "certificate-authority": str(ca_file)}}],
        "users": [{"name": "user", "user": dict(user)}],
        "contexts": [{"name": "certwright", "context": {"cluster": "certwright", "user": "user"}}],
        "current-context": "certwright",
    }
    path.touch(mode=0o600)
    path.write_text(yaml.safe_dump(document, sort_keys=False))
    return path

"""Options that several commands share, spelled and explained once."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer


class Format(StrEnum):
    """How a command prints what it found."""

    TEXT = "text"
    JSON = "json"
    YAML = "yaml"


Kubeconfig = Annotated[
    str,
    typer.Option(
        envvar=["CERTWRIGHT_KUBECONFIG", "KUBECONFIG"],
        help="Path; none means ~/.kube/config, or the pod's own account.",
        show_default=False,
    ),
]
ApiGroup = Annotated[str, typer.Option(envvar="CERTWRIGHT_API_GROUP", help="API group of the resources.")]
Namespace = Annotated[
    str,
    typer.Option("--namespace", "-n", help="Namespace; none means the kubeconfig's, else default.", show_default=False),
]
AllNamespaces = Annotated[bool, typer.Option("--all-namespaces", "-A", help="All namespaces.")]
Output = Annotated[Format, typer.Option("--output", "-o", help="How to print it.")]

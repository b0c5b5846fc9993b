"""Options that several commands share, spelled and explained once."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer


def parts(text: str) -> tuple[str, ...]:
    """The entries of an option that has commas between them."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


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
AllowedNetworks = Annotated[
    str, typer.Option(envvar="CERTWRIGHT_ALLOWED_NETWORKS", hidden=True, help="As the operator's.")
]
ExecPrograms = Annotated[str, typer.Option(envvar="CERTWRIGHT_EXEC_PROGRAMS", hidden=True, help="As the operator's.")]
AllowLoopback = Annotated[bool, typer.Option(envvar="CERTWRIGHT_ALLOW_LOOPBACK", hidden=True, help="For tests.")]
Output = Annotated[Format, typer.Option("--output", "-o", help="How to print it.")]

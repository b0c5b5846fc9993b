"""What GitOps tools make of objects: the code by which they judge, and the definitions of their own kinds.

Built and fetched only when a test asks. Flux and Argo CD themselves do not run here: what is of theirs is the code that
tells an object's health, and the schemas that an example must fit.
"""

import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cluster.build import HERE, GoProgram, module


class RefusedError(RuntimeError):
    """The program could not judge; the message is what it said."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """How an object is.

    Attributes:
        status: InProgress, Current, Failed, Terminating or Unknown; in Argo CD's words Progressing, Healthy, Degraded.
        message: Why.
    """

    status: str
    message: str


@dataclass(frozen=True, slots=True)
class Published:
    """A file that a released Go module carries.

    Attributes:
        module: Its path and version.
        checksum: Of its content, as a go.sum has it.
        file: Where it is in there.
    """

    module: str
    checksum: str
    file: str

    def path(self) -> Path:
        """Return the file, fetched now if it is not there yet.

        Raises:
            BuildError: it could not be had, or is another than it was.
            MissingProgramError: there is no Go and none could be had.
        """
        return module(self.module, self.checksum) / self.file


_ARGOCD = "github.com/argoproj/argo-cd/v3@v3.4.13", "h1:kmnF4nE5SQ83OhtdX6DMmLSpH0eRIa1gNYdCLNHqB+A="
DEFINITIONS = (
    Published(*_ARGOCD, "manifests/crds/application-crd.yaml"),
    Published(
        "github.com/fluxcd/kustomize-controller@v1.9.6",
        "h1:XB+G3A0mky0j5uVHZWv4oSlS2RvZBoNIUhstIvY0JKE=",
        "config/crd/bases/kustomize.toolkit.fluxcd.io_kustomizations.yaml",
    ),
    Published(
        "github.com/fluxcd/source-controller@v1.9.6",
        "h1:nG534/bI6nVpyHra7ONAk6xDB3xPsVT+EOLHZHXPrrc=",
        "config/crd/bases/source.toolkit.fluxcd.io_gitrepositories.yaml",
    ),
)
"""CustomResourceDefinitions. Of helm-controller only the module with its types can be had: see `check_helm_release`."""
CERT_MANAGERS_HEALTH = {
    kind: Published(*_ARGOCD, f"resource_customizations/cert-manager.io/{kind}/health.lua")
    for kind in ("Certificate", "Issuer", "ClusterIssuer")
}
"""The scripts that Argo CD has for the group cert-manager.io."""


def judges() -> GoProgram:
    """Return the binary that judges; see its source for what it can."""
    return GoProgram(
        name="gitops",
        module=HERE / "gitops",
        package=".",
        ldflags="-s -w",
        expected="about a minute the first time, then cached",
        packages=620,
    )


def kstatus(body: Mapping[str, Any]) -> Verdict:
    """Judge by the conditions alone, as whoever uses kstatus does: kpt, Helm 4, Flux without expressions."""
    return _judge(body, "kstatus")


def flux(body: Mapping[str, Any], kustomization: Path) -> Verdict:
    """Judge by the health check expressions of a Kustomization in a JSON file; Unknown is waited for."""
    return _judge(body, "flux", kustomization)


def argocd(body: Mapping[str, Any], script: Path) -> Verdict:
    """Judge by a Lua script, in the interpreter and with the libraries that Argo CD gives it."""
    return _judge(body, "argocd", script)


def check_helm_release(body: Mapping[str, Any]) -> None:
    """Have Flux's own types read a HelmRelease.

    Raises:
        RefusedError: it has a field that they do not know, or a value of another kind.
    """
    _judge(body, "helmrelease")


def _judge(body: Mapping[str, Any], *arguments: str | Path) -> Verdict:
    done = subprocess.run(
        [judges().path(), *arguments], input=json.dumps(body), capture_output=True, text=True, check=False, timeout=60
    )
    if done.returncode:
        raise RefusedError(done.stderr.strip())
    return Verdict(**json.loads(done.stdout))

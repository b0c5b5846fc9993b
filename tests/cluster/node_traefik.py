"""Traefik, the node's controller for Ingress and Gateway API: how it is built, and what it is told."""

import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from cluster import build
from cluster.build import HERE, GoProgram
from cluster.cache import cache_root, content_key, locked

TRAEFIK = "v3.7.13"
GATEWAY_API = "sigs.k8s.io/gateway-api@v1.6.1"
#: Name of the IngressClass and of the GatewayClass.
CLASS = "traefik"
HTTP_PORT, HTTPS_PORT = 80, 443
#: A middleware that an Ingress names by its annotation router.middlewares as `REDIRECT@file`: it redirects to HTTPS.
REDIRECT = "to-https"
#: Likewise one that gives the backend another Host than the one that was asked for, as some proxies do.
REWRITE = "other-host"

_MODULE = HERE / "traefik"
_LEGO = "github.com/go-acme/lego/v5@v5.4.1"
#: Checksums as go.sum has them: these two are not built as they are, so go.sum does not guard them.
_SUMS = {
    _LEGO: "h1:Jt6xAP9xQrJ3SLLGgxejfDDd3pzdrmuLCWe4oTqHHQc=",
    GATEWAY_API: "h1:mock6phZbI6rvZerwrVNk7hVNymQgHo+6sJ81Ia7ftY=",
}
_INGRESS_CONTROLLER = "traefik.io/ingress-controller"
_GATEWAY_CONTROLLER = "traefik.io/gateway-controller"


def traefik() -> Path:
    """Return the binary, built now if the cache has none.

    Raises:
        BuildError: the compiler failed, or a module is not what it was.
        MissingProgramError: there is no Go and none could be had.
    """
    sources = sorted(path for path in _MODULE.rglob("*") if path.is_file())
    names = [str(path.relative_to(_MODULE)) for path in sources]
    target = cache_root() / "bin" / f"traefik-{TRAEFIK}-{content_key([TRAEFIK, _LEGO, *names, *sources])}"
    if not target.exists():
        with locked("traefik"):
            if not target.exists():
                _build(target)
    return target


def gateway_api() -> Path:
    """Return a folder with the CRDs of Gateway API's standard channel."""
    target = cache_root() / GATEWAY_API.rpartition("/")[2]
    if not target.exists():
        with locked("gateway-api"):
            if not target.exists():
                partial = target.with_name(f"{target.name}.{os.getpid()}.partial")
                partial.mkdir()
                for file in (_module(GATEWAY_API) / "config" / "crd" / "standard").glob("gateway.networking.k8s.io_*"):
                    if "kind: CustomResourceDefinition" in file.read_text():
                        shutil.copyfile(file, partial / file.name)
                partial.rename(target)
    return target


def middlewares() -> str:
    """Return the file of what an Ingress can name besides its own rules."""
    redirect = {"redirectScheme": {"scheme": "https", "permanent": True}}
    rewrite = {"headers": {"customRequestHeaders": {"Host": "backend.internal"}}}
    return json.dumps({"http": {"middlewares": {REDIRECT: redirect, REWRITE: rewrite}}})


def flags(address: str, middlewares: str) -> list[str]:
    """Return the command's flags; the API server is found by the variable KUBECONFIG.

    Args:
        address: Of the node, which objects then report as the one to reach them by.
        middlewares: Path of the file of that name, within the node.
    """
    ingress, gateway = "--providers.kubernetesingress", "--providers.kubernetesgateway"
    return [
        "--global.checknewversion=false",
        "--global.sendanonymoususage=false",
        "--log.level=INFO",
        f"--entrypoints.web.address={address}:{HTTP_PORT}",
        f"--entrypoints.websecure.address={address}:{HTTPS_PORT}",
        f"--providers.file.filename={middlewares}",
        f"{ingress}=true",
        f"{ingress}.ingressendpoint.ip={address}",
        f"{gateway}=true",
        f"{gateway}.statusaddress.ip={address}",
    ]


def objects() -> list[dict[str, Any]]:
    """Return the classes by which an Ingress or a Gateway chooses this controller."""
    return [
        {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "IngressClass",
            "metadata": {"name": CLASS},
            "spec": {"controller": _INGRESS_CONTROLLER},
        },
        {
            "apiVersion": "gateway.networking.k8s.io/v1",
            "kind": "GatewayClass",
            "metadata": {"name": CLASS},
            "spec": {"controllerName": _GATEWAY_CONTROLLER},
        },
    ]


def _build(target: Path) -> None:
    """Build it beside a copy of lego without the DNS providers; Go takes no replacement inside its own module cache."""
    with tempfile.TemporaryDirectory(prefix="traefik-", dir=cache_root()) as folder:
        module = Path(folder) / "module"
        shutil.copytree(_MODULE, module)
        # Its providers, and the programs and tests that need more modules, stay out; the module's own files stay.
        left_out = shutil.ignore_patterns("providers", "cmd", "docs", "e2e", "main.go", "go.mod", "go.sum", "*_test.go")
        shutil.copytree(
            _module(_LEGO),
            module / "lego",
            dirs_exist_ok=True,
            ignore=left_out,
            copy_function=shutil.copyfile,  # not their modes: the module cache is read-only
        )
        built = GoProgram(
            name=f"traefik-{TRAEFIK}",
            module=module,
            package="github.com/traefik/traefik/v3/cmd/traefik",
            ldflags=f"-s -w -X github.com/traefik/traefik/v3/pkg/version.Version={TRAEFIK}",
            expected="about 4 minutes on two idle cores the first time, then cached",
            packages=1370,
        ).path()
        built.rename(target)


def _module(name: str) -> Path:
    return build.module(name, _SUMS[name])

"""Helm 4 and 3, built like the other programs but only when a test asks for them, and a class that runs one of them."""

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from cluster.build import HERE, GoProgram
from cluster.chart import CHART

VERSIONS = {4: "v4.3.1", 3: "v3.22.0"}
#: What a released Helm takes a cluster for when it has none: the Kubernetes that it was built with.
_KUBERNETES = ("1", "37")


class HelmError(RuntimeError):
    """Helm failed; the message is what it said."""


def program(major: int) -> GoProgram:
    """Return the binary of Helm, by its major version."""
    version = VERSIONS[major]
    values = {f"helm.sh/helm/v{major}/internal/version.version": version}
    if major == 3:  # the fourth one looks into its own modules
        for package in ("pkg/chartutil", "pkg/lint/rules"):
            prefix = f"helm.sh/helm/v3/{package}.k8sVersion"
            values |= {f"{prefix}Major": _KUBERNETES[0], f"{prefix}Minor": _KUBERNETES[1]}
    return GoProgram(
        name=f"helm-{version}",
        module=HERE / f"helm{major}",
        package=f"helm.sh/helm/v{major}/cmd/helm",
        ldflags="-s -w " + " ".join(f"-X {name}={value}" for name, value in values.items()),
        expected="about 2 minutes on two idle cores the first time, then cached",
    )


def build_helms() -> None:
    """Make sure that both are there, building what is not."""
    for major in VERSIONS:
        program(major).path()


class Helm:
    """One Helm with a home of its own: nobody's plugins, repositories or settings are seen or touched.

    Args:
        major: 4 or 3.
        folder: For its home.
        kubeconfig: Of the cluster; None for what needs none.
    """

    def __init__(self, major: int, folder: Path, *, kubeconfig: Path | None = None) -> None:
        self.major = major
        self._path = program(major).path()
        folder.mkdir(parents=True, exist_ok=True)
        homes = {name: str(folder / name) for name in ("cache", "config", "data")}
        kept = {name: value for name, value in os.environ.items() if not _meddles(name)}
        self._environment = {**kept, **{f"HELM_{name.upper()}_HOME": path for name, path in homes.items()}}
        # Without one it must not find the machine's.
        self._environment["KUBECONFIG"] = str(kubeconfig or os.devnull)
        self._folder = folder

    def run(self, *arguments: str | Path, timeout: float = 240.0) -> str:
        """Run Helm and return what it printed.

        Raises:
            HelmError: it failed.
        """
        done = subprocess.run(
            [self._path, *arguments],
            env=self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout,
        )
        if done.returncode:
            raise HelmError(f"helm {self.major} {' '.join(map(str, arguments))}: {done.stderr.strip() or done.stdout}")
        return done.stdout

    def template(
        self, *flags: str, values: Mapping[str, Any] | None = None, chart: Path = CHART
    ) -> list[dict[str, Any]]:
        """Return the objects that the chart makes of some values.

        Raises:
            HelmError: the values or the chart are refused.
        """
        text = self.run("template", "certwright", chart, "--namespace=certwright", *self.values(values), *flags)
        return read(text)

    def values(self, values: Mapping[str, Any] | None) -> list[str]:
        """Return the flags that hand over values."""
        if not values:
            return []
        file = self._folder / "values.json"
        file.write_text(json.dumps(values))
        return [f"--values={file}"]


def read(text: str) -> list[dict[str, Any]]:
    """Return the objects of a stream of YAML; by libyaml where it is, since the CRDs are long."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return [body for body in yaml.load_all(text, Loader=loader) if body]


def _meddles(name: str) -> bool:
    """Tell whether an environment variable would change what Helm does; a proxy cannot reach a loopback address."""
    return name.startswith(("HELM_", "KUBE")) or name.lower().endswith("_proxy")

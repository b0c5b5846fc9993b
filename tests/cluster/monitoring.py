"""What the chart's objects for Prometheus are checked with: promtool, and the CRDs of the Prometheus operator."""

from pathlib import Path

from cluster.build import module
from cluster.packages import Program, debian

OPERATOR = "github.com/prometheus-operator/prometheus-operator@v0.85.0"
_CHECKSUM = "h1:M5xLCLEoaW2IJfnuCwFzzpL+jSVQu3KGT84Pye+fW8s="


def promtool() -> Program:
    """Return promtool, from Debian's package.

    Raises:
        MissingProgramError: the package could not be had.
    """
    return Program(debian("prometheus") / "usr" / "bin" / "promtool")


def crds() -> list[Path]:
    """Return the files of the CRDs ServiceMonitor and PrometheusRule.

    Raises:
        BuildError: they could not be had, or are others than they were.
    """
    folder = module(OPERATOR, _CHECKSUM) / "example" / "prometheus-operator-crd"
    return [folder / f"monitoring.coreos.com_{plural}.yaml" for plural in ("servicemonitors", "prometheusrules")]

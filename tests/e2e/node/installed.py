"""The operator as users run it: two pods of its image, installed by Helm."""

import json
from pathlib import Path
from typing import Any

from waits import until

from cluster.chart import CHART
from cluster.environment import Environment
from cluster.helm import Helm
from cluster.image import CERTWRIGHT
from cluster.manifests import Manifest
from cluster.node import Node

PLACE = "certwright"


class Installed:
    """A release of the chart.

    Args:
        env: The cluster.
        node: Where its pods run.
        folder: For Helm's home.
        major: Helm's version.
    """

    def __init__(self, env: Environment, node: Node, folder: Path, *, major: int = 4) -> None:
        self._env = env
        self._helm = Helm(major, folder, kubeconfig=env.kubeconfig)
        repository, _, tag = CERTWRIGHT.rpartition(":")
        self._values: dict[str, Any] = {
            "image": {"repository": repository, "tag": tag, "pullPolicy": "Never"},
            "dns": {"resolvers": [f"{node.gateway}:53"]},
            "crds": {"install": False},  # the environment applied them
        }

    def install(self) -> None:
        """Install it and wait until both pods are ready."""
        flags = [f"--namespace={PLACE}", "--create-namespace", "--wait", "--timeout=3m"]
        self._helm.run("install", "certwright", CHART, *flags, *self._helm.values(self._values))

    def uninstall(self) -> None:
        """Take it away."""
        self._helm.run("uninstall", "certwright", f"--namespace={PLACE}", "--wait", "--timeout=2m")

    def pods(self) -> list[Manifest]:
        """Its pods that are not being deleted."""
        where = [f"--namespace={PLACE}", "--selector=app.kubernetes.io/name=certwright", "-o", "json"]
        found = json.loads(self._env.kubectl("get", "pods", *where))["items"]
        return [pod for pod in found if not pod["metadata"].get("deletionTimestamp")]

    def leader(self) -> str:
        """The name of the pod that works."""
        holder = self._env.kubectl(
            "get", "lease", "certwright", f"--namespace={PLACE}", "-o", "jsonpath={.spec.holderIdentity}"
        )
        return next((pod["metadata"]["name"] for pod in self.pods() if holder.startswith(pod["metadata"]["name"])), "")

    def kill_leader(self) -> str:
        """Kill the pod that works, with no time to hand over; return its name when another one works."""
        leader = until(self.leader, 30, "a pod leads")
        self._env.kubectl("delete", "pod", leader, f"--namespace={PLACE}", "--force", "--grace-period=0")
        until(lambda: self.leader() not in ("", leader), 90, "another pod leads", self.pods)
        return leader

    def log(self) -> str:
        """What both pods have logged."""
        return "".join(
            self._env.kubectl("logs", pod["metadata"]["name"], f"--namespace={PLACE}", check=False)
            for pod in self.pods()
        )

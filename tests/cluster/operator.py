"""The operator as a process of its own, run against an environment as a user runs it."""

import time
import urllib.request
from pathlib import Path

from cluster import ports
from cluster.environment import REPOSITORY, Environment
from cluster.process import Child

COMMAND = REPOSITORY / ".venv" / "bin" / "certwright"
NAMESPACE = "certwright"


def surroundings(dns_port: int) -> dict[str, str]:
    """Variables without which the operator would refuse the environment's servers, all of them on loopback.

    Args:
        dns_port: Of the zones' name servers.
    """
    return {"CERTWRIGHT_DNS_AUTHORITATIVE_PORT": str(dns_port), "CERTWRIGHT_ALLOW_LOOPBACK": "true"}


class Operator:
    """One operator process.

    Args:
        env: What it works on.
        folder: Where its log goes.
        name: Of the process, for its log's name.
        options: Further flags of `certwright run`.
        command: What to run in place of the installed `certwright run`; the flags are appended.
        variables: Further environment variables.
        leader_elect: Whether it takes part in an election; alone it starts faster.
        kubeconfig: Another one than the administrator's.
    """

    def __init__(
        self,
        env: Environment,
        folder: Path,
        *,
        name: str = "operator",
        options: tuple[str, ...] = (),
        command: tuple[str, ...] = (str(COMMAND), "run"),
        variables: dict[str, str] | None = None,
        leader_elect: bool = False,
        kubeconfig: Path | None = None,
    ) -> None:
        self.metrics_port, self.health_port = ports.free_port(), ports.free_port()
        flags = (
            f"--kubeconfig={kubeconfig or env.kubeconfig}",
            f"--dns-resolvers={env.bind.resolver}",
            f"--metrics-address=127.0.0.1:{self.metrics_port}",
            f"--health-address=127.0.0.1:{self.health_port}",
            "--leader-elect" if leader_elect else "--no-leader-elect",
            *options,
        )
        env.kubectl("create", "namespace", NAMESPACE, check=False)
        self.child = Child(
            name,
            [*command, *flags],
            folder=folder,
            env={**surroundings(env.bind.port), **(variables or {})},
        )

    def start(self, timeout: float = 30.0) -> None:
        """Start it and wait until it has listed everything."""
        self.child.start()
        self.wait_ready(timeout)

    def wait_ready(self, timeout: float = 30.0) -> None:
        """Wait until its readiness probe answers."""
        deadline = time.monotonic() + timeout
        while not self._probe():
            if time.monotonic() > deadline or not self.child.running:
                raise TimeoutError(f"the operator is not ready:\n{self.log()[-3000:]}")
            time.sleep(0.05)

    def stop(self) -> None:
        """Stop it as a rollout does."""
        self.child.stop()

    def log(self) -> str:
        """What it has logged."""
        return Path(self.child.log).read_text() if Path(self.child.log).exists() else ""

    def metrics(self) -> str:
        """Its metrics page."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.metrics_port}/metrics", timeout=10) as page:
            return str(page.read().decode())

    def _probe(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.health_port}/readyz", timeout=2) as page:
                return int(page.status) == 200
        except OSError:
            return False

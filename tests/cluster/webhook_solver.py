"""A webhook solver that somebody else wrote, built like the other programs but only when a test asks for it."""

import secrets
from pathlib import Path
from typing import Self

from cluster.authority import Authority
from cluster.build import HERE, GoProgram
from cluster.environment import Environment
from cluster.https import fetch
from cluster.ports import accepts, free_port
from cluster.process import Child
from cluster.webhook import Joined

CERT_MANAGER = "v1.21.2"
GROUP = "acme.cert-manager.example"
USER = "webhook-solver"


def program() -> GoProgram:
    """Return the binary: cert-manager's webhook server with cert-manager's rfc2136 solver in it."""
    return GoProgram(
        name=f"webhook-solver-{CERT_MANAGER}",
        module=HERE / "webhooksolver",
        package=".",
        ldflags=f"-s -w -X main.group={GROUP}",
        expected="about 5 minutes on two idle cores the first time, then cached",
    )


class RealWebhook:
    """That server as a process, joined to an environment's API server.

    Args:
        env: The environment; it needs the features `aggregation` and `users`.
        folder: For certificates and the log.
    """

    def __init__(self, env: Environment, folder: Path) -> None:
        self._env = env
        self._port = free_port()
        namespace = f"solver-{secrets.token_hex(3)}"
        authority = Authority(folder, "webhook solver")
        pair = authority.server("solver", hosts=[f"webhook.{namespace}.svc"])
        self._joined = Joined(env, namespace, GROUP, authority.file)
        # As its chart does: it may read Secrets, and ask the API server who calls and what that one may.
        kubeconfig = str(env.kubeconfig_for(USER, ["system:masters"]))
        flags = ("kubeconfig", "authentication-kubeconfig", "authorization-kubeconfig")
        command = [
            str(program().path()),
            *(f"--{flag}={kubeconfig}" for flag in flags),
            f"--tls-cert-file={pair.certificate}",
            f"--tls-private-key-file={pair.key}",
            "--bind-address=127.0.0.1",
            f"--secure-port={self._port}",
        ]
        self.process = Child("webhook-solver", command, folder=folder)
        self._ca = authority.file

    def __enter__(self) -> Self:
        try:
            self.process.start()
            self.process.wait_until(self._ready, seconds=60)
            self._joined.join(self._port)
        except BaseException:
            self.process.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._joined.leave()
        self.process.stop()

    def _ready(self) -> bool:
        if not accepts("127.0.0.1", self._port):
            return False
        try:
            status, _ = fetch(f"https://localhost:{self._port}/healthz", ca_file=self._ca, timeout=2)
        except OSError:
            return False
        return status in {200, 401, 403}  # it answers; who we are is another matter

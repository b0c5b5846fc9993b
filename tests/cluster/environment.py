"""Everything at once: control plane, CA and name server, with the CRDs applied."""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

from cluster import build, packages
from cluster.audit import AuditEntry
from cluster.bind import Bind
from cluster.controlplane import FEATURES, ControlPlane
from cluster.pebble import Pebble, PebbleOptions
from cluster.process import Child, StartError
from cluster.zones import DEFAULT_ZONES, Zone

REPOSITORY = Path(__file__).resolve().parents[2]
CRDS = REPOSITORY / "crds"
KUBECONFIG_VARIABLE = "CERTWRIGHT_TEST_KUBECONFIG"
ASSETS_VARIABLE = "KUBEBUILDER_ASSETS"

_REASONS = {
    "audit": "there is no audit log to count requests by",
    "outages": "its API server cannot be stopped from here",
    "controllers": "it has no controller manager: no garbage collection, no namespace deletion, no service accounts",
    "users": "certificates for other users cannot be signed here",
    "aggregation": "its API server may not reach an API server of this machine",
}


class MissingFeatureError(RuntimeError):
    """The cluster in use lacks something; the message says what. Tests skip with it."""


class Environment:
    """A control plane, Pebble and BIND that know each other, started side by side.

    An existing cluster is used when `CERTWRIGHT_TEST_KUBECONFIG` names a kubeconfig, and other binaries when
    `KUBEBUILDER_ASSETS` names their folder; `missing()` tells what tests then have to skip.

    Args:
        state: Folder for data and logs, kept; without one it is a temporary folder, removed at the end.
        zones: What BIND holds.
        pebble: How Pebble behaves; its `dns_server` is BIND unless set.
        crds: Folder with the CRDs to apply, None for none.

    Attributes:
        bind: The name server.
        pebble: The CA.
        kubeconfig: An administrator's.
        control_plane: None for an existing cluster.
        kubectl_path: The kubectl in use.
        features: Which of `controlplane.FEATURES` there are.
        started_in: Seconds that each part took to start.
    """

    def __init__(
        self,
        state: Path | None = None,
        *,
        zones: Sequence[Zone] = DEFAULT_ZONES,
        pebble: PebbleOptions | None = None,
        crds: Path | None = CRDS,
    ) -> None:
        self._temporary = state is None
        self.state = (state or Path(tempfile.mkdtemp(prefix="certwright-"))).resolve()
        self.state.mkdir(parents=True, exist_ok=True)
        self._crds = crds
        build_all()
        self.kubectl_path = str(packages.kubectl())
        self.control_plane: ControlPlane | None = None
        self.features: frozenset[str] = frozenset()
        if existing := os.environ.get(KUBECONFIG_VARIABLE):
            self.kubeconfig = Path(existing).absolute()
        else:
            assets = os.environ.get(ASSETS_VARIABLE)
            self.control_plane = ControlPlane(
                self.state / "controlplane", assets=Path(assets).absolute() if assets else None
            )
            self.kubeconfig = self.control_plane.kubeconfig
            self.features = self.control_plane.features
        self.bind = Bind(self.state / "bind", zones=zones)
        options = pebble or PebbleOptions()
        self.pebble = Pebble(
            self.state / "pebble", replace(options, dns_server=options.dns_server or self.bind.resolver)
        )
        self.started_in: dict[str, float] = {}

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def children(self) -> list[Child]:
        """All processes."""
        own = self.control_plane.children if self.control_plane else []
        return [*own, *self.bind.children, self.pebble.process]

    def start(self) -> None:
        """Start everything and return when all of it answers and the CRDs are established.

        Raises:
            StartError: something did not start; the others may run, `stop()` ends them.
        """
        parts = {"cluster": self._start_cluster, "bind": self.bind.start, "pebble": self.pebble.start}
        with ThreadPoolExecutor(len(parts)) as pool:
            running = [pool.submit(self._timed, name, part) for name, part in parts.items()]
            for future in running:
                future.result()

    def _timed(self, name: str, part: Callable[[], None]) -> None:
        begin = time.monotonic()
        part()
        self.started_in[name] = time.monotonic() - begin

    def stop(self) -> None:
        """End everything, and remove the state if it was temporary."""
        self.pebble.stop()
        self.bind.stop()
        if self.control_plane:
            self.control_plane.stop()
        if self._temporary:
            shutil.rmtree(self.state, ignore_errors=True)

    def missing(self, *features: str) -> str | None:
        """Return why tests that need these features cannot run here; None if they can."""
        lacking = [feature for feature in features if feature not in self.features]
        return f"not with this cluster: {_REASONS[lacking[0]]}" if lacking else None

    def require(self, *features: str) -> ControlPlane:
        """Return the control plane if it has the features.

        Raises:
            MissingFeatureError: it lacks one.
        """
        reason = self.missing(*(features or FEATURES))
        if reason or not self.control_plane:
            raise MissingFeatureError(reason or "not with an existing cluster")
        return self.control_plane

    def audit(self, since: int = 0) -> Iterator[AuditEntry]:
        """Yield the requests since an `audit_mark()`; raises MissingFeatureError without an audit log."""
        return self.require("audit").audit(since)

    def audit_mark(self) -> int:
        """Return the place that the audit log has reached; raises MissingFeatureError without one."""
        return self.require("audit").audit_mark()

    def kubeconfig_for(self, user: str, groups: Sequence[str] = ()) -> Path:
        """Return another user's kubeconfig; raises MissingFeatureError where none can be made."""
        return self.require("users").kubeconfig_for(user, groups)

    def kubectl(self, *arguments: str, input: str | None = None, check: bool = True) -> str:  # noqa: A002 - subprocess's word
        """Run kubectl as administrator and return what it printed.

        Args:
            arguments: Its arguments.
            input: Its standard input, for `apply -f -`.
            check: Whether a failure is raised.

        Raises:
            RuntimeError: it failed; the message is what it said.
        """
        # Its cache of what the API server serves would otherwise be in the home directory, or without one right here.
        cache = f"--cache-dir={self.state / 'kubectl'}"
        command = [self.kubectl_path, f"--kubeconfig={self.kubeconfig}", cache, *arguments]
        done = subprocess.run(command, input=input, capture_output=True, text=True, check=False, env=_without_proxy())
        if check and done.returncode:
            raise RuntimeError(f"kubectl {' '.join(arguments)}: {done.stderr.strip()}")
        return done.stdout

    def _start_cluster(self) -> None:
        if self.control_plane:
            self.control_plane.start()
        if self._crds and any(self._crds.glob("*.yaml")):
            self.apply_crds(self._crds)

    def apply_crds(self, folder: Path) -> None:
        """Apply the CRDs of a folder and return when the API server serves them.

        Raises:
            StartError: one was refused or not established.
        """
        try:
            self.kubectl("apply", "--server-side", "--force-conflicts", "--validate=false", "-f", str(folder))
            self.kubectl("wait", "--for=condition=Established", "--timeout=30s", "-f", str(folder))
        except RuntimeError as error:
            raise StartError(f"CRDs of {folder}: {error}") from error


def build_all() -> None:
    """Make sure that every program is there, building and fetching what is not."""
    packages.kubectl()
    packages.named()
    build.pebble().path()
    build.forward().path()
    if not os.environ.get(KUBECONFIG_VARIABLE) and not os.environ.get(ASSETS_VARIABLE):
        build.control_plane().path()


def _without_proxy() -> dict[str, str]:
    """Return the environment for kubectl: a proxy could not reach a loopback address."""
    return {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}

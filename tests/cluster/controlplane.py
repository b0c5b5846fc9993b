"""etcd, kube-apiserver and kube-controller-manager as three processes, each of which can be stopped and started."""

import secrets
from collections.abc import Callable, Iterator, Sequence
from http import HTTPStatus
from pathlib import Path

from cluster.audit import POLICY, AuditEntry, read_audit
from cluster.authority import Authority, TokenKey
from cluster.build import control_plane
from cluster.https import fetch
from cluster.kubeconfig import write_kubeconfig
from cluster.ports import accepts, free_port
from cluster.process import Child, StartError

#: What tests may need and not every cluster has. An existing kubeconfig has none of them.
FEATURES = frozenset({"audit", "outages", "controllers", "users", "aggregation"})

_ADMINS = "system:masters"
_FRONT_PROXY = "front-proxy"


class ControlPlane:
    """A Kubernetes control plane without nodes.

    Args:
        folder: For data, certificates and logs.
        assets: Folder with `etcd` and `kube-apiserver` to be used instead of the binary built here, as
            `KUBEBUILDER_ASSETS` names it. Without a `kube-controller-manager` in it the feature `controllers` is
            missing: no garbage collection, no namespace deletion, no default service accounts.

    Attributes:
        kubeconfig: An administrator's, by token.
        url: The API server's.
        features: Which of `FEATURES` this one has.
        front_proxy_ca: The CA of the certificate by which the API server proves itself to aggregated API servers.
    """

    def __init__(self, folder: Path, *, assets: Path | None = None) -> None:
        self.folder = folder
        self.kubeconfig = folder / "kubeconfig"
        self.audit_log = folder / "audit.log"
        self._program = _programs(assets)
        self._ports = {name: free_port() for name in ("etcd", "peer", "apiserver", "controllers")}
        self.url = f"https://127.0.0.1:{self._ports['apiserver']}"
        self._configure()
        self.etcd = Child("etcd", self._etcd(), folder=folder)
        self.apiserver = Child("kube-apiserver", self._apiserver(), folder=folder)
        self.controllers: Child | None = None
        self.features = FEATURES
        if controllers := self._program("kube-controller-manager"):
            command = [*controllers, *self._controller_flags()]
            self.controllers = Child("kube-controller-manager", command, folder=folder)
        else:
            self.features -= {"controllers"}

    @property
    def children(self) -> list[Child]:
        """The processes, in the order in which they start."""
        return [child for child in (self.etcd, self.apiserver, self.controllers) if child]

    def start(self) -> None:
        """Start everything and return when the API server is ready.

        Raises:
            StartError: a program did not start.
        """
        self.etcd.start()
        self.etcd.wait_until(lambda: accepts("127.0.0.1", self._ports["etcd"]))
        self.start_apiserver()
        if self.controllers:
            self.controllers.start()

    def stop(self) -> None:
        """Stop everything, last started first."""
        for child in reversed(self.children):
            if child is self.apiserver:
                self.stop_apiserver()
            else:
                child.stop()

    def start_apiserver(self) -> None:
        """Start the API server at its port and on its data, and return when it is ready."""
        self.apiserver.start()
        self.apiserver.wait_until(self.ready)

    def stop_apiserver(self) -> None:
        """End the API server at once, as an outage does: connections break, etcd keeps the data.

        An orderly end would wait for open watches, ten seconds and more.
        """
        self.apiserver.kill9()

    def restart_apiserver(self) -> None:
        """End the API server and start it again."""
        self.stop_apiserver()
        self.start_apiserver()

    def ready(self) -> bool:
        """Tell whether the API server says that it is ready."""
        headers = {"Authorization": f"Bearer {self._token}"}
        try:
            status, _ = fetch(f"{self.url}/readyz", ca_file=self._authority.file, headers=headers, timeout=2)
        except OSError:
            return False
        return status == HTTPStatus.OK

    def kubeconfig_for(self, user: str, groups: Sequence[str] = ()) -> Path:
        """Return a kubeconfig for another user, who may do what RBAC lets the user and the groups do.

        A bearer token file is only read when the API server starts, so this is a client certificate.
        """
        file = "client-" + user.replace(":", "-").replace("/", "-")
        pair = self._authority.client(user, groups, file=file)
        credentials = {"client-certificate": str(pair.certificate), "client-key": str(pair.key)}
        return self._write_kubeconfig(f"{file}.kubeconfig", credentials)

    def audit(self, since: int = 0) -> Iterator[AuditEntry]:
        """Yield the requests since an `audit_mark()`, each once."""
        return read_audit(self.audit_log, since)

    def audit_mark(self) -> int:
        """Return the place that the audit log has reached."""
        return self.audit_log.stat().st_size if self.audit_log.exists() else 0

    def _configure(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self._authority = Authority(self.folder, "certwright test cluster")
        self._serving = self._authority.server("apiserver", hosts=["kubernetes.default.svc"])
        # What the API server proves itself by to aggregated API servers; a CA of its own, as Kubernetes asks for.
        front = Authority(self.folder / "front-proxy", "certwright test cluster, front proxy")
        self.front_proxy_ca = front.file
        self._front_pair = front.client(_FRONT_PROXY)
        self._token_key = TokenKey.make(self.folder)
        self._token = secrets.token_hex(16)
        tokens = self.folder / "tokens.csv"
        tokens.touch(mode=0o600)
        tokens.write_text(f'{self._token},admin,admin,"{_ADMINS}"\n')
        (self.folder / "audit-policy.yaml").write_text(POLICY)
        self._write_kubeconfig("kubeconfig", {"token": self._token})

    def _write_kubeconfig(self, file: str, credentials: dict[str, str]) -> Path:
        return write_kubeconfig(self.folder / file, server=self.url, ca_file=self._authority.file, user=credentials)

    def _etcd(self) -> list[str]:
        client, peer = (f"http://127.0.0.1:{self._ports[name]}" for name in ("etcd", "peer"))
        return [
            *(self._program("etcd") or []),
            *("--data-dir", str(self.folder / "etcd")),
            *("--listen-client-urls", client, "--advertise-client-urls", client),
            *(
                "--listen-peer-urls",
                peer,
                "--initial-advertise-peer-urls",
                peer,
                "--initial-cluster",
                f"default={peer}",
            ),
            "--unsafe-no-fsync",  # the data need not outlive the machine
            *("--log-level", "warn"),
        ]

    def _apiserver(self) -> list[str]:
        folder = self.folder
        return [
            *(self._program("kube-apiserver") or []),
            f"--etcd-servers=http://127.0.0.1:{self._ports['etcd']}",
            "--bind-address=127.0.0.1",
            f"--secure-port={self._ports['apiserver']}",
            "--endpoint-reconciler-type=none",  # nothing inside the cluster could reach a loopback address
            f"--tls-cert-file={self._serving.certificate}",
            f"--tls-private-key-file={self._serving.key}",
            f"--client-ca-file={self._authority.file}",
            f"--token-auth-file={folder / 'tokens.csv'}",
            f"--cert-dir={folder / 'apiserver-certs'}",
            f"--requestheader-client-ca-file={self.front_proxy_ca}",
            f"--requestheader-allowed-names={_FRONT_PROXY}",
            "--requestheader-username-headers=X-Remote-User",
            "--requestheader-group-headers=X-Remote-Group",
            "--requestheader-extra-headers-prefix=X-Remote-Extra-",
            f"--proxy-client-cert-file={self._front_pair.certificate}",
            f"--proxy-client-key-file={self._front_pair.key}",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={self._token_key.public}",
            f"--service-account-signing-key-file={self._token_key.private}",
            "--service-cluster-ip-range=10.0.0.0/24",
            "--authorization-mode=RBAC",
            "--allow-privileged=true",
            "--shutdown-delay-duration=0s",
            f"--audit-policy-file={folder / 'audit-policy.yaml'}",
            f"--audit-log-path={self.audit_log}",
            "--audit-log-mode=blocking",  # an answered request is in the log: tests can count at once
        ]

    def _controller_flags(self) -> list[str]:
        user = "system:kube-controller-manager"
        pair = self._authority.client(user, [_ADMINS], file="controllers")
        credentials = {"client-certificate": str(pair.certificate), "client-key": str(pair.key)}
        return [
            f"--kubeconfig={self._write_kubeconfig('controllers.kubeconfig', credentials)}",
            "--bind-address=127.0.0.1",
            f"--secure-port={self._ports['controllers']}",
            f"--cert-dir={self.folder / 'controllers-certs'}",
            f"--service-account-private-key-file={self._token_key.private}",
            f"--root-ca-file={self._authority.file}",
            "--leader-elect=false",
        ]


def _programs(assets: Path | None) -> Callable[[str], list[str] | None]:
    """Return what gives the command of a component, None for one that there is not."""
    if assets is None:
        binary = str(control_plane().path())
        return lambda name: [binary, name]

    def command(name: str) -> list[str] | None:
        path = assets / name
        if path.exists():
            return [str(path)]
        if name == "kube-controller-manager":
            return None
        raise StartError(f"{assets} (from KUBEBUILDER_ASSETS) has no {name}")

    return command

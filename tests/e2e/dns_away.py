"""An operator in a network of its own, whose DNS is laid out as companies do it; the API server and the CA are outside.

The CA asks for its records through a resolver in there that stands for the world outside: it knows the root, and its
questions come from an address that no view takes for an inner one.
"""

import base64
import secrets
import socket
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import dns.message
import dns.opcode
import dns.query
import yaml

from cluster.environment import Environment
from cluster.nameserver import COM, ROOT, NameServer, resolver, top
from cluster.network import Network
from cluster.operator import COMMAND, Operator
from cluster.pebble import Pebble, PebbleOptions

WORLD = "10.53.0.53"
"""The resolver of the world outside."""
SECRET = base64.b64encode(secrets.token_bytes(32)).decode()
"""The TSIG key's, base64."""
KEY = f'key "certwright" {{ algorithm hmac-sha256; secret "{SECRET}"; }};\n'


class Away:
    """The network, its top of the DNS, the world's resolver, the CA, and the operator.

    Args:
        env: The control plane.
        folder: For all of it.
        addresses: Of the name servers to come.
        delegations: Lines of the zone `com`.
    """

    def __init__(self, env: Environment, folder: Path, addresses: Sequence[str], *delegations: str) -> None:
        self.env = env
        self._folder = folder
        self.network = Network(folder, [ROOT, COM, WORLD, *addresses])
        self._delegations = delegations
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        stack = self._stack
        stack.enter_context(self.network)
        stack.enter_context(top(self._folder, self.network, *self._delegations))
        stack.enter_context(resolver(self._folder, self.network, "world", WORLD))
        dns = stack.enter_context(self.network.outward(WORLD, 53))
        self.pebble = stack.enter_context(
            Pebble(self._folder / "ca", PebbleOptions(dns_server=f"127.0.0.1:{dns.port}"))
        )
        for url in (self.pebble.directory_url, _server(self.env.kubeconfig)):
            stack.enter_context(self.network.inward(urlsplit(url).port or 443))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def serve(self, name: str, *listen: str, config: str, options: str = "", **files: str) -> NameServer:
        """Start a name server with its statements and zone files."""
        common = f"recursion no; querylog yes; {options}"
        made = NameServer(
            self._folder, name, listen=listen, config=config, options=common, files=files, network=self.network
        )
        return self._stack.enter_context(made)

    def resolve(self, name: str, address: str, zones: str = "", *, options: str = "") -> NameServer:
        """Start a further resolver."""
        made = resolver(self._folder, self.network, name, address, zones, more=options)
        return self._stack.enter_context(made)

    def operate(self, namespace: str, resolvers: str, **variables: str) -> Operator:
        """Start the operator for one namespace."""
        command = (*self.network.enter(COMMAND), "run")
        made = Operator(
            self.env,
            self._folder,
            options=(f"--namespaces={namespace}", f"--dns-resolvers={resolvers}"),
            command=command,
            variables={"CERTWRIGHT_DNS_AUTHORITATIVE_PORT": "53", **variables},
        )
        for port in (made.health_port, made.metrics_port):
            self._stack.enter_context(self.network.outward("127.0.0.1", port, here=port))
        self._stack.callback(made.stop)
        made.start()
        return made

    def txt(self, server: str, name: str, *, source: str = "") -> list[str]:
        """The TXT values that a server has at a name, asked from an address."""
        question = dns.message.make_query(name, "TXT")
        answer = self.network.call(lambda: dns.query.udp(question, server, timeout=5, source=source or None))
        return sorted(b"".join(item.strings).decode() for rrset in answer.answer for item in rrset)

    def notify(self, secondary: str, primary: str, zone: str) -> None:
        """Tell a secondary that there is something new."""
        message = dns.message.make_query(zone, "SOA")
        message.set_opcode(dns.opcode.NOTIFY)
        self.network.call(lambda: dns.query.udp(message, secondary, timeout=5, source=primary))


def missing(env: Environment) -> str | None:
    """Why there can be none here; None if there can."""
    if env.control_plane is None:
        return "an operator in a network of its own needs a control plane on this machine"
    return Network.missing()


def _server(kubeconfig: Path) -> str:
    server = str(yaml.safe_load(kubeconfig.read_text())["clusters"][0]["cluster"]["server"])
    assert socket.inet_aton(urlsplit(server).hostname or "")[0] == 127, server
    return server

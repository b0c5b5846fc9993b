"""A Pebble for an operator that runs as a pod: validates at the ports that the RFCs name, and is reached from pods."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

from cluster.authority import Authority
from cluster.environment import Environment
from cluster.node import Node
from cluster.pebble import Pebble, PebbleOptions


@contextmanager
def pebble_for_pods(
    environment: Environment, node: Node, folder: Path, options: PebbleOptions | None = None
) -> Iterator[Pebble]:
    """Run a Pebble whose directory URL is good on this machine and in pods alike.

    It listens on the loopback as any other and is passed on at the same port of the gateway's address; that address is
    in the certificate of its listeners, and Pebble names itself in URLs as it was called.

    Args:
        environment: Whose BIND it asks, unless the options say otherwise.
        node: Which reaches it.
        folder: For certificates, configuration and the log.
        options: How it behaves; HTTP-01 is validated at port 80 and TLS-ALPN-01 at port 443, unless they say otherwise.

    Raises:
        StartError: it did not start.
    """
    options = options or PebbleOptions()
    options = replace(
        options,
        dns_server=options.dns_server or environment.bind.resolver,
        http_port=options.http_port or 80,
        tls_port=options.tls_port or 443,
    )
    pebble = Pebble(folder, options)
    # Before it starts, in place of the certificate that it was given: that one knows the loopback only.
    Authority(folder, "Pebble's listeners").server("listener", addresses=["127.0.0.1", node.gateway])
    port = urlsplit(pebble.directory_url).port or 443
    with pebble:
        listen = node.expose(port, f"127.0.0.1:{port}")
        pebble.directory_url = f"https://{listen}/dir"
        yield pebble

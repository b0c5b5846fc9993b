"""A real node with Traefik at ports 80 and 443, a CA that validates there, and the operator in front of both.

Everything is these tests' own: the session's environment has no node, and its controllers may be far behind after
tests of faults and fleets.
"""

import secrets
from collections.abc import Iterator

import pytest
from http01_support import Site
from installed import Installed

from cluster.environment import Environment
from cluster.image import certwright
from cluster.node import Node
from cluster.node_pebble import pebble_for_pods
from cluster.pebble import Pebble, PebbleOptions


@pytest.fixture(scope="package")
def env(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Environment]:
    if reason := Node.missing():
        pytest.skip(reason)
    with Environment(tmp_path_factory.mktemp("node-environment")) as environment:
        yield environment


@pytest.fixture(scope="package")
def node(env: Environment) -> Iterator[Node]:
    with Node(env) as running:
        running.load_image(certwright())
        yield running


@pytest.fixture(scope="package")
def pebble(env: Environment, node: Node, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pebble]:
    """A CA that validates at ports 80 and 443."""
    options = PebbleOptions(dns_server=env.bind.resolver, retry_after_authz=0, retry_after_order=0)
    with pebble_for_pods(env, node, tmp_path_factory.mktemp("pebble"), options) as running:
        yield running


@pytest.fixture(scope="package")
def operator(
    env: Environment,
    node: Node,
    helms: None,  # noqa: ARG001 - it has them built before the tests
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Installed]:
    """Two pods of the operator, installed by Helm with the rights of its chart."""
    release = Installed(env, node, tmp_path_factory.mktemp("helm"))
    release.install()
    yield release
    release.uninstall()


@pytest.fixture
def site(env: Environment, node: Node, pebble: Pebble, operator: Installed) -> Iterator[Site]:
    """A namespace of its own that takes restricted pods only, with names of its own that lead to the node."""
    assert operator.leader, operator.log()[-3000:]
    made = Site(env, node, pebble, f"site-{secrets.token_hex(3)}")
    made.begin()
    yield made
    made.end()

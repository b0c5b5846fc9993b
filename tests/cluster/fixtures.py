"""pytest fixtures: one environment for a whole session, and what single tests need of their own."""

import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack, nullcontext
from dataclasses import replace
from pathlib import Path

import pytest

from cluster import gitops, webhook_solver
from cluster.environment import Environment, build_all
from cluster.helm import VERSIONS, Helm, build_helms
from cluster.node import Node
from cluster.node_programs import build_node
from cluster.pebble import Pebble, PebbleOptions


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "needs(*features): skipped where the cluster in use lacks one, with the reason")


def pytest_collection_finish(session: pytest.Session) -> None:
    """Build before the first test: a build of minutes must be seen, and is no test's time."""
    wanted = {name for item in session.items for name in getattr(item, "fixturenames", ())}
    if session.config.option.collectonly or not wanted & {"env", "helms", "judges"}:
        return
    capture = session.config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled() if capture else nullcontext():
        if "env" in wanted:
            build_all()
        if "node" in wanted and not Node.missing():
            build_node()
        if "helms" in wanted:
            build_helms()
        if "judges" in wanted:
            gitops.judges().path()
        if "webhook_solver_program" in wanted:
            webhook_solver.program().path()


@pytest.fixture(scope="session")
def webhook_solver_program() -> None:
    """The webhook solver of somebody else's, which `webhook_solver.RealWebhook` runs, is there."""
    webhook_solver.program().path()


@pytest.fixture(scope="session")
def judges() -> None:
    """What judges objects as GitOps tools do, which `cluster.gitops` runs."""
    gitops.judges().path()


@pytest.fixture(scope="session")
def env(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Environment]:
    """The environment that the tests of a session share. Put it back as it was found."""
    with Environment(tmp_path_factory.mktemp("environment")) as environment:
        yield environment


@pytest.fixture(scope="module")
def node(env: Environment) -> Iterator[Node]:
    """A node of the environment's cluster; where there can be none the test is skipped with the reason.

    It starts in seconds and ends with the module: tests that count requests have the cluster for themselves.
    """
    if reason := Node.missing() or env.missing("users", "controllers"):
        pytest.skip(reason)
    with Node(env) as running:
        yield running


@pytest.fixture(scope="session")
def helms() -> None:
    """Helm 4 and 3 are there; who makes a `Helm` of its own asks for this, so that they are built before the tests."""
    build_helms()


@pytest.fixture(scope="module", params=VERSIONS, ids=lambda major: f"helm{major}")
def helm(request: pytest.FixtureRequest, helms: None, tmp_path_factory: pytest.TempPathFactory) -> Helm:  # noqa: ARG001
    """Each Helm in turn, without a cluster."""
    return Helm(request.param, tmp_path_factory.mktemp("helm"))


@pytest.fixture(autouse=True)
def _features(request: pytest.FixtureRequest) -> None:
    """Skip a test marked `needs("audit", ...)` where the cluster lacks a feature, with the reason."""
    marker = request.node.get_closest_marker("needs")
    if marker is not None:
        environment: Environment = request.getfixturevalue("env")
        if reason := environment.missing(*marker.args):
            pytest.skip(reason)


@pytest.fixture
def namespace(env: Environment) -> Iterator[str]:
    """A fresh namespace; its deletion is asked for and not waited for."""
    name = f"test-{secrets.token_hex(4)}"
    env.kubectl("create", "namespace", name)
    yield name
    env.kubectl("delete", "namespace", name, "--wait=false", check=False)


@pytest.fixture
def pebble_with(env: Environment, tmp_path: Path) -> Iterator[Callable[[PebbleOptions], Pebble]]:
    """Start a further Pebble with options of one's own; it asks the environment's BIND unless they say otherwise."""
    with ExitStack() as stack:

        def start(options: PebbleOptions) -> Pebble:
            options = replace(options, dns_server=options.dns_server or env.bind.resolver)
            return stack.enter_context(Pebble(tmp_path / f"pebble-{secrets.token_hex(2)}", options))

        yield start

"""The operator as a process, and a namespace with an issuer that is ready; what to look at is in `waits`."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from waits import Holding, solver, wait_issuer

from cluster.environment import Environment
from cluster.manifests import acme_issuer, apply, tsig_secret
from cluster.operator import Operator


@pytest.fixture(scope="module")
def operator(env: Environment, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operator]:
    """One operator for the tests of a module, in front of the session's environment. Leave it running."""
    running = Operator(env, tmp_path_factory.mktemp("operator"))
    running.start()
    yield running
    running.stop()


@pytest.fixture
def acme(env: Environment, operator: Operator, namespace: str) -> str:
    """A namespace with the Issuer `acme`, which is ready, and the Secret `tsig` that it needs."""
    assert operator.child.running, operator.log()[-3000:]
    apply(env, tsig_secret(env, namespace), acme_issuer(env, namespace, solvers=[solver(env)]))
    wait_issuer(env, namespace)
    return namespace


@pytest.fixture
def own(env: Environment, namespace: str, tmp_path: Path) -> Iterator[Operator]:
    """An operator of the test's own namespace, not started yet; for tests that stop and kill it, and count."""
    alone = Operator(env, tmp_path, options=(f"--namespaces={namespace}",))
    yield alone
    alone.stop()


@pytest.fixture
def acme_of_own(env: Environment, own: Operator, namespace: str) -> str:
    """As `acme`, with the operator of the test's own, which is started."""
    own.start()
    apply(env, tsig_secret(env, namespace), acme_issuer(env, namespace, solvers=[solver(env)]))
    wait_issuer(env, namespace)
    return namespace


@pytest.fixture
def holding(env: Environment) -> Holding:
    """Keep orders from getting further than their records, within a `with`: one of the two name servers is down."""
    if len(env.bind.name_servers) < 2:
        pytest.skip("name servers at addresses of their own need port 53, which may not be used here")
    second = env.bind.name_servers[1]

    @contextmanager
    def hold() -> Iterator[None]:
        second.stop()
        try:
            yield
        finally:
            if not second.running:
                second.start()

    return hold

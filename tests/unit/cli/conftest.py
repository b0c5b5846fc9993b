"""The commands, with a made-up API server behind them."""

import pytest
from fake_api import NOW, FakeApi, Run
from typer.testing import CliRunner, Result

from certwright.cli import cluster, times
from certwright.cli.main import app


@pytest.fixture(autouse=True)
def _clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(times, "moment", lambda: NOW)


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> FakeApi:
    fake = FakeApi()
    monkeypatch.setattr(cluster, "connect", lambda *_: cluster.Cluster(fake, "shop"))  # type: ignore[arg-type]
    return fake


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run the command as from a pipe."""
    for name in ("KUBECONFIG", "CERTWRIGHT_KUBECONFIG", "COLUMNS", "FORCE_COLOR", "CERTWRIGHT_DNS_RESOLVERS"):
        monkeypatch.delenv(name, raising=False)

    def invoke(*arguments: str, stdin: str | None = None) -> Result:
        return CliRunner().invoke(app, list(arguments), input=stdin, catch_exceptions=False)

    return invoke

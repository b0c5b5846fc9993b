"""The operator's rules for what issuers may make it reach, from its flags to the parts that keep them."""

import pytest
from typer.testing import CliRunner

from certwright.cli.main import app
from certwright.errors import InvalidSpec
from certwright.providers import exec_program, guard
from certwright.providers.tenants import limit_tenants
from certwright.resources.reading import Fields


@pytest.fixture(autouse=True)
def _rules(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "_standing", guard._Standing())
    monkeypatch.setattr(exec_program, "_allowed", exec_program._Allowed())
    monkeypatch.delenv("CERTWRIGHT_ALLOW_LOOPBACK", raising=False)


def test_the_rules_are_kept_by_all() -> None:
    limit_tenants(allowed_networks=["10.0.0.0/8", "fd00::/8"], exec_programs=["/opt/hook"])
    assert guard.standing().fault("10.1.2.3") is None
    assert guard.standing().fault("192.0.2.1") == "outside the networks that the operator allows"
    assert guard.standing().fault("127.0.0.1") == "a loopback address"
    assert guard.standing().fault("fd00:ec2::254") == "the metadata service of AWS"
    exec_program.build(Fields({"program": "/opt/hook"}, "config"), lambda _name, _key: b"")


def test_nothing_is_allowed_by_default() -> None:
    limit_tenants(allowed_networks=[], exec_programs=[])
    assert guard.standing() == guard.Guard()
    with pytest.raises(InvalidSpec, match="--exec-programs allows"):
        exec_program.build(Fields({"program": "/opt/hook"}, "config"), lambda _name, _key: b"")


@pytest.mark.parametrize("command", [["run"], ["check", "-"], ["check", "dns", "example.com"]])
@pytest.mark.parametrize(
    ("flag", "words"),
    [
        ("--allowed-networks=10.0.0.0/8,10.0.0.1/8", "certwright: allowed-networks: '10.0.0.1/8' is not a network"),
        ("--exec-programs=/opt/hook,hook.sh", "certwright: exec-programs: 'hook.sh' must be an absolute path"),
    ],
)
def test_a_flag_that_cannot_be_read_ends_the_command(command: list[str], flag: str, words: str) -> None:
    done = CliRunner().invoke(app, [*command, flag], input="")
    assert done.exit_code == 1
    assert done.stderr.startswith(words)

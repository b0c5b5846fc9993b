"""What holds for all tests: the harness's fixtures, and that its servers, all on loopback, may be connected to."""

from collections.abc import Iterator

import pytest

from certwright.providers.guard import Guard, set_standing, standing

pytest_plugins = ["cluster.fixtures"]


@pytest.fixture(scope="session", autouse=True)
def _loopback() -> Iterator[None]:
    """As CERTWRIGHT_ALLOW_LOOPBACK does for the operator's process; what is refused by default is in test_guard.py."""
    before = standing()
    set_standing(Guard(allow_loopback=True))
    with pytest.MonkeyPatch.context() as patch:  # for commands, of this process or another
        patch.setenv("CERTWRIGHT_ALLOW_LOOPBACK", "true")
        yield
    set_standing(before)

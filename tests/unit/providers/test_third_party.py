"""A package of somebody else's, installed beside ours: the example of the docs is found, and keeps the rules."""

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from certwright.providers.conformance import checks

EXAMPLE = Path(__file__).parents[3] / "examples" / "dns-provider"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the package and its entry points, as an installer leaves it."""
    folder = tmp_path_factory.mktemp("site")
    project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text())["project"]
    shutil.copytree(EXAMPLE / "zonefiles", folder / "zonefiles")
    shutil.copy(EXAMPLE / "test_zonefiles.py", folder)
    info = folder / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n")
    lines = [
        f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in points.items())
        for group, points in project["entry-points"].items()
    ]
    (info / "entry_points.txt").write_text("\n".join(lines))
    return folder


def python(installed: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments],
        env={**os.environ, "PYTHONPATH": str(installed), "PYTHONDONTWRITEBYTECODE": "1"},
        cwd=installed,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_it_keeps_the_rules(installed: Path) -> None:
    told = python(installed, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error", "test_zonefiles.py")
    assert f"{len(checks()) + 1} passed" in told


def test_it_is_found(installed: Path) -> None:
    code = "from certwright.providers import registry; print(registry.load('zonefiles').description)"
    assert python(installed, "-c", code) == "files with TXT records, one a zone\n"

"""Certwright's own image, made without Docker and without a registry: `make image`.

    python -m cluster.image build/certwright.tar

It holds what the Dockerfile puts into it, for pods on the node of the tests and for `kind load image-archive`: Debian's
Python, the wheels that Certwright needs in the versions which the tests run with, Certwright. These are its layers, in
this order, so that a change of the code makes the last one anew and nothing else. `image_archive` says how an archive
comes about, and `image_debian` why no root is needed.
"""

import argparse
import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pip
from packaging.specifiers import SpecifierSet

from cluster.build import BuildError
from cluster.cache import cache_root, content_key, locked
from cluster.image_archive import ImageError, write_image, write_layer, writer
from cluster.image_debian import NOBODY, DebianPython, contents, debian_python
from cluster.packages import MissingProgramError
from cluster.progress import Progress, say

REPOSITORY = Path(__file__).resolve().parents[2]
CERTWRIGHT = "localhost/certwright:dev"
ARCHIVE = REPOSITORY / "build" / "certwright.tar"
_PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
_EXTRAS = _PROJECT["optional-dependencies"]
#: What the project needs, and what the extra `all` names: who runs the image does not install anything.
_WANTED = [
    *_PROJECT["dependencies"],
    *(want for extra in re.findall(r"\w+", _EXTRAS["all"][0].partition("[")[2]) for want in _EXTRAS[extra]),
]
CONFIG: dict[str, object] = {
    "Entrypoint": ["certwright"],
    "Env": [
        "PATH=/usr/local/bin:/usr/bin:/bin",
        "LANG=C.UTF-8",
        "PYTHONDONTWRITEBYTECODE=1",
        "PYTHONUNBUFFERED=1",
    ],
    "Labels": {
        "org.opencontainers.image.title": _PROJECT["name"],
        "org.opencontainers.image.description": _PROJECT["description"],
        "org.opencontainers.image.licenses": _PROJECT["license"],
        "org.opencontainers.image.version": _PROJECT["version"],
    },
    "User": f"{NOBODY}:{NOBODY}",
    "WorkingDir": "/home/nonroot",
}
#: The client's second, asynchronous half is as large as all other wheels together, and nobody imports it.
_LEFT_OUT = re.compile(
    r"bin/|kubernetes/aio/|.*/tests/|.*\.(pyi|pyx|pxd)/|[^/]*\.dist-info/(RECORD|REQUESTED|direct_url)"
)
#: The client loads its thousand types one by one when they are asked for, and we ask for three.
_NOT_COMPILED = r"kubernetes/client/(api|models)/[a-z]"
_RECIPE = "1"


def certwright() -> Path:
    """Return the archive of Certwright's image, CERTWRIGHT, made of the code as it is now.

    Raises:
        BuildError: The program that writes archives could not be built.
        ImageError: A wheel could not be had, or a module is no Python.
        MissingProgramError: Debian's packages could not be had.
    """
    python = debian_python()
    dependencies = _dependencies(python)
    config = repr(sorted(CONFIG.items()))
    key = content_key([dependencies.name, config, writer().path(), _RECIPE, *_sources()])
    known = ARCHIVE.with_suffix(".key")
    with locked(f"image-certwright-{content_key([str(REPOSITORY)])}"):
        if not (ARCHIVE.exists() and known.exists() and known.read_text() == key):
            known.unlink(missing_ok=True)
            with Progress(f"making the image {CERTWRIGHT}", expected="about 10 s"), TemporaryDirectory() as folder:
                layer = Path(folder) / "certwright.tar.gz"
                _code(python, Path(folder) / "root", layer)
                write_image(ARCHIVE, CERTWRIGHT, [python.layer, dependencies, layer], CONFIG)
            known.write_text(key)
    return ARCHIVE


def _sources() -> Iterator[str | Path]:
    for path in sorted((REPOSITORY / "operator").rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            yield str(path.relative_to(REPOSITORY))
            yield path
    yield from (REPOSITORY / name for name in ("pyproject.toml", "README.md", "LICENSE"))


def _dependencies(python: DebianPython) -> Path:
    """Return the layer with the wheels that the project asks for, in the versions that are installed here."""
    found = [one for one in importlib.metadata.distributions() if one.name != _PROJECT["name"]]
    versions = {f"{one.name}=={one.version}": one.metadata["Requires-Python"] or "" for one in found}
    key = content_key([python.layer.name, *_WANTED, *sorted(versions), _LEFT_OUT.pattern, _NOT_COMPILED, _RECIPE])
    target = cache_root() / "images" / f"dependencies-{key}.tar.gz"
    with locked("image-dependencies"):
        if not target.exists():
            with (
                Progress("installing wheels into an image", expected="about a minute the first time, then cached"),
                TemporaryDirectory() as folder,
            ):
                root, constraints = Path(folder) / "root", Path(folder) / "constraints.txt"
                # A version that is not for the image's Python gives way to the newest that is.
                ours = python.run("-c", "import platform; print(platform.python_version())").strip()
                fitting = [version for version, needed in sorted(versions.items()) if ours in SpecifierSet(needed)]
                constraints.write_text("\n".join(fitting))
                _install(python, root / python.packages, constraints)
                write_layer(target, contents(root))
    return target


def _install(python: DebianPython, packages: Path, constraints: Path) -> None:
    everything = packages.with_name("everything")
    options = [
        *("--quiet", "--disable-pip-version-check", "--no-input", "--root-user-action=ignore"),
        # A package without a wheel would be built by this machine's compiler, for whatever that finds.
        *("--only-binary=:all:", "--no-compile", f"--constraint={constraints}", f"--target={everything}"),
    ]
    # pip is written in Python alone, so that the image's can run the one of this virtual environment.
    where = {"PYTHONPATH": str(Path(pip.__file__).parents[1])}
    python.run("-m", "pip", "install", *options, *_WANTED, env=where)
    for path, source in contents(everything):
        if not source.is_dir() and not _LEFT_OUT.match(f"{path}/"):
            (packages / path).parent.mkdir(parents=True, exist_ok=True)
            source.rename(packages / path)
    shutil.rmtree(everything)
    python.compile(packages, _root(packages, python), leave_out=_NOT_COMPILED)


def _code(python: DebianPython, root: Path, layer: Path) -> None:
    """Write the layer with Certwright and its commands."""
    wheels = root.with_name("wheels")
    build = [sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel", "--quiet", "--no-deps"]
    done = subprocess.run(
        [*build, f"--wheel-dir={wheels}", REPOSITORY],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise ImageError(f"pip could not build Certwright's wheel: {done.stderr.strip()[-2000:]}")
    packages = root / python.packages
    with zipfile.ZipFile(next(wheels.glob("*.whl"))) as wheel:
        wheel.extractall(packages)  # which is all that installing a wheel without data and scripts of its own means
    python.compile(packages, root)
    commands = root / "usr" / "local" / "bin"
    commands.mkdir()
    for name, target in _PROJECT["scripts"].items():
        module, _, function = target.partition(":")
        command = commands / name
        command.write_text(
            f"#!/usr/bin/python3\nimport sys\n\nfrom {module} import {function}\n\nsys.exit({function}())\n"
        )
        command.chmod(0o755)
    write_layer(layer, contents(root))


def _root(packages: Path, python: DebianPython) -> Path:
    return packages.parents[python.packages.count("/")]


def main() -> int:
    """Make it and put it where it is asked for; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m cluster.image", description="Make Certwright's container image.")
    parser.add_argument("target", type=Path, nargs="?", default=ARCHIVE, help="where the archive goes")
    target: Path = parser.parse_args().target.absolute()
    try:
        archive = certwright()
    except (BuildError, ImageError, MissingProgramError) as error:
        say(f"error: {error}")
        return 1
    if target != archive:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(archive, target)
    say(f"{CERTWRIGHT}: {os.path.relpath(target)}, {target.stat().st_size / 1e6:.0f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())

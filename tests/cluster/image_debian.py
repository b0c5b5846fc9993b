"""Debian's Python as the lowest layer of images, and as a program that fills the layers above it.

A wheel must fit the very Python that imports it, and so must bytecode. So the image's own Python runs pip and the
compiler: by the image's own loader and C library, from a folder. That takes no root and no chroot, and whatever release
of Debian this machine has, the image's Python is that one's.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cluster.cache import cache_root, content_key, locked
from cluster.image_archive import ImageError, write_layer
from cluster.packages import unpack
from cluster.progress import Progress

NOBODY = 65532
"""The user of images; the number that others give one without rights, too."""
_PACKAGES = ("python3-minimal", "libpython3-stdlib")
#: Of no use to a program in a container, and half of the size. (gconv converts texts for the C library; Python does it
#: alone.)
_LEFT_OUT = re.compile(
    r"(usr/)?(share|libexec|sbin)/|var/|(usr/)?lib/([^/]+/gconv|binfmt.d|dpkg|mime|systemd)/"
    r"|(usr/)?bin/(dpkg|py3|tar|update-alt)|etc/(alternatives|cron|dpkg|logrotate|rmt)"
    r"|usr/lib/python3[^/]*/(test|pydoc_data|idlelib|lib2to3|ensurepip|turtledemo)/|.*/__pycache__/"
)
_FILES = {
    "etc/passwd": f"root:x:0:0::/root:/sbin/nologin\nnonroot:x:{NOBODY}:{NOBODY}::/home/nonroot:/sbin/nologin\n",
    "etc/group": f"root:x:0:\nnonroot:x:{NOBODY}:\n",
    "etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
}
_RECIPE = "1"


@dataclass(frozen=True, slots=True)
class DebianPython:
    """A root file system with Python and nothing else.

    Args:
        root: The folder.
        layer: The same as a layer.
    """

    root: Path
    layer: Path

    @property
    def packages(self) -> str:
        """Folder of the image, without the slash at its start, where Debian's Python finds what is not Debian's."""
        version = next((self.root / "usr" / "lib").glob("python3.*")).name
        return f"usr/local/lib/{version}/dist-packages"

    def run(self, *arguments: str | Path, env: dict[str, str] | None = None) -> str:
        """Run the image's Python on this machine and return what it printed.

        Args:
            arguments: Of Python.
            env: Further variables.

        Raises:
            ImageError: It failed; the message ends with what it said.
        """
        loader = next(path for folder in ("lib", "usr/lib") for path in self.root.glob(f"{folder}/*/ld-linux-*.so.*"))
        folders = sorted({loader.parent, self.root / "usr" / "lib" / loader.parent.name})
        python = next((self.root / "usr" / "bin").glob("python3.*"))
        command = [loader, "--inhibit-cache", "--library-path", os.pathsep.join(map(str, folders)), python, *arguments]
        variables = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "LD_"))}
        done = subprocess.run(
            command,
            env={**variables, "PYTHONDONTWRITEBYTECODE": "1", **(env or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            words = " ".join(map(str, arguments[:3]))
            raise ImageError(f"the image's Python failed at {words}: {(done.stderr or done.stdout).strip()[-2000:]}")
        return done.stdout

    def compile(self, folder: Path, root: Path, *, leave_out: str = "") -> None:
        """Compile modules, since nothing can be written where they will run.

        Args:
            folder: What is compiled.
            root: The image's root, which the folder is in.
            leave_out: A regular expression of paths that are not.

        Raises:
            ImageError: One is no Python.
        """
        # Bytecode is told fresh by its source's time otherwise, and an image has no times.
        how = ["-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash"]
        self.run(*how, *("-x", leave_out) if leave_out else (), "-s", root, "-p", "/", folder)


def debian_python() -> DebianPython:
    """Return Debian's Python, unpacked and compiled into the cache the first time.

    Raises:
        MissingProgramError: Debian's packages could not be had.
    """
    key = content_key([*_PACKAGES, _LEFT_OUT.pattern, *_FILES.values(), _RECIPE])
    target = cache_root() / "images" / f"debian-python-{key}"
    layer = target.with_name(f"{target.name}.tar.gz")
    with locked("image-debian-python"):
        if not (target.is_dir() and layer.exists()):
            with Progress("unpacking Debian's Python for images", expected="about 30 s the first time, then cached"):
                _make(target, layer)
    return DebianPython(target, layer)


def _make(target: Path, layer: Path) -> None:
    shutil.rmtree(target, ignore_errors=True)
    everything = unpack(target, *_PACKAGES, bare=True)
    partial = target.with_name(f"{everything.name}.trimmed")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        for path, source in contents(everything):
            if not _LEFT_OUT.match(f"{path}/"):
                _copy(source, partial / path)
        _complete(partial)
        python = DebianPython(partial, layer)
        python.compile(next((partial / "usr" / "lib").glob("python3.*")), partial)
        write_layer(layer, contents(partial))
        partial.rename(target)
    finally:
        shutil.rmtree(everything, ignore_errors=True)
        shutil.rmtree(partial, ignore_errors=True)


def contents(root: Path) -> Iterator[tuple[str, Path]]:
    """Yield everything below a folder, for a layer."""
    for path in sorted(root.rglob("*")):
        yield str(path.relative_to(root)), path


def _copy(source: Path, target: Path) -> None:
    if source.is_symlink() or not source.is_dir():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, target, follow_symlinks=False)


def _complete(root: Path) -> None:
    """Add what a package's script would have, or an essential package that is not needed otherwise."""
    for name, text in _FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    for name in ("bin", "sbin", "lib", "lib64"):  # since Debian 13 these are links that base-files brings
        if not (root / name).exists() and (root / "usr" / name).is_dir():
            (root / name).symlink_to(f"usr/{name}")
    (root / "home" / "nonroot").mkdir(parents=True)
    (root / "tmp").mkdir()
    (root / "tmp").chmod(0o1777)

"""Container images made from what is here, without a registry, a daemon or root.

Layers are tar files that are written here. A few lines of Go around go-containerregistry, the library under crane and
ko, make an image of them. buildah was tried (Debian's 1.28): it wants root or sub-ids, its policy in /etc/containers,
and a store on disk into which each layer is unpacked, with a copy of those below, only to be packed again.
"""

import gzip
import json
import os
import platform
import subprocess
import tarfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from cluster.build import HERE, GoProgram

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


class ImageError(RuntimeError):
    """An image could not be made; the message says what failed."""


def writer() -> GoProgram:
    """Return the program that writes archives."""
    return GoProgram(
        name="imagearchive",
        module=HERE / "imagearchive",
        package=".",
        ldflags="-s -w",
        expected="about 10 s the first time, then cached",
    )


def write_layer(target: Path, files: Iterable[tuple[str, Path]]) -> None:
    """Write a layer. The same files give the same bytes: owners and times are left out.

    Args:
        target: The tar file, compressed.
        files: Path in the image, and the file, folder or link with that content; a folder comes before what is in it.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f"{target.name}.{os.getpid()}.partial")
    try:
        with (
            partial.open("wb") as raw,
            gzip.GzipFile(filename="", fileobj=raw, mode="wb", mtime=0, compresslevel=6) as compressed,
            tarfile.open(fileobj=compressed, mode="w") as archive,
        ):
            for path, source in files:
                archive.add(source, path, recursive=False, filter=_anonymous)
        partial.rename(target)
    finally:
        partial.unlink(missing_ok=True)


def write_image(target: Path, name: str, layers: Sequence[Path], config: Mapping[str, object]) -> None:
    """Write an archive that containerd, Docker, Podman and kind load.

    Args:
        target: The archive.
        name: Repository and tag.
        layers: As `write_layer()` wrote them, the lowest first.
        config: Of the container, as the OCI image specification names it: Entrypoint, Env, User.

    Raises:
        ImageError: It could not be written.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f"{target.name}.{os.getpid()}.partial")
    machine = platform.machine()
    command: list[str | Path] = [
        *(writer().path(), "-output", partial, "-tag", name),
        *("-architecture", _ARCHITECTURES.get(machine, machine)),
        *("-config", json.dumps(config, sort_keys=True)),
        *layers,
    ]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise ImageError(f"the image {name} could not be written: {done.stderr.strip()}")
        partial.rename(target)
    finally:
        partial.unlink(missing_ok=True)


def _anonymous(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    """Take from an entry what depends on who made it and when."""
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    entry.mtime = 0
    if not entry.mode & 0o1000:  # /tmp stays everybody's
        entry.mode = 0o755 if entry.isdir() or entry.mode & 0o100 else 0o644
    return entry

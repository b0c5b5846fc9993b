"""Container images made from what is here, without a registry: an OCI archive is a tar file of JSON and one layer."""

import hashlib
import io
import json
import os
import platform
import re
import shutil
import subprocess
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from cluster.build import HERE, GoProgram
from cluster.cache import cache_root, content_key, locked
from cluster.packages import MissingProgramError
from cluster.progress import Progress

PAUSE = "localhost/pause:1"
PYTHON = "localhost/python:3"

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
_PACKAGES = ("python3-minimal", "libpython3-stdlib")
#: Of no use to a program, and half of the size.
_LEFT_OUT = re.compile(r"usr/share/(doc|man|locale|lintian|info)/|.*/__pycache__/|var/|usr/lib/dpkg/|usr/bin/dpkg")
_RECIPE = "1"


def pause() -> Path:
    """Return the archive of the image that holds a pod's namespaces."""
    program = GoProgram(
        name="pause",
        module=HERE / "pause",
        package=".",
        ldflags="-s -w",
        expected="a few seconds the first time, then cached",
    ).path()
    target = cache_root() / "images" / f"pause-{content_key([program, PAUSE, _RECIPE])}.tar"
    if not target.exists():
        write_image(target, PAUSE, {"pause": program}, {"Entrypoint": ["/pause"], "User": "65534:65534"})
    return target


def python() -> Path:
    """Return the archive of an image with Debian's Python and its standard library.

    Raises:
        MissingProgramError: Debian's packages could not be had.
    """
    target = cache_root() / "images" / f"python-{content_key([*_PACKAGES, PYTHON, _RECIPE])}.tar"
    if target.exists():
        return target
    with locked("image-python"):
        if not target.exists():
            root = target.with_name(f"python.{os.getpid()}.partial")
            try:
                with Progress("making an image with Python", expected="about 15 s the first time, then cached"):
                    _root_file_system(root)
                    files = {str(path.relative_to(root)): path for path in _contents(root)}
                    config = {"Entrypoint": ["/usr/bin/python3"], "Env": ["PATH=/usr/bin:/bin", "LANG=C.UTF-8"]}
                    write_image(target, PYTHON, files, {**config, "User": "65534:65534"})
            finally:
                shutil.rmtree(root, ignore_errors=True)
    return target


def write_image(target: Path, name: str, files: Mapping[str, Path], config: Mapping[str, object]) -> None:
    """Write an OCI archive of one layer, as `ctr images import` takes it.

    Args:
        target: The archive.
        name: Repository and tag.
        files: Path in the image to the file, folder or symbolic link with that content.
        config: Of the container, as the OCI image specification names it: Entrypoint, Env, User.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    layer = target.with_name(f"{target.name}.{os.getpid()}.layer")
    partial = target.with_name(f"{target.name}.{os.getpid()}.partial")
    try:
        with tarfile.open(layer, "w") as archive:
            for path in sorted(files):
                archive.add(files[path], path, recursive=False, filter=_anonymous)
        _write_archive(partial, name, layer, config)
        partial.rename(target)
    finally:
        layer.unlink(missing_ok=True)
        partial.unlink(missing_ok=True)


def _write_archive(target: Path, name: str, layer: Path, config: Mapping[str, object]) -> None:
    with layer.open("rb") as content:
        diff = "sha256:" + hashlib.file_digest(content, "sha256").hexdigest()
    machine = platform.machine()
    image = {
        "architecture": _ARCHITECTURES.get(machine, machine),
        "os": "linux",
        "config": dict(config),
        "rootfs": {"type": "layers", "diff_ids": [diff]},
    }
    kind = "application/vnd.oci.image"
    image_bytes = json.dumps(image).encode()
    manifest = {
        "schemaVersion": 2,
        "mediaType": f"{kind}.manifest.v1+json",
        "config": _descriptor(f"{kind}.config.v1+json", image_bytes),
        "layers": [{"mediaType": f"{kind}.layer.v1.tar", "digest": diff, "size": layer.stat().st_size}],
    }
    manifest_bytes = json.dumps(manifest).encode()
    reference = _descriptor(f"{kind}.manifest.v1+json", manifest_bytes)
    index = {"schemaVersion": 2, "manifests": [{**reference, "annotations": {"io.containerd.image.name": name}}]}
    with tarfile.open(target, "w") as archive:
        _add(archive, "oci-layout", json.dumps({"imageLayoutVersion": "1.0.0"}).encode())
        _add(archive, "index.json", json.dumps(index).encode())
        for content_bytes in (manifest_bytes, image_bytes):
            _add(archive, f"blobs/sha256/{hashlib.sha256(content_bytes).hexdigest()}", content_bytes)
        archive.add(layer, f"blobs/{diff.replace(':', '/')}", filter=_anonymous)


def _descriptor(kind: str, content: bytes) -> dict[str, object]:
    return {"mediaType": kind, "digest": f"sha256:{hashlib.sha256(content).hexdigest()}", "size": len(content)}


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    archive.addfile(entry, io.BytesIO(content))


def _anonymous(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    """Take owner and time from an entry: the same content is the same image."""
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    entry.mtime = 0
    return entry


def _root_file_system(root: Path) -> None:
    """Unpack Python and all that it needs down to the C library; nothing of it is run, so no root is needed."""
    if not (shutil.which("apt-get") and shutil.which("dpkg")):
        raise MissingProgramError("an image with Python is made of Debian's packages: apt-get and dpkg are needed")
    downloads = root.with_suffix(".debs")
    shutil.rmtree(root, ignore_errors=True)
    shutil.rmtree(downloads, ignore_errors=True)
    root.mkdir(parents=True)
    downloads.mkdir()
    # With no package installed a simulated installation names everything down to the C library.
    bare = ["-o", "Dir::State::status=/dev/null", "--simulate", "--no-install-recommends", "install", *_PACKAGES]
    try:
        plan = _run(["apt-get", "-q", *bare], downloads)
        _run(["apt-get", "-q", "download", *re.findall(r"^Inst (\S+)", plan, flags=re.MULTILINE)], downloads)
        for package in sorted(downloads.glob("*.deb")):
            _run(["dpkg", "-x", str(package), str(root)], downloads)
    except subprocess.CalledProcessError as error:
        raise MissingProgramError(f"Debian's {_PACKAGES[0]} could not be fetched: {error.stderr.strip()}") from error
    finally:
        shutil.rmtree(downloads)
    (root / "tmp").mkdir(exist_ok=True)
    (root / "tmp").chmod(0o1777)


def _run(command: list[str], folder: Path) -> str:
    environment = {**os.environ, "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True, text=True)
    return done.stdout


def _contents(root: Path) -> Iterator[Path]:
    for path in root.rglob("*"):
        if not _LEFT_OUT.match(f"{path.relative_to(root)}/"):
            yield path

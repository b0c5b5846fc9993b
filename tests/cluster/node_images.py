"""The images that every node has: the one that holds a pod's namespaces, and one with Python for tests' programs."""

from pathlib import Path

from cluster.build import HERE, GoProgram
from cluster.cache import cache_root, content_key, locked
from cluster.image_archive import write_image, write_layer, writer
from cluster.image_debian import debian_python

PAUSE = "localhost/pause:1"
PYTHON = "localhost/python:3"


def pause() -> Path:
    """Return the archive of the image that holds a pod's namespaces."""
    program = GoProgram(
        name="pause",
        module=HERE / "pause",
        package=".",
        ldflags="-s -w",
        expected="a few seconds the first time, then cached",
    ).path()
    target = _archive("pause", content_key([program, PAUSE, writer().path()]))
    with locked("image-pause"):
        if not target.exists():
            layer = target.with_suffix(".tar.gz")
            write_layer(layer, [("pause", program)])
            write_image(target, PAUSE, [layer], {"Entrypoint": ["/pause"], "User": "65534:65534"})
    return target


def python() -> Path:
    """Return the archive of an image with Debian's Python and its standard library.

    Raises:
        MissingProgramError: Debian's packages could not be had.
    """
    layer = debian_python().layer
    target = _archive("python", content_key([layer.name, PYTHON, writer().path()]))
    with locked("image-python"):
        if not target.exists():
            config = {"Entrypoint": ["/usr/bin/python3"], "Env": ["PATH=/usr/bin:/bin", "LANG=C.UTF-8"]}
            write_image(target, PYTHON, [layer], {**config, "User": "65534:65534"})
    return target


def _archive(name: str, key: str) -> Path:
    return cache_root() / "images" / f"{name}-{key}.tar"

"""Where built programs are kept between runs, and how two runs at once keep out of each other's way."""

import fcntl
import hashlib
import os
import pwd
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path


def cache_root() -> Path:
    """Return the cache directory, made if need be.

    `CERTWRIGHT_CACHE`, else `XDG_CACHE_HOME`/certwright, else ~/.cache/certwright. An empty or missing HOME is normal
    under CI and cron, so the password database is asked, and a folder under the temporary one is the last resort.
    """
    for candidate in _candidates():
        try:
            candidate.mkdir(parents=True, exist_ok=True)
        except OSError:
            continue
        if os.access(candidate, os.W_OK):
            return candidate
    raise SystemExit("no writable cache directory: set CERTWRIGHT_CACHE to one")


def _candidates() -> Iterator[Path]:
    if chosen := os.environ.get("CERTWRIGHT_CACHE"):
        yield Path(chosen).absolute()
        return  # never fall back silently from what somebody asked for
    if xdg := os.environ.get("XDG_CACHE_HOME"):
        yield Path(xdg).absolute() / "certwright"
    if home := home_directory():
        yield home / ".cache" / "certwright"
    yield Path(tempfile.gettempdir()) / f"certwright-cache-{os.getuid()}"


def home_directory() -> Path | None:
    """Return the home directory, also where HOME is empty; None where the user has none."""
    home = os.environ.get("HOME")
    if not home:
        try:
            home = pwd.getpwuid(os.getuid()).pw_dir
        except KeyError:
            return None
    path = Path(home)
    return path if path.is_absolute() and path.is_dir() else None


def content_key(parts: Iterable[bytes | str | Path]) -> str:
    """Return a short key of the contents: files by their bytes, so that a change of any makes a new cache entry."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.read_bytes() if isinstance(part, Path) else part.encode() if isinstance(part, str) else part
        digest.update(len(data).to_bytes(8, "big"))
        digest.update(data)
    return digest.hexdigest()[:16]


@contextmanager
def locked(name: str) -> Iterator[None]:
    """Hold a lock across processes. The kernel gives it back when the holder dies, however it dies."""
    path = cache_root() / "locks" / f"{name}.lock"
    path.parent.mkdir(exist_ok=True)
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield

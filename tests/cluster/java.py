"""Java's keytool, which reads keystores as Java programs do: the machine's, else Debian's package in the cache."""

import os
import shutil
import subprocess
from pathlib import Path

from cluster.packages import debian

JRE = "default-jre-headless"


def keytool() -> Path:
    """Return keytool; Debian's JRE is fetched and unpacked the first time, and not installed.

    Raises:
        MissingProgramError: there is none and Debian's packages could not be had.
    """
    if found := shutil.which("keytool"):
        return Path(found)
    root = debian(JRE)
    for folder in (root / "usr" / "lib" / "jvm").iterdir():
        _relink(folder, root)
    return next(root.glob("usr/lib/jvm/*/bin/keytool"))


def listed(keystore: Path, password: str) -> str:
    """What keytool says of a keystore, in English.

    Raises:
        AssertionError: It cannot read it; with its words.
    """
    environment = {**os.environ, "LC_ALL": "C.UTF-8", "JAVA_TOOL_OPTIONS": "-Duser.language=en"}
    command: list[str | Path] = [keytool(), "-list", "-v", "-keystore", keystore, "-storepass", password]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _relink(folder: Path, root: Path) -> None:
    """Point links into /etc, where Debian puts Java's settings, to the same place under the root."""
    for path in folder.rglob("*"):
        target = path.readlink() if path.is_symlink() else Path()
        moved = root / str(target).lstrip("/")
        if target.is_absolute() and not target.is_relative_to(root) and moved.exists():
            fresh = path.with_name(f".{path.name}.{os.getpid()}")
            fresh.symlink_to(moved)
            fresh.rename(path)

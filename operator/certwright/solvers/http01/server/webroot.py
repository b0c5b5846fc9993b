"""The HTTP-01 answers as files, for a web server that serves a folder itself.

The folder is somebody else's and may hold anything. Folders are opened one by one and no symbolic link among them is
followed, so nothing is ever written or removed outside. Imported in the solver's pod; see `request` for what
that forbids.
"""

from __future__ import annotations

import os
import sys

_FOLDERS = (".well-known", "acme-challenge")
_OPEN_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_OPEN_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class Webroot:
    """Files of ours below one folder.

    Args:
        folder: The web server's root; it must exist.
    """

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._made: list[tuple[int, str]] = []  # the open folder above, and the name
        self._files: dict[str, tuple[int, int, int]] = {}  # by token, as `_identity()` tells it
        self._challenges = -1

    def publish(self, bodies: dict[str, bytes]) -> None:
        """Write one file a token, each appearing with all of its content; one of that name is replaced.

        Args:
            bodies: Content by token. Tokens are base64url, so each is a file name.

        Raises:
            OSError: Something could not be written. What was is removed by `remove()`.
        """
        os.umask(0o022)  # the web server is somebody else and has to read it
        folder = os.open(self._folder, _OPEN_FOLDER)
        for name in _FOLDERS:
            folder = self._enter(folder, name)
        self._challenges = folder
        for token, body in bodies.items():
            self._write(token, body)

    def remove(self) -> None:
        """Remove the files that were written, unless another took their place, and the folders made, if empty."""
        for token, written in self._files.items():
            try:
                if self._identity(token) == written:
                    os.unlink(token, dir_fd=self._challenges)
            except FileNotFoundError:
                pass
            except OSError as error:
                sys.stderr.write(f"{token[:8]}…: its file was not removed: {error.strerror}\n")
        for above, name in reversed(self._made):
            try:
                os.rmdir(name, dir_fd=above)
            except OSError:  # somebody else's file is in it
                break

    def _enter(self, above: int, name: str) -> int:
        try:
            os.mkdir(name, 0o755, dir_fd=above)
        except FileExistsError:
            pass
        else:
            self._made.append((above, name))
        try:
            return os.open(name, _OPEN_FOLDER | os.O_NOFOLLOW, dir_fd=above)
        except NotADirectoryError as error:  # also what Linux says of a symbolic link here
            raise OSError(error.errno, "it must be a folder, and no symbolic link", name) from None

    def _write(self, token: str, body: bytes) -> None:
        # Written beside and renamed: a web server never sees half of it, and a link of that name is not followed.
        partial = f".{os.urandom(8).hex()}"
        file = os.open(partial, _OPEN_FILE, 0o644, dir_fd=self._challenges)
        try:
            with os.fdopen(file, "wb") as stream:
                stream.write(body)
            os.rename(partial, token, src_dir_fd=self._challenges, dst_dir_fd=self._challenges)
        except OSError:
            os.unlink(partial, dir_fd=self._challenges)
            raise
        self._files[token] = self._identity(token)

    def _identity(self, name: str) -> tuple[int, int, int]:
        """Tell a file from a later one of the same name; the number of an inode is given again at once."""
        found = os.stat(name, dir_fd=self._challenges, follow_symlinks=False)
        return found.st_dev, found.st_ino, found.st_mtime_ns

"""moto's server: AWS's IAM, STS and Route 53 in a process of its own, with signatures and policies checked."""

import http.client
import sys
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from cluster.packages import python_packages
from cluster.ports import free_port
from cluster.process import Child

MOTO = "moto==5.2.5"
BESIDE = ("flask", "flask-cors")
"""What its server needs; `moto[server]` would bring all that any of its services needs."""
SERVER = Path(__file__).parent / "moto" / "server.py"
HOST = "127.0.0.1"


class Moto:
    """A server; nobody is checked until `check_callers`.

    Its packages cannot share an environment with ours: botocore takes an older python-dateutil than kubernetes does.

    Args:
        folder: For its log.
    """

    def __init__(self, folder: Path) -> None:
        packages = python_packages(MOTO, *BESIDE)
        port = free_port()
        self.url = f"http://{HOST}:{port}"
        # -S leaves our own packages out; AWS_* would be taken for its own credentials.
        command = [sys.executable, "-S", str(SERVER), "-H", HOST, "-p", str(port)]
        self.process = Child("moto", command, folder=folder, env={"PYTHONPATH": str(packages)})

    def __enter__(self) -> Self:
        self.process.start()
        self.process.wait_until(lambda: self._asked("GET", "/moto-api/data.json") == http.client.OK, seconds=60)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.process.stop()

    def check_callers(self, *, after: int = 0) -> None:
        """From now on, or after some requests, take only what is signed by a key that it made, and is permitted."""
        assert self._asked("POST", "/moto-api/reset-auth", str(after).encode()) == http.client.OK

    def _asked(self, method: str, path: str, body: bytes | None = None) -> int:
        connection = http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=10)
        try:
            connection.request(method, path, body=body)
            return connection.getresponse().status
        except OSError:
            return 0
        finally:
            connection.close()

"""Starts the HTTP-01 solver's server, and prints in JSON how long its first answer took and what it keeps in memory.

    python solver_start.py certwright-http-solver

It needs nothing but the standard library, so that it runs in the image, too.
"""

import contextlib
import json
import resource
import socket
import subprocess
import sys
import time
from pathlib import Path

HOST = "shop.example.com"
TOKEN = "evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA"
THUMBPRINT = "9jg46WB3rR_AHD-EBXdN7cBkH1WOu0tA3M9fm21mqTI"


def measure(command: str) -> dict[str, float]:
    """Start it once.

    Returns:
        `milliseconds` from before the process was made to its answer, `resident` in bytes after that.

    Raises:
        RuntimeError: It ended, or answered something else.
    """
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    arguments = [command, f"--listen-port={port}", f"--thumbprint={THUMBPRINT}", f"{HOST}={TOKEN}"]
    began = time.monotonic()
    with subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            answer = b""
            while not answer and server.poll() is None:
                with contextlib.suppress(ConnectionRefusedError):
                    answer = _ask(port)
                time.sleep(0 if answer else 0.001)
            ended = time.monotonic()
            if not answer.endswith(f"{TOKEN}.{THUMBPRINT}".encode()):
                raise RuntimeError(f"the solver answered {answer!r}")
            pages = int(Path(f"/proc/{server.pid}/statm").read_text().split()[1])
        finally:
            server.terminate()
    return {"milliseconds": (ended - began) * 1000, "resident": pages * resource.getpagesize()}


def _ask(port: int) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=30) as client:
        client.sendall(f"GET /.well-known/acme-challenge/{TOKEN} HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
        answer = b""
        while part := client.recv(4096):
            answer += part
        return answer


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1])))

"""Sees by a watch when each Certificate became Ready, to the millisecond: conditions have whole seconds only."""

import contextlib
import json
import threading
import time
from types import TracebackType
from typing import Self

import urllib3

from certwright.kube.client import Kube


class Readiness:
    """Watches one namespace while it is entered.

    Args:
        kube: Whose credentials are used.
        namespace: What to watch.
    """

    def __init__(self, kube: Kube, namespace: str) -> None:
        self._kube = kube
        self._path = f"{kube.group_path}/namespaces/{namespace}/certificates"
        self._changed = threading.Condition()
        self._ready: dict[str, float] = {}
        self._stop = False

    def __enter__(self) -> Self:
        version = self._kube.request("GET", self._path)["metadata"]["resourceVersion"]
        threading.Thread(target=self._follow, args=(version,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop = True

    def wait(self, names: set[str], timeout: float) -> dict[str, float]:
        """Wait until all are Ready; the monotonic second at which each was.

        Raises:
            TimeoutError: Some are not.
        """
        deadline = time.monotonic() + timeout
        with self._changed:
            while not names <= self._ready.keys():
                if not self._changed.wait(max(deadline - time.monotonic(), 0)):
                    missing = sorted(names - self._ready.keys())
                    raise TimeoutError(f"{len(missing)} are not Ready, for instance {missing[0]}")
            return {name: self._ready[name] for name in names}

    def _follow(self, version: str) -> None:
        with contextlib.suppress(urllib3.exceptions.HTTPError):  # the API server is ended before this thread
            self._watch(version)

    def _watch(self, version: str) -> None:
        login = self._kube.credentials()
        pool = urllib3.PoolManager(
            ca_certs=login.ca_path or None, cert_file=login.certificate_path or None, key_file=login.key_path or None
        )
        headers = {"Authorization": login.authorization} if login.authorization else {}
        url = f"{login.server}{self._path}?watch=true&resourceVersion={version}"
        response = pool.request("GET", url, headers=headers, preload_content=False)
        rest = b""
        for chunk in response.stream(65536):
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                self._note(json.loads(line)["object"])
            if self._stop:
                return

    def _note(self, body: dict[str, object]) -> None:
        conditions = (body.get("status") or {}).get("conditions", ())  # type: ignore[attr-defined]
        if any(item["type"] == "Ready" and item["status"] == "True" for item in conditions):
            with self._changed:
                self._ready.setdefault(body["metadata"]["name"], time.monotonic())  # type: ignore[index]
                self._changed.notify()

"""The state file of an environment that runs in the background: what it is, and beyond doubt which processes it is."""

import json
import os
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Self

from cluster.cache import cache_root
from cluster.environment import Environment
from cluster.process import ProcessHandle, StartError

_FILE = "environment.json"


def default_state() -> Path:
    """Return the folder that `up`, `down` and `status` use when none is named."""
    return cache_root() / "state"


@dataclass(frozen=True, slots=True)
class State:
    """What a state file says.

    Attributes:
        keeper: The process that holds the environment; its end is the end of its children.
        children: Its children.
        guests: Processes that others started to run in the environment, such as the operator of the demo.
        facts: What a client needs: kubeconfig, directory URL, resolver, key.
    """

    keeper: ProcessHandle
    children: tuple[ProcessHandle, ...]
    facts: dict[str, Any]
    guests: tuple[ProcessHandle, ...] = ()

    @classmethod
    def of(cls, environment: Environment) -> Self:
        """Describe a running environment that this process holds."""
        keeper = ProcessHandle.of(os.getpid(), "keeper")
        if keeper is None:
            raise RuntimeError("this process is not in /proc")
        handles = [child.handle() for child in environment.children]
        return cls(keeper, tuple(handle for handle in handles if handle), facts(environment))

    @classmethod
    def read(cls, folder: Path) -> Self | None:
        """Return what the folder's state file says; None if there is none."""
        try:
            document = json.loads((folder / _FILE).read_text())
        except FileNotFoundError:
            return None
        children, guests = (tuple(ProcessHandle(**one) for one in document[key]) for key in ("children", "guests"))
        return cls(ProcessHandle(**document["keeper"]), children, document["facts"], guests)

    def write(self, folder: Path) -> None:
        """Write the state file, whole or not at all, readable by its owner only: it names the key."""
        partial = folder / f"{_FILE}.partial"
        partial.touch(mode=0o600)
        partial.write_text(json.dumps(asdict(self), indent=2) + "\n")
        partial.rename(folder / _FILE)

    def end(self) -> list[str]:
        """End the environment and return the names of the processes that had to be ended one by one.

        Guests first, the last one before those that it may need. The keeper ends its children in order; should it be
        gone or stuck, each is ended by its own handle.
        """
        for guest in reversed(self.guests):
            guest.end()
        self.keeper.end(grace=30)
        left = [child for child in self.children if child.alive()]
        for child in left:
            child.end()
        return [child.name for child in left]


def add_guest(folder: Path, pid: int, name: str) -> None:
    """Have `down` end a process too, such as an operator that is to go on running in the environment.

    Args:
        folder: The environment's state folder.
        pid: The process; it must run, in a session of its own with its output redirected.
        name: For messages.

    Raises:
        StartError: the environment is not up, or the process has ended.
    """
    state, guest = State.read(folder), ProcessHandle.of(pid, name)
    if state is None or guest is None:
        raise StartError(f"{name} has ended" if state else f"nothing is up in {folder}")
    replace(state, guests=(*state.guests, guest)).write(folder)


def remove(folder: Path) -> None:
    """Remove a folder's state file, if there is one."""
    (folder / _FILE).unlink(missing_ok=True)


def facts(environment: Environment) -> dict[str, Any]:
    """Return what a client of the environment needs to know, ready for JSON."""
    bind, pebble = environment.bind, environment.pebble
    return {
        "state": str(environment.state),
        "kubeconfig": str(environment.kubeconfig),
        "features": sorted(environment.features),
        "acme": {
            "directory": pebble.directory_url,
            "ca_file": str(pebble.ca_file),
            "management": pebble.management_url,
        },
        "dns": {
            "resolver": bind.resolver,
            "addresses": bind.addresses,
            "port": bind.port,
            "zones": [zone.name for zone in bind.zones],
            "tsig": {"name": bind.key_name, "algorithm": bind.algorithm, "secret": bind.tsig_secret},
        },
    }

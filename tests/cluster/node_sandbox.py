"""A part of the machine for one node: processes, mounts and network that the rest does not see.

All of it hangs on one process, the first of its process namespace. When that ends, however it ends, the kernel kills
everything in there, pods included, and with the last process go the mounts and the network. Only control groups stay:
they carry the owner's process in their name, and the next node removes those whose owner is gone.
"""

import contextlib
import ipaddress
import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from cluster.cache import cache_root
from cluster.process import Child, ProcessHandle, StartError

#: Where the node's state and the cache are found inside, whatever their places outside.
STATE, CACHE = Path("/run/node/state"), Path("/run/node/cache")
_CGROUPS = Path("/sys/fs/cgroup")
_PREFIX = "certwright-node"
_TOOLS = ("unshare", "nsenter", "setpriv", "mount", "ip", "apt-get", "dpkg")
_NETWORKS = range(1, 251)

# What programs keep at fixed places is given places of its own. The state comes first: it may lie under one of them.
# The shell stays: as the first process it takes the dead out of the table.
_INIT = """
set -e
mount -n -t tmpfs tmpfs /mnt
mkdir -p /mnt/node/state /mnt/node/cache /mnt/lock
mount -n --bind "$1" /mnt/node/state
mount -n --bind "$2" /mnt/node/cache
mount -n --move /mnt /run
mount -n -t tmpfs tmpfs /var/lib
mount -n -t tmpfs tmpfs /var/log
for place in lib/containerd lib/kubelet log/pods; do
    mkdir -p "/run/node/state/$place" "/var/$place"
    mount -n --bind "/run/node/state/$place" "/var/$place"
done
ip link set lo up
echo 1 >/proc/sys/net/ipv4/ip_forward
# Answers between two pods pass the bridge only; without this they would miss their way back through a Service.
if [ -e /proc/sys/net/bridge/bridge-nf-call-iptables ]; then
    echo 1 >/proc/sys/net/bridge/bridge-nf-call-iptables
fi
touch /run/node/state/ready
while :; do sleep 3600 & wait; done
"""


class Sandbox:
    """Namespaces for processes, mounts and the network, with a cable to the host.

    Args:
        folder: The node's state, seen inside as `STATE`.

    Attributes:
        address: The node's, reached from the host.
        gateway: The host's end of the cable.
        pods: The network that pods get their addresses from; the host has a route to it.
        cgroup: The control group, below the root of each hierarchy, that pods are to be in.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.cgroup = f"{_PREFIX}-{_owner()}-{os.urandom(2).hex()}"
        self.address = self.gateway = self.interface = ""
        self.pods = ipaddress.IPv4Network("0.0.0.0/32")
        # The mounts are private to begin with: nothing that is mounted inside appears outside.
        namespaces = ["--net", "--mount", "--pid", "--fork", "--kill-child=KILL", "--mount-proc"]
        places = [str(folder), str(cache_root())]
        self.process = Child(
            "sandbox", ["unshare", *namespaces, "--", "sh", "-c", _INIT, "init", *places], folder=folder
        )
        self._first: ProcessHandle | None = None

    @staticmethod
    def missing() -> str | None:
        """Return why there can be none here, in one line; None if there can."""
        if not Path("/proc/self/ns/pid").exists() or os.geteuid() != 0:
            return "a node needs root on Linux"
        if lacking := [tool for tool in _TOOLS if not shutil.which(tool)]:
            return f"a node needs the program {lacking[0]}"
        if not _hierarchies():
            return "a node needs control groups that can be written to"
        veth, bridge = "ip link add probe0 type veth peer name probe1", "ip link add probe2 type bridge"
        probe = ["sh", "-c", f"mount -n -t tmpfs tmpfs /mnt && {veth} && {bridge}"]
        command = ["unshare", "--net", "--mount", "--pid", "--fork", "--mount-proc", *probe]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        if done.returncode:
            reason = (done.stderr.strip().splitlines() or ["no message"])[-1]
            return f"a node needs namespaces, mounts and virtual network devices of its own ({reason})"
        return None

    def start(self) -> None:
        """Make it, after removing the control groups of those who are gone.

        Raises:
            StartError: the kernel refused something.
        """
        remove_left_over()
        self._folder.mkdir(parents=True, exist_ok=True)
        ready = self._folder / "ready"
        ready.unlink(missing_ok=True)
        _turn_controllers_on()
        for hierarchy in _hierarchies():
            (hierarchy / self.cgroup).mkdir(exist_ok=True)
        self.process.start()
        self.process.wait_until(ready.exists, seconds=20)
        self._first = _only_child(self.process.pid)
        self._plug_in()

    def stop(self) -> None:
        """Kill everything inside and return when nothing of it is left."""
        if self.interface:
            subprocess.run(["ip", "link", "delete", self.interface], capture_output=True, check=False)
        first, self._first = self._first, None
        self.process.kill9()  # it ignores a termination; its end takes the first process along
        deadline = time.monotonic() + 30
        while first and first.alive() and time.monotonic() < deadline:
            time.sleep(0.02)
        while not _remove(self.cgroup) and time.monotonic() < deadline:
            time.sleep(0.05)

    def enter(self, *command: str | Path) -> list[str]:
        """Return the command that runs another inside, to be ended together with the one that is returned.

        Not by `ip netns exec`, which mounts a /sys without control groups.
        """
        if self._first is None:
            raise RuntimeError("the sandbox is not started")
        target = f"--target={self._first.pid}"
        tied = ["setpriv", "--pdeathsig", "KILL", "--"]
        return ["nsenter", target, "--mount", "--net", "--pid", "--", *tied, *(str(part) for part in command)]

    def run(self, *command: str | Path) -> str:
        """Run a command inside to its end and return what it printed.

        Raises:
            StartError: it failed.
        """
        return _run(self.enter(*command))

    def _plug_in(self) -> None:
        """Lay the cable, in the first pair of networks that nothing here uses yet."""
        if self._first is None:
            raise RuntimeError("the sandbox is not started")
        taken, refused = _taken(), ""
        for number in _NETWORKS:
            cable = ipaddress.IPv4Network(f"10.201.{number}.0/30")
            pods = ipaddress.IPv4Network(f"10.202.{number}.0/24")
            interface = f"cw-node-{number}"
            if any(network.overlaps(cable) or network.overlaps(pods) for network in taken):
                continue
            peer = ["type", "veth", "peer", "name", "eth0", "netns", str(self._first.pid)]
            # Two who look at the same time both find it free; the name of the interface only one can have.
            made = subprocess.run(["ip", "link", "add", interface, *peer], capture_output=True, text=True, check=False)
            if made.returncode:
                refused = made.stderr.strip()
                continue
            self.interface, self.pods = interface, pods
            self.gateway, self.address = (str(host) for host in cable.hosts())
            break
        else:
            raise StartError(f"no free network for a node in 10.201.0.0/16 and 10.202.0.0/16 {refused}")
        _run(["ip", "address", "add", f"{self.gateway}/30", "dev", self.interface])
        _run(["ip", "link", "set", self.interface, "up"])
        self.run("ip", "address", "add", f"{self.address}/30", "dev", "eth0")
        self.run("ip", "link", "set", "eth0", "up")
        self.run("ip", "route", "add", "default", "via", self.gateway)
        _run(["ip", "route", "add", str(self.pods), "via", self.address])


def remove_left_over() -> None:
    """Remove the control groups of nodes whose owner was killed."""
    names = {path.name for hierarchy in _hierarchies() for path in hierarchy.glob(f"{_PREFIX}-*")}
    for name in names:
        owner = re.match(rf"{_PREFIX}-(\d+)-(\d+)-", name)
        if owner and not ProcessHandle(int(owner[1]), int(owner[2])).alive():
            _remove(name)


def cgroups(owner: int) -> list[Path]:
    """Return the control groups of the nodes that a process has or had, by its id."""
    return [path for hierarchy in _hierarchies() for path in hierarchy.glob(f"{_PREFIX}-{owner}-*")]


def is_cgroup_v1() -> bool:
    """Tell whether the machine has the older control groups, one hierarchy a controller."""
    return not (_CGROUPS / "cgroup.controllers").exists()


def _hierarchies() -> list[Path]:
    if is_cgroup_v1():
        candidates = [path for path in _CGROUPS.glob("*") if path.is_dir() and not path.is_symlink()]
        return [path for path in candidates if os.access(path, os.W_OK)]
    return [_CGROUPS] if os.access(_CGROUPS, os.W_OK) else []


def _turn_controllers_on() -> None:
    """Let groups below the root have the controllers that kubelet wants; with the older control groups they do."""
    if is_cgroup_v1():
        return
    for controller in ("cpu", "cpuset", "memory", "pids", "io"):
        with contextlib.suppress(OSError):  # mostly it is on; where it cannot be, kubelet says that it misses it
            (_CGROUPS / "cgroup.subtree_control").write_text(f"+{controller}")


def _remove(name: str) -> bool:
    """Remove a control group of every hierarchy with those below it; False while something is still in there."""
    for hierarchy in _hierarchies():
        for folder, _, _ in os.walk(hierarchy / name, topdown=False):
            with contextlib.suppress(OSError):
                Path(folder).rmdir()
    return not any((hierarchy / name).exists() for hierarchy in _hierarchies())


def _owner() -> str:
    handle = ProcessHandle.of(os.getpid())
    if handle is None:
        raise RuntimeError("this process is not in /proc")
    return f"{handle.pid}-{handle.started}"


def _only_child(parent: int) -> ProcessHandle:
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            if int(path.read_text().rpartition(")")[2].split()[1]) == parent:
                handle = ProcessHandle.of(int(path.parent.name), "sandbox")
                if handle:
                    return handle
    raise StartError("the sandbox's first process has ended")


def _taken() -> list[ipaddress.IPv4Network]:
    routes = json.loads(_run(["ip", "-json", "-4", "route", "show", "table", "all"]) or "[]")
    places = {route["dst"] for route in routes if route.get("dst") not in {None, "default"}}
    return [ipaddress.IPv4Network(place, strict=False) for place in places]


def _run(command: Sequence[str]) -> str:
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        raise StartError(f"{' '.join(command)}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout

"""A process that takes part in an election and says what it is; for tests to kill."""

import os
import signal
import sys
import threading

from certwright.kube.client import Kube
from certwright.ops import logs
from certwright.ops.leader import Leader, Timing
from certwright.resources.names import Names


def main() -> None:
    logs.configure()
    kubeconfig, namespace, identity = sys.argv[1:]
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    leader = Leader(
        kube=Kube(kubeconfig=kubeconfig, names=Names(), user_agent=identity),
        namespace=namespace,
        name="lead",
        identity=identity,
        timing=Timing(duration=4.0, renew_deadline=2.5, retry=0.5),
        on_lost=lambda: os._exit(3),
    )
    leader.start()
    while not stop.is_set():
        if leader.wait(0.05):
            print("leading", flush=True)
            break
    stop.wait()
    leader.stop()
    print("stopped", flush=True)


main()

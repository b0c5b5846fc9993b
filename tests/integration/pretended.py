"""Docker, kind or Helm, by the name it is called by, where there is no Docker: notes its command and keeps state.

The cluster that this kind makes is the one of the kubeconfig in PRETENDED_KUBECONFIG. Docker has whatever it is asked
for and starts nothing. What the real programs would refuse is refused.
"""

import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

STATE = Path(__file__).resolve().parent
CLUSTERS, LOADED = STATE / "clusters", STATE / "loaded"


def main(name: str, arguments: list[str]) -> None:
    """Do as the program of that name."""
    with (STATE / "commands").open("a") as log:
        log.write(f"{name} {shlex.join(arguments)}\n")
    {"docker": docker, "kind": kind, "helm": helm}[name](arguments)


def docker(arguments: list[str]) -> None:
    """Answer what kind asks before it starts a node."""
    match arguments[0]:
        case "-v":
            print("Docker version 29.0.0, build 0000000")
        case "info":
            limits = dict.fromkeys(("MemoryLimit", "PidsLimit", "CPUShares"), True)
            print(json.dumps({"CgroupVersion": "2", "CgroupDriver": "systemd", "SecurityOptions": [], **limits}))
        case "network":
            print("0000000")
        case "ps" | "inspect":
            pass
        case _:
            refuse("nothing is started here")


def kind(arguments: list[str]) -> None:
    """Make, fill and delete the one cluster there is."""
    options = dict(item.split("=", 1) for item in arguments if item.startswith("--"))
    clusters = CLUSTERS.read_text().split() if CLUSTERS.exists() else []
    match arguments[:2]:
        case ["version"]:
            print("kind v0.33.0 go1.26.0 linux/amd64")
        case ["get", "clusters"]:
            print("\n".join(clusters))
        case ["create", "cluster"]:
            if clusters:
                refuse("node(s) already exist for a cluster with that name")
            if not Path(options["--config"]).exists():
                refuse("error reading file")
            CLUSTERS.write_text("certwright")
            shutil.copy(os.environ["PRETENDED_KUBECONFIG"], options["--kubeconfig"])
        case ["export", "kubeconfig"] if options["--name"] in clusters:
            shutil.copy(os.environ["PRETENDED_KUBECONFIG"], options["--kubeconfig"])
        case ["load", "image-archive"] if options["--name"] in clusters and Path(arguments[2]).exists():
            LOADED.touch()
        case ["delete", "cluster"]:
            CLUSTERS.unlink(missing_ok=True)
        case _:
            refuse("this cannot be done")


def helm(arguments: list[str]) -> None:
    """Make a Deployment; nothing waits for its pods, for there is no node."""
    options = dict(item.split("=", 1) for item in arguments if item.startswith("--") and "=" in item)
    if "upgrade" not in arguments or "--wait" not in arguments or not LOADED.exists():
        refuse("the pods do not get ready")
    kubectl = [os.environ["PRETENDED_KUBECTL"], f"--kubeconfig={options['--kubeconfig']}"]
    where = f"--namespace={options['--namespace']}"
    subprocess.run([*kubectl, "create", "namespace", options["--namespace"]], check=True)
    image = dict(item.split("=") for item in options["--set"].split(","))
    name = f"{image['image.repository']}:{image['image.tag']}"
    subprocess.run([*kubectl, "create", "deployment", "certwright", f"--image={name}", where], check=True)


def refuse(text: str) -> None:
    """End as a program that fails."""
    print(f"ERROR: {text}", file=sys.stderr)
    sys.exit(1)


if __name__ == "__main__":
    main(Path(sys.argv[0]).name, sys.argv[1:])

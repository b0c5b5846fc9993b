"""`make bench`: issues certificates by DNS-01 and from a CA, and prints what each cost."""

import argparse
import json
import os
import platform
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from bench import solver_start
from bench.report import render, render_starts
from bench.runs import Bench, Run
from cluster.environment import Environment
from cluster.image import certwright
from cluster.node import Node
from cluster.node_programs import build_node
from cluster.node_traefik import HTTP_PORT, HTTPS_PORT
from cluster.pebble import PebbleOptions
from cluster.progress import say

STARTS = 20


def main() -> None:
    """Run the benchmark and print its table."""
    parser = argparse.ArgumentParser(prog="make bench ARGS=...", description=__doc__)
    parser.add_argument("--certificates", type=int, default=200, help="how many to issue of each kind (200)")
    parser.add_argument("--names", type=int, default=50, help="names of the one certificate with many (50)")
    parser.add_argument("--served", type=int, default=30, help="how many to issue by HTTP-01, on a node (30)")
    parser.add_argument("--fleet", type=int, default=1000, help="Ready certificates for the restart (1000)")
    parser.add_argument("--json", action="store_true", help="print JSON in place of a table")
    options = parser.parse_args()
    runs: list[Run] = []
    with (
        tempfile.TemporaryDirectory(prefix="certwright-bench-") as folder,
        # The CA's Retry-After is obeyed; zero leaves the pace to the client, as a CA that says nothing does.
        Environment(pebble=PebbleOptions(retry_after_order=0, retry_after_authz=0)) as env,
    ):
        bench = Bench(env, Path(folder))
        say(f"issuing {options.certificates} certificates by DNS-01")
        runs.append(bench.dns01(options.certificates))
        say(f"issuing one certificate of {options.names} names by DNS-01")
        runs.append(bench.many_names(options.names))
        say(f"issuing {options.certificates} certificates from a CA issuer")
        runs.append(bench.ca(options.certificates))
        say(f"restarting with {options.fleet} Ready certificates")
        runs.append(bench.restart(options.fleet))
        say("starting with none")
    with (
        tempfile.TemporaryDirectory(prefix="certwright-bench-") as folder,
        Environment() as env,
    ):
        runs.append(Bench(env, Path(folder)).idle())
    if reason := Node.missing():
        say(f"HTTP-01 is left out, for it needs a real node: {reason}")
    else:
        runs += served(options.served, 20)
    say(f"starting the HTTP-01 solver {STARTS} times")
    solver = str(Path(sys.executable).with_name("certwright-http-solver"))
    starts = [solver_start.measure(solver) for _ in range(STARTS)]
    if options.json:
        print(json.dumps([*(run.as_dict() for run in runs), {"title": "HTTP-01 solver", "starts": starts}], indent=2))
    else:
        when = datetime.now(UTC).date().isoformat()
        print(f"\n{when}, {os.cpu_count()} cores, Python {platform.python_version()}, {platform.system()}\n")
        print(render(runs))
        print(render_starts(starts))


def served(count: int, names: int) -> list[Run]:
    """Issue by HTTP-01 on a node: so many of one name each, and one of so many names."""
    build_node()
    image = certwright()
    pace = PebbleOptions(retry_after_order=0, retry_after_authz=0, http_port=HTTP_PORT, tls_port=HTTPS_PORT)
    with (
        tempfile.TemporaryDirectory(prefix="certwright-bench-") as folder,
        Environment(pebble=pace) as env,
        Node(env) as node,
    ):
        node.load_image(image)
        bench = Bench(env, Path(folder))
        say(f"issuing {count} certificates by HTTP-01")
        one = bench.http01(node, count)
        say(f"issuing one certificate of {names} names by HTTP-01")
        return [one, bench.http01_names(node, names)]


if __name__ == "__main__":
    main()

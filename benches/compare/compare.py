#!/usr/bin/env python3
"""CPU time per request: Portcullis with its whole policy on, beside nginx that only proxies.

    benches/compare/compare.py target/release/portcullis
    benches/compare/compare.py target/release/portcullis --haproxy --modes h1,h2 --rounds 9

The proxy has one core to itself, the load generator and the backend share another. A round loads every server once,
the next one in the opposite order, and the figure that counts is the median over the rounds of the ratio within one:
what else the machine does in a minute falls on both sides of the division.
"""

import argparse
import datetime
import json
import os
import platform
import shutil
import signal
import statistics
import sys

import load
import servers


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binary", help="a release build of portcullis")
    parser.add_argument("--haproxy", action="store_true", help="measure HAProxy too")
    parser.add_argument("--modes", default=",".join(load.MODES), help="default: %(default)s")
    parser.add_argument("--rounds", type=int, default=7, help="default: %(default)s")
    parser.add_argument("--seconds", type=int, default=2, help="of load per server and round, default: %(default)s")
    parser.add_argument("--cores", default="0,1", metavar="PROXY,LOAD", help="default: %(default)s")
    parser.add_argument("--json", metavar="FILE", help="write every round there")
    given = parser.parse_args()
    given.modes = given.modes.split(",")
    if unknown := set(given.modes) - set(load.MODES):
        parser.error(f"unknown mode {', '.join(sorted(unknown))}: choose from {', '.join(load.MODES)}")
    return given


def check_machine(cores):
    os.environ["PATH"] += ":/usr/local/sbin:/usr/sbin:/sbin"
    needed = ("nginx", "haproxy", "wrk", "h2load", "openssl", "taskset")
    if missing := [name for name in needed if not shutil.which(name)]:
        raise servers.Failed(f"missing: {', '.join(missing)}. `scripts/setup.sh bench` installs them")
    if not set(cores) <= os.sched_getaffinity(0):
        raise servers.Failed(f"cores {cores} are not all this process's: choose two with --cores")


def microseconds(server, mode, seconds, core):
    """CPU time of one request to `server`."""
    before = server.cpu_seconds()
    answered = load.run(server, mode, seconds, core)
    return (server.cpu_seconds() - before) * 1e6 / answered


def measure(started, mode, given, core):
    """Per server, the cost of a request in each round."""
    for server in started:
        load.run(server, mode, 1, core)  # opens the connections to the backend, fills the caches
    rounds = {server.name: [] for server in started}
    for number in range(given.rounds):
        for server in started if number % 2 == 0 else reversed(started):
            rounds[server.name].append(microseconds(server, mode, given.seconds, core))
        costs = "  ".join(f"{name} {costs[-1]:.1f}" for name, costs in rounds.items())
        print(f"{mode} {number + 1}/{given.rounds}: {costs}", file=sys.stderr, flush=True)
    return rounds


def table(results):
    """The medians, and each server's ratio to nginx, as Markdown."""
    names = list(next(iter(results.values())))
    rows = [["µs of CPU a request", *results], ["---"] * (len(results) + 1)]
    for name in names:
        rows.append([name, *(f"{statistics.median(rounds[name]):.1f}" for rounds in results.values())])
    for name in names[1:]:
        rows.append([f"{name} / {names[0]}", *(ratio(rounds[name], rounds[names[0]]) for rounds in results.values())])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def ratio(costs, base):
    ratios = sorted(cost / other for cost, other in zip(costs, base))
    return f"{statistics.median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})"


def main():
    given = arguments()
    # Ended from outside, it still leaves through the `with` below, which stops the servers.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    proxy_core, load_core = (int(core) for core in given.cores.split(","))
    check_machine((proxy_core, load_core))
    with servers.Bench(proxy_core, load_core) as bench:
        started = [bench.nginx(), bench.portcullis(os.path.abspath(given.binary))]
        if given.haproxy:
            started.append(bench.haproxy())
        results = {mode: measure(started, mode, given, load_core) for mode in given.modes}
    if given.json:
        with open(given.json, "w", encoding="utf-8") as file:
            json.dump(results, file, indent=1)
    print(f"{datetime.date.today()}, {platform.machine()}, {os.cpu_count()} cores, {given.rounds} rounds\n")
    print(table(results))


if __name__ == "__main__":
    try:
        main()
    except servers.Failed as why:
        sys.exit(f"compare: {why}")

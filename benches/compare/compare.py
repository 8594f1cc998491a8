#!/usr/bin/env python3
"""What a request costs: Portcullis with its whole policy on, beside nginx, HAProxy and Caddy that only proxy.

    benches/compare/compare.py target/release/portcullis
    benches/compare/compare.py target/release/portcullis --peers nginx --modes h1,tls --rounds 15
    benches/compare/compare.py target/release/portcullis --pingora

CPU time of the process for one request, and bytes resident for one idle connection. The proxy has one core to itself,
the load generator and the backend share another. A round measures every server once, each round in another order, and
the figure that counts is the median over the rounds of the ratio within one: what else the machine does in a minute
falls on both sides of the division. Prints Markdown, as it stands in `benches/README.md`.
"""

import argparse
import json
import os
import signal
import sys

import built
import load
import machine
import memory
import proof
import servers
import table
from failed import Failed

MODES = {**load.MODES, **memory.MODES}
PEERS = ("nginx", "haproxy", "caddy", "pingora")
# Of memory, which depends little on what else the machine does.
IDLE_ROUNDS = 3


def arguments():
    kinds = "\n".join(f"  {mode:10} {what}" for mode, what in MODES.items())
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=f"modes:\n{kinds}", formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("binary", help="a release build of portcullis")
    parser.add_argument("--peers", default="nginx,haproxy,caddy", help=f"of {', '.join(PEERS)}; default: %(default)s")
    parser.add_argument("--pingora", action="store_true", help="build pingora/ and measure it too, in h1 and idle")
    parser.add_argument("--modes", default=",".join(MODES), help="default: all of them")
    rounds = f"default: %(default)s; of idle ones at most {IDLE_ROUNDS}"
    parser.add_argument("--rounds", type=int, default=9, help=rounds)
    parser.add_argument("--seconds", type=int, default=2, help="of load per server and round, default: %(default)s")
    parser.add_argument("--connections", type=int, default=4000, help="held open when idle, default: %(default)s")
    parser.add_argument("--cores", default="0,1", metavar="PROXY,LOAD", help="default: %(default)s")
    parser.add_argument("--json", metavar="FILE", help="write every round there")
    given = parser.parse_args()
    given.peers = _choice(parser, "peer", given.peers, PEERS)
    if given.pingora and "pingora" not in given.peers:
        given.peers.append("pingora")
    given.modes = _choice(parser, "mode", given.modes, MODES)
    return given


def _choice(parser, what, text, known):
    chosen = [name for name in text.split(",") if name]
    if unknown := set(chosen) - set(known):
        parser.error(f"unknown {what} {', '.join(sorted(unknown))}: choose from {', '.join(known)}")
    return chosen


def starters(bench, given):
    """Per name what starts that server, Portcullis last."""
    known = {"nginx": bench.nginx, "haproxy": bench.haproxy, "caddy": bench.caddy}
    if "pingora" in given.peers:
        program = built.pingora()
        known["pingora"] = lambda: bench.pingora(program)

    def portcullis():
        started = bench.portcullis(os.path.abspath(given.binary))
        proof.policy(started.plain)
        return started

    return {**{name: known[name] for name in given.peers}, "portcullis": portcullis}


def order(names, number):
    """The order of a round. Over as many rounds as there are names (twice as many, if they are an odd number), each
    follows each other one equally often."""
    count = len(names)
    # 0, 1, last, 2, last but one, ...: the steps between neighbours are all different.
    zigzag = [(place + 1) // 2 if place % 2 else -(place // 2) for place in range(count)]
    turned = [names[(step + number) % count] for step in zigzag]
    return turned if number // count % 2 == 0 else turned[::-1]


def measure(mode, names, count, figure):
    """Per name, `figure(name)` of each round."""
    taken = {name: [] for name in names}
    for number in range(count):
        for name in order(names, number):
            taken[name].append(figure(name))
        shown = "  ".join(f"{name} {figures[-1]:.1f}" for name, figures in taken.items())
        print(f"{mode} {number + 1}/{count}: {shown}", file=sys.stderr, flush=True)
    return taken


def loaded(bench, start, given, core, busy):
    """The modes under load: all servers run, one at a time is loaded. `busy` gets the share of its core that each used."""
    modes = [mode for mode in given.modes if mode in load.MODES]
    if not modes:
        return {}
    running = {name: begin() for name, begin in start.items()}
    proof.equal_answers(bench, running.values())
    results = {}
    for mode in modes:
        names = [name for name, server in running.items() if mode == "h1" or server.tls]
        for name in names:
            load.run(running[name], mode, 1, core)  # opens the connections to the backend, fills the caches
        resumed = proof.resumed(running["portcullis"])
        shares = busy[mode] = {name: [] for name in names}

        def figure(name):
            cost, share = microseconds(bench, running[name], mode, given.seconds, core)
            shares[name].append(share)
            return cost

        results[mode] = measure(mode, names, given.rounds, figure)
        if mode == "handshake" and proof.resumed(running["portcullis"]) != resumed:
            raise Failed("handshake: sessions were resumed, these were no full handshakes")
    for server in running.values():
        bench.stop(server)
    return results


def microseconds(bench, server, mode, seconds, core):
    """CPU time of one request to `server`, and the share of the time in which it was at work."""
    opened, before = proof.connections_to_backend(bench), server.cpu_seconds()
    answered = load.run(server, mode, seconds, core)
    spent = server.cpu_seconds() - before
    proof.kept(server, mode, proof.connections_to_backend(bench) - opened, answered)
    return spent * 1e6 / answered, spent / seconds


def idle(bench, start, given):
    """The modes of memory: each server started anew, since memory freed by a load would hide what is taken."""

    def bytes_each(name):
        server = start[name]()
        figure = memory.idle(server, mode, given.connections)
        bench.stop(server)
        return figure

    results = {}
    for mode in (mode for mode in given.modes if mode in memory.MODES):
        names = [name for name in start if mode == "idle" or name != "pingora"]  # which has no TLS here
        results[mode] = measure(mode, names, min(given.rounds, IDLE_ROUNDS), bytes_each)
    return results


def main():
    given = arguments()
    # Ended from outside, it still leaves through the `with` below, which stops the servers.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    proxy_core, load_core = (int(core) for core in given.cores.split(","))
    machine.check(given.peers, (proxy_core, load_core))
    described = machine.about(given)
    with servers.Bench(proxy_core, load_core) as bench:
        start = starters(bench, given)
        busy = {}
        results = {**loaded(bench, start, given, load_core, busy), **idle(bench, start, given)}
    if given.json:
        with open(given.json, "w", encoding="utf-8") as file:
            json.dump({"about": described, "rounds": results, "busy": busy}, file, indent=1)
    shares = [table.shares(busy)] if busy else []
    print(*[described, table.costs(results), table.CAPTION, *shares, table.verdict(results)], sep="\n\n")


if __name__ == "__main__":
    try:
        main()
    except Failed as why:
        sys.exit(f"compare: {why}")

#!/usr/bin/env python3
"""Holds the instructions that a request takes to the budget in budget.toml.

    benches/budget/budget.py                    build, count, compare; ends with 1 when a line has grown by over 5 %
    benches/budget/budget.py --write            count, and write budget.toml
    benches/budget/budget.py --binary FILE      count with a program that is built already

A line that has become dearer has to be argued for: whoever makes it so changes the budget in the same commit. One that
has become cheaper is named, and is to be written down as well, or the next one could take back unnoticed what was won.
"""

import argparse
import pathlib
import platform
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib

import drive
import gateway
import profiles
from counted import Failed

ROOT = gateway.ROOT
BUDGET = pathlib.Path(__file__).with_name("budget.toml")
KEPT = ROOT / "target" / "budget"
UPDATE = "make budget-update"
MAY_MOVE = 0.05
CONNECTIONS, WARM_UP, REQUESTS, ROUNDS = 8, 400, 1000, 3

# name: protocol, TLS, share of the requests that are logged
LINES = {
    "http1": (drive.Http1, False, 0),
    "http1-logged": (drive.Http1, False, 1),
}
# Shown, not held. HTTP/2 takes some percent more on a busy machine; with TLS, how much is computed depends on what the
# processor's own instructions leave to do.
SHOWN = {
    "http2": (drive.Http2, False, 0),
    "http1-tls": (drive.Http1, True, 0),
    "http2-tls": (drive.Http2, True, 0),
}
# Of something small a few instructions are more than a share of it.
NOISE = 20


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="write the budget instead of holding to it")
    parser.add_argument("--binary", help="a program built with `--profile profiling --features jemalloc`")
    parser.add_argument("--all", action="store_true", help="count HTTP/2 and TLS too, which have no budget")
    return parser.parse_args()


def count_requests(binary, lines):
    """Per line: instructions of a request in each round."""
    print(f"Instructions of a request, in {ROUNDS} rounds of {REQUESTS}:", flush=True)
    counted = {}
    for sample in sorted({sample for _, _, sample in lines.values()}):
        of_sample = {name: line for name, line in lines.items() if line[2] == sample}
        backend = drive.Backend()
        with tempfile.TemporaryDirectory(prefix="portcullis-budget-") as folder:
            with gateway.Gateway(binary, folder, backend.port, sample) as served:
                for name, (protocol, tls, _) in of_sample.items():
                    clients = [drive.connect(served, protocol, tls) for _ in range(CONNECTIONS)]
                    counted[name] = count(name, served, backend, clients)
    return counted


def count(name, served, backend, clients):
    def load(requests):
        for number in range(requests):
            drive.exchange(served, backend, clients[number % len(clients)])

    load(WARM_UP)
    drive.prove_policy(backend)
    rounds = []
    for _ in range(ROUNDS):
        idle = idle_rate(served)
        start = time.monotonic()
        load(REQUESTS)
        # The worker is who was busy; what other threads do is nobody's request.
        worker, (instructions, profile) = max(served.count().items(), key=lambda of: of[1][0])
        rounds.append((instructions - idle[worker] * (time.monotonic() - start)) / REQUESTS)
    KEPT.mkdir(parents=True, exist_ok=True)
    shutil.copy(profile, KEPT / f"{name}.callgrind")
    spread = max(rounds) / min(rounds) - 1
    each, taken = ", ".join(f"{figure:,.0f}" for figure in rounds), profiles.allocations(profile) / REQUESTS
    print(f"  {name:14} {each}; spread {spread:.2%}; {taken:.1f} allocations a request", flush=True)
    return rounds


def idle_rate(served):
    """Instructions of each thread in a second in which nothing is asked: the clockwork, which is no request's cost."""
    served.count()
    start = time.monotonic()
    time.sleep(2)
    return {thread: counted / (time.monotonic() - start) for thread, (counted, _) in served.count().items()}


def compare(budget, counted):
    """Prints a line for each figure; the names of those that moved, and whether any has grown or is not counted any more."""
    moved, grown = [], False
    for name, now in counted.items():
        allowed = budget.get(name)
        change = now / allowed - 1 if allowed else float("inf")
        fits = allowed is not None and abs(now - allowed) <= max(MAY_MOVE * allowed, NOISE)
        print(f"  {name:24} {now:9,.0f}  budget {allowed or 0:9,.0f}  {change:+7.1%}{'' if fits else '  <--'}")
        if not fits:
            moved.append(name)
            grown |= change > 0
    missing = [f"{name} (not counted any more)" for name in budget.keys() - counted.keys()]
    return moved + missing, grown or bool(missing)


def write(counted):
    text = [
        f"# Instructions, under callgrind. Written by `{UPDATE}`; benches/README.md says what is counted.",
        "# A commit that makes a line dearer by more than 5 % changes it here, and says why.",
        "",
        "[counted-with]",
        f'machine = "{platform.machine()}"',
        f'rustc = "{rustc()}"',
        "",
        "[requests]",
        *(f"{name} = {round(figure)}" for name, figure in counted.items()),
    ]
    BUDGET.write_text("\n".join(text) + "\n")
    print(f"written: {BUDGET.relative_to(ROOT)}")


def rustc():
    return subprocess.run(["rustc", "--version"], capture_output=True, text=True, check=True).stdout.split()[1]


def explain(moved, grown, counted_with):
    """What to do about lines that moved, and where the instructions are."""
    for name in moved:
        if (profile := KEPT / f"{name}.callgrind").exists():
            print(f"\n{name}: the functions with most instructions of their own, for one request")
            for function, count in profiles.functions(profile).most_common(25):
                print(f"  {count / REQUESTS:7,.0f} {function}")
    print(f"\nOver 5 % from the budget: {', '.join(moved)}. The profiles are in {KEPT.relative_to(ROOT)}.")
    if grown:
        print("A request has become dearer. Take it back; or run the command below, and say in the commit what for.")
    else:
        print("Where it has become cheaper, keep it so: run the command below and commit what it writes.")
    print(f"  {UPDATE}")
    if (before := counted_with.get("rustc")) != rustc():
        print(f"The budget was counted with Rust {before}, this is {rustc()}: that alone may be why.")


def main():
    given = arguments()
    budget = tomllib.loads(BUDGET.read_text()) if BUDGET.exists() else {}
    counted_with = budget.get("counted-with", {})
    if not given.write and counted_with.get("machine", platform.machine()) != platform.machine():
        raise Failed(f"the budget is for {counted_with['machine']}, this is {platform.machine()}")
    binary = given.binary or gateway.build()[0]
    rounds = count_requests(binary, LINES | SHOWN if given.all else LINES)
    # What happens beside the requests only adds.
    least = {name: min(figures) for name, figures in rounds.items() if name in LINES}
    if given.write:
        return write(least)
    print("\nInstructions of a request:")
    moved, grown = compare(budget.get("requests", {}), least)
    if moved:
        explain(moved, grown, counted_with)
    if grown:
        sys.exit(1)
    print("\nThe budget holds.")


if __name__ == "__main__":
    try:
        main()
    except Failed as failed:
        sys.exit(f"budget: {failed}")

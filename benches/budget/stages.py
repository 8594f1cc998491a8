#!/usr/bin/env python3
"""The stages alone: nanoseconds by divan, instructions by callgrind, in one table.

    benches/budget/stages.py

Instructions repeat exactly; the time of a stage does not, and says most beside those of the others in the same run.
"""

import os
import pathlib
import re
import subprocess
import sys
import tempfile

import counted
import gateway
import profiles

CALLS = 500
NANOSECONDS = {"ps": 1e-3, "ns": 1, "µs": 1e3, "ms": 1e6}


def count(bench):
    """Per stage: instructions of one call."""
    with tempfile.TemporaryDirectory(prefix="portcullis-stages-") as folder:
        profile = pathlib.Path(folder, "profile")
        # Counted is inside of one function; before each stage another one is called, at which a profile ends.
        parts = ["--toggle-collect=*stages::counted*", "--dump-before=*stages::begin*"]
        command = counted.callgrind(profile, *parts, bench, "--count", CALLS)
        done = subprocess.run(command, capture_output=True, text=True, env=counted.environment())
        names = done.stdout.split()
        if done.returncode or not names:
            raise counted.Failed(f"the bench of the stages failed:\n{done.stdout}{done.stderr}")
        ends = [pathlib.Path(f"{profile}.{part}") for part in range(2, len(names) + 1)] + [profile]
        return {name: profiles.total(end) / CALLS for name, end in zip(names, ends, strict=True)}


def times(bench):
    """Per stage: nanoseconds of one call, the median."""
    done = subprocess.run([bench, "--bench"], capture_output=True, text=True)
    if done.returncode:
        raise counted.Failed(f"the bench of the stages failed:\n{done.stdout}{done.stderr}")
    row = re.compile(r"[├╰]─ (\S+) +[\d.]+ \S+ +│[^│]+│ ([\d.]+) (ps|ns|µs|ms) ")
    return {name: float(number) * NANOSECONDS[unit] for name, number, unit in row.findall(done.stdout)}


def main():
    _, bench = gateway.build()
    instructions, timed = count(bench), times(bench)
    print(f"{'stage':24} {'instructions':>12} {'ns':>8}")
    for name, number in instructions.items():
        print(f"{name:24} {number:12,.0f} {timed.get(name, float('nan')):8,.0f}")


if __name__ == "__main__":
    try:
        main()
    except counted.Failed as failed:
        sys.exit(f"stages: {failed}")

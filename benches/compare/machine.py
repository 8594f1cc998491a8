"""What the measurement needs of the machine, and what it was made on."""

import datetime
import os
import pathlib
import platform
import re
import shutil
import subprocess

import built
import table
from failed import Failed


def check(peers, cores):
    """Raises `Failed` when a program or a core is missing."""
    os.environ["PATH"] += ":/usr/local/sbin:/usr/sbin:/sbin"
    needed = {"nginx", "wrk", "h2load", "ab", "openssl", "taskset", *peers} - {"pingora"}
    if missing := [name for name in sorted(needed) if not shutil.which(name)]:
        raise Failed(f"missing: {', '.join(missing)}. `scripts/setup.sh bench` installs them")
    if not set(cores) <= os.sched_getaffinity(0):
        raise Failed(f"cores {cores} are not all this process's: choose two with --cores")


def about(given):
    """The machine and the versions, in one line."""
    processor = re.search(r"model name\s*: (.*)", pathlib.Path("/proc/cpuinfo").read_text())
    kind = processor.group(1) if processor else platform.machine()
    asked = {"nginx": ["nginx", "-v"], "haproxy": ["haproxy", "-v"], "caddy": ["caddy", "version"]}
    versions = [f"{table.NAMES[peer]} {_version(asked[peer])}" for peer in given.peers if peer in asked]
    if "pingora" in given.peers:
        versions.append(f"Pingora {built.pingora_version()}")
    versions.append(f"Portcullis {_version([given.binary, '--version'])}")
    return (
        f"{datetime.date.today()}, {os.cpu_count()} cores of {kind}, Linux {platform.release()}, load at the start"
        f" {os.getloadavg()[0]:.1f}; {', '.join(versions)}; {given.rounds} rounds of {given.seconds} s"
    )


def _version(command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    found = re.search(r"\d+\.\d+(\.\d+)?", done.stdout + done.stderr)
    return found.group() if found else "?"

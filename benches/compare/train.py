#!/usr/bin/env python3
"""The load under which a build counts what it does: the modes of the comparison, and what else the edge does often.

    benches/compare/train.py target/dist/build/release/portcullis
"""

import contextlib
import os
import signal
import sys
import urllib.error
import urllib.request

import load
import servers
from failed import Failed
from servers import KEY, PATH

SECONDS = 4
"""Of load in each mode."""
REFUSALS = 300
"""Requests of each other kind."""


def ask(port, path, headers, body=None):
    """One request, whatever comes of it."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers=headers, data=body)
    with contextlib.suppress(urllib.error.HTTPError):
        urllib.request.urlopen(request, timeout=5).close()


def mixed(port):
    """Refusals, uploads, and spellings that do not take the shortest way."""
    good = {"X-API-Key": KEY}
    bearer = {"Authorization": f"Bearer {KEY}", "User-Agent": "training/1.0", "Accept": "application/json"}
    for number in range(REFUSALS):
        ask(port, PATH, bearer)
        ask(port, PATH, good, body=b"x" * (number * 50))
        ask(port, PATH, {})
        ask(port, PATH, {"X-API-Key": f"ocr_{number % 7:064x}"})
        ask(port, PATH.replace("projectId=", "projectId=not-"), good)
        ask(port, "/nothing/here", good)


def main():
    binary = os.path.abspath(sys.argv[1])
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with servers.Bench(0, 1) as bench:
        server = bench.portcullis(binary)
        for mode in load.MODES:
            load.run(server, mode, SECONDS, 1)
        mixed(server.plain)


if __name__ == "__main__":
    try:
        main()
    except Failed as why:
        sys.exit(f"train: {why}")

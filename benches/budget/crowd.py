#!/usr/bin/env python3
"""What a request costs where many are under way at once: instructions of one over HTTP/2 and TLS, by function.

    benches/budget/crowd.py                    build, count
    benches/budget/crowd.py --binary FILE      count with a program that is built already
    benches/budget/crowd.py --no-limit         the same without the limit, and so without the fields that tell of it
    benches/budget/crowd.py --haproxy          count HAProxy, which only proxies

The budget has one request under way at a time. Here a client asks for as many at once as under load: one wake-up serves
several, and what is kept for the next request is wanted by all of them. h2load sends them, so that the figure differs by
some tenths of a percent from run to run.
"""

import argparse
import contextlib
import os
import pathlib
import re
import subprocess
import sys
import tempfile

import counted
import drive
import gateway
import profiles

# The same backend, client and HAProxy as where time is measured; `counted` says where they are.
import built
import load
import servers

WARM_UP, FEW, MANY = 3000, 3000, 15000


class Haproxy(counted.Counted):
    """HAProxy with one thread."""

    def __init__(self, folder, backend):
        plain, self.tls = servers.free_ports(2)
        counted.certificate(folder)
        made = [pathlib.Path(folder, name).read_text() for name in ("cert.pem", "key.pem")]
        pathlib.Path(folder, "pair.pem").write_text("".join(made))
        names = {"dir": folder, "plain": plain, "tls": self.tls, "upstream": backend}
        config = counted.write(folder, servers.CONFIGS / "haproxy.cfg", names)
        super().__init__(folder, ["haproxy", "-db", "-f", config], lambda: servers.connects(self.tls))


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", help="a program built with `--profile profiling --features jemalloc`")
    parser.add_argument("--no-limit", action="store_true")
    parser.add_argument("--haproxy", action="store_true")
    parser.add_argument("--clients", type=int, default=16, help="connections, default: %(default)s")
    parser.add_argument("--streams", type=int, default=16, help="requests at once on each, default: %(default)s")
    parser.add_argument("--functions", type=int, default=40, help="how many to name, default: %(default)s")
    return parser.parse_args()


def server(given, folder, backend):
    """What is counted, serving."""
    if given.haproxy:
        return Haproxy(folder, backend)
    limit = "none" if given.no_limit else gateway.LIMIT
    return gateway.Gateway(given.binary or gateway.build()[0], folder, backend, 0, limit)


@contextlib.contextmanager
def backend():
    """Its port."""
    (port,) = servers.free_ports(1)
    process = subprocess.Popen([built.backend(), str(port)])
    try:
        yield port
    finally:
        process.terminate()
        process.wait()


def ask(served, given, requests):
    """Sends so many requests and waits for all answers, which must be good ones."""
    shape = [f"--clients={given.clients}", f"--max-concurrent-streams={given.streams}", f"--requests={requests}"]
    url = f"https://127.0.0.1:{served.tls}{drive.TARGET}"
    command = [*load.H2LOAD, *shape, "--header", f"x-api-key: {gateway.KEY}", url]
    environment = {**os.environ, "OPENSSL_CONF": str(load.CLIENT)}
    said = subprocess.run(command, capture_output=True, text=True, check=False, env=environment).stdout
    good = re.search(r"status codes: (\d+) 2xx", said)
    if not good or int(good[1]) != requests:
        raise counted.Failed(f"not all of {requests} requests were answered well:\n{said[-1500:]}")


def count(given):
    """Instructions of one request, by function: of many requests less those of few, so that handshakes fall out."""
    with tempfile.TemporaryDirectory(prefix="portcullis-crowd-") as folder, backend() as port:
        with server(given, folder, port) as served:
            ask(served, given, WARM_UP)
            served.count()
            taken = []
            for requests in (FEW, MANY):
                ask(served, given, requests)
                # The worker is who was busy.
                _, profile = max(served.count().values(), key=lambda of: of[0])
                taken.append(profiles.functions(profile))
    few, many = taken
    return {name: (many[name] - few[name]) / (MANY - FEW) for name in many}


def main():
    given = arguments()
    taken = count(given)
    at_once = f"{given.streams} at once on each of {given.clients} connections"
    print(f"{sum(taken.values()):,.0f} instructions a request, {at_once}; of its own each function takes")
    for name, instructions in sorted(taken.items(), key=lambda of: -of[1])[: given.functions]:
        print(f"  {instructions:7,.0f} {name}")


if __name__ == "__main__":
    try:
        main()
    except (counted.Failed, built.Failed) as failed:
        sys.exit(f"crowd: {failed}")

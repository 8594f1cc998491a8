#!/usr/bin/env python3
"""One key over three gateways at ten times its limit: no window may have more than its bucket holds.

Three gateways count one limit in one Redis, in each mode in turn. Meanwhile Redis is killed and comes back empty, hangs and
goes on, and one gateway is killed and started again. Every request is recorded with when it was sent and answered; what was
sent and answered between two moments was decided between them, so that for every such pair the number let in is compared
with depth + rate * time. Exit code 1 when there was more in any, or much less in all.

    benches/endure/limits.py target/release/portcullis [--seconds 60] [--modes script leased]

It needs redis-server. Everything lives in a temporary folder and on free ports.
"""

import argparse
import bisect
import contextlib
import http.client
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "compare"))
import servers

NODES = 3
CLIENTS = 3
REQUESTS, PERIOD_S = 300, 5.0
TIMES_THE_LIMIT = 10

CONFIG = """
listeners: [{{ address: 127.0.0.1:{plain} }}]
admin: {{ address: 127.0.0.1:{admin} }}
store: {{ url: sqlite://nodes.db }}
jwt: {{ secret: an-endurance-test-needs-a-secret-too }}
workers: 2
limits: {{ backend: "redis://127.0.0.1:{redis}", mode: {mode}, nodes: {nodes}, timeout: 50ms, prefix: {mode} }}
upstreams: {{}}
apis:
  - name: endure
    dialect: ocriva
    prefixes: [/v1]
    rate_limit: {{ requests: {requests}, per: {period}s }}
    routes: [{{ path: /v1/loaded, respond: {{ status: 200, body: "ok" }} }}]
telemetry: {{ access_log: {{ path: access.log, sample: 0.0 }} }}
"""

FIXTURE = f"""
organizations:
  - id: endure
    slug: endure
    name: Endure
    tokens:
      - {{ id: 68e0000000000000000000a1, name: load, type: organization, permissions: [read], scopes: [documents], value: "{servers.KEY}" }}
"""


def wait_for(what, holds, seconds=60):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with contextlib.suppress(OSError, ValueError):
            if holds():
                return
        time.sleep(0.02)
    sys.exit(f"never came about: {what}")


class Process(contextlib.ExitStack):
    """A program that can be killed and started again."""

    def __init__(self, command, folder):
        super().__init__()
        self.command, self.folder, self.running = command, folder, None
        self.callback(self.kill)

    def start(self):
        with open(self.folder / "log", "a", encoding="utf-8") as log:
            self.running = subprocess.Popen(self.command, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def kill(self):
        if self.running:
            self.running.kill()
            self.running.wait()
            self.running = None

    def signal(self, which):
        os.kill(self.running.pid, which)


class Node:
    """A gateway with a store of its own."""

    def __init__(self, binary, folder, redis_port, mode):
        folder.mkdir()
        self.plain, self.admin = servers.free_ports(2)
        values = {"plain": self.plain, "admin": self.admin, "redis": redis_port, "mode": mode}
        values |= {"nodes": NODES, "requests": REQUESTS, "period": int(PERIOD_S)}
        (folder / "portcullis.yaml").write_text(CONFIG.format(**values))
        (folder / "fixture.yaml").write_text(FIXTURE)
        imported = [binary, "import", "--config", "portcullis.yaml", "fixture.yaml"]
        done = subprocess.run(imported, cwd=folder, capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"import: {done.stdout}{done.stderr}")
        self.process = Process([binary, "serve", "--config", "portcullis.yaml"], folder)

    def start(self):
        self.process.start()
        wait_for("a gateway is connected", lambda: "portcullis_rate_limit_backend_up 1" in self.metrics())

    def metrics(self):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.admin}/metrics", timeout=5) as answer:
            return answer.read().decode()

    def decided(self):
        lines = [line for line in self.metrics().splitlines() if line.startswith("portcullis_rate_limit_decided_total{")]
        return {line.split('"')[1]: int(float(line.split()[-1])) for line in lines}


def client(port, over, pause, records, failures):
    """Sends requests at a steady pace; reconnects when its gateway was killed."""
    connection, due = None, time.monotonic()
    while not over.is_set():
        try:
            connection = connection or http.client.HTTPConnection("127.0.0.1", port, timeout=10)
            sent = time.monotonic_ns()
            connection.request("GET", "/v1/loaded", headers={"X-API-Key": servers.KEY})
            status = connection.getresponse()
            status.read()
            records.append((sent, time.monotonic_ns(), status.status))
        except (OSError, http.client.HTTPException):
            failures.append(time.monotonic())
            connection = None
            time.sleep(0.05)
        due = max(due + pause, time.monotonic() - 1)
        time.sleep(max(0, due - time.monotonic()))


def excess(records):
    """The most that was let in beyond the bound, over all windows; at most 0 when it held."""
    rate = REQUESTS / (PERIOD_S * 1e9)
    let_in = sorted((sent, answered) for sent, answered, status in records if status == 200)
    worst, ends = float("-inf"), []
    for sent, answered in reversed(let_in):
        place = bisect.bisect(ends, answered)
        ends.insert(place, answered)
        # Windows that begin with this request: those that end before its own answer do not hold it.
        for count in range(place + 1, len(ends) + 1):
            worst = max(worst, count - REQUESTS - rate * (ends[count - 1] - sent))
    return worst, len(let_in)


def trouble(seconds, redis, nodes):
    """What happens meanwhile, each at a share of the time."""

    def at(share):
        time.sleep(max(0, begin + seconds * share - time.monotonic()))

    begin = time.monotonic()
    at(0.25)
    redis.kill()
    at(0.30)
    redis.start()
    at(0.50)
    redis.signal(signal.SIGSTOP)
    at(0.55)
    redis.signal(signal.SIGCONT)
    at(0.70)
    nodes[2].process.kill()
    at(0.75)
    nodes[2].start()
    at(0.85)
    redis.kill()
    redis.start()
    at(1.0)


def run(binary, mode, seconds):
    with contextlib.ExitStack() as stack:
        folder = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="portcullis-nodes-")))
        (port,) = servers.free_ports(1)
        (folder / "redis").mkdir()
        command = ["redis-server", "--bind", "127.0.0.1", "--port", str(port), "--save", "", "--appendonly", "no"]
        redis = stack.enter_context(Process(command, folder / "redis"))
        redis.start()
        nodes = [Node(binary, folder / f"node{number}", port, mode) for number in range(NODES)]
        for node in nodes:
            stack.enter_context(node.process)
            node.start()
        over, threads, records, failures = threading.Event(), [], [], []
        pause = NODES * CLIENTS * PERIOD_S / (TIMES_THE_LIMIT * REQUESTS)
        for node in nodes:
            for _ in range(CLIENTS):
                arguments = (node.plain, over, pause, records, failures)
                threads.append(threading.Thread(target=client, args=arguments))
        for thread in threads:
            thread.start()
        trouble(seconds, redis, nodes)
        over.set()
        for thread in threads:
            thread.join()
        beyond, let_in = excess(records)
        most = REQUESTS + REQUESTS / PERIOD_S * seconds
        print(f"{mode}: {len(records)} requests in {seconds} s, {let_in} let in of at most {most:.0f}")
        print(f"  closest to the bound of any window: {beyond:+.2f}; by {[node.decided() for node in nodes]}")
        print(f"  {len(failures)} requests got no answer, all of them of the gateway that was killed")
        if beyond > 0:
            print("  FAILED: more was let in than the bucket holds")
        if let_in < most * 0.7:
            print("  FAILED: much less was let in than the bucket holds")
        return beyond <= 0 and let_in >= most * 0.7


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binary")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--modes", nargs="+", choices=["script", "leased"], default=["script", "leased"])
    arguments = parser.parse_args()
    binary = str(pathlib.Path(arguments.binary).resolve())
    results = [run(binary, mode, arguments.seconds) for mode in arguments.modes]
    sys.exit(0 if all(results) else 1)


if __name__ == "__main__":
    main()

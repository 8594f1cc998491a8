#!/usr/bin/env python3
"""Changes everything that can be changed under load, and counts what failed.

wrk (HTTP/1.1) and h2load (HTTP/2) ask one gateway without a pause while, one part after the other,

  reload    the configuration is altered back and forth, by file and by SIGHUP, the loaded route left as it is
  handover  the process is told to hand over to a new one (SIGUSR2)
  upstream  one of two endpoints is killed and started again

Every failed request is reported, by kind. The first two parts must not have any: exit code 1 if they do. In the third, a
request that was in flight to the killed endpoint and may not be sent twice is lost: those are told apart by their status.

    benches/endure/change.py target/release/portcullis [--reloads 100] [--handovers 10] [--kills 20] [--parts …]

It needs nginx, wrk and h2load. Everything lives in a temporary folder and on free ports.
"""

import argparse
import contextlib
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "compare"))
import servers

KEY = servers.KEY
PATH = "/v1/loaded"

NGINX = """
daemon off; worker_processes 1; worker_rlimit_nofile 65536; pid {dir}/{name}.pid; error_log {dir}/{name}.log crit;
events {{ worker_connections 8192; }}
http {{
  access_log off; keepalive_timeout 10m; keepalive_requests 1000000000; default_type application/json;
  client_body_temp_path {dir}/{name}-1; proxy_temp_path {dir}/{name}-2; fastcgi_temp_path {dir}/{name}-3;
  uwsgi_temp_path {dir}/{name}-4; scgi_temp_path {dir}/{name}-5;
  server {{ listen 127.0.0.1:{port} backlog=4096; location / {{ return 200 '{{"page":1,"items":[1,2,3]}}'; }} }}
}}
"""

CONFIG = """
listeners:
  - {{ address: 127.0.0.1:{plain} }}
{second}
admin: {{ address: 127.0.0.1:{admin} }}
store: {{ url: sqlite://endure.db }}
jwt: {{ secret: an-endurance-test-needs-a-secret-too }}
upstreams:
  main:
    endpoints: [{endpoints}]
{policy}
apis:
  - name: endure
    dialect: ocriva
    prefixes: [/v1]
    rate_limit: none
    routes:
      - {{ path: /v1/loaded, upstream: main }}
      - {{ path: /v1/{other}, respond: {{ status: 200, body: "{other}" }} }}
drain: {{ timeout: 10s }}
telemetry: {{ access_log: {{ path: access.log, sample: {sample} }} }}
"""

POLICY = """    retry: { attempts: 2, on: [connect, reset, 502, 503, 504], budget: 50% }
    eject: { consecutive_failures: 3, for: 2s }
    health: { path: /healthz, interval: 500ms }
"""

FIXTURE = f"""
organizations:
  - id: endure
    slug: endure
    name: Endure
    tokens:
      - {{ name: load, type: organization, permissions: [read], scopes: [documents], value: "{KEY}" }}
"""


def wait_for(what, holds, seconds=60):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with contextlib.suppress(OSError, ValueError):
            found = holds()
            if found:
                return found
        time.sleep(0.02)
    sys.exit(f"never came about: {what}")


def connects(port):
    socket.create_connection(("127.0.0.1", port), 1).close()
    return True


class World(contextlib.ExitStack):
    """The folder, two upstreams, the gateway."""

    def __init__(self, binary, with_policy):
        super().__init__()
        self.binary, self.with_policy = str(pathlib.Path(binary).resolve()), with_policy
        self.dir = pathlib.Path(self.enter_context(tempfile.TemporaryDirectory(prefix="portcullis-endure-")))
        self.dir.chmod(0o755)
        self.plain, self.second, self.admin, *self.upstreams = servers.free_ports(5)
        self.upstream_processes = {}

    def __enter__(self):
        self.callback(self.stop)
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def start(self):
        for index in range(2):
            self.start_upstream(index)
        self.configure(0)
        (self.dir / "fixture.yaml").write_text(FIXTURE)
        self.run("import", "fixture.yaml")
        log = self.enter_context(open(self.dir / "gateway.log", "w", encoding="utf-8"))
        command = [self.binary, "serve", "--config", "portcullis.yaml", "--pid-file", "pid"]
        subprocess.Popen(command, cwd=self.dir, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        wait_for("the gateway is ready", lambda: self.get("/readyz") and self.pid())

    def run(self, command, *more):
        done = subprocess.run([self.binary, command, "--config", "portcullis.yaml", *more], cwd=self.dir, capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"{command}: {done.stdout}{done.stderr}")

    def start_upstream(self, index):
        name, port = f"upstream{index}", self.upstreams[index]
        config = self.dir / f"{name}.conf"
        config.write_text(NGINX.format(dir=self.dir, name=name, port=port))
        command = ["nginx", "-e", str(self.dir / f"{name}.log"), "-p", str(self.dir), "-c", str(config)]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)
        self.upstream_processes[index] = process
        wait_for(name, lambda: connects(port))

    def kill_upstream(self, index):
        process = self.upstream_processes[index]
        # Master and worker: the group that was made for them.
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def configure(self, round_number):
        endpoints = ", ".join(f'"http://127.0.0.1:{port}"' for port in self.upstreams)
        # Every other round a listener comes and goes, a route becomes another, fewer requests are logged.
        text = CONFIG.format(
            plain=self.plain,
            admin=self.admin,
            endpoints=endpoints,
            policy=POLICY if self.with_policy else "",
            second=f"  - {{ address: 127.0.0.1:{self.second} }}" if round_number % 2 else "",
            other=f"other{round_number % 2}",
            sample="0.0",
        )
        draft = self.dir / "portcullis.yaml.new"
        draft.write_text(text)
        draft.rename(self.dir / "portcullis.yaml")

    def get(self, path):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.admin}{path}", timeout=5) as answer:
            return answer.read().decode()

    def metric(self, series):
        found = re.search(rf"^{re.escape(series)} (\S+)$", self.get("/metrics"), re.M)
        return float(found.group(1)) if found else 0.0

    def pid(self):
        return int((self.dir / "pid").read_text())

    def signal(self, which):
        os.kill(self.pid(), which)

    def stop(self):
        with contextlib.suppress(OSError, ValueError):
            pid = self.pid()
            os.kill(pid, signal.SIGTERM)
            wait_for("the gateway's end", lambda: not running(pid), 30)
        for process in self.upstream_processes.values():
            with contextlib.suppress(OSError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def running(pid):
    with contextlib.suppress(OSError):
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    return False


class Load:
    """wrk and h2load at the same time, for as long as a part takes at most."""

    def __init__(self, world, seconds):
        url = f"http://127.0.0.1:{world.plain}{PATH}"
        key = ["--header", f"x-api-key: {KEY}"]
        pipe = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        wrk = ["wrk", "--threads", "1", "--connections", "16", "--timeout", "20s", "--duration", str(seconds), *key, url]
        self.wrk = subprocess.Popen(wrk, **pipe)
        self.h2load = [
            "h2load", "--threads=1", "--clients=4", "--max-concurrent-streams=8", "--requests=2000", *key, url,
        ]
        self.h2_runs = []
        self.h2 = None
        self.pipe = pipe

    def keep(self):
        """Starts h2load again when its requests are done: it does not connect anew by itself."""
        if self.h2 is None or self.h2.poll() is not None:
            if self.h2 is not None:
                self.h2_runs.append(self.h2.communicate()[0])
            self.h2 = subprocess.Popen(self.h2load, **self.pipe)

    def end(self):
        self.h2_runs.append(self.h2.communicate()[0])
        return Result.of_wrk(self.wrk.communicate()[0]), sum(map(Result.of_h2load, self.h2_runs), Result())


class Result:
    """Requests, and failures by kind."""

    def __init__(self, requests=0, failures=None):
        self.requests, self.failures = requests, failures or {}

    def __add__(self, other):
        kinds = {**self.failures}
        for kind, count in other.failures.items():
            kinds[kind] = kinds.get(kind, 0) + count
        return Result(self.requests + other.requests, kinds)

    @staticmethod
    def of_wrk(text):
        failures = {}
        errors = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", text)
        for kind, count in zip(("connect", "read", "write", "timeout"), errors.groups() if errors else ()):
            failures[kind] = int(count)
        bad = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
        failures["status"] = int(bad.group(1)) if bad else 0
        total = re.search(r"(\d+) requests in", text)
        return Result(int(total.group(1)) if total else 0, {k: v for k, v in failures.items() if v})

    @staticmethod
    def of_h2load(text):
        counts = re.search(
            r"requests: (\d+) total, (\d+) started, (\d+) done, (\d+) succeeded, (\d+) failed, (\d+) errored, (\d+) timeout",
            text,
        )
        if not counts:
            return Result(0, {"h2load said: " + text[-200:]: 1})
        # It does not connect anew after GOAWAY, and calls those failed that it has never sent. What counts is what it has.
        _, started, done, succeeded, _, _, timeout = map(int, counts.groups())
        bad = re.search(r"(\d+) 3xx, (\d+) 4xx, (\d+) 5xx", text)
        statuses = sum(map(int, bad.groups())) if bad else 0
        failures = {
            "status": statuses,
            "without an answer": started - done,
            "cut": done - succeeded - statuses,
            "timeout": timeout,
        }
        return Result(done, {kind: count for kind, count in failures.items() if count > 0})

    def __str__(self):
        failed = ", ".join(f"{count} {kind}" for kind, count in self.failures.items()) or "none"
        return f"{self.requests:>9} requests, failed: {failed}"


def reloads(world, count):
    good = 'portcullis_config_reloads_total{result="success"}'
    for number in range(1, count + 1):
        before = world.metric(good)
        world.configure(number)
        if number % 2:
            world.signal(signal.SIGHUP)
        wait_for("the reload", lambda before=before: world.metric(good) > before)
        yield


def handovers(world, count):
    for _ in range(count):
        before = world.pid()
        world.signal(signal.SIGUSR2)
        wait_for("the hand-over", lambda before=before: world.pid() != before and world.get("/readyz"))
        yield
        wait_for("the old one's end", lambda before=before: not running(before))
        yield


def kills(world, count):
    for number in range(count):
        world.kill_upstream(number % 2)
        for _ in range(10):
            time.sleep(0.1)
            yield
        world.start_upstream(number % 2)
        for _ in range(15):
            time.sleep(0.1)
            yield


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binary")
    parser.add_argument("--reloads", type=int, default=100)
    parser.add_argument("--handovers", type=int, default=10)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--parts", nargs="+", default=["reload", "handover", "upstream"], choices=["reload", "handover", "upstream"])
    parser.add_argument("--without-policy", action="store_true", help="no retry, eject and health for the upstream")
    arguments = parser.parse_args()
    parts = {
        "reload": (reloads, arguments.reloads, 2.0, "must not fail"),
        "handover": (handovers, arguments.handovers, 10.0, "must not fail"),
        "upstream": (kills, arguments.kills, 3.5, "fails where it was in flight and may not be sent twice"),
    }
    bad = False
    with World(arguments.binary, not arguments.without_policy) as world:
        for name in arguments.parts:
            run, count, each, meaning = parts[name]
            started = time.monotonic()
            # As long as it may take at most; what is too much is cut when the changes are made.
            load = Load(world, int(count * each) + 10)
            for _ in run(world, count):
                load.keep()
            load.wrk.send_signal(signal.SIGINT)
            wrk, h2load = load.end()
            print(f"{name}: {count} in {time.monotonic() - started:.0f} s, a request {meaning}")
            print(f"  HTTP/1.1 {wrk}\n  HTTP/2   {h2load}", flush=True)
            bad |= name != "upstream" and bool(wrk.failures or h2load.failures)
        retries = world.metric('portcullis_upstream_retries_total{upstream="main"}')
        done = world.metric('portcullis_handovers_total{result="success"}')
        print(f"retried: {retries:.0f}; hand-overs: {done:.0f}")
        for line in world.get("/metrics").splitlines():
            if line.startswith("portcullis_upstream_retries_exhausted_total"):
                print(line)
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()

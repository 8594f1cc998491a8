#!/usr/bin/env python3
"""What many keys cost: time to ready, time until all are loaded, memory of each, CPU per request.

    benches/scale/scale.py target/release/portcullis
    benches/scale/scale.py target/release/portcullis --keys 10000,1000000,10000000 --rounds 9

The gateway runs under the configuration of `benches/compare`, on a core of its own; the load generator and the backend share
another. A round loads every gateway once, the next one in the opposite order, and what counts is the median over the
rounds of the ratio within one.
"""

import argparse
import contextlib
import os
import pathlib
import platform
import re
import shutil
import signal
import statistics
import subprocess
import sys
import time
import urllib.request

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "compare"))

import servers  # noqa: E402
import stores  # noqa: E402

TARGET = servers.PATH


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binary", help="a release build of portcullis")
    parser.add_argument("--keys", default="10000,1000000", help="sizes of the stores, default: %(default)s")
    parser.add_argument("--rounds", type=int, default=7, help="default: %(default)s")
    parser.add_argument("--seconds", type=int, default=2, help="of load per gateway and round, default: %(default)s")
    parser.add_argument("--cores", default="0,1", metavar="PROXY,LOAD", help="default: %(default)s")
    parser.add_argument("--stores", metavar="FOLDER", help="keep the stores there, and take those that are there")
    given = parser.parse_args()
    given.keys = [int(keys) for keys in given.keys.split(",")]
    return given


class Gateway:
    """A gateway over a store of so many keys, and how it started."""

    def __init__(self, server, admin, keys, started):
        self.server, self.admin, self.keys = server, admin, keys
        self.ready_s = time.monotonic() - started
        self.loaded_s = self._wait_loaded(started)
        self.loading_cpu_s = server.cpu_seconds()
        self.resident = self._resident()

    def _wait_loaded(self, started):
        # As many as are in the store, or as the cache has room for. One is the fixture's.
        while self.metric("portcullis_token_cache_entries") < self.keys:
            if time.monotonic() - started > 600:
                raise servers.Failed("the keys were not loaded within ten minutes")
            time.sleep(0.02)
        return time.monotonic() - started

    def metric(self, name):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.admin}/metrics", timeout=10) as answer:
            found = re.search(rf"^{name} (\S+)$", answer.read().decode(), re.MULTILINE)
        return float(found.group(1)) if found else 0.0

    def _resident(self):
        time.sleep(2)  # what the loading itself took is given back
        return resident(self.server.process.pid)


def resident(pid):
    """Bytes of memory that a process has, files mapped into it included; and how much it had at most."""
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    kilobytes = {name: int(size) for name, size in re.findall(r"^(VmRSS|VmHWM):\s+(\d+) kB$", status, re.MULTILINE)}
    return kilobytes["VmRSS"] * 1024, kilobytes["VmHWM"] * 1024


class Bench(servers.Bench):
    """Gateways, each over a store of its own."""

    def over(self, binary, keys, kept):
        """A gateway over a store of so many keys."""
        folder = (pathlib.Path(kept) if kept else self.dir) / f"{keys}-keys"
        self._certificates_into(folder)
        plain, _, admin = self._ports("plain", "tls", "admin")
        config = self._config(folder, keys)
        if not (folder / "made").exists():
            self._make(binary, config, folder, keys)
        started = time.monotonic()
        process = self._spawn(f"portcullis-{keys}", [binary, "serve", "--config", config], self.proxy_core)
        self._wait(process, lambda: servers._ready(admin), 300)
        return Gateway(servers.Server(f"{keys} keys", process, plain, None), admin, keys, started)

    def _certificates_into(self, folder):
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("cert.pem", "key.pem"):
            with contextlib.suppress(FileNotFoundError):
                (folder / name).unlink()
            shutil.copy(self.dir / name, folder / name)

    def _config(self, folder, keys):
        text = (servers.CONFIGS / "portcullis.yaml").read_text()
        if keys >= 1_000_000:  # one more is the fixture's
            text = text.replace("store:\n", f"store:\n  cache: {{ capacity: {keys + keys // 10} }}\n")
        config = folder / "portcullis.yaml"
        config.write_text(servers.Config(text).substitute({**self.names, "dir": folder}))
        return config

    def _make(self, binary, config, folder, keys):
        fixture = folder / "fixture.yaml"
        fixture.write_text(servers.Config((servers.CONFIGS / "fixture.yaml").read_text()).substitute(self.names))
        done = subprocess.run([binary, "import", "--config", config, fixture], capture_output=True, text=True)
        if done.returncode:
            raise servers.Failed(f"portcullis import failed:\n{done.stdout}{done.stderr}")
        began = time.monotonic()
        stores.fill(folder / "portcullis.db", keys, "bench-organization", servers.PROJECT)
        print(f"store of {keys} keys made in {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
        (folder / "made").touch()


def load(gateway, seconds, core, walk=False, seed=1):
    """How many requests were answered with 2xx, each with a key drawn from all of them."""
    names = {"KEYS": str(gateway.keys), "TARGET": TARGET, "SEED": str(seed), **({"WALK": "1"} if walk else {})}
    command = ["taskset", "--cpu-list", str(core), "wrk", "--threads", "1", "--connections", "64"]
    command += ["--duration", str(seconds), "--script", HERE / "random.lua", f"http://127.0.0.1:{gateway.server.plain}"]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **names})
    total, bad = re.search(r"(\d+) requests in", done.stdout), re.search(r"Non-2xx or 3xx responses: (\d+)", done.stdout)
    if not total or bad or "Socket errors" in done.stdout:
        raise servers.Failed(f"{gateway.server.name}:\n{done.stdout[-1500:]}{done.stderr[-500:]}")
    return int(total.group(1))


def microseconds(gateway, seconds, core, seed):
    before = gateway.server.cpu_seconds()
    answered = load(gateway, seconds, core, seed=seed)
    return (gateway.server.cpu_seconds() - before) * 1e6 / answered


def measure(gateways, given, core):
    for gateway in gateways:  # every key once, so that each was found by its text before
        walked = 0
        while walked < min(gateway.keys, 2_000_000):
            walked += load(gateway, max(2, min(40, gateway.keys // 20_000)), core, walk=walked == 0)
    costs = {gateway.keys: [] for gateway in gateways}
    for number in range(given.rounds):
        for gateway in gateways if number % 2 == 0 else reversed(gateways):
            costs[gateway.keys].append(microseconds(gateway, given.seconds, core, number + 1))
        said = "  ".join(f"{keys}: {each[-1]:.1f}" for keys, each in costs.items())
        print(f"round {number + 1}/{given.rounds}: {said}", file=sys.stderr, flush=True)
    return costs


def table(gateways, costs):
    rows = [["keys", "ready, s", "loaded, s", "CPU until then, s", "resident, MB", "at most, MB", "bytes a key", "µs of CPU a request", "ratio"]]
    rows.append(["---"] * len(rows[0]))
    least = gateways[0]
    for gateway in gateways:
        now, most = gateway.resident
        a_key = (now - least.resident[0]) / (gateway.keys - least.keys) if gateway is not least else None
        ratios = sorted(cost / other for cost, other in zip(costs[gateway.keys], costs[least.keys]))
        rows.append([
            f"{gateway.keys:,}", f"{gateway.ready_s:.2f}", f"{gateway.loaded_s:.2f}", f"{gateway.loading_cpu_s:.2f}",
            f"{now / 1e6:.0f}", f"{most / 1e6:.0f}", f"{a_key:.0f}" if a_key else "",
            f"{statistics.median(costs[gateway.keys]):.1f}" if ratios else "",
            f"{statistics.median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})" if ratios else "",
        ])  # fmt: skip
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def main():
    given = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    proxy_core, load_core = (int(core) for core in given.cores.split(","))
    os.environ["PATH"] += ":/usr/local/sbin:/usr/sbin:/sbin"
    with Bench(proxy_core, load_core) as bench:
        binary = os.path.abspath(given.binary)
        gateways = [bench.over(binary, keys, given.stores) for keys in given.keys]
        costs = measure(gateways, given, load_core) if given.rounds else {keys: [] for keys in given.keys}
        print(f"{time.strftime('%Y-%m-%d')}, {platform.machine()}, {os.cpu_count()} cores, {given.rounds} rounds\n")
        print(table(gateways, costs))


if __name__ == "__main__":
    try:
        main()
    except servers.Failed as why:
        sys.exit(f"scale: {why}")

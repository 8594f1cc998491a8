#!/usr/bin/env python3
"""What many keys and many routes cost: time to ready, time until all are loaded, memory of each, CPU per request.

    benches/scale/scale.py target/release/portcullis
    benches/scale/scale.py target/release/portcullis --keys 10000,1000000,10000000 --routes none --stores /var/tmp/stores

The gateway runs under the configuration of `benches/compare`, on a core of its own; the load generator and the backend share
another. A round loads every gateway once, the next one in the opposite order, and what counts is the median over the
rounds of the ratio within one. Each request has a key, or a route, drawn from all of them.
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

import routes  # noqa: E402
import servers  # noqa: E402
import stores  # noqa: E402
from failed import Failed  # noqa: E402

CAPACITY = 1_000_000  # of the cache, where the configuration does not say


def arguments():
    def numbers(text):
        return [] if text == "none" else [int(number) for number in text.split(",")]

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binary", help="a release build of portcullis")
    parser.add_argument("--keys", type=numbers, default="10000,1000000", help="of each store, default: %(default)s")
    parser.add_argument("--routes", type=numbers, default="10,1000,10000", help="default: %(default)s")
    parser.add_argument("--identity", default="jwt,headers", help="what backends get of a key, default: %(default)s")
    parser.add_argument("--rounds", type=int, default=7, help="0: only starts. Default: %(default)s")
    parser.add_argument("--seconds", type=int, default=2, help="of load per gateway and round, default: %(default)s")
    parser.add_argument("--cores", default="0,1", metavar="PROXY,LOAD", help="default: %(default)s")
    parser.add_argument("--stores", metavar="FOLDER", help="keep the stores there, and take those that are there")
    return parser.parse_args()


class Gateway:
    """A gateway that was started, and what it is asked for."""

    def __init__(self, server, admin, count, load):
        self.server, self.admin, self.count, self.load = server, admin, count, load

    def metric(self, name):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.admin}/metrics", timeout=10) as answer:
            found = re.search(rf"^{name} (\S+)$", answer.read().decode(), re.MULTILINE)
        return float(found.group(1)) if found else 0.0

    def memory(self, name):
        """`VmRSS`: bytes of memory that it has, files mapped into it included; `VmHWM`: the most that it had."""
        status = pathlib.Path(f"/proc/{self.server.process.pid}/status").read_text()
        return int(re.search(rf"^{name}:\s+(\d+) kB$", status, re.MULTILINE).group(1)) * 1024


class Loading:
    """How a gateway over many keys started."""

    def __init__(self, gateway, started):
        self.ready_s = time.monotonic() - started
        while gateway.metric("portcullis_token_cache_entries") < gateway.count:
            if time.monotonic() - started > 1200:
                raise Failed("the keys were not loaded within twenty minutes")
            time.sleep(0.05)
        self.loaded_s, self.cpu_s = time.monotonic() - started, gateway.server.cpu_seconds()
        time.sleep(12)  # what the loading itself took is given back: jemalloc keeps what was freed for ten seconds
        self.resident, self.most = gateway.memory("VmRSS"), gateway.memory("VmHWM")


class Bench(servers.Bench):
    """Gateways, each with a folder of its own."""

    def over_keys(self, binary, keys, identity, kept):
        """A gateway over a store of so many keys, which is made where it is not there."""
        folder = (pathlib.Path(kept) if kept else self.dir) / f"{keys}-keys"
        room = f"store:\n  cache: {{ capacity: {keys} }}\n" if keys > CAPACITY else "store:\n"
        config, plain, admin = self._folder(folder, {"store:\n": room, "identity: jwt": f"identity: {identity}"})
        if not (folder / "made").exists():
            self._make(binary, config, folder, keys)
        started = time.monotonic()
        server = self._start(binary, config, plain, admin, f"{keys} keys")
        asked = {"KEYS": keys, "TARGET": servers.PATH}
        gateway = Gateway(server, admin, keys, ("keys.lua", asked))
        return gateway, Loading(gateway, started)

    def over_routes(self, binary, count):
        """A gateway with so many routes, of which none needs a key."""
        config, plain, admin = self._folder(self.dir / f"{count}-routes", {})
        text = re.sub(r"^apis:.*?(?=^telemetry:)", routes.apis(count), config.read_text(), flags=re.M | re.S)
        config.write_text(text)
        server = self._start(binary, config, plain, admin, f"{count} routes")
        apis, resources = routes.shape(count)
        return Gateway(server, admin, count, ("routes.lua", {"APIS": apis, "RESOURCES": resources}))

    def _folder(self, folder, altered):
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("cert.pem", "key.pem"):
            shutil.copy(self.dir / name, folder / name)
        plain, _, admin = self._ports("plain", "tls", "admin")
        text = (servers.CONFIGS / "portcullis.yaml").read_text()
        for old, new in altered.items():
            text = text.replace(old, new)
        config = folder / "portcullis.yaml"
        config.write_text(servers.Config(text).substitute({**self.names, "dir": folder}))
        return config, plain, admin

    def _start(self, binary, config, plain, admin, name):
        process = self._spawn(name.replace(" ", "-"), [binary, "serve", "--config", config], self.proxy_core)
        self._wait(process, lambda: servers._ready(admin), 300)
        return servers.Server(name, process, plain, None)

    def _make(self, binary, config, folder, keys):
        fixture = folder / "fixture.yaml"
        fixture.write_text(servers.Config((servers.CONFIGS / "fixture.yaml").read_text()).substitute(self.names))
        done = subprocess.run([binary, "import", "--config", config, fixture], capture_output=True, text=True)
        if done.returncode:
            raise Failed(f"portcullis import failed:\n{done.stdout}{done.stderr}")
        began = time.monotonic()
        stores.fill(folder / "portcullis.db", keys, "bench-organization", servers.PROJECT)
        said(f"store of {keys} keys made in {time.monotonic() - began:.0f} s")
        (folder / "made").touch()


def said(text):
    print(text, file=sys.stderr, flush=True)


def load(gateway, seconds, core, **more):
    """How many requests were answered, all of them with 2xx."""
    script, asked = gateway.load
    names = {name: str(value) for name, value in {**asked, **more}.items()}
    command = ["taskset", "--cpu-list", str(core), "wrk", "--threads", "1", "--connections", "64"]
    command += ["--duration", str(seconds), "--script", HERE / script, f"http://127.0.0.1:{gateway.server.plain}"]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **names})
    total, bad = re.search(r"(\d+) requests in", done.stdout), re.search(r"Non-2xx or 3xx responses: (\d+)", done.stdout)
    if not total or bad or "Socket errors" in done.stdout:
        raise Failed(f"{gateway.server.name}:\n{done.stdout[-1500:]}{done.stderr[-500:]}")
    return int(total.group(1))


def walk(gateway, core):
    """Uses every key once, as they have been in a gateway that runs for long: each was found by its text before."""
    walked, keys = 0, min(gateway.count, 1_000_000)
    while walked < keys:
        walked += load(gateway, 10 if keys > 100_000 else 2, core, WALK=walked, SEED=0)


def microseconds(gateway, seconds, core, seed):
    before = gateway.server.cpu_seconds()
    answered = load(gateway, seconds, core, SEED=seed)
    return (gateway.server.cpu_seconds() - before) * 1e6 / answered


def measure(gateways, given, core):
    """Per gateway, what a request costs in each round."""
    costs = [[] for _ in gateways]
    for number in range(given.rounds):
        order = list(zip(gateways, costs))
        for gateway, found in order if number % 2 == 0 else reversed(order):
            found.append(microseconds(gateway, given.seconds, core, number + 1))
        each = "  ".join(f"{gateway.server.name}: {found[-1]:.1f}" for gateway, found in zip(gateways, costs))
        said(f"round {number + 1}/{given.rounds}: {each}")
    return costs


def cost_cells(costs, least):
    if not costs:
        return ["", ""]
    ratios = sorted(cost / other for cost, other in zip(costs, least))
    return [f"{statistics.median(costs):.1f}", f"{statistics.median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})"]


def table(heads, rows):
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def keys_table(given, identity, core, proxy_core):
    with Bench(proxy_core, core) as bench:
        started = [bench.over_keys(os.path.abspath(given.binary), keys, identity, given.stores) for keys in given.keys]
        gateways = [gateway for gateway, _ in started]
        for gateway in gateways if given.rounds else []:
            walk(gateway, core)
        costs = measure(gateways, given, core)
        used = [gateway.memory("VmRSS") for gateway in gateways]
    (least, first), *_ = started
    rows = []
    for (gateway, loading), found, resident in zip(started, costs, used):
        more = gateway.count - least.count
        bytes_each = [f"{(now - before) / more:.0f}" if more else "" for now, before in ((loading.resident, first.resident), (resident, used[0]))]
        rows.append([
            f"{gateway.count:,}", f"{loading.ready_s:.2f}", f"{loading.loaded_s:.1f}", f"{loading.cpu_s:.1f}",
            f"{loading.resident / 1e6:.0f}", f"{loading.most / 1e6:.0f}", *bytes_each, *cost_cells(found, costs[0]),
        ])  # fmt: skip
    heads = ["keys", "ready, s", "loaded, s", "CPU for it, s", "MB then", "MB at most", "bytes a key", "after the load", f"µs a request, identity {identity}", "ratio"]
    return table(heads, rows)


def routes_table(given, core, proxy_core):
    with Bench(proxy_core, core) as bench:
        gateways = [bench.over_routes(os.path.abspath(given.binary), count) for count in given.routes]
        for gateway in gateways:
            load(gateway, 1, core, SEED=0)
        costs = measure(gateways, given, core)
    rows = [[f"{gateway.count:,}", *cost_cells(found, costs[0])] for gateway, found in zip(gateways, costs)]
    return table(["routes", "µs a request, no key", "ratio"], rows)


def main():
    given = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    proxy_core, core = (int(core) for core in given.cores.split(","))
    os.environ["PATH"] += ":/usr/local/sbin:/usr/sbin:/sbin"
    if missing := [name for name in ("nginx", "wrk", "openssl", "taskset") if not shutil.which(name)]:
        raise Failed(f"missing: {', '.join(missing)}. `scripts/setup.sh bench` installs them")
    print(f"{time.strftime('%Y-%m-%d')}, {platform.machine()}, {os.cpu_count()} cores, {given.rounds} rounds\n")
    for identity in given.identity.split(",") if given.keys else []:
        print(keys_table(given, identity, core, proxy_core), flush=True)
    if given.routes and given.rounds:
        print(routes_table(given, core, proxy_core), flush=True)


if __name__ == "__main__":
    try:
        with contextlib.suppress(KeyboardInterrupt):
            main()
    except Failed as why:
        sys.exit(f"scale: {why}")

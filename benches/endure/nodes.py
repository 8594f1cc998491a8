#!/usr/bin/env python3
"""Revoked means revoked, on every node: three gateways on one store, ten thousand keys taken away under load while nodes are paused,
killed, restarted and cut off from their store; every request is recorded, and a checker reads the record afterwards.

    benches/endure/nodes.py target/release/portcullis --store sqlite
    benches/endure/nodes.py target/release/portcullis --store postgres --revocations 1000 --seconds 60 --seed 7
    benches/endure/nodes.py --check target/endure/nodes-postgres
    benches/endure/nodes.py --selftest

Clients make keys of both dialects at any node, use them at all nodes, and take them away in all four ways: revoke (oCore's DELETE),
deactivate, regenerate, delete (Ocriva's). As soon as the answer has been read, and again a little later, the old value is shown to
every node, the paused ones included, which find it in their sockets when they go on. Beside that, values that are good and values
that have just died are shown to all nodes without a pause. A call that takes away and gets no answer is made again, elsewhere.

Faults come to a node drawn from the seed, and sometimes to two: `pause` (SIGSTOP for longer than the lease), `blink` (SIGSTOP for
about as long as it), `kill` (SIGKILL, and a start after a while), `restart` (SIGTERM and a start); with PostgreSQL also `cut-up`,
`cut-down` and `cut-both` (bytes to it, from it, or both ways are held, connections stay open) and `cut-reset` (connections are reset,
new ones too), and to all nodes at once `cut-all` (as `cut-both`) and `store-restart` (PostgreSQL is stopped and started). A cut ends
after more than a lease, and what was held is delivered.

`history.py` says what is recorded and what the checker finds. Ends with 1 when it finds anything.
"""

import argparse
import asyncio
import concurrent.futures
import contextlib
import ctypes
import json
import multiprocessing
import os
import pathlib
import random
import shutil
import signal
import sys
import time

from cluster import CALLS_OF_A_PERSON, HISTORIES, Cluster, Person, imported, ocriva_key, people, use
from failed import Failed
from history import ALL, History, Recorder, verdict
from planted import selftest

OF_A_NODE = ("pause", "blink", "kill", "restart")
OF_ITS_NETWORK = ("cut-up", "cut-down", "cut-both", "cut-reset")
OF_THE_STORE = ("cut-all", "store-restart")
CUTS = (*OF_ITS_NETWORK, "cut-all")
PROCESSES = 2
# A value keeps this number for the whole run: that of its process and its own.
VALUES = 10_000_000
ALIVE = 500
DEAD = 300
# When a value that was taken away is shown to every node, seconds after the answer; and once more after a lease.
SHOWN = (0.0, 0.01, 0.1, 0.5)
# How long a key is used before it is taken away, at least and at most.
USED = (0.2, 1.5)
PATIENCE = 60


class Shared:
    """What the processes of a run tell each other."""

    def __init__(self, nodes):
        self.faulty = multiprocessing.Array(ctypes.c_bool, nodes)
        self.done = multiprocessing.Value(ctypes.c_long, 0)
        self.stop = multiprocessing.Event()

    def count(self):
        with self.done.get_lock():
            self.done.value += 1


class Key:
    """One that was made: its id, its present value and that value's number."""

    def __init__(self, dialect, token, value, number):
        self.dialect, self.token, self.value, self.number = dialect, token, value, number


class Clients:
    """All clients of one process: those who make and take away, and those who only use."""

    def __init__(self, number, given, cluster, shared, folder):
        self.number, self.given, self.shared, self.staleness = number, given, shared, cluster.staleness
        self.random = random.Random(f"{given.seed}/{number}")
        self.nodes = [cluster.client(node) for node in range(given.nodes)]
        self.recorder = Recorder(folder / f"clients{number}.history")
        self.record = self.recorder.write
        self.values = number * VALUES
        self.alive, self.dead = {}, []
        self.shown = set()
        self.next_turn = 0.0

    async def run(self):
        count, lives = owners(self.given), self.given.at_once // PROCESSES
        sessions = await people(self.nodes, count, first=self.number * count)
        for value in self.given.tokens:
            self._made(Key("ocriva", None, value, None))
        using = [asyncio.create_task(self._use(node)) for node in range(self.given.nodes) for _ in range(self.given.connections)]
        living = [self._live(sessions[number % count], number) for number in range(lives)]
        await asyncio.gather(*living)
        await asyncio.gather(*self.shown)
        for task in using:
            task.cancel()

    # Keys

    def _made(self, key):
        self.values += 1
        key.number = self.values
        self.record("m", time.monotonic_ns(), key.number)
        self.alive[key.number] = key.value
        return key

    async def _live(self, person, number):
        """The lives of keys, one after the other."""
        turn = number
        while not self.shared.stop.is_set():
            turn += 1
            # One of four kinds is oCore's, and a life of the other dialect has the other three.
            dialect = "ocore" if turn % 2 else "ocriva"
            key = await self._make(person, dialect, f"{self.number}-{number}-{turn}")
            if key is None:
                continue
            await self._warm(key)
            if dialect == "ocore":
                await self._take_away(person, key, "revoke")
                continue
            steps = ["deactivate", "regenerate"]
            self.random.shuffle(steps)
            for kind in [*steps, "delete"]:
                if not await self._take_away(person, key, kind):
                    break
                if kind == "deactivate" and not await self._give_back(person, key):
                    break
                await self._warm(key)

    async def _make(self, person, dialect, name):
        exchange = await self._call("make", person.make(dialect, name))
        if exchange.status != 201:
            await asyncio.sleep(0.2)
            return None
        record = exchange.answer.json()
        return self._made(Key(dialect, record["id"], record["key" if dialect == "ocore" else "token"], None))

    async def _warm(self, key):
        """Shows it to all nodes, so that each has it in memory, and leaves it in use for a while."""
        for node in range(self.given.nodes):
            self._show(node, key.number, key.value)
        await asyncio.sleep(self.random.uniform(*USED))

    async def _take_away(self, person, key, kind):
        """Until it is answered; whether it was."""
        await self._turn()
        number, value = key.number, key.value
        begun = time.monotonic_ns()
        self.record("e", begun, number)
        answer = await self._until_answered(person, kind, person.take_away(kind, key.token))
        now = begun if self.given.too_early else time.monotonic_ns()
        self.alive.pop(number, None)
        if answer is None:
            self.record("x", now, number)
            return False
        self.record("d", now, number, kind)
        self.shared.count()
        self._keep_showing(number, value)
        if kind == "regenerate":
            key.value = answer.json()["token"]
            self._made(key)
        return True

    async def _until_answered(self, person, kind, call):
        for tries in range(100):
            exchange = await self._call(kind, call, tries)
            if exchange.status in (200, 204):
                return exchange.answer
            if exchange.status == 202:
                return exchange.answer if await self._operation(person, kind, exchange) else None
            if exchange.status == 404:
                return None  # an earlier try has done it, and its answer is lost
            await asyncio.sleep(0.2)
        return None

    async def _operation(self, person, kind, begun):
        """Waits until what was answered with 202 has succeeded."""
        path = begun.answer.field("location")
        while time.monotonic_ns() - begun.start < PATIENCE * 1_000_000_000:
            node = self._node()
            exchange = await self.nodes[node].ask(person.call("GET", path), PATIENCE)
            status = exchange.answer.json()["status"] if exchange.status == 200 else "unknown"
            if status == "succeeded":
                self.record("o", begun.start, exchange.end, node, kind)
                return True
            if status == "failed":
                return False
            await asyncio.sleep(0.05)
        return False

    async def _give_back(self, person, key):
        self.record("b", time.monotonic_ns(), key.number)
        self.dead = [it for it in self.dead if it[0] != key.number]
        for _ in range(100):
            exchange = await self._call("activate", person.give_back(key.token))
            if exchange.status == 200:
                self.record("g", time.monotonic_ns(), key.number)
                self.alive[key.number] = key.value
                return True
            await asyncio.sleep(0.2)
        return False

    async def _call(self, kind, data, tries=0):
        node = self._node()
        exchange = await self.nodes[node].ask(data, PATIENCE)
        # What is not there any more was taken away by a try before this one: no failure.
        if not (tries and exchange.status == 404):
            self.record("c", exchange.start, exchange.end, node, kind, exchange.status)
        return exchange

    def _node(self):
        """Mostly one that nothing is wrong with: but what a faulty one answers has to hold too."""
        well = [node for node in range(self.given.nodes) if not self.shared.faulty[node]]
        if well and self.random.random() < 0.95:
            return self.random.choice(well)
        return self.random.randrange(self.given.nodes)

    async def _turn(self):
        """Waits until one more may be taken away: their rate is even, as long as answers come in time."""
        now = time.monotonic()
        self.next_turn = max(now, self.next_turn + PROCESSES * self.given.seconds / self.given.revocations)
        await asyncio.sleep(self.next_turn - now)

    # Requests

    def _keep_showing(self, number, value):
        self.dead.append((number, value))
        del self.dead[:-DEAD]
        loop = asyncio.get_running_loop()
        for node in range(self.given.nodes):
            for later in (*SHOWN, self.staleness):
                if later:
                    loop.call_later(later, self._show, node, number, value)
                else:
                    self._show(node, number, value)

    def _show(self, node, number, value):
        task = asyncio.create_task(self._request(node, number, value))
        self.shown.add(task)
        task.add_done_callback(self.shown.discard)

    async def _request(self, node, number, value):
        exchange = await self.nodes[node].ask(use(value), PATIENCE)
        answer = exchange.answer
        retry = 1 if exchange.status == 503 and answer.field("retry-after") else 0
        self.record("q", exchange.start, exchange.end, node, number, exchange.status, retry)

    async def _use(self, node):
        """One client that uses keys, good and dead ones, without a pause but for the one that the rate asks for."""
        pause = PROCESSES * self.given.nodes * self.given.connections / self.given.rate
        while True:
            await asyncio.sleep(self.random.uniform(0, 2 * pause))
            if self.dead and self.random.random() < 0.4:
                number, value = self.random.choice(self.dead)
            else:
                number, value = self.random.choice(list(self.alive.items())[-ALIVE:])
            await self._request(node, number, value)


def owners(given):
    """How many people each process needs for its calls."""
    return -(-given.at_once // PROCESSES // CALLS_OF_A_PERSON)


class Faults:
    """Does things to nodes, one or two at a time, in an order that the seed gives."""

    def __init__(self, given, cluster, shared, folder):
        self.cluster, self.shared, self.lease = cluster, shared, cluster.staleness
        self.random = random.Random(f"{given.seed}/faults")
        self.kinds, self.given, self.rounds = given.faults, given, 0
        self.recorder = Recorder(folder / "faults.history")

    def run(self, clients):
        """Rounds of every kind, until enough is taken away; at least one."""
        with contextlib.closing(self.recorder):
            while not self._enough():
                kinds = list(self.kinds)
                self.random.shuffle(kinds)
                for kind in kinds:
                    self._calm(clients)
                    if self._enough():
                        return
                    self._turn(kind)
                self.rounds += 1
            self._calm(clients)

    def _enough(self):
        return self.shared.done.value >= self.given.revocations and (self.rounds or not self.kinds)

    def _calm(self, clients):
        """What goes on when nothing is wrong is measured too."""
        end = time.monotonic() + self.random.uniform(1.5, 2.5) * self.lease
        while time.monotonic() < end:
            if died := [client.exitcode for client in clients if client.exitcode is not None]:
                raise Failed(f"clients ended by themselves: {died}")
            time.sleep(0.1)

    def _turn(self, kind):
        """One fault, or one and another one of another node that begins soon after."""
        if kind in OF_THE_STORE:
            self._one(kind, self.cluster.nodes, self._leases(kind))
            return
        nodes = self.random.sample(self.cluster.nodes, min(2, len(self.cluster.nodes)))
        drawn = [(kind, nodes[0])]
        if len(nodes) == 2 and self.random.random() < self.given.double:
            drawn.append((self.random.choice([it for it in self.kinds if it not in OF_THE_STORE]), nodes[1]))
        # All that is random is drawn here, in one order whatever the threads do.
        drawn = [(it, [node], self._leases(it)) for it, node in drawn]
        later = self.random.uniform(0, self.lease)
        with concurrent.futures.ThreadPoolExecutor() as threads:
            done = []
            for each in drawn:
                done.append(threads.submit(self._one, *each))
                time.sleep(later if each is not drawn[-1] else 0)
            for each in done:
                each.result()

    def _leases(self, kind):
        """For how many leases a fault of this kind lasts."""
        ranges = {"blink": [(0.3, 1.3)], "kill": [(0, 0.1), (1.5, 2.5)], "restart": [(0, 0)], "store-restart": [(0, 0)]}
        return self.random.uniform(*self.random.choice(ranges.get(kind, [(2, 3)])))

    def _one(self, kind, nodes, leases):
        for node in nodes:
            self.shared.faulty[node.number] = True
        begin = time.monotonic_ns()
        self._begin(kind, nodes)
        time.sleep(leases * self.lease)
        end = time.monotonic_ns()
        self._end(kind, nodes)
        number = nodes[0].number if len(nodes) == 1 else ALL
        self.recorder.write("f", begin, end, number, kind)
        whom = f" of node {number}" if number != ALL else ""
        print(f"{self.shared.done.value:>6} revocations; {kind}{whom} for {(end - begin) / 1e9:.1f} s", flush=True)
        for node in nodes:
            with contextlib.suppress(Failed):
                node.wait(self.given.recovery)
            self.shared.faulty[node.number] = False

    def _begin(self, kind, nodes):
        if kind == "store-restart":
            self.cluster.postgres.stop()
        for node in nodes:
            if kind in ("pause", "blink"):
                node.pause()
            elif kind == "kill":
                node.kill()
            elif kind == "restart":
                node.terminate()
            elif kind in CUTS:
                up, down = kind not in ("cut-down", "cut-reset"), kind not in ("cut-up", "cut-reset")
                node.forwarder.cut(up, down, reset=kind == "cut-reset")

    def _end(self, kind, nodes):
        if kind == "store-restart":
            self.cluster.postgres.serve()
        for node in nodes:
            if kind in ("pause", "blink"):
                node.resume()
            elif kind in ("kill", "restart"):
                node.start()
            elif kind in CUTS:
                node.forwarder.heal()


def work(number, given, cluster, shared, folder):
    """A process of clients."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    # What is wrong ends the process, and by that the run: a check that nobody makes finds nothing.
    clients = Clients(number, given, cluster, shared, folder)
    asyncio.run(clients.run())
    clients.recorder.close()


def run(given):
    """The run; gives the folder of its history."""
    folder = HISTORIES / f"nodes-{given.store}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    given.tokens = [ocriva_key() for _ in range(20)]
    tokens = [imported(f"good {number}", value) for number, value in enumerate(given.tokens)]
    seconds = {"staleness_s": given.staleness, "recovery_s": given.recovery}
    (folder / "run.json").write_text(json.dumps({**seconds, "store": given.store, "nodes": given.nodes, "seed": given.seed}))
    started = time.monotonic()
    with Cluster(given.binary, given.store, given.nodes, staleness=given.staleness, people=PROCESSES * owners(given), tokens=tokens) as cluster:
        shared = Shared(given.nodes)
        arguments = (given, cluster, shared, folder)
        clients = [multiprocessing.Process(target=work, args=(number, *arguments), daemon=True) for number in range(PROCESSES)]
        for client in clients:
            client.start()
        try:
            Faults(given, cluster, shared, folder).run(clients)
            shared.stop.set()
            for client in clients:
                client.join(2 * PATIENCE)
                if client.exitcode != 0:
                    raise Failed(f"clients ended with {client.exitcode}")
        finally:
            for client in clients:
                client.kill()
            cluster.keep_logs(folder)
    took, load = time.monotonic() - started, os.getloadavg()[0]
    print(f"{given.store}, {given.nodes} nodes, max_staleness {given.staleness} s, seed {given.seed}: {took:.0f} s, load average {load:.1f}")
    return folder


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binary", nargs="?", help="a build of portcullis")
    parser.add_argument("--store", choices=["sqlite", "postgres"], default="sqlite", help="default: %(default)s")
    parser.add_argument("--nodes", type=int, default=3, help="default: %(default)s")
    parser.add_argument("--revocations", type=int, default=10_000, help="at least, default: %(default)s")
    parser.add_argument("--seconds", type=float, default=300, help="over which they are spread, default: %(default)s")
    parser.add_argument("--at-once", type=int, default=64, help="keys that live at a time, default: %(default)s")
    parser.add_argument("--connections", type=int, default=8, help="of each process to each node, default: %(default)s")
    parser.add_argument("--rate", type=float, default=900, help="requests a second beside those that follow a revocation, default: %(default)s")
    parser.add_argument("--staleness", type=float, default=2, help="max_staleness in seconds, default: %(default)s")
    parser.add_argument("--recovery", type=float, default=15, help="seconds a node may take to serve again, default: %(default)s")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32), help="by default another each time")
    parser.add_argument("--faults", nargs="*", help="the kinds to be made, by default all that the store has")
    parser.add_argument("--double", type=float, default=0.25, help="share of the times at which two nodes have a fault, default: %(default)s")
    parser.add_argument("--check", metavar="FOLDER", help="read a history again")
    parser.add_argument("--too-early", action="store_true", help="record each revocation as answered when it begins: does the checker see it?")
    parser.add_argument("--selftest", action="store_true", help="whether the checker finds what is planted")
    given = parser.parse_args()
    possible = [*OF_A_NODE, *OF_ITS_NETWORK, *OF_THE_STORE] if given.store == "postgres" else [*OF_A_NODE]
    if given.faults is None:
        given.faults = possible
    if wrong := set(given.faults) - set(possible):
        parser.error(f"with {given.store} there are no faults {', '.join(sorted(wrong))}")
    if not (given.binary or given.check or given.selftest):
        parser.error("which binary?")
    return given


def main():
    given = parse()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if given.selftest:
        sys.exit(0 if selftest() else 1)
    folder = pathlib.Path(given.check) if given.check else run(given)
    findings = verdict(History.read(folder))
    print(f"the history is in {folder}")
    if given.too_early:
        sys.exit(0 if "accepted" in findings else "nodes: what was recorded too early was not found")
    sys.exit(1 if findings else 0)


if __name__ == "__main__":
    try:
        main()
    except Failed as why:
        sys.exit(f"nodes: {why}")

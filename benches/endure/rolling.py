#!/usr/bin/env python3
"""A rolling restart of three nodes under load: SIGTERM to each in turn, a start, and a wait until it is ready. No request may fail.

    benches/endure/rolling.py target/release/portcullis --store postgres
    benches/endure/rolling.py target/release/portcullis --rounds 10 --clients follow

What is assumed of the clients, none of which ever sends a request twice:

    balancer   They come through a load balancer, or are one. It keeps connections to each node, asks each node's `/readyz` every 100 ms
               (no answer within a second is a no), and gives a new request to a node that last said yes, in turn. `drain.delay` is one
               second: as long as it may take until a balancer has noticed. A connection whose answer said `Connection: close` is not
               used again.
    follow     They know no `/readyz`. Each keeps one connection to one node, is never silent on it for as much as a second, and goes to the next
               node when an answer has said `Connection: close`. To be refused a connection is no failed request, because nothing was
               sent: such a client tries the next node.

Keys are made and taken away meanwhile, through the same clients, since those requests must not fail either. A request fails that gets
no answer, or another one than it has to get. Ends with 1 when one did.
"""

import argparse
import asyncio
import collections
import random
import signal
import sys
import time

from cluster import Cluster, imported, ocriva_key, people, use
from failed import Failed
from http1 import Client

PATIENCE = 30
LOOK = 0.1
KEYS = 50
# A client that follows goes to the next node when it is refused; when all refuse it, there is nobody left to go to.
TURNS = 1000


class Balancer:
    """Gives requests to nodes that are ready, in turn."""

    def __init__(self, cluster):
        self.plain = [Client(node.plain) for node in cluster.nodes]
        self.admin = [Client(node.admin) for node in cluster.nodes]
        self.is_ready = [True] * len(self.plain)
        self.turn = 0
        self.looking = [asyncio.create_task(self._look(node)) for node in range(len(self.plain))]

    async def _look(self, node):
        question = b"GET /readyz HTTP/1.1\r\nHost: node\r\n\r\n"
        while True:
            self.is_ready[node] = (await self.admin[node].ask(question, 1)).status == 200
            await asyncio.sleep(LOOK)

    async def ask(self, data):
        for _ in self.plain:
            self.turn = (self.turn + 1) % len(self.plain)
            if self.is_ready[self.turn]:
                return await self.plain[self.turn].ask(data, PATIENCE)
        raise Failed("no node is ready")

    def another(self):
        return self

    def end(self):
        for task in self.looking:
            task.cancel()


class Follower:
    """One connection, to one node until that says that it closes."""

    first = 0

    def __init__(self, cluster):
        self.cluster = cluster
        self.clients = [Client(node.plain) for node in cluster.nodes]
        Follower.first += 1
        self.node = Follower.first % len(self.clients)

    async def ask(self, data):
        for _ in range(TURNS):
            done = await self.clients[self.node].ask(data, PATIENCE)
            if done.answer is None or done.answer.closes:
                self.node = (self.node + 1) % len(self.clients)
            if done.sent:
                return done
            await asyncio.sleep(0.01)
        raise Failed("no node takes a connection")

    def another(self):
        return Follower(self.cluster)

    def end(self):
        pass


class Load:
    """Clients that use keys, and some that make keys and take them away."""

    def __init__(self, given, by, values):
        self.by, self.values, self.running = by, values, True
        self.statuses, self.failed = collections.Counter(), []
        self.random = random.Random(given.seed)

    async def use(self):
        by = self.by.another()
        while self.running:
            await self._ask(by, use(self.random.choice(self.values)), {200})
            await asyncio.sleep(self.random.uniform(0, 0.02))

    async def manage(self, person, number):
        # Who uses the key is somebody else, with a connection to another node where clients follow.
        by, user, turn = self.by.another(), self.by.another(), 0
        while self.running:
            turn += 1
            for dialect, token, value in (("ocore", "key", "revoke"), ("ocriva", "token", "delete")):
                made = await self._ask(by, person.make(dialect, f"{number}-{turn}"), {201})
                if made is None:
                    continue
                record = made.json()
                await self._ask(user, use(record[token]), {200})
                gone = await self._ask(by, person.take_away(value, record["id"]), {200, 202, 204})
                if gone and gone.status != 202:
                    await self._ask(user, use(record[token]), {401})
            await asyncio.sleep(0.1)

    async def _ask(self, by, data, wanted):
        done = await by.ask(data)
        self.statuses[done.status] += 1
        if done.status in wanted:
            return done.answer
        line = data.partition(b"\r\n")[0].decode()
        said = done.answer.body.decode(errors="replace")[:200] if done.answer else "no answer"
        self.failed.append(f"{line}: {done.status} {said} instead of {min(wanted)}, after {(done.end - done.start) / 1e6:.1f} ms, at {time.monotonic():.3f}")
        return None


async def roll(given, cluster, values):
    """The restarts; gives the load when it has ended."""
    clients = [cluster.client(node) for node in range(given.nodes)]
    sessions = await people(clients, given.managers)
    by = Balancer(cluster) if given.clients == "balancer" else Follower(cluster)
    load = Load(given, by, values)
    tasks = [asyncio.create_task(load.use()) for _ in range(given.connections)]
    tasks += [asyncio.create_task(load.manage(person, number)) for number, person in enumerate(sessions)]
    await asyncio.sleep(2)
    for turn in range(given.rounds):
        for node in cluster.nodes:
            begin = time.monotonic()
            await asyncio.to_thread(node.terminate)
            ended = time.monotonic()
            node.start()
            await asyncio.to_thread(node.wait)
            ready = time.monotonic()
            print(
                f"round {turn + 1}, node {node.number} at {begin:.3f}: ended after {ended - begin:.2f} s, ready {ready - ended:.2f} s after "
                f"its start; {sum(load.statuses.values())} requests, {len(load.failed)} failed",
                flush=True,
            )
            await asyncio.sleep(given.between)
            if done := [task for task in tasks if task.done()]:
                done[0].result()
    load.running = False
    await asyncio.gather(*tasks)
    by.end()
    return load


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binary", help="a build of portcullis")
    parser.add_argument("--store", choices=["sqlite", "postgres"], default="sqlite", help="default: %(default)s")
    parser.add_argument("--clients", choices=["balancer", "follow"], default="balancer", help="default: %(default)s")
    parser.add_argument("--nodes", type=int, default=3, help="default: %(default)s")
    parser.add_argument("--rounds", type=int, default=3, help="default: %(default)s")
    parser.add_argument("--between", type=float, default=1, help="seconds from one node to the next, default: %(default)s")
    parser.add_argument("--connections", type=int, default=24, help="clients that use keys, default: %(default)s")
    parser.add_argument("--managers", type=int, default=2, help="clients that make keys and take them away, default: %(default)s")
    parser.add_argument("--staleness", type=float, default=2, help="max_staleness in seconds, default: %(default)s")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32), help="by default another each time")
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    values = [ocriva_key() for _ in range(KEYS)]
    tokens = [imported(f"good {number}", value) for number, value in enumerate(values)]
    setting = {"staleness": given.staleness, "people": given.managers, "tokens": tokens}
    with Cluster(given.binary, given.store, given.nodes, **setting) as cluster:
        load = asyncio.run(roll(given, cluster, values))
    for line in load.failed[:20]:
        print(f"  {line}")
    statuses = ", ".join(f"{count} x {status or 'none'}" for status, count in sorted(load.statuses.items()))
    print(f"{given.store}, {given.nodes} nodes, {given.rounds} rounds, {given.clients}: {statuses}; {len(load.failed)} requests failed")
    sys.exit(1 if load.failed else 0)


if __name__ == "__main__":
    try:
        main()
    except Failed as why:
        sys.exit(f"rolling: {why}")

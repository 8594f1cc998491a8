#!/usr/bin/env python3
"""Counts of use over three nodes that are killed at random moments: does `usageCount` of each key say what its clients have counted?

    benches/endure/usage.py target/release/portcullis --store sqlite
    benches/endure/usage.py target/release/portcullis --store postgres --kills 60 --seed 7

Clients use keys over all nodes while `kill -9` hits one node after the other; each is started again on the folder that it had, with
the counts that the dead one could not hand on. A request that was answered has been counted once. One that was sent and whose answer
the kill cut off has been counted once or not at all: nobody can tell. So for each key, at the end, by the API of a node,

    answered <= usageCount <= answered + cut

In the second part the clients hold still while a node is killed, so that nothing is cut, and `usageCount` must be what was answered.
Ends with 1 where it is not.
"""

import argparse
import asyncio
import random
import signal
import sys

from cluster import Cluster, Person, people, use
from failed import Failed

PATIENCE = 30
# How long uses may take to be added up after the last request: each node does it every second, unless it is asked by the API itself.
SETTLE = 30


class Counted:
    """A key, and what its clients know of its uses."""

    def __init__(self, token, value):
        self.token, self.call, self.answered, self.cut = token, use(value), 0, 0

    def holds(self, count):
        return self.answered <= count <= self.answered + self.cut


class Proof:
    def __init__(self, given, cluster):
        self.given, self.cluster = given, cluster
        self.random = random.Random(given.seed)
        self.clients = [cluster.client(node) for node in range(given.nodes)]
        self.keys, self.running, self.refused = [], True, 0
        # Held by each request, and by who wants none to be under way.
        self.still, self.under_way, self.none_under_way = asyncio.Event(), 0, asyncio.Condition()

    async def run(self, part, kills, held):
        """Uses keys until so many kills are done; prints what came of it, and gives whether all counts hold."""
        person = (await people(self.clients, 1))[0]
        self.keys = [await self._make(person, f"{part} {number}") for number in range(self.given.keys)]
        self.running = True
        self.still.set()
        using = [asyncio.create_task(self._use(node)) for node in range(self.given.nodes) for _ in range(self.given.connections)]
        for _ in range(kills):
            await asyncio.sleep(self.random.uniform(0.1, 1.5))
            await self._kill(self.random.choice(self.cluster.nodes), held)
        await asyncio.sleep(1)
        self.running = False
        await asyncio.gather(*using)
        wrong = await self._compare(person)
        total, cut = sum(key.answered for key in self.keys), sum(key.cut for key in self.keys)
        if held and cut:
            wrong = f"{cut} requests were cut though none was under way; {wrong}"
        print(f"{part}: {kills} kills, {total} answered, {cut} cut, {self.refused} refused while a node came up: " + (wrong or "all counts hold"))
        return not wrong

    async def _make(self, person, name):
        exchange = await self.clients[0].ask(person.make("ocriva", name), PATIENCE)
        if exchange.status != 201:
            raise Failed(f"no key was made: {exchange.answer}")
        record = exchange.answer.json()
        return Counted(record["id"], record["token"])

    async def _use(self, node):
        while self.running:
            await self.still.wait()
            self.under_way += 1
            try:
                await self._request(node, self.random.choice(self.keys))
            finally:
                self.under_way -= 1
                async with self.none_under_way:
                    self.none_under_way.notify_all()
            await asyncio.sleep(self.random.uniform(0, 0.01))

    async def _request(self, node, key):
        exchange = await self.clients[node].ask(key.call, PATIENCE)
        if exchange.status == 200:
            key.answered += 1
        elif exchange.status == 0 and exchange.sent:
            key.cut += 1
        elif exchange.status == 503:
            self.refused += 1  # not let in, so not counted
        elif exchange.status:
            raise Failed(f"node {node} answered {exchange.status}")
        if exchange.status != 200:
            await asyncio.sleep(0.02)

    async def _kill(self, node, held):
        if held:
            self.still.clear()
            async with self.none_under_way:
                await self.none_under_way.wait_for(lambda: not self.under_way)
        node.kill()
        # Until the clients have seen which of their connections are gone: what is sent on one of those counts as cut.
        await asyncio.sleep(0.1)
        self.still.set()
        await asyncio.sleep(self.random.choice((0, self.random.uniform(0, 2 * self.cluster.staleness))))
        node.start()
        await asyncio.to_thread(node.wait)

    async def _compare(self, person):
        """What does not hold; first what all nodes have counted has to have been added up."""
        wrong = []
        for _ in range(SETTLE):
            await asyncio.sleep(1)
            wrong = [text for key in self.keys if (text := await self._of(person, key))]
            # What lacks may be on its way; what is too much stays so.
            if not any("lacks" in text for text in wrong):
                break
        return "; ".join(wrong)

    async def _of(self, person, key):
        exchange = await self.random.choice(self.clients).ask(person.show(key.token), PATIENCE)
        if exchange.status != 200:
            return f"{key.token} lacks an answer: {exchange.status}"
        count = exchange.answer.json()["usageCount"]
        if key.holds(count):
            return ""
        lacks = f"lacks {key.answered - count}" if count < key.answered else f"has {count - key.answered - key.cut} too many"
        return f"{key.token}: usageCount {count}, answered {key.answered}, cut {key.cut}: {lacks}"


async def prove(given, cluster):
    proof = Proof(given, cluster)
    good = await proof.run("killed under load", given.kills, held=False)
    return await proof.run("killed while none is under way", given.kills, held=True) and good


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binary", help="a build of portcullis")
    parser.add_argument("--store", choices=["sqlite", "postgres"], default="sqlite", help="default: %(default)s")
    parser.add_argument("--nodes", type=int, default=3, help="default: %(default)s")
    parser.add_argument("--kills", type=int, default=30, help="of each part, default: %(default)s")
    parser.add_argument("--keys", type=int, default=40, help="default: %(default)s")
    parser.add_argument("--connections", type=int, default=8, help="to each node, default: %(default)s")
    parser.add_argument("--staleness", type=float, default=2, help="max_staleness in seconds, default: %(default)s")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32), help="by default another each time")
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    print(f"{given.store}, {given.nodes} nodes, seed {given.seed}", flush=True)
    with Cluster(given.binary, given.store, given.nodes, staleness=given.staleness) as cluster:
        good = asyncio.run(prove(given, cluster))
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    try:
        main()
    except Failed as why:
        sys.exit(f"usage: {why}")

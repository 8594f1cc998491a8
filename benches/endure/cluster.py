"""Several gateways on one store, as `nodes.py`, `rolling.py` and `usage.py` need them: starts them, imports the people, pauses,
kills, cuts off and restarts a node by its process id, and ends all of it.

The store is one SQLite file, or a PostgreSQL that is started here and that each node reaches through a `Forwarder` of its own.
"""

import asyncio
import contextlib
import json
import os
import pathlib
import random
import secrets
import signal
import socket
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "compare"))
import servers
from failed import Failed
from forwarder import Forwarder
from http1 import Client, request
from postgres import Postgres

CONFIG = pathlib.Path(__file__).with_name("configs") / "nodes.yaml"
HISTORIES = pathlib.Path(__file__).resolve().parents[2] / "target" / "endure"
ORGANIZATION, SLUG = "proven-org", "proven"
PASSWORD = "correct horse 1"
# One person may have sixteen calls going on at once, of which some are left for the asking about operations.
CALLS_OF_A_PERSON = 8


def ports(count):
    """Free ports that no client is given meanwhile: a node that is started again has to find its own free."""
    lowest, highest = map(int, pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split())
    candidates = [port for port in range(10_000, 60_000) if not lowest <= port <= highest]
    found = []
    for port in random.SystemRandom().sample(candidates, len(candidates)):
        with contextlib.suppress(OSError), socket.socket() as each:
            each.bind(("127.0.0.1", port))
            found.append(port)
        if len(found) == count:
            return found
    raise Failed(f"no {count} free ports outside of {lowest} to {highest}")


class Node:
    """One gateway: its folder, its process, its network to the store."""

    def __init__(self, cluster, number, plain, admin, forwarder):
        self.cluster, self.number, self.plain, self.admin, self.forwarder = cluster, number, plain, admin, forwarder
        self.folder = cluster.dir / f"node{number}"
        self.process = None

    def start(self):
        log = self.cluster.enter_context(open(self.folder / "log", "a", encoding="utf-8"))
        command = [self.cluster.binary, "serve", "--config", "portcullis.yaml"]
        self.process = subprocess.Popen(command, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def ready(self):
        return servers._ready(self.admin)

    def wait(self, seconds=60):
        """Until it serves."""
        end = time.monotonic() + seconds
        while not self.ready():
            if self.process.poll() is not None or time.monotonic() > end:
                raise Failed(f"node {self.number} did not start:\n{self.said()[-3000:]}")
            time.sleep(0.02)

    def pause(self):
        self.process.send_signal(signal.SIGSTOP)
        # The signal is sent; that all of its threads have stopped is another matter.
        while _state(self.process.pid) != "T":
            time.sleep(0.0005)

    def resume(self):
        self.process.send_signal(signal.SIGCONT)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def terminate(self, seconds=60):
        """SIGTERM, and what it does by itself until it has ended."""
        self.process.terminate()
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired as late:
            raise Failed(f"node {self.number} has not ended {seconds} s after SIGTERM:\n{self.said()[-3000:]}") from late

    def said(self):
        return (self.folder / "log").read_text()

    def stop(self):
        if self.process is None or self.process.poll() is not None:
            return
        self.resume()
        servers._stop(self.process)


class Cluster(servers.Bench):
    """The nodes, their store, the backend. Leaving it stops every process that it started."""

    def __init__(self, binary, store, nodes, *, staleness=2.0, delay=1.0, people=1, tokens=()):
        cores = ",".join(map(str, sorted(os.sched_getaffinity(0))))
        super().__init__(cores, cores)
        self.binary, self.store, self.staleness, self.delay = os.path.abspath(binary), store, staleness, delay
        self.count, self.people, self.tokens = nodes, people, list(tokens)
        self.postgres, self.nodes = None, []

    def __enter__(self):
        super().__enter__()
        try:
            self._start()
        except BaseException:
            self.close()
            raise
        return self

    def _start(self):
        chosen = ports(3 * self.count + 1)
        if self.store == "postgres":
            self.postgres = Postgres(self.dir / "postgres", chosen.pop())
            self.callback(self.postgres.stop)
            self.postgres.start()
        for number in range(self.count):
            plain, admin, through = (chosen.pop() for _ in range(3))
            forwarder = self._forwarder(through)
            node = Node(self, number, plain, admin, forwarder)
            node.folder.mkdir()
            url = self.postgres.url(through) if forwarder else f"sqlite://{self.dir}/portcullis.db"
            self._configure(node, url)
            self.nodes.append(node)
        self._import(self.nodes[0])
        for node in self.nodes:
            self.callback(node.stop)
            node.start()
        for node in self.nodes:
            node.wait()

    def _forwarder(self, port):
        if self.postgres is None:
            return None
        forwarder = Forwarder(port, self.postgres.port)
        self.callback(forwarder.stop)
        return forwarder

    def _configure(self, node, url):
        milliseconds = {"staleness": round(1000 * self.staleness), "delay": round(1000 * self.delay)}
        self.names.update(plain=node.plain, admin=node.admin, store=url, **milliseconds)
        text = servers.Config(CONFIG.read_text()).substitute(self.names)
        (node.folder / "portcullis.yaml").write_text(text)

    def _import(self, node):
        members = [{"email": email(number), "name": f"Owner {number}", "role": "owner", "password": PASSWORD} for number in range(self.people)]
        organization = {"id": ORGANIZATION, "slug": SLUG, "name": "Proven", "members": members, "tokens": self.tokens}
        # JSON is YAML.
        (node.folder / "fixture.yaml").write_text(json.dumps({"organizations": [organization]}))
        command = [self.binary, "import", "--config", "portcullis.yaml", "fixture.yaml"]
        done = subprocess.run(command, cwd=node.folder, capture_output=True, text=True, check=False)
        if done.returncode:
            raise Failed(f"portcullis import: {done.stdout}{done.stderr}")

    def client(self, node):
        return Client(self.nodes[node].plain)

    def keep_logs(self, folder):
        """Copies what the nodes have said, for when something was found."""
        for node in self.nodes:
            (folder / f"node{node.number}.log").write_text(node.said())
        if self.postgres:
            (folder / "postgres.log").write_text((self.postgres.folder / "log").read_text())


def email(number):
    return f"owner{number}@example.com"


def ocriva_key():
    return "ocr_" + secrets.token_hex(32)


def imported(name, value):
    """A key of the fixture."""
    return {"name": name, "type": "organization", "permissions": ["read"], "scopes": ["documents"], "value": value}


class Person:
    """An owner with a session, who makes keys and takes them away, in both dialects. Each method gives the bytes of a request."""

    TOKENS = f"/api/v1/organizations/{ORGANIZATION}/api-tokens"
    KEYS = "/api/api-keys"

    def __init__(self, access):
        self.fields = {"Authorization": f"Bearer {access}", "X-Org-Slug": SLUG}

    @classmethod
    async def login(cls, client, number):
        body = {"email": email(number), "password": PASSWORD}
        answer = (await client.ask(request("POST", "/api/auth/login", body=body), 30)).answer
        if answer is None or answer.status != 200:
            raise Failed(f"nobody can log in: {answer}")
        return cls(answer.json()["accessToken"])

    def call(self, method, path, body=None):
        return request(method, path, self.fields, body)

    def make(self, dialect, name):
        if dialect == "ocore":
            return self.call("POST", self.KEYS, {"name": name, "permissions": ["view:servers"]})
        body = {"name": name, "type": "organization", "permissions": ["read"], "scopes": ["documents"]}
        return self.call("POST", self.TOKENS, body)

    def show(self, token):
        return self.call("GET", f"{self.TOKENS}/{token}")

    def take_away(self, kind, token):
        """`revoke` is of the `ocore` dialect, all others of `ocriva`."""
        if kind == "revoke":
            return self.call("DELETE", f"{self.KEYS}/{token}")
        if kind == "delete":
            return self.call("DELETE", f"{self.TOKENS}/{token}")
        if kind == "regenerate":
            return self.call("POST", f"{self.TOKENS}/{token}/regenerate")
        return self.call("PATCH", f"{self.TOKENS}/{token}", {"isActive": False})

    def give_back(self, token):
        return self.call("PATCH", f"{self.TOKENS}/{token}", {"isActive": True})


def use(value):
    """A request with a key, for the backend."""
    if value.startswith("ocore_"):
        return request("GET", "/api/item", {"Authorization": f"Bearer {value}"})
    return request("GET", "/v1/item", {"X-API-Key": value})


async def people(clients, count, first=0):
    """Sessions of so many owners: one after the other, because each login takes a lot of memory and time."""
    return [await Person.login(clients[number % len(clients)], first + number) for number in range(count)]


def _state(pid):
    return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]

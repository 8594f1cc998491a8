#!/usr/bin/env python3
"""Ten thousand idle connections and five hundred slow ones: how long do normal requests take meanwhile, and how much does the
process grow?

    benches/endure/slow.py target/release/portcullis
    benches/endure/slow.py target/release/portcullis --idle 2000 --slow 100 --seconds 5

A third of the slow ones send a head by the byte, a third a body, a third take a large answer by the byte; each begins anew when
the gateway has ended it. Normal requests are sent at a steady rate, from a process of its own, before and meanwhile, and each is
timed from when it was due, so that one that waits is not left out. Ends with 1 when the p99 is more than `--times` the one before
and more than `--floor` milliseconds, or a normal request fails.
"""

import argparse
import http.client
import multiprocessing
import os
import pathlib
import resource
import signal
import socket
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "compare"))
import servers
from bodies import memory
from failed import Failed

CONFIG = pathlib.Path(__file__).with_name("configs") / "slow.yaml"
CLIENTS = 4
LARGE = b"x" * (4 << 20)
HEAD = f"GET /v1/normal HTTP/1.1\r\nHost: gateway\r\nX-API-Key: {servers.KEY}\r\n"


def answer_largely(listener):
    """Answers whatever has come whole with four MiB; in a process of its own, so that normal requests do not wait for it."""

    def serve(connection):
        try:
            with connection, connection.makefile("rb") as reader:
                while reader.readline():
                    length = 0
                    while field := reader.readline().strip():
                        name, _, value = field.partition(b":")
                        if name.lower() == b"content-length":
                            length = int(value)
                    while length and (read := reader.read1(length)):
                        length -= len(read)
                    if length:
                        return
                    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(LARGE), LARGE))
        except OSError:
            pass

    while True:
        connection, _ = listener.accept()
        threading.Thread(target=serve, args=(connection,), daemon=True).start()


def ask(port, seconds, rate, out):
    """Normal requests, at a rate that does not depend on how they fare; milliseconds of each, and how many failed."""
    times, failed = [], 0
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    begin = time.perf_counter()
    for number in range(int(seconds * rate)):
        due = begin + number / rate
        time.sleep(max(0, due - time.perf_counter()))
        try:
            connection.request("GET", "/v1/normal", headers={"X-API-Key": servers.KEY})
            answer = connection.getresponse()
            answer.read()
            failed += answer.status != 200
        except (OSError, http.client.HTTPException):
            failed += 1
            connection.close()
        times.append(1000 * (time.perf_counter() - due))
    out.put((times, failed))


def measure(port, seconds, rate):
    """p50, p99 and the longest in milliseconds, and failures, over all clients."""
    out = multiprocessing.Queue()
    clients = [
        multiprocessing.Process(target=ask, args=(port, seconds, rate / CLIENTS, out), daemon=True) for _ in range(CLIENTS)
    ]
    for client in clients:
        client.start()
    times, failed = [], 0
    for _ in clients:
        some, bad = out.get()
        times += some
        failed += bad
    for client in clients:
        client.join()
    times.sort()
    return times[len(times) // 2], times[len(times) * 99 // 100], times[-1], failed


class Crowd:
    """Idle and slow connections, kept up by one thread."""

    KINDS = (
        (HEAD.encode(), b"X-Slow: "),
        (HEAD.replace("GET /v1/normal", "POST /v1/large").encode() + b"Content-Length: 1000000\r\n\r\n", b"x"),
        (HEAD.replace("normal", "large").encode() + b"\r\n", None),
    )

    def __init__(self, port, idle, slow):
        self.port, self.ended, self.running = port, 0, True
        self.idle = [self.rest() for _ in range(idle)]
        self.slow = [self.begin(number) for number in range(slow)]
        self.thread = threading.Thread(target=self.keep, daemon=True)
        self.thread.start()

    def rest(self):
        """A connection that has had an answer and waits: one that never asked is let go after `header_timeout`."""
        connection = socket.create_connection(("127.0.0.1", self.port))
        connection.sendall(HEAD.encode() + b"\r\n")
        connection.recv(4096)
        return connection

    def begin(self, number):
        kind = self.KINDS[number % len(self.KINDS)]
        connection = socket.socket()
        # A small window, so that what is not read stays with the gateway.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(("127.0.0.1", self.port))
        connection.sendall(kind[0])
        connection.setblocking(False)
        return connection

    def keep(self):
        while self.running:
            for number, connection in enumerate(self.slow):
                more = self.KINDS[number % len(self.KINDS)][1]
                try:
                    if more:
                        connection.send(more[:1] if more == b"x" else b"y")
                    if connection.recv(1 if more is None else 4096) == b"" or more:
                        raise ConnectionError
                except BlockingIOError:
                    pass
                except OSError:
                    connection.close()
                    self.ended += 1
                    self.slow[number] = self.begin(number)
            time.sleep(1)
            # Those that were let go for being idle come back.
            for number, connection in enumerate(self.idle):
                try:
                    if connection.recv(1, socket.MSG_DONTWAIT | socket.MSG_PEEK) == b"":
                        connection.close()
                        self.ended += 1
                        self.idle[number] = self.rest()
                except BlockingIOError:
                    pass
                except OSError:
                    self.idle[number] = self.rest()

    def end(self):
        self.running = False
        self.thread.join()
        for connection in self.idle + self.slow:
            connection.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binary", help="a build of portcullis")
    parser.add_argument("--idle", type=int, default=10_000, help="idle connections, default: %(default)s")
    parser.add_argument("--slow", type=int, default=500, help="slow connections, default: %(default)s")
    parser.add_argument("--seconds", type=float, default=20, help="of each measurement, default: %(default)s")
    parser.add_argument("--rate", type=float, default=400, help="normal requests a second, default: %(default)s")
    parser.add_argument("--times", type=float, default=2, help="how much longer they may take, default: %(default)s")
    parser.add_argument("--floor", type=float, default=5, help="ms that are no harm in any case, default: %(default)s")
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    needed = 2 * (given.idle + given.slow) + 1000
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(needed, hard), hard))
    with servers.Bench(0, 1) as bench:
        gateway = bench.gateway(os.path.abspath(given.binary), CONFIG)
        listener = socket.create_server(("127.0.0.1", bench.names["backend"]), backlog=1024)
        multiprocessing.Process(target=answer_largely, args=(listener,), daemon=True).start()
        pid = gateway.process.pid
        measure(gateway.plain, 2, given.rate)
        resident = memory(pid, "VmRSS")
        before = measure(gateway.plain, given.seconds, given.rate)
        print("before     p50 %.2f ms, p99 %.2f ms, longest %.1f ms, %d failed" % before, flush=True)
        crowd = Crowd(gateway.plain, given.idle, given.slow)
        # The first megabytes of the large answers fill the sockets, which is no harm but work.
        time.sleep(given.seconds / 4)
        idle = memory(pid, "VmRSS")
        during = measure(gateway.plain, given.seconds, given.rate)
        print("meanwhile  p50 %.2f ms, p99 %.2f ms, longest %.1f ms, %d failed" % during, flush=True)
        peak = memory(pid, "VmHWM")
        print(
            f"resident   {resident / 1024:.1f} MiB before, {idle / 1024:.1f} with all connected, {peak / 1024:.1f} at most; "
            f"{crowd.ended} connections were ended and begun anew"
        )
        crowd.end()
    slower = during[1] > max(given.times * before[1], given.floor)
    sys.exit(1 if slower or before[3] or during[3] else 0)


if __name__ == "__main__":
    try:
        main()
    except Failed as why:
        sys.exit(f"slow: {why}")

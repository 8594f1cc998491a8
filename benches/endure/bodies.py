#!/usr/bin/env python3
"""A GiB up and a GiB down through the gateway: does every byte arrive, and how much does the process grow?

    benches/endure/bodies.py target/release/portcullis
    benches/endure/bodies.py target/release/portcullis --mebibytes 256 --most 16

Each way over HTTP/1.1, the same over TLS, HTTP/2 over TLS and h2c. What counts as growth is the highest resident memory while
the body passes (`VmHWM`, set back before), less what was resident before. The receiver sleeps two seconds in the middle of each
body, in which a gateway that buffers would fill up. Ends with 1 when a byte is wrong or the process grows by more than `--most`.
"""

import argparse
import contextlib
import os
import pathlib
import signal
import socket
import subprocess
import sys
import threading
import time
import zlib

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "compare"))
import servers
from failed import Failed

CONFIG = pathlib.Path(__file__).with_name("configs") / "bodies.yaml"
MIB = 1 << 20
BLOCK = os.urandom(MIB)
PAUSE = 2
MODES = {
    "HTTP/1.1": ("http", "plain", "--http1.1"),
    "HTTP/1.1, TLS": ("https", "tls", "--http1.1"),
    "HTTP/2, TLS": ("https", "tls", "--http2"),
    "h2c": ("http", "plain", "--http2-prior-knowledge"),
}


class Wrong(Exception):
    """What arrived is not what was sent."""


class Tally:
    """The length and checksum of what was received, with a pause in the middle."""

    def __init__(self, mebibytes):
        self.bytes, self.sum, self.pause_at = 0, 0, mebibytes * MIB // 2

    def take(self, data):
        if self.bytes < self.pause_at <= self.bytes + len(data):
            time.sleep(PAUSE)
        self.bytes += len(data)
        self.sum = zlib.crc32(data, self.sum)

    def __str__(self):
        return f"{self.bytes} bytes, checksum {self.sum:08x}"


def sent(mebibytes):
    tally = Tally(0)
    for _ in range(mebibytes):
        tally.take(BLOCK)
    return str(tally)


class Backend:
    """An HTTP/1.1 server that answers a PUT with a tally of its body, and a GET with the body itself."""

    def __init__(self, port, mebibytes):
        self.mebibytes = mebibytes
        self.listener = socket.create_server(("127.0.0.1", port))
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            connection, _ = self.listener.accept()
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        with connection, connection.makefile("rb", MIB) as reader, contextlib.suppress(OSError):
            while line := reader.readline():
                fields = {}
                while (field := reader.readline().strip()) != b"":
                    name, _, value = field.partition(b":")
                    fields[name.lower()] = value.strip()
                if line.startswith(b"PUT"):
                    tally = Tally(self.mebibytes)
                    receive(reader, fields, tally)
                    answer = str(tally).encode()
                    connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(answer), answer))
                else:
                    connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % (self.mebibytes * MIB))
                    for _ in range(self.mebibytes):
                        connection.sendall(BLOCK)


def receive(reader, fields, tally):
    """Reads a body by whichever framing it has."""
    if b"content-length" in fields:
        left = int(fields[b"content-length"])
        while left:
            data = reader.read1(min(left, MIB))
            left -= len(data)
            tally.take(data)
        return
    while size := int(reader.readline().split(b";")[0], 16):
        while size:
            data = reader.read1(min(size, MIB))
            size -= len(data)
            tally.take(data)
        reader.readline()
    while reader.readline().strip():
        pass


def curl(gateway, mode, *more, **pipes):
    scheme, port, version = MODES[mode]
    url = f"{scheme}://127.0.0.1:{getattr(gateway, port)}/v1/bodies/one"
    command = ["curl", "-sSfk", version, "-H", f"X-API-Key: {servers.KEY}", "-H", "Expect:", *more, url]
    return subprocess.Popen(command, **pipes)


def upload(gateway, mode, mebibytes):
    client = curl(gateway, mode, "-T", "-", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    for _ in range(mebibytes):
        client.stdin.write(BLOCK)
    client.stdin.close()
    arrived = client.stdout.read().decode()
    if client.wait():
        raise Wrong(f"curl ended with {client.returncode}")
    return arrived


def download(gateway, mode, mebibytes):
    client, tally = curl(gateway, mode, stdout=subprocess.PIPE), Tally(mebibytes)
    while data := client.stdout.read1(MIB):
        tally.take(data)
    if client.wait():
        raise Wrong(f"curl ended with {client.returncode}")
    return str(tally)


def memory(pid, field):
    """Resident memory of a process in KiB: `VmRSS` now, or `VmHWM` at most."""
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1])
    raise Failed(f"/proc/{pid}/status has no {field}")


def growth(pid, work):
    """What `work` returned, and by how many MiB the process grew meanwhile at most."""
    pathlib.Path(f"/proc/{pid}/clear_refs").write_text("5")
    before = memory(pid, "VmRSS")
    result = work()
    return result, (memory(pid, "VmHWM") - before) / 1024


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binary", help="a build of portcullis")
    parser.add_argument("--mebibytes", type=int, default=1024, help="of each body, default: %(default)s")
    parser.add_argument("--most", type=float, default=16, metavar="MIB", help="growth, default: %(default)s")
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    good, expected = True, sent(given.mebibytes)
    with servers.Bench(0, 1) as bench:
        gateway = bench.gateway(os.path.abspath(given.binary), CONFIG)
        Backend(bench.names["backend"], given.mebibytes)
        print(f"{given.mebibytes} MiB each way; resident at first: {memory(gateway.process.pid, 'VmRSS') / 1024:.1f} MiB")
        for mode in MODES:
            for way in (upload, download):
                arrived, grown = growth(gateway.process.pid, lambda: way(gateway, mode, given.mebibytes))
                right = arrived == expected
                good &= right and grown <= given.most
                said = "every byte" if right else f"WRONG: {arrived}, not {expected}"
                print(f"{mode:14} {way.__name__:9} grew by {grown:5.1f} MiB; {said}", flush=True)
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    try:
        main()
    except (Failed, Wrong) as why:
        sys.exit(f"bodies: {why}")

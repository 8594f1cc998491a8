"""Puts load on one server and says how many requests it answered. A run with any other answer than 2xx is none."""

import re
import subprocess

from servers import KEY, PATH, Failed

MODES = {
    "h1": "HTTP/1.1, 64 keep-alive connections",
    "tls": "HTTP/1.1 over TLS 1.3, 64 keep-alive connections",
    "h2": "HTTP/2 over TLS 1.3, 16 connections with 16 streams each",
    "handshake": "a full TLS 1.3 handshake and one request, 16 at a time",
}
WRK = ["wrk", "--threads", "1"]
H2LOAD = ["h2load", "--threads=1", "--warm-up-time=0"]


def run(server, mode, seconds, core):
    """The number of requests that `server` answered with 2xx in `seconds`."""
    command = _command(server, mode, seconds)
    done = subprocess.run(["taskset", "--cpu-list", str(core), *command], capture_output=True, text=True)
    good, bad = (_wrk if command[0] == "wrk" else _h2load)(done.stdout, mode)
    if not good or bad:
        raise Failed(f"{server.name}, {mode}: {good} good answers, {bad} bad\n{done.stdout[-1500:]}{done.stderr[-500:]}")
    return good


def _command(server, mode, seconds):
    plain, tls = f"http://127.0.0.1:{server.plain}{PATH}", f"https://127.0.0.1:{server.tls}{PATH}"
    key = ["--header", f"x-api-key: {KEY}"]
    if mode == "h1":
        return [*WRK, "--connections", "64", "--duration", str(seconds), *key, plain]
    if mode == "handshake":
        closing = ["--header", "Connection: close"]
        return [*WRK, "--connections", "16", "--duration", str(seconds), *key, *closing, tls]
    shape = ["--h1", "--clients=64"] if mode == "tls" else ["--clients=16", "--max-concurrent-streams=16"]
    return [*H2LOAD, f"--duration={seconds}", *key, *shape, tls]


def _wrk(text, mode):
    total = _number(r"(\d+) requests in", text)
    bad = _number(r"Non-2xx or 3xx responses: (\d+)", text)
    errors = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", text)
    if errors:
        connect, read, write, timeout = map(int, errors.groups())
        # A connection that the server closes after its one answer counts as a read error; it is what was asked for.
        bad += connect + timeout + (0 if mode == "handshake" else read + write)
    return total, bad


def _h2load(text, _mode):
    bad = re.search(r"(\d+) 3xx, (\d+) 4xx, (\d+) 5xx", text)
    return _number(r"(\d+) 2xx", text), sum(map(int, bad.groups())) if bad else 1


def _number(pattern, text):
    found = re.search(pattern, text)
    return int(found.group(1)) if found else 0

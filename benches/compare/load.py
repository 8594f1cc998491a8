"""Puts load on one server and says how many requests it answered. A run with any other answer than 2xx is none, nor is
one under other terms of TLS than the rest."""

import os
import pathlib
import re
import subprocess

from failed import Failed
from servers import KEY, PATH

MODES = {
    "h1": "HTTP/1.1, 64 keep-alive connections",
    "tls": "HTTP/1.1 over TLS 1.3, 64 keep-alive connections",
    "h2": "HTTP/2 over TLS 1.3, 16 connections with 16 streams each",
    "handshake": "a full TLS 1.3 handshake and one request, 16 at a time",
}
SUITE, GROUP = "TLS_AES_128_GCM_SHA256", "X25519"
# Also over TLS: h2load reads three times for an answer there, so that it, and not the proxy, is what there is too little
# of. wrk says nothing about the terms, but what it offers of TLS is in `CLIENT`, which allows no others.
WRK = ["wrk", "--threads", "1", "--connections", "64"]
H2LOAD = ["h2load", "--threads=1", f"--tls13-ciphers={SUITE}", f"--groups={GROUP}"]
# Not wrk: it comes again with the session that a server has given it, which is no full handshake. ab does not; it wants
# a number of requests as well, and is given more than it can make in the time.
AB = ["ab", "-q", "-c", "16"]
CLIENT = pathlib.Path(__file__).with_name("configs") / "client.cnf"


def run(server, mode, seconds, core):
    """The number of requests that `server` answered with 2xx in `seconds`."""
    command = _command(server, mode, seconds)
    pinned, environment = ["taskset", "--cpu-list", str(core), *command], {**os.environ, "OPENSSL_CONF": str(CLIENT)}
    done = subprocess.run(pinned, capture_output=True, text=True, env=environment, check=False)
    good, bad = COUNTS[command[0]](done.stdout)
    if done.returncode or not good or bad:
        said = f"{done.stdout[-1500:]}{done.stderr[-500:]}"
        raise Failed(f"{server.name}, {mode}: {good} good answers, {bad} bad\n{said}")
    if command[0] != "wrk" and not _as_agreed(done.stdout, mode):
        raise Failed(f"{server.name}, {mode}: other terms than TLS 1.3, {SUITE}, {GROUP}\n{done.stdout[-1500:]}")
    return good


def _command(server, mode, seconds):
    plain, tls = f"http://127.0.0.1:{server.plain}{PATH}", f"https://127.0.0.1:{server.tls}{PATH}"
    key = f"x-api-key: {KEY}"
    if mode in ("h1", "tls"):
        return [*WRK, "--duration", str(seconds), "--header", key, plain if mode == "h1" else tls]
    if mode == "handshake":
        return [*AB, "-t", str(seconds), "-n", "200000", "-H", key, tls]
    shape = ["--clients=16", "--max-concurrent-streams=16"]
    return [*H2LOAD, "--warm-up-time=0", f"--duration={seconds}", "--header", key, *shape, tls]


def _wrk(text):
    errors = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", text)
    broken = sum(map(int, errors.groups())) if errors else 0
    return _number(r"(\d+) requests in", text), _number(r"Non-2xx or 3xx responses: (\d+)", text) + broken


def _h2load(text):
    bad = re.search(r"(\d+) 3xx, (\d+) 4xx, (\d+) 5xx", text)
    return _number(r"(\d+) 2xx", text), sum(map(int, bad.groups())) if bad else 1


def _ab(text):
    # An answer of another length than the first is among those that failed.
    bad = _number(r"Failed requests: +(\d+)", text) + _number(r"Non-2xx responses: +(\d+)", text)
    return _number(r"Complete requests: +(\d+)", text), bad


COUNTS = {"wrk": _wrk, "h2load": _h2load, "ab": _ab}


def _as_agreed(text, mode):
    terms = ["TLSv1.3", SUITE, f"Server Temp Key: +{GROUP}"]
    if mode == "h2":
        terms.append("Application protocol: h2")
    return all(re.search(term, text) for term in terms)


def _number(pattern, text):
    found = re.search(pattern, text)
    return int(found.group(1)) if found else 0

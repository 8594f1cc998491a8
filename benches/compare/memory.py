"""What an open connection costs while nothing happens on it: resident bytes, by difference."""

import socket
import time

import proof
from failed import Failed
from servers import KEY, PATH

MODES = {
    "idle": "bytes resident of one idle HTTP/1.1 connection that has had one answer",
    "idle-tls": "the same over TLS 1.3",
}
# Held open before the first reading, so that what is made once is not counted: caches, connections to the backend.
BASE = 500
HEAD = f"GET {PATH} HTTP/1.1\r\nHost: localhost\r\nX-API-Key: {KEY}\r\n\r\n".encode()


def idle(server, mode, count):
    """Bytes that `server`, which has just started, holds for each of `count` more idle connections."""
    port, context = (server.tls, proof.trusting()) if mode == "idle-tls" else (server.plain, None)
    held = []
    try:
        before = _holding(held, BASE, server, port, context)
        after = _holding(held, BASE + count, server, port, context)
        _still_open(held, server)
    finally:
        for connection in held:
            connection.close()
    return (after - before) / count


def _holding(held, count, server, port, context):
    while len(held) < count:
        connection = socket.create_connection(("127.0.0.1", port), 30)
        if context:
            connection = context.wrap_socket(connection)
        held.append(connection)
        _one_answer(connection, server)
    return _settled(server)


def _one_answer(connection, server):
    connection.sendall(HEAD)
    answer = b""
    while b'"total":1}}' not in answer:  # how the backend's answer ends
        piece = connection.recv(4096)
        answer += piece
        if not piece or not answer.startswith(b"HTTP/1.1 200"[: len(answer)]):
            raise Failed(f"{server.name}, idle: {answer[:500]!r}")


def _settled(server, longest=20):
    """The memory, as soon as it no longer changes from one second to the next."""
    last = server.memory()
    for _ in range(longest):
        time.sleep(1)
        now = server.memory()
        if abs(now - last) < 64 << 10:
            return now
        last = now
    return last


def _still_open(held, server):
    """Raises `Failed` when `server` has ended one of them meanwhile."""
    for connection in held:
        bare = socket.socket(fileno=connection.fileno())
        try:
            ended = bare.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
        except BlockingIOError:
            ended = False
        finally:
            bare.detach()
        if ended:
            raise Failed(f"{server.name} ended a connection that should have been idle")

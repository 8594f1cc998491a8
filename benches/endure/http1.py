"""Clients that keep their HTTP/1.1 connections, and know to the nanosecond when a request began and when its status was read.

A request is never sent twice, whatever becomes of it.
"""

import asyncio
import json
import time
from typing import NamedTuple, Optional

# Connections that have rested for longer than this are not used again.
REST_NS = 60_000_000_000


def request(method, path, fields=None, body=None):
    """The bytes of a request; `body` is sent as JSON."""
    lines = [f"{method} {path} HTTP/1.1", "Host: gateway"]
    lines += [f"{name}: {value}" for name, value in (fields or {}).items()]
    payload = b""
    if body is not None:
        payload = json.dumps(body).encode()
        lines += ["Content-Type: application/json", f"Content-Length: {len(payload)}"]
    elif method != "GET":
        lines.append("Content-Length: 0")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + payload


class Answer(NamedTuple):
    """`head` is as it came, from the status line to the end of its last field."""

    status: int
    head: bytes
    body: bytes

    def field(self, name):
        """A field of the head, or `None`."""
        wanted = b"\r\n" + name.lower().encode() + b":"
        at = self.head.lower().find(wanted)
        return self.head[at + len(wanted) :].partition(b"\r\n")[0].strip().decode() if at >= 0 else None

    @property
    def closes(self):
        return (self.field("connection") or "").lower() == "close"

    def json(self):
        return json.loads(self.body)


class Exchange(NamedTuple):
    """`start` is before the first byte was sent, `end` after the status was read (or when it was clear that it would not
    come: `answer` is then `None`); of `time.monotonic_ns`. `sent` says whether any byte went out."""

    start: int
    end: int
    answer: Optional[Answer]
    sent: bool = True

    @property
    def status(self):
        return self.answer.status if self.answer else 0


class Connection(asyncio.Protocol):
    def __init__(self):
        self.transport, self.waiting, self.data, self.rested = None, None, b"", 0

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        now = time.monotonic_ns()
        self.data += data
        answer = _parse(self.data)
        if answer is None:
            return
        if self.waiting is None or self.waiting.done() or isinstance(answer, Exception):
            self.transport.abort()  # more than was asked for, or what is no answer
            return
        self.data = b""
        self.waiting.set_result((now, answer))

    def connection_lost(self, _):
        if self.waiting is not None and not self.waiting.done():
            self.waiting.set_result((time.monotonic_ns(), None))

    def _give_up(self):
        self.transport.abort()
        self.connection_lost(None)

    def open(self):
        return not self.transport.is_closing()

    async def ask(self, data, seconds):
        loop = asyncio.get_running_loop()
        start = time.monotonic_ns()
        if not self.open():
            return Exchange(start, start, None, False)
        self.waiting = loop.create_future()
        timer = loop.call_later(seconds, self._give_up)
        self.transport.write(data)
        end, answer = await self.waiting
        timer.cancel()
        if answer is None or answer.closes:
            self.transport.abort()
        self.rested = end
        return Exchange(start, end, answer)


class Client:
    """Connections to one port; each request takes one that rests, or a new one."""

    def __init__(self, port):
        self.port, self.resting = port, []

    async def ask(self, data, seconds):
        """Sends a request once. No answer after so many seconds is none."""
        connection = self._rested()
        if connection is None:
            start = time.monotonic_ns()
            try:
                connect = asyncio.get_running_loop().create_connection(Connection, "127.0.0.1", self.port)
                _, connection = await asyncio.wait_for(connect, seconds)
            except (OSError, asyncio.TimeoutError):
                return Exchange(start, time.monotonic_ns(), None, False)
        done = await connection.ask(data, seconds)
        if connection.open():
            self.resting.append(connection)
        return done

    def _rested(self):
        while self.resting:
            connection = self.resting.pop()
            if connection.open() and time.monotonic_ns() - connection.rested < REST_NS:
                return connection
            connection.transport.abort()
        return None

    def close(self):
        for connection in self.resting:
            connection.transport.abort()
        self.resting.clear()


def _parse(data):
    """An answer that is whole; `None` while it is not."""
    end = data.find(b"\r\n\r\n")
    if end < 0:
        return None
    head = bytes(data[:end]) + b"\r\n"
    answer = Answer(int(head[9:12]), head, data[end + 4 :])
    if answer.status in (204, 304):
        length = 0
    else:
        length = answer.field("content-length")
        if length is None:
            return ValueError("an answer without a length")
    if len(answer.body) < int(length):
        return None
    return answer if len(answer.body) == int(length) else ValueError("more than one answer")

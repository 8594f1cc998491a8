"""Requests in lock step: one at a time, each event only when the gateway waits for it.

Client and backend are one thread, so that nothing ever happens in another order: how often the gateway wakes, reads in
vain or finds an answer early is the same in every run.
"""

import selectors
import socket
import ssl
import struct

from counted import Failed
from gateway import KEY, PROJECT

TARGET = f"/v1/openapi/processing-history?projectId={PROJECT}&page=1&limit=20"
FIELDS = {"host": "api.example.com", "x-api-key": KEY, "user-agent": "budget/1.0", "accept": "application/json"}
BODY = b'{"data":[{"id":"5f0c2a1e9d3b","status":"completed","pages":3}],"pagination":{"page":1,"limit":20,"total":1}}'
ANSWER = (
    b"HTTP/1.1 200 OK\r\nserver: backend\r\ndate: Sat, 01 Nov 2025 00:00:00 GMT\r\n"
    b"content-type: application/json\r\ncontent-length: %d\r\nconnection: keep-alive\r\n\r\n%s" % (len(BODY), BODY)
)
PATIENCE_S = 60


class Backend:
    """Answers what arrives when it is told to."""

    def __init__(self):
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listening, selectors.EVENT_READ)
        self.seen = b""

    def await_request(self, client):
        """The connection on which the client's request has come; what came is `seen`."""
        self.seen = b""
        while not self.seen.endswith(b"\r\n\r\n"):
            ready = self._selector.select(PATIENCE_S)
            if not ready:
                raise Failed(f"no request has come to the backend; the client got: {client.at_hand()!r}")
            for key, _ in ready:
                if key.fileobj is self._listening:
                    connection, _ = self._listening.accept()
                    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    self._selector.register(connection, selectors.EVENT_READ)
                    continue
                came, connection = key.fileobj.recv(65536), key.fileobj
                if not came:
                    self._selector.unregister(connection)
                    connection.close()
                self.seen += came
        return connection

    @staticmethod
    def answer(connection):
        connection.sendall(ANSWER)


class Client:
    """A client's connection."""

    def __init__(self, stream):
        self._stream = stream

    def at_hand(self):
        """What has come by now."""
        self._stream.settimeout(0.1)
        try:
            return self._stream.recv(65536)
        except OSError as error:
            return error


class Http1(Client):
    """A client's connection, HTTP/1.1."""

    alpn = "http/1.1"

    def __init__(self, stream):
        super().__init__(stream)
        lines = "".join(f"{name}: {value}\r\n" for name, value in FIELDS.items())
        self._request = f"GET {TARGET} HTTP/1.1\r\n{lines}\r\n".encode()

    def ask(self):
        self._stream.sendall(self._request)

    def receive(self):
        came = b""
        while not came.endswith(BODY):
            piece = self._stream.recv(65536)
            came += piece
            if not piece or b"\r\n\r\n" in came and not came.startswith(b"HTTP/1.1 200 "):
                raise Failed(f"the answer is not the backend's: {came!r}")


class Http2(Client):
    """A client's connection, HTTP/2 (RFC 9113): later requests name their fields by the table that the first filled."""

    alpn = "h2"
    DATA, HEADERS, SETTINGS, PING, WINDOW_UPDATE = 0, 1, 4, 6, 8
    END_STREAM, ACK, END_HEADERS = 1, 1, 4

    def __init__(self, stream):
        super().__init__(stream)
        self._buffer, self._number, self._table = b"", -1, []
        stream.sendall(
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
            + self._frame(self.SETTINGS, 0, 0, b"")
            # Room for all that will ever come: a client's updates would be counted as part of the requests.
            + self._frame(self.WINDOW_UPDATE, 0, 0, struct.pack(">I", 2**30))
        )
        self._until(self.SETTINGS, self.ACK)

    def ask(self):
        self._number += 2
        fields = {":method": "GET", ":scheme": "http", ":path": TARGET, ":authority": FIELDS["host"], **FIELDS}
        block = b"".join(self._field(name, value) for name, value in fields.items() if name != "host")
        flags = self.END_STREAM | self.END_HEADERS
        self._stream.sendall(self._frame(self.HEADERS, flags, self._number, block))

    def receive(self):
        body = b""
        while True:
            kind, flags, number, payload = self._next()
            if kind == self.DATA and number == self._number:
                body += payload
            if kind in (self.DATA, self.HEADERS) and flags & self.END_STREAM:
                break
        if body != BODY:
            raise Failed(f"the answer is not the backend's: {body!r}")

    def _field(self, name, value):
        """RFC 7541, 6.1 and 6.2.1: from the table, or literally and then in the table."""
        if (name, value) in self._table:
            return bytes([0x80 | 62 + self._table.index((name, value))])
        self._table.insert(0, (name, value))
        return b"\x40" + self._text(name) + self._text(value)

    @staticmethod
    def _text(text):
        if len(text) >= 127 + 128:
            raise ValueError("longer than two bytes can tell")
        length = bytes([len(text)]) if len(text) < 127 else bytes([127, len(text) - 127])
        return length + text.encode()

    @staticmethod
    def _frame(kind, flags, stream, payload):
        return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload

    def _next(self):
        head = self._read(9)
        kind, flags, stream = head[3], head[4], int.from_bytes(head[5:], "big")
        payload = self._read(int.from_bytes(head[:3], "big"))
        if kind == self.SETTINGS and not flags & self.ACK:
            self._stream.sendall(self._frame(self.SETTINGS, self.ACK, 0, b""))
        if kind == self.PING and not flags & self.ACK:
            self._stream.sendall(self._frame(self.PING, self.ACK, 0, payload))
        return kind, flags, stream, payload

    def _until(self, wanted, wanted_flags):
        while True:
            kind, flags, _, _ = self._next()
            if (kind, flags) == (wanted, wanted_flags):
                return

    def _read(self, length):
        while len(self._buffer) < length:
            piece = self._stream.recv(65536)
            if not piece:
                raise Failed("the gateway closed an HTTP/2 connection")
            self._buffer += piece
        piece, self._buffer = self._buffer[:length], self._buffer[length:]
        return piece


def connect(gateway, protocol, tls):
    """A connection to the gateway that speaks `protocol`."""
    stream = socket.create_connection(("127.0.0.1", gateway.tls if tls else gateway.plain), PATIENCE_S)
    stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if tls:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.set_alpn_protocols([protocol.alpn])
        stream = context.wrap_socket(stream)
    return protocol(stream)


def prove_policy(backend):
    """Raises `Failed` unless the backend was sent an identity in place of the key."""
    if KEY.encode() in backend.seen or b"authorization: Bearer ey" not in backend.seen:
        raise Failed(f"the policy is not on: the backend saw {backend.seen!r}")


def exchange(gateway, backend, client):
    """One request, from a gateway at rest to a gateway at rest."""
    gateway.settle()
    client.ask()
    asked = backend.await_request(client)
    gateway.settle()
    backend.answer(asked)
    client.receive()
    gateway.settle()

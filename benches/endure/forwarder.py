"""A network between a node and its store that can be cut in one direction: passes bytes from a port to another, in a process of
its own, and stops when it is told to.

What it can not do is to keep a new connection from coming about: that is the system's doing, before a byte flows. A node that
connects during a cut therefore connects, and hears nothing (or is reset, where the cut resets).
"""

import multiprocessing
import os
import socket
import struct
import threading
import time

BLOCK = 65536
# Long enough for a thread that has passed the gate to have sent what it holds.
SETTLE = 0.02
RESET = struct.pack("ii", 1, 0)


class Forwarder:
    """From a port of its own to `target`, both on loopback."""

    def __init__(self, port, target):
        listener = socket.create_server(("127.0.0.1", port), backlog=256)
        self.control, theirs = multiprocessing.Pipe()
        self.process = multiprocessing.Process(target=_serve, args=(listener, target, theirs, os.getpid()), daemon=True)
        self.process.start()
        listener.close()
        theirs.close()

    def cut(self, up=False, down=False, reset=False):
        """Holds what goes up to the store, or down from it, or resets every connection, old and new, until
        [`heal`](Forwarder.heal). In force when this returns. What is held is delivered then, as a network does."""
        self._tell((not up, not down, reset))

    def heal(self):
        self._tell((True, True, False))

    def stop(self):
        self.process.terminate()
        self.process.join()

    def _tell(self, state):
        self.control.send(state)
        self.control.recv()


class _State:
    def __init__(self):
        self.up, self.down, self.reset = threading.Event(), threading.Event(), False
        self.up.set()
        self.down.set()
        self.lock, self.connections = threading.Lock(), set()


def _serve(listener, target, control, parent):
    state = _State()
    threading.Thread(target=_accept, args=(listener, target, state), daemon=True).start()
    # Until whoever started this is gone.
    while os.getppid() == parent:
        if not control.poll(1):
            continue
        up, down, state.reset = control.recv()
        for gate, is_open in ((state.up, up), (state.down, down)):
            gate.set() if is_open else gate.clear()
        if state.reset:
            _reset_all(state)
        time.sleep(SETTLE)
        control.send(None)


def _accept(listener, target, state):
    while True:
        client, _ = listener.accept()
        if state.reset:
            _reset(client)
            continue
        try:
            server = socket.create_connection(("127.0.0.1", target))
        except OSError:
            client.close()
            continue
        for each in (client, server):
            each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with state.lock:
            state.connections.add((client, server))
        both = [(client, server, state.up), (server, client, state.down)]
        pumps = [threading.Thread(target=_pump, args=each, daemon=True) for each in both]
        threading.Thread(target=_tend, args=(state, client, server, pumps), daemon=True).start()
        if state.reset:
            _reset_all(state)


def _tend(state, client, server, pumps):
    for pump in pumps:
        pump.start()
    for pump in pumps:
        pump.join()
    with state.lock:
        state.connections.discard((client, server))
    client.close()
    server.close()


def _pump(source, sink, gate):
    """Until the source ends; its end is passed on as its bytes are."""
    try:
        while data := source.recv(BLOCK):
            gate.wait()
            sink.sendall(data)
    except OSError:
        pass
    gate.wait()
    try:
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def _reset_all(state):
    with state.lock:
        ends = [end for pair in state.connections for end in pair]
    for end in ends:
        _reset(end, shutdown=True)


def _reset(connection, shutdown=False):
    """Ends a connection with RST instead of FIN, so that its other side learns of an error. A thread that waits in it
    would keep it open: `shutdown` wakes that first."""
    try:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        if shutdown:
            # Of both directions, which discards what is unread and makes the later close a reset.
            connection.shutdown(socket.SHUT_RD)
        connection.close()
    except OSError:
        pass

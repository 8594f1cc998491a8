"""Proves, before and during the measurement, that every server does the same work, and Portcullis its own on top."""

import http.client
import json
import re
import ssl
import urllib.error
import urllib.request

from failed import Failed
from servers import KEY, PATH, PROOF

# Requests under way at a time, of the mode that has the most.
MOST_AT_ONCE = 256


def policy(port):
    """Raises `Failed` unless the backend gets an identity in place of the key, and a wrong key is refused."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}{PROOF}", headers={"X-API-Key": KEY})
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            seen, headers = answer.read().decode(), answer.headers
    except urllib.error.HTTPError as refused:
        raise Failed(f"the key was refused: {refused.code} {refused.read()}") from refused
    if KEY in seen or '"authorization":"Bearer ey' not in seen or "X-RateLimit-Remaining" not in headers:
        raise Failed(f"the policy is not on: the backend saw {seen}, the client {dict(headers)}")
    wrong = urllib.request.Request(request.full_url, headers={"X-API-Key": "ocr_wrong"})
    try:
        urllib.request.urlopen(wrong, timeout=5).close()
    except urllib.error.HTTPError as refused:
        if refused.code == 401:
            return
    raise Failed("the policy is not on: a wrong key was not refused with 401")


def equal_answers(bench, started):
    """Raises `Failed` unless every server hands on the backend's answer as it is, in one piece, on a connection that
    stays, and shows the same certificate."""
    body = _ask("the backend", http.client.HTTPConnection("127.0.0.1", bench.names["upstream"], timeout=5))
    own = ssl.PEM_cert_to_DER_cert((bench.dir / "cert.pem").read_text())
    for server in started:
        connections = [http.client.HTTPConnection("127.0.0.1", server.plain, timeout=5)]
        if server.tls:
            secured = http.client.HTTPSConnection("127.0.0.1", server.tls, timeout=5, context=trusting())
            secured.connect()
            if secured.sock.getpeercert(binary_form=True) != own:
                raise Failed(f"{server.name} shows another certificate")
            connections.append(secured)
        for connection in connections:
            if (got := _ask(server.name, connection)) != body:
                raise Failed(f"{server.name} answers {got!r}, the backend {body!r}")


def _ask(name, connection):
    """The body of the second of two answers on one connection."""
    for _ in range(2):
        connection.request("GET", PATH, headers={"X-API-Key": KEY})
        here = connection.sock
        answer = connection.getresponse()
        body = answer.read()
        # `http.client` lets go of its socket when the answer says that the connection ends.
        if answer.status != 200 or answer.length is None or connection.sock is not here:
            raise Failed(f"{name}: {answer.status} {answer.getheaders()} {body!r}")
    connection.close()
    return body


def trusting():
    """A client's TLS settings that take the certificate of the run."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def connections_to_backend(bench):
    """How many connections the backend has taken so far."""
    with urllib.request.urlopen(f"http://127.0.0.1:{bench.names['upstream']}/connections", timeout=5) as status:
        return json.load(status)["taken"]


def kept(server, mode, opened, answered):
    """Raises `Failed` when `server` opened new connections to the backend for what it answered, beyond those that a
    change of load takes."""
    if opened > max(MOST_AT_ONCE, answered / 10):
        raise Failed(f"{server.name}, {mode}: {opened} connections to the backend for {answered} answers")


def resumed(server):
    """How many handshakes of Portcullis, which offers that to every client, were no full ones but a session resumed."""
    with urllib.request.urlopen(f"http://127.0.0.1:{server.admin}/metrics", timeout=5) as metrics:
        text = metrics.read().decode()
    counts = re.findall(r'^portcullis_tls_handshakes_total\{.*result="resumed".*\} (\d+)', text, re.MULTILINE)
    if not counts:
        raise Failed("Portcullis does not say how many handshakes were full ones")
    return sum(map(int, counts))

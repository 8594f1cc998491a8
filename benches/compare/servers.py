"""Starts what is measured, and what it is measured with: certificate, backend, nginx, HAProxy, Portcullis.

Everything lives in one temporary folder and on free ports; leaving the `Bench` stops every process it started.
"""

import contextlib
import os
import pathlib
import resource
import shlex
import socket
import string
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

CONFIGS = pathlib.Path(__file__).with_name("configs")
PROJECT = "bench-project"
KEY = "ocr_" + "5eed" * 16
PATH = f"/v1/openapi/processing-history?projectId={PROJECT}&page=1&limit=20"
PROOF = f"/v1/openapi/processing-history/arrived?projectId={PROJECT}"


class Failed(Exception):
    """The measurement cannot be made; the text says why."""


class Config(string.Template):
    """A configuration with `@{name}` to fill in, because nginx and HAProxy have their own use for `$`."""

    delimiter = "@"


def free_ports(count):
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


class Server:
    """A started proxy: its name, its process, and where it listens."""

    def __init__(self, name, process, plain, tls):
        self.name, self.process, self.plain, self.tls = name, process, plain, tls

    def cpu_seconds(self):
        """User and system time that the process and its descendants have used so far."""
        return sum(map(_cpu_ticks, _family(self.process.pid))) / os.sysconf("SC_CLK_TCK")


def _family(pid):
    yield pid
    with contextlib.suppress(OSError):
        for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                yield from _family(int(child))


def _cpu_ticks(pid):
    with contextlib.suppress(OSError):
        # The command's name stands in brackets and may hold blanks; utime and stime are the 14th and 15th field.
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return int(fields[11]) + int(fields[12])
    return 0


class Bench(contextlib.ExitStack):
    """The folder, the certificate and the backend; its methods start servers beside them."""

    def __init__(self, proxy_core, load_core):
        super().__init__()
        self.proxy_core, self.load_core = proxy_core, load_core
        self.dir = pathlib.Path(self.enter_context(tempfile.TemporaryDirectory(prefix="portcullis-bench-")))
        self.dir.chmod(0o755)  # nginx's worker is another user when this runs as root
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        (upstream,) = free_ports(1)
        self.names = {"dir": self.dir, "nofile": hard, "upstream": upstream, "project": PROJECT, "key": KEY}

    def __enter__(self):
        self._certificate()
        self._nginx("upstream", self.load_core, self.names["upstream"])
        return self

    def nginx(self):
        plain, tls = self._ports("plain", "tls")
        return Server("nginx", self._nginx("nginx", self.proxy_core, tls), plain, tls)

    def haproxy(self):
        plain, tls = self._ports("plain", "tls")
        config = self._write(CONFIGS / "haproxy.cfg")
        process = self._spawn("haproxy", ["haproxy", "-db", "-f", config], self.proxy_core)
        self._wait(process, lambda: _connects(tls))
        return Server("haproxy", process, plain, tls)

    def portcullis(self, binary):
        started = self.gateway(binary, CONFIGS / "portcullis.yaml")
        prove_policy(started.plain)
        return started

    def gateway(self, binary, template):
        """Portcullis with another configuration, in which `@{backend}` is a port for whoever called this."""
        plain, tls, admin, _ = self._ports("plain", "tls", "admin", "backend")
        config, fixture = self._write(template), self._write(CONFIGS / "fixture.yaml")
        done = subprocess.run([binary, "import", "--config", config, fixture], capture_output=True, text=True)
        if done.returncode:
            raise Failed(f"portcullis import failed:\n{done.stdout}{done.stderr}")
        process = self._spawn("portcullis", [binary, "serve", "--config", config], self.proxy_core)
        self._wait(process, lambda: _ready(admin))
        return Server("portcullis", process, plain, tls)

    def _nginx(self, name, core, port):
        config = self._write(CONFIGS / f"{name}.conf")
        process = self._spawn(name, ["nginx", "-e", self.dir / f"{name}.log", "-p", self.dir, "-c", config], core)
        self._wait(process, lambda: _connects(port))
        return process

    def _ports(self, *names):
        ports = free_ports(len(names))
        self.names.update(zip(names, ports))
        return ports

    def _certificate(self):
        cert, key = self.dir / "cert.pem", self.dir / "key.pem"
        command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost"
        names = ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
        subprocess.run([*command.split(), *names, "-out", cert, "-keyout", key], check=True, capture_output=True)
        (self.dir / "pair.pem").write_text(cert.read_text() + key.read_text())

    def _write(self, template):
        target = self.dir / template.name
        target.write_text(Config(template.read_text()).substitute(self.names))
        return target

    def _spawn(self, name, command, core):
        log = self.enter_context(open(self.dir / f"{name}.out", "w", encoding="utf-8"))
        pinned = ["taskset", "--cpu-list", str(core), *map(str, command)]
        process = subprocess.Popen(pinned, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)
        self.callback(_stop, process)
        return process

    def _wait(self, process, ready, seconds=30):
        end = time.monotonic() + seconds
        while not ready():
            if process.poll() is not None or time.monotonic() > end:
                said = "".join(log.read_text() for log in sorted(self.dir.glob("*.out")))
                raise Failed(f"did not start: {shlex.join(process.args)}\n{said[-2000:]}")
            time.sleep(0.02)


def _stop(process):
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _connects(port):
    with contextlib.suppress(OSError):
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    return False


def _ready(admin):
    with contextlib.suppress(OSError):
        with urllib.request.urlopen(f"http://127.0.0.1:{admin}/readyz", timeout=1) as answer:
            return answer.status == 200
    return False


def prove_policy(port):
    """Raises `Failed` unless the backend gets an identity in place of the key, and a wrong key is refused."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}{PROOF}", headers={"X-API-Key": KEY})
    with urllib.request.urlopen(request, timeout=5) as answer:
        seen, headers = answer.read().decode(), answer.headers
    if KEY in seen or '"authorization":"Bearer ey' not in seen or "X-RateLimit-Remaining" not in headers:
        raise Failed(f"the policy is not on: the backend saw {seen}, the client {dict(headers)}")
    wrong = urllib.request.Request(request.full_url, headers={"X-API-Key": "ocr_wrong"})
    try:
        urllib.request.urlopen(wrong, timeout=5).close()
    except urllib.error.HTTPError as refused:
        if refused.code == 401:
            return
    raise Failed("the policy is not on: a wrong key was not refused with 401")

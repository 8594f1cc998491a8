"""Starts what is measured, and what it is measured with: certificate, backend, the other proxies, Portcullis.

Everything lives in one temporary folder and on free ports; leaving the `Bench` stops every process it started.
"""

import contextlib
import os
import pathlib
import resource
import shlex
import shutil
import socket
import string
import subprocess
import tempfile
import time
import urllib.request

import built
from failed import Failed
from process import Server

CONFIGS = pathlib.Path(__file__).with_name("configs")
PROJECT = "bench-project"
KEY = "ocr_" + "5eed" * 16
PATH = f"/v1/openapi/processing-history?projectId={PROJECT}&page=1&limit=20"
PROOF = f"/v1/openapi/processing-history/arrived?projectId={PROJECT}"


class Config(string.Template):
    """A configuration with `@{name}` to fill in, because nginx and HAProxy have their own use for `$`."""

    delimiter = "@"


def free_ports(count):
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


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
        port = self.names["upstream"]
        process = self._spawn("backend", [built.backend(), port], self.load_core)
        self._wait(process, lambda: connects(port))
        return self

    def nginx(self):
        plain, tls = self._ports("plain", "tls")
        config = self._write(CONFIGS / "nginx.conf")
        command = ["nginx", "-e", self.dir / "nginx.log", "-p", self.dir, "-c", config]
        process = self._spawn("nginx", command, self.proxy_core)
        self._wait(process, lambda: connects(tls))
        return Server("nginx", process, plain, tls)

    def haproxy(self):
        plain, tls = self._ports("plain", "tls")
        config = self._write(CONFIGS / "haproxy.cfg")
        process = self._spawn("haproxy", ["haproxy", "-db", "-f", config], self.proxy_core)
        self._wait(process, lambda: connects(tls))
        return Server("haproxy", process, plain, tls)

    def caddy(self):
        plain, tls = self._ports("plain", "tls")
        config = self._write(CONFIGS / "caddy.json")
        # One thread for what Go runs at a time, as the others have one; what it keeps for itself goes into the folder.
        homes = {name: str(self.dir) for name in ("HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME")}
        own = {"GOMAXPROCS": "1", **homes}
        process = self._spawn("caddy", ["caddy", "run", "--config", config], self.proxy_core, own)
        self._wait(process, lambda: connects(tls))
        return Server("caddy", process, plain, tls)

    def pingora(self, binary):
        """Our own few lines around Pingora (`pingora/`), which speak plain HTTP only."""
        (plain,) = self._ports("plain")
        process = self._spawn("pingora", [binary, plain, self.names["upstream"]], self.proxy_core)
        self._wait(process, lambda: connects(plain))
        return Server("pingora", process, plain)

    def portcullis(self, binary):
        return self.gateway(binary, CONFIGS / "portcullis.yaml")

    def gateway(self, binary, template):
        """Portcullis with another configuration, in which `@{backend}` is a port for whoever called this."""
        plain, tls, admin, _ = self._ports("plain", "tls", "admin", "backend")
        config, fixture = self._write(template), self._write(CONFIGS / "fixture.yaml")
        self._forget()
        done = subprocess.run([binary, "import", "--config", config, fixture], capture_output=True, text=True)
        if done.returncode:
            raise Failed(f"portcullis import failed:\n{done.stdout}{done.stderr}")
        process = self._spawn("portcullis", [binary, "serve", "--config", config], self.proxy_core)
        self._wait(process, lambda: _ready(admin))
        return Server("portcullis", process, plain, tls, admin)

    def _forget(self):
        """Removes the store of a Portcullis that ran before: each one starts with the fixture only."""
        for old in self.dir.glob("portcullis.db*"):
            shutil.rmtree(old) if old.is_dir() else old.unlink()

    def stop(self, server):
        """Ends a server before the bench does."""
        _stop(server.process)

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

    def _spawn(self, name, command, core, environment=()):
        log = self.enter_context(open(self.dir / f"{name}.out", "w", encoding="utf-8"))
        pinned = ["taskset", "--cpu-list", str(core), *map(str, command)]
        output = {"stdin": subprocess.DEVNULL, "stdout": log, "stderr": subprocess.STDOUT}
        process = subprocess.Popen(pinned, env={**os.environ, **dict(environment)}, **output)
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


def connects(port):
    with contextlib.suppress(OSError):
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    return False


def _ready(admin):
    with contextlib.suppress(OSError):
        with urllib.request.urlopen(f"http://127.0.0.1:{admin}/readyz", timeout=10) as answer:
            return answer.status == 200
    return False

"""The gateway under callgrind: started, asked for its counts, stopped.

Only instructions are counted, so that neither the machine nor what else it does matters. valgrind shows the program one
fixed processor (with AVX2, without what is newer), so that what is chosen by the processor's features is the same on
every x86-64 machine of the last ten years.
"""

import contextlib
import os
import pathlib
import re
import shutil
import socket
import string
import subprocess
import time
import urllib.error
import urllib.request

HERE = pathlib.Path(__file__).parent
PROJECT = "68db4aa2967d9c03fa9b5e74"
KEY = "ocr_" + "5eed" * 16
# System calls in which a worker waits for something to do, by their numbers on x86-64 and AArch64.
WAITING = {"232", "281", "441", "22"}
PATIENCE_S = 120


class Failed(Exception):
    """Nothing can be said about the budget; the text says why."""


class Config(string.Template):
    """A file with `@{name}` to fill in."""

    delimiter = "@"


class Gateway:
    """`portcullis serve` with one worker, under callgrind."""

    def __init__(self, binary, folder, backend, sample):
        self.folder = pathlib.Path(folder)
        self.plain, self.tls, admin = free_ports(3)
        self._names = {
            "folder": folder, "plain": self.plain, "tls": self.tls, "admin": admin, "backend": backend,
            "sample": sample, "project": PROJECT, "key": KEY,
        }  # fmt: skip
        self._certificate()
        config, fixture = self._write("portcullis.yaml"), self._write("fixture.yaml")
        done = subprocess.run([binary, "import", "--config", config, fixture], capture_output=True, text=True)
        if done.returncode:
            raise Failed(f"portcullis import failed:\n{done.stdout}{done.stderr}")
        self._log = open(self.folder / "serve.log", "w", encoding="utf-8")
        self._process = subprocess.Popen(
            callgrind(self.folder / "profile", "--separate-threads=yes", binary, "serve", "--config", config),
            stdin=subprocess.DEVNULL, stdout=self._log, stderr=subprocess.STDOUT,
        )  # fmt: skip
        self._part = 0
        self._until(lambda: _ready(admin), "it is not ready")
        self._worker = self._thread("worker-0")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.terminate()
        try:
            self._process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()

    def settle(self):
        """Waits until the worker waits: what happens next then finds it asleep, every time."""
        end = time.monotonic() + PATIENCE_S
        while not self._is_waiting():
            if time.monotonic() > end:
                raise Failed(f"the gateway does not come to rest:\n{self._said()}")
            time.sleep(0)

    def _is_waiting(self):
        try:
            call = (self._worker / "syscall").read_text().split()
        except OSError as error:
            raise Failed(f"the gateway ended:\n{self._said()}") from error
        # The fourth argument is how long: with zero it only looks.
        return call[0] in WAITING and int(call[4], 16) != 0

    def count(self):
        """Instructions since the last time, and the profile of them, by thread (in callgrind's numbers)."""
        self._part += 1
        done = subprocess.run(
            ["vgdb", f"--pid={self._process.pid}", "--wait=60", "--max-invoke-ms=0", "dump"],
            capture_output=True, text=True,
        )  # fmt: skip
        if done.returncode:
            raise Failed(f"vgdb failed:\n{done.stdout}{done.stderr}")
        files = self.folder.glob(f"profile.{self._part}-*")
        return {file.name.rpartition("-")[2]: (total(file), file) for file in files}

    def _thread(self, name):
        for task in pathlib.Path(f"/proc/{self._process.pid}/task").iterdir():
            if (task / "comm").read_text().strip() == name:
                return task
        raise Failed(f"there is no thread {name}")

    def _until(self, holds, otherwise):
        end = time.monotonic() + PATIENCE_S
        while not holds():
            if self._process.poll() is not None or time.monotonic() > end:
                raise Failed(f"the gateway did not start: {otherwise}\n{self._said()}")
            time.sleep(0.1)

    def _said(self):
        self._log.flush()
        return pathlib.Path(self._log.name).read_text()[-2000:]

    def _certificate(self):
        command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost"
        names = ["-keyout", self.folder / "key.pem", "-out", self.folder / "cert.pem"]
        subprocess.run([*command.split(), *names], check=True, capture_output=True)

    def _write(self, name):
        target = self.folder / name
        target.write_text(Config((HERE / name).read_text()).substitute(self._names))
        return target


def callgrind(out, *arguments):
    """The command that runs a program under callgrind. glibc's choices by processor are left to valgrind's."""
    if not shutil.which("valgrind"):
        raise Failed("valgrind is missing: `scripts/setup.sh test` installs it")
    options = ["--tool=callgrind", f"--callgrind-out-file={out}", "--dump-line=no"]
    return ["valgrind", "--quiet", *options, *map(str, arguments)]


def total(file):
    """Instructions in a profile."""
    found = re.search(r"^(?:totals|summary): (\d+)", file.read_text(), re.MULTILINE)
    return int(found[1]) if found else 0


def free_ports(count):
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def _ready(admin):
    with contextlib.suppress(OSError):
        with urllib.request.urlopen(f"http://127.0.0.1:{admin}/readyz", timeout=5) as answer:
            return answer.status == 200
    return False

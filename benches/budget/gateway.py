"""The gateway under callgrind, with everything on that a plain request passes."""

import contextlib
import json
import os
import pathlib
import subprocess
import time
import urllib.error
import urllib.request

from counted import PATIENCE_S, Counted, Failed, certificate, write
from servers import free_ports

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parents[1]
PROJECT = "68db4aa2967d9c03fa9b5e74"
KEY = "ocr_" + "5eed" * 16
# Never reached.
LIMIT = "{ requests: 100000000, per: 1m, algorithm: token_bucket }"
# System calls in which a worker waits for something to do, by their numbers on x86-64 and AArch64.
WAITING = {"232", "281", "441", "22"}


class Gateway(Counted):
    """`portcullis serve` with one worker; of `sample` requests of one the access log tells."""

    def __init__(self, binary, folder, backend, sample, limit=LIMIT):
        self.plain, self.tls, admin = free_ports(3)
        names = {
            "folder": folder, "plain": self.plain, "tls": self.tls, "admin": admin, "backend": backend,
            "sample": sample, "limit": limit, "project": PROJECT, "key": KEY,
        }  # fmt: skip
        certificate(folder)
        config, fixture = (write(folder, HERE / name, names) for name in ("portcullis.yaml", "fixture.yaml"))
        done = subprocess.run([binary, "import", "--config", config, fixture], capture_output=True, text=True)
        if done.returncode:
            raise Failed(f"portcullis import failed:\n{done.stdout}{done.stderr}")
        super().__init__(folder, [binary, "serve", "--config", config], lambda: _ready(admin))
        self._worker = self._thread("worker-0")

    def settle(self):
        """Waits until the worker waits: what happens next then finds it asleep, every time."""
        end = time.monotonic() + PATIENCE_S
        while not self._is_waiting():
            if time.monotonic() > end:
                raise Failed(f"the gateway does not come to rest:\n{self._said()}")
            time.sleep(20e-6)

    def _is_waiting(self):
        try:
            call = (self._worker / "syscall").read_text().split()
        except OSError as error:
            raise Failed(f"the gateway ended:\n{self._said()}") from error
        # The fourth argument is how long: with zero it only looks.
        return call[0] in WAITING and int(call[4], 16) != 0

    def _thread(self, name):
        for task in pathlib.Path(f"/proc/{self._process.pid}/task").iterdir():
            if (task / "comm").read_text().strip() == name:
                return task
        raise Failed(f"there is no thread {name}")


def build():
    """The program and the bench of its stages, as the budget counts them: quick to build, next to what is released."""
    command = [os.environ.get("CARGO", "cargo"), "build", "--locked", "--profile", "profiling"]
    command += ["--features", "jemalloc", "--bin", "portcullis", "--bench", "stages"]
    command += ["--message-format", "json-render-diagnostics"]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise Failed("cargo build failed")
    messages = map(json.loads, done.stdout.splitlines())
    made = {it["target"]["name"]: it["executable"] for it in messages if it.get("executable")}
    return made["portcullis"], made["stages"]


def _ready(admin):
    with contextlib.suppress(OSError):
        with urllib.request.urlopen(f"http://127.0.0.1:{admin}/readyz", timeout=5) as answer:
            return answer.status == 200
    return False

"""What the parts share: programs that are run, and a root that has no more in it than the image."""

import contextlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"


def run(*command, good=True, **more):
    """Runs a program; fails with what it said unless it ended as expected. `good=None` takes any end."""
    command = [str(word) for word in command]
    more = {"timeout": 120, "text": True, "capture_output": True} | more
    ran = subprocess.run(command, **more)
    said = f"{' '.join(command)}: {ran.returncode}\n{ran.stdout or ''}{ran.stderr or ''}"
    assert good is None or (ran.returncode == 0) == good, said
    return ran


def tool(name):
    """A program of the environment that check.py runs in."""
    return pathlib.Path(sys.executable).parent / name


@contextlib.contextmanager
def folder():
    with tempfile.TemporaryDirectory() as path:
        yield pathlib.Path(path)


def certificate(into, stem_cert="fullchain.pem", stem_key="privkey.pem"):
    """A pair for TLS, as whoever deploys has to bring."""
    into.mkdir(parents=True, exist_ok=True)
    run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1",
        "-subj", "/CN=api.example.com", "-keyout", into / stem_key, "-out", into / stem_cert)


def libraries(program):
    """The libraries that a program loads, by their names."""
    lines = run("ldd", program).stdout.splitlines()
    return {line.split()[0]: line.split("=>")[-1].split("(")[0].strip() for line in lines}


def rootfs(program, into):
    """The files of the image: a place for the program, and what it loads."""
    (into / "usr/bin").mkdir(parents=True)
    (into / "usr/bin/portcullis").touch()
    for name, path in libraries(program).items():
        if path.startswith("/"):
            at = into / (path if name.startswith("/") else f"lib/{name}").lstrip("/")
            at.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, at)
    for path in ["etc/portcullis", "var/lib/portcullis", "run/secrets", "tmp", "proc", "dev", "etc/ssl"]:
        (into / path).mkdir(parents=True, exist_ok=True)
    return into


class Box:
    """A container without an engine: a root that can only be read, one user, no capability, a network of its own."""

    def __init__(self, root, user, mounts, environment=(), workdir="/", calls=None, first=True):
        """`calls`: a file with a filter of system calls. `first`: the program is process 1 of its own, which ends with it."""
        words = ["bwrap", "--unshare-user", "--unshare-net", "--unshare-ipc", "--unshare-uts", "--die-with-parent", "--clearenv"]
        words += ["--unshare-pid", "--as-pid-1"] if first else []
        words += ["--cap-drop", "ALL"]
        words += ["--uid", str(user), "--gid", str(user), "--ro-bind", str(root), "/", "--proc", "/proc", "--dev", "/dev"]
        words += ["--tmpfs", "/tmp", "--chdir", workdir]
        for source, target, writable in mounts:
            words += ["--bind" if writable else "--ro-bind", str(source), target]
        for name, value in environment:
            words += ["--setenv", name, value]
        self.words, self.calls = words, calls

    @contextlib.contextmanager
    def filtered(self):
        """The command line, and the descriptors that it needs."""
        if self.calls is None:
            yield self.words, []
            return
        with open(self.calls, "rb") as calls:
            yield [*self.words, "--seccomp", str(calls.fileno())], [calls.fileno()]

    def run(self, *command, good=True):
        with self.filtered() as (words, descriptors):
            return run(*words, *command, good=good, pass_fds=descriptors)

    @contextlib.contextmanager
    def started(self, *command):
        """Runs it beside; gives what can be asked of it. It is gone afterwards."""
        reader, writer = os.pipe()
        log = tempfile.TemporaryFile("w+")
        with self.filtered() as (words, descriptors):
            words = [*words, "--info-fd", str(writer), *command]
            process = subprocess.Popen(words, pass_fds=[writer, *descriptors], stdout=log, stderr=log)
        os.close(writer)
        with os.fdopen(reader) as info:
            inside = json.load(info)["child-pid"]
        try:
            yield Running(process, inside, log)
        finally:
            process.kill()
            process.wait()


class Running:
    """What runs in a box."""

    def __init__(self, process, inside, log):
        self.process, self.inside, self.log = process, inside, log

    def said(self):
        self.log.seek(0)
        return self.log.read()

    def ask(self, program, *words):
        """Runs our program where it can reach what listens in there."""
        enter = ["nsenter", "--target", self.inside, "--user", "--net", "--preserve-credentials", "--"]
        return run(*enter, program, *words, good=None)

    def signal(self, name):
        os.kill(self.inside, getattr(signal, f"SIG{name}"))

    def until(self, what, holds, seconds=30):
        end = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < end, f"never: {what}\n{self.said()}"
            time.sleep(0.1)

    def gone(self, what):
        """Waits for the end of the process that is asked."""
        def ended():
            try:
                return pathlib.Path(f"/proc/{self.inside}/stat").read_text().rsplit(") ")[-1][0] in "ZX"
            except FileNotFoundError:
                return True
        end = time.monotonic() + 30
        while not ended():
            assert time.monotonic() < end, f"never: {what}\n{self.said()}"
            time.sleep(0.1)

    def stop(self):
        """SIGTERM, and again, which cuts short how long it drains; how it ended."""
        for _ in range(2):
            self.signal("TERM")
            time.sleep(0.5)
        return self.process.wait(30)

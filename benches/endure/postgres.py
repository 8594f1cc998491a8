"""A PostgreSQL of one's own: from the installed binaries, in a temporary folder, on a free port, ended with what started it.

`fsync` is off: what is proven with it is about gateways that die, never about a store that loses power.
"""

import os
import pathlib
import pwd
import shutil
import signal
import subprocess
import time

from failed import Failed

SETTINGS = {
    "fsync": "off",
    "full_page_writes": "off",
    "max_connections": "300",
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
}


class Postgres:
    """A server with one database, `portcullis`, whose owner of that name needs no password."""

    def __init__(self, folder, port):
        self.folder, self.port, self.process = pathlib.Path(folder), port, None
        self.bin = _binaries()
        self.user = _other_user()
        self.folder.mkdir()
        if self.user:
            shutil.chown(self.folder, **{name: self.user[name] for name in ("user", "group")})

    def url(self, port=None):
        """How a gateway reaches it, by a forwarder's port where one is named."""
        return f"postgres://portcullis@127.0.0.1:{port or self.port}/portcullis"

    def start(self):
        settings = ["--auth=trust", "--username=portcullis", "--encoding=UTF8", "--locale=C", "--no-sync"]
        self._run("initdb", *settings, f"--pgdata={self.folder / 'data'}")
        self.serve()
        self._run("createdb", *self._address(), "--username=portcullis", "portcullis")

    def serve(self):
        """Starts it on the data that it has."""
        settings = [f"--{name}={value}" for name, value in SETTINGS.items()]
        command = [self.bin / "postgres", "-D", self.folder / "data", "-p", str(self.port), *settings]
        with open(self.folder / "log", "a", encoding="utf-8") as log:
            self.process = subprocess.Popen(command, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log, **self.user)
        end = time.monotonic() + 30
        while self._try("pg_isready", *self._address()).returncode:
            if self.process.poll() is not None or time.monotonic() > end:
                raise Failed("PostgreSQL did not start:\n" + (self.folder / "log").read_text())
            time.sleep(0.05)

    def ask(self, query):
        """What a query answers: rows of texts."""
        command = ["--no-psqlrc", "--tuples-only", "--no-align", "--field-separator=|", "--username=portcullis", "--command", query]
        lines = self._run("psql", *self._address(), *command, "portcullis").stdout.splitlines()
        return [line.split("|") for line in lines if line]

    def stop(self):
        if self.process is None:
            return
        self.process.send_signal(signal.SIGINT)  # its "fast" shutdown: who is connected is cut off
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGQUIT)
            self.process.wait()

    def _address(self):
        return "--host=127.0.0.1", f"--port={self.port}"

    def _try(self, program, *arguments):
        command = [self.bin / program, *arguments]
        return subprocess.run(command, cwd=self.folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, **self.user)

    def _run(self, program, *arguments):
        done = self._try(program, *arguments)
        if done.returncode:
            raise Failed(f"{program}: {done.stdout}{done.stderr}")
        return done


def _binaries():
    """Where the newest PostgreSQL's programs are: Debian keeps them out of PATH."""
    found = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: float(path.parts[-3]))
    program = found[-1] if found else shutil.which("postgres")
    if not program:
        raise Failed("PostgreSQL is missing: apt-get install postgresql")
    return pathlib.Path(program).parent


def _other_user():
    """Whom the server runs as, where this runs as root: it refuses to be root."""
    if os.geteuid():
        return {}
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
    raise Failed("PostgreSQL does not run as root, and there is no user `postgres` or `nobody`")

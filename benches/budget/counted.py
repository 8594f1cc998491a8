"""A program under callgrind: started, asked for its counts, stopped.

Only instructions are counted, so that neither the machine nor what else it does matters. valgrind shows the program one
fixed processor (with AVX2, where the machine has it, and nothing newer), so that what is chosen by the processor's
features is the same on every x86-64 machine of the last ten years.
"""

import os
import pathlib
import shutil
import subprocess
import sys
import time

import profiles

# What is started to be counted is configured as what is started to be timed.
sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "compare"))
from servers import Config

PATIENCE_S = 120


class Failed(Exception):
    """Nothing can be said about the instructions; the text says why."""


class Counted:
    """A server whose instructions are counted."""

    def __init__(self, folder, command, is_ready):
        self.folder = pathlib.Path(folder)
        self._log = open(self.folder / "serve.log", "w", encoding="utf-8")
        self._process = subprocess.Popen(
            callgrind(self.folder / "profile", "--separate-threads=yes", *command),
            stdin=subprocess.DEVNULL, stdout=self._log, stderr=subprocess.STDOUT, env=environment(),
        )  # fmt: skip
        self._part = 0
        end = time.monotonic() + PATIENCE_S
        while not is_ready():
            if self._process.poll() is not None or time.monotonic() > end:
                raise Failed(f"{command[0]} did not start, or is not ready:\n{self._said()}")
            time.sleep(0.1)

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
        return {file.name.rpartition("-")[2]: (profiles.total(file), file) for file in files}

    def _said(self):
        self._log.flush()
        return pathlib.Path(self._log.name).read_text()[-2000:]


def write(folder, template, names):
    """A file made from a template, under the template's name."""
    target = pathlib.Path(folder) / template.name
    target.write_text(Config(template.read_text()).substitute(names))
    return target


def certificate(folder):
    """Makes `cert.pem` and `key.pem`."""
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost"
    names = ["-keyout", pathlib.Path(folder) / "key.pem", "-out", pathlib.Path(folder) / "cert.pem"]
    subprocess.run([*command.split(), *names], check=True, capture_output=True)


def callgrind(out, *arguments):
    """The command that runs a program under callgrind."""
    if not shutil.which("valgrind"):
        raise Failed("valgrind is missing: `scripts/setup.sh test` installs it")
    options = ["--tool=callgrind", f"--callgrind-out-file={out}", "--dump-line=no"]
    return ["valgrind", "--quiet", *options, *map(str, arguments)]


def environment():
    """The environment of what is counted. glibc copies with AVX2, as on most machines, and by no single instruction,
    which would be counted for each byte."""
    without = ["AVX512F", "AVX512VL", "AVX512BW", "ERMS", "FSRM"]
    return os.environ | {"GLIBC_TUNABLES": f"glibc.cpu.hwcaps={','.join('-' + feature for feature in without)}"}

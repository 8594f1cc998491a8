"""Builds the programs of our own that a measurement needs beside Portcullis: `backend/`, and `pingora/` when it is to
be measured."""

import pathlib
import shutil
import subprocess
import sys

from failed import Failed

HERE = pathlib.Path(__file__).parent
TARGET = HERE.parents[1] / "target" / "bench"


def backend():
    """The path of the backend's program: some seconds the first time."""
    return _build("backend", "bench-backend", ["cargo"])


def pingora():
    """The path of our few lines around Pingora: some minutes the first time."""
    # zlib-ng, which Pingora cannot do without, is C that is built with cmake.
    return _build("pingora", "pingora-plain", ["cargo", "cmake"])


def _build(folder, program, needed):
    if missing := [name for name in needed if not shutil.which(name)]:
        raise Failed(f"missing: {', '.join(missing)}. `scripts/setup.sh bench-pingora` installs or names them")
    print(f"building {program}", file=sys.stderr, flush=True)
    command = ["cargo", "build", "--release", "--locked", "--quiet", "--target-dir", TARGET]
    if subprocess.run(command, cwd=HERE / folder, check=False).returncode:
        raise Failed(f"{program} could not be built")
    return TARGET / "release" / program


def pingora_version():
    """Of the library, as the lock file has it."""
    _, _, rest = (HERE / "pingora" / "Cargo.lock").read_text().partition('name = "pingora-proxy"\nversion = "')
    return rest.partition('"')[0]

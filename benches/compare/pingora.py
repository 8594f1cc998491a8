"""Builds `pingora/`, our few lines around Pingora, when it is to be measured: some minutes the first time."""

import pathlib
import shutil
import subprocess
import sys

from servers import Failed

HERE = pathlib.Path(__file__).parent
TARGET = HERE.parents[1] / "target" / "pingora"


def build():
    """The path of the program."""
    # zlib-ng, which Pingora cannot do without, is C that is built with cmake.
    if missing := [name for name in ("cargo", "cmake") if not shutil.which(name)]:
        raise Failed(f"missing: {', '.join(missing)}. `scripts/setup.sh bench-pingora` installs or names them")
    print("building pingora-plain", file=sys.stderr, flush=True)
    command = ["cargo", "build", "--release", "--locked", "--quiet", "--target-dir", TARGET]
    if subprocess.run(command, cwd=HERE / "pingora", check=False).returncode:
        raise Failed("pingora-plain could not be built")
    return TARGET / "release" / "pingora-plain"


def version():
    """Of the library, as the lock file has it."""
    _, _, rest = (HERE / "pingora" / "Cargo.lock").read_text().partition('name = "pingora-proxy"\nversion = "')
    return rest.partition('"')[0]

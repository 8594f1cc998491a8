#!/usr/bin/python3
"""What a unit's sandbox refuses of system calls, as a program for the kernel on standard output.

    filter.py UNIT

Reads `SystemCallFilter=`, `SystemCallErrorNumber=`, `RestrictAddressFamilies=` and `MemoryDenyWriteExecute=` as systemd does. Needs
Debian's python3-seccomp, and so Debian's Python.
"""

import errno
import socket
import subprocess
import sys

import seccomp

EXEC, WRITE = 4, 2
MASKED = seccomp.MASKED_EQ


def members(name):
    """The calls of a group, and of those in it."""
    if not name.startswith("@"):
        return {name}
    text = subprocess.run(["systemd-analyze", "syscall-filter", name], check=True, capture_output=True, text=True).stdout
    words = [line.strip() for line in text.splitlines()[1:]]
    return set().union(*(members(word) for word in words if word and not word.startswith("#")))


def settings(path):
    for line in open(path):
        name, _, value = line.strip().partition("=")
        if not line.startswith("#"):
            yield name, value


def main():
    allowed, families, error, writable_code = set(), set(), errno.EPERM, True
    for name, value in settings(sys.argv[1]):
        if name == "SystemCallFilter":
            calls = set().union(*(members(word) for word in value.lstrip("~").split()))
            allowed = allowed - calls if value.startswith("~") else allowed | calls
        elif name == "SystemCallErrorNumber":
            error = getattr(errno, value)
        elif name == "RestrictAddressFamilies":
            families |= {getattr(socket, word) for word in value.split()}
        elif name == "MemoryDenyWriteExecute":
            writable_code = value != "yes"
    filter_ = seccomp.SyscallFilter(seccomp.ERRNO(error))
    for call in sorted(allowed | members("@default")):
        try:
            add(filter_, call, families, writable_code)
        except (RuntimeError, ValueError, OSError):
            # Names of other architectures, and what this library does not know: refused, as everything that is not named.
            continue
    filter_.export_bpf(sys.stdout)


def add(filter_, call, families, writable_code):
    if call == "socket" and families:
        for family in families:
            filter_.add_rule(seccomp.ALLOW, call, seccomp.Arg(0, seccomp.EQ, family))
    elif call == "mmap" and not writable_code:
        filter_.add_rule(seccomp.ALLOW, call, seccomp.Arg(2, MASKED, EXEC, 0))
        filter_.add_rule(seccomp.ALLOW, call, seccomp.Arg(2, MASKED, EXEC | WRITE, EXEC))
    elif call in ("mprotect", "pkey_mprotect") and not writable_code:
        filter_.add_rule(seccomp.ALLOW, call, seccomp.Arg(2, MASKED, EXEC, 0))
    else:
        filter_.add_rule(seccomp.ALLOW, call)


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Runs a program, and lets some of its threads hang while the others go on.

    hang.py PROGRAM ARGUMENT...

Reads a command a line and answers each with a line: `stop NAME` stops the threads of that name, `go` lets them go on,
`pid` says the program's number, `end` waits for the program and says how it ended. The end of its input ends the program.
A debugger may stop the threads of its own child wherever a system lets anybody debug anything, so that the program is one.
"""

import ctypes
import os
import signal
import subprocess
import sys

DETACH, SEIZE, INTERRUPT = 17, 0x4206, 0x4207
WALL = 0x40000000
PR_SET_PDEATHSIG = 1

libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
libc.ptrace.restype = ctypes.c_long


def ptrace(request, thread):
    if libc.ptrace(request, thread, None, None) == -1:
        raise OSError(ctypes.get_errno(), f"ptrace({request:#x}) of {thread}")


def threads(process, name):
    for thread in os.listdir(f"/proc/{process}/task"):
        with open(f"/proc/{process}/task/{thread}/comm") as comm:
            if comm.read().strip() == name:
                yield int(thread)


def stop(process, name):
    stopped = list(threads(process, name))
    for thread in stopped:
        ptrace(SEIZE, thread)
        ptrace(INTERRUPT, thread)
        os.waitpid(thread, WALL)
    return stopped


def main():
    # It ends with this one, however this one ends.
    child = subprocess.Popen(
        sys.argv[1:], stdin=subprocess.DEVNULL, preexec_fn=lambda: libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    )
    stopped = []
    for line in sys.stdin:
        match line.split():
            case ["stop", name]:
                stopped = stop(child.pid, name)
                answer = len(stopped)
            case ["go"]:
                answer = len(stopped)
                for thread in stopped:
                    ptrace(DETACH, thread)
                stopped = []
            case ["pid"]:
                answer = child.pid
            case ["end"]:
                answer = child.wait(timeout=60)
            case _:
                answer = "what?"
        print(answer, flush=True)
    for thread in stopped:
        ptrace(DETACH, thread)
    child.kill()
    child.wait()


if __name__ == "__main__":
    main()

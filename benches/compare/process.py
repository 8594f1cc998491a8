"""What a process and its descendants have used: CPU time and memory, as `/proc` says."""

import contextlib
import os
import pathlib


class Server:
    """A started proxy: its name, its process, and where it listens. `tls` is `None` when it speaks plain HTTP only."""

    def __init__(self, name, process, plain, tls=None, admin=None):
        self.name, self.process, self.plain, self.tls, self.admin = name, process, plain, tls, admin

    def cpu_seconds(self):
        """User and system time that the process and its descendants have used so far."""
        return sum(map(_cpu_ticks, _family(self.process.pid))) / os.sysconf("SC_CLK_TCK")

    def memory(self):
        """Resident bytes of the process and its descendants: PSS, which counts what they share (nginx's worker is a
        fork of its master) once."""
        return sum(map(_pss, _family(self.process.pid)))


def _family(pid):
    yield pid
    with contextlib.suppress(OSError):
        for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                yield from _family(int(child))


def _cpu_ticks(pid):
    with contextlib.suppress(OSError):
        # The command's name stands in brackets and may hold blanks; utime and stime are the 14th and 15th field.
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return int(fields[11]) + int(fields[12])
    return 0


def _pss(pid):
    with contextlib.suppress(OSError):
        for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return 0

"""The systemd units: what systemd says of them, and that the program lives with what they refuse it."""

import pathlib
import re
import shutil
import subprocess
import time

from tools import DEPLOY, Box, certificate, folder, rootfs, run

PROGRAM = None
UNITS = DEPLOY / "systemd"
SERVICE, SOCKET = UNITS / "portcullis.service", UNITS / "portcullis.socket"
#: Exposure of at most 2.0, in tenths.
EXPOSURE = 20


def settings(path):
    """Every value of each setting."""
    found = {}
    for line in path.read_text().splitlines():
        name, separator, value = line.partition("=")
        if separator and not line.startswith("#"):
            found.setdefault(name, []).append(value)
    return found


def rooted(into, alter=lambda text: text):
    """A root with the units, the system's own, and what they start."""
    shutil.copytree("/lib/systemd/system", into / "usr/lib/systemd/system", symlinks=True)
    (into / "lib").mkdir()
    (into / "lib/systemd").symlink_to("../usr/lib/systemd")
    units = into / "etc/systemd/system"
    units.mkdir(parents=True)
    for unit in (SERVICE, SOCKET):
        (units / unit.name).write_text(alter(unit.read_text()))
    for program in ("usr/bin/portcullis", "bin/kill"):
        (into / program).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy("/bin/kill", into / program)
    return into


def verify(root):
    said = [run("systemd-analyze", "verify", f"--root={root}", unit.name) for unit in (SERVICE, SOCKET)]
    return "".join(ran.stdout + ran.stderr for ran in said)


def holds_systemd_understands_every_line():
    with folder() as root:
        assert verify(rooted(root)) == ""
    with folder() as root:
        assert "Unknown key" in verify(rooted(root, lambda text: text.replace("NoNewPrivileges", "NoNewPriviledges")))


def holds_the_exposure_is_at_most_two():
    analyse = ["systemd-analyze", "security", "--offline=true", f"--threshold={EXPOSURE}"]
    run(*analyse, SERVICE)
    with folder() as spoilt:
        without = re.sub(r"^SystemCallFilter=.*\n", "", SERVICE.read_text(), flags=re.M)
        (spoilt / SERVICE.name).write_text(without)
        run(*analyse, spoilt / SERVICE.name, good=False)


def holds_the_sockets_are_those_of_the_configuration():
    text = (UNITS / "portcullis.yaml").read_text()
    for stream in settings(SOCKET)["ListenStream"]:
        assert f"address: {stream} " in text, stream


def holds_it_is_given_the_time_to_drain():
    text = (UNITS / "portcullis.yaml").read_text()
    seconds = [int(re.search(rf"^  {name}: (\d+)s", text, re.M).group(1)) for name in ("delay", "timeout")]
    (stop,) = settings(SERVICE)["TimeoutStopSec"]
    assert int(stop.removesuffix("s")) > sum(seconds)


def holds_it_is_started_again_for_as_long_as_its_store_is_away():
    unit = SERVICE.read_text().split("[Service]")[0]
    assert "\nStartLimitIntervalSec=0\n" in unit and settings(SERVICE)["Restart"] == ["on-failure"]
    assert settings(SOCKET)["TriggerLimitIntervalSec"] == ["0"]


def refused_calls(into):
    """The unit's filter of system calls, in a file."""
    calls = into / "calls"
    with open(calls, "wb") as program:
        filter_ = pathlib.Path(__file__).with_name("filter.py")
        subprocess.run(["/usr/bin/python3", filter_, SERVICE], stdout=program, check=True, timeout=60)
    return calls


def holds_the_program_lives_with_what_the_service_refuses():
    """It starts from the configuration that is delivered, reloads, hands over and ends, with the system calls that are left to it."""
    unit = {name: values[0] for name, values in settings(SERVICE).items()}
    with folder() as base, folder() as etc, folder() as data, folder() as log, folder() as scratch:
        root = rootfs(PROGRAM, base)
        (root / "var/log/portcullis").mkdir(parents=True)
        # The box's own network belongs to nobody who could let it take a port below 1024: the one thing that is not as delivered.
        text = (UNITS / "portcullis.yaml").read_text()
        (etc / "portcullis.yaml").write_text(text.replace("0.0.0.0:443 ", "0.0.0.0:8443 "))
        certificate(etc / "tls")
        (etc / "secrets").mkdir()
        (etc / "secrets/jwt").write_text("0123456789abcdef" * 4)
        mounts = [(PROGRAM, "/usr/bin/portcullis", False), (etc, "/etc/portcullis", False),
                  (data, "/var/lib/portcullis", True), (log, "/var/log/portcullis", True)]
        box = Box(root, 65532, mounts, workdir=unit["WorkingDirectory"], calls=refused_calls(scratch), first=False)
        box.run(*unit["ExecStartPre"].split())
        with box.started(*unit["ExecStart"].split(), "--pid-file", "/var/lib/portcullis/pid") as gateway:
            ready = lambda: gateway.ask(PROGRAM, "healthcheck").returncode == 0
            gateway.until("it is ready", ready)
            gateway.signal("HUP")
            gateway.until("it has reloaded", lambda: "reloaded" in gateway.said())
            gateway.signal("USR2")
            gateway.until("a new process has taken over", lambda: int((data / "pid").read_text()) != gateway.inside)
            gateway.inside = int((data / "pid").read_text())
            assert ready(), gateway.said()
            for name in ("TERM", "TERM"):
                gateway.signal(name)
                time.sleep(0.5)
            gateway.gone("the new process has ended")
            # What holds off new connections is a program in the kernel, which has little room for those of all users together.
            said = [line for line in gateway.said().splitlines() if "hold off new connections" not in line]
            assert not any("not permitted" in line for line in said), gateway.said()
            assert (log / "access.log").is_file()


def holds_the_filter_refuses_what_the_unit_says():
    tries = """
import ctypes, mmap, os, socket
def refused(work):
    try: work()
    except OSError as error: return error.errno == 1
    return False
call = ctypes.CDLL(None, use_errno=True).syscall
def chroot():
    if call(161, b"/"): raise OSError(ctypes.get_errno(), "chroot")
assert refused(lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)), "a socket of another family"
assert refused(lambda: mmap.mmap(-1, 4096, prot=mmap.PROT_WRITE | mmap.PROT_EXEC)), "memory to write and to execute"
assert refused(chroot) and refused(lambda: os.nice(1)), "a privileged call"
socket.socket(socket.AF_INET, socket.SOCK_STREAM)
"""
    with folder() as scratch:
        python = ["/usr/bin/python3", "-c", tries]
        Box("/", 65532, [], calls=refused_calls(scratch)).run(*python)
        Box("/", 65532, []).run(*python, good=False)

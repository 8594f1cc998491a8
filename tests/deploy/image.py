"""The Dockerfile: linted, its context complete, and what it makes run as it says, without an engine."""

import json
import os
import re
import shlex
import shutil

from tools import DEPLOY, ROOT, Box, certificate, folder, libraries, rootfs, run, tool

PROGRAM = None
FILE = DEPLOY / "docker/Dockerfile"
#: What gcr.io/distroless/cc has.
IN_BASE = {"libc.so.6", "libm.so.6", "libgcc_s.so.1", "libdl.so.2", "libpthread.so.0", "librt.so.1"}


def instructions():
    """Each as its name and the rest, lines joined, without comments and images' arguments."""
    text = re.sub(r"^#.*\n", "", FILE.read_text(), flags=re.M).replace("\\\n", " ")
    return [tuple(line.split(None, 1)) for line in text.splitlines() if line.strip()]


def last_stage():
    said = instructions()
    begins = max(index for index, (name, _) in enumerate(said) if name == "FROM")
    return dict(said[begins:])


def listed(text):
    """The words of an instruction in JSON."""
    return json.loads(text[text.index("["):])


def context(into):
    """What goes to the engine by .dockerignore, of what git has: `!` takes in, the rest takes out again."""
    lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    assert lines[0] == "*"
    within = lambda path, rule: path == rule or path.startswith(rule + "/") or (
        rule.startswith("**/") and f"/{rule[3:]}/" in f"/{path}/")
    tracked = run("git", "ls-files", "--cached", "--others", "--exclude-standard", cwd=ROOT).stdout.splitlines()
    for path in tracked:
        taken = False
        for line in lines[1:]:
            if within(path, line.lstrip("!")):
                taken = line.startswith("!")
        if taken and (ROOT / path).is_file():
            (into / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / path, into / path)


def holds_hadolint_is_content():
    run(tool("hadolint"), "--failure-threshold", "style", FILE)
    # And it looks: the same with a root user, an image without a version and a forgotten flag is not let through.
    spoilt = "FROM debian\nUSER root\nRUN apt-get update && apt-get install curl\n"
    run(tool("hadolint"), "--failure-threshold", "style", "-", input=spoilt, good=False)


def holds_every_file_that_is_copied_goes_to_the_engine_and_is_enough_for_cargo():
    with folder() as sent, folder() as src:
        context(sent)
        for name, rest in instructions():
            words = shlex.split(rest)
            if name != "COPY" or words[0].startswith("--from"):
                continue
            for source in words[:-1]:
                assert (sent / source).exists(), f"COPY {source}: not in the context"
            target = words[-1]
            if target.startswith("/") or words[0].startswith("console/"):
                continue
            for source in words[:-1]:
                if (sent / source).is_dir():
                    shutil.copytree(sent / source, src / target, dirs_exist_ok=True)
                else:
                    shutil.copy(sent / source, src)
        # Every target that the manifest names has its file.
        told = run("cargo", "metadata", "--no-deps", "--locked", "--offline", "--format-version", "1", cwd=src)
        targets = json.loads(told.stdout)["packages"][0]["targets"]
        assert any("bin" in target["kind"] for target in targets)
        secrets = [path for path in sent.rglob("*") if path.suffix in {".key", ".db"} or path.name == ".git"]
        assert not secrets, secrets


def holds_the_base_has_what_the_program_loads():
    loaded = {name for name in libraries(PROGRAM) if not name.startswith(("/", "linux-vdso"))}
    assert loaded <= IN_BASE, loaded


def holds_it_runs_as_a_number_in_a_root_that_can_only_be_read():
    stage = last_stage()
    user = stage["USER"].split(":")[0]
    assert user.isdigit() and user != "0"
    name, _, value = stage["ENV"].partition("=")
    healthcheck, entry, command = (listed(stage[name]) for name in ["HEALTHCHECK", "ENTRYPOINT", "CMD"])
    with folder() as base, folder() as etc, folder() as data, folder() as run_:
        root = rootfs(PROGRAM, base)
        shutil.copy(DEPLOY / "docker/portcullis.yaml", etc)
        certificate(etc / "tls")
        (run_ / "portcullis_jwt").write_text("0123456789abcdef" * 4)
        mounts = [(PROGRAM, "/usr/bin/portcullis", False), (etc, "/etc/portcullis", False), (data, "/var/lib/portcullis", True), (run_, "/run/secrets", False)]
        box = Box(root, user, mounts, [(name, value)], stage["WORKDIR"])
        box.run(*entry, "check")
        with box.started(*entry, *command) as gateway:
            ask = lambda *more: gateway.ask(PROGRAM, *healthcheck[1:], *more).returncode
            gateway.until("it is well", lambda: ask() == 0)
            gateway.until("it is ready", lambda: gateway.ask(PROGRAM, "healthcheck").returncode == 0)
            assert gateway.stop() == 0, gateway.said()
        assert (data / "portcullis.db").is_file(), os.listdir(data)
        # The root is one that can not be written: without its folder for data it does not start.
        without = Box(root, user, [mount for mount in mounts if mount[0] != data], [(name, value)])
        without.run(*entry, *command, good=False)

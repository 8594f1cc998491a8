"""The Debian package: made, judged by lintian, installed by dpkg into a root of its own, and run from there."""

import atexit
import os
import pathlib
import shutil
import tempfile

from tools import DEPLOY, Box, rootfs, run

PROGRAM = None
#: Everything that is not Debian's own is found in here.
FOLDER = pathlib.Path(tempfile.mkdtemp())
atexit.register(shutil.rmtree, FOLDER, ignore_errors=True)


def built(name="one"):
    """The package of the program under test; quickly packed, because it is not sent to anybody."""
    into = FOLDER / name
    if not into.exists():
        environment = os.environ | {"COMPRESSION": "gzip", "COMPRESSION_LEVEL": "1", "SOURCE_DATE_EPOCH": "1700000000"}
        run(DEPLOY / "debian/build.sh", PROGRAM, into, env=environment, timeout=300)
    (package,) = into.glob("*.deb")
    return package


def dpkg(root, *words):
    """dpkg on a root of its own. Its scripts are run from outside, and told where the root is; what a package depends on is here."""
    (root / "var/lib/dpkg/info").mkdir(parents=True, exist_ok=True)
    (root / "var/lib/dpkg/updates").mkdir(exist_ok=True)
    for name in ("status", "available"):
        (root / "var/lib/dpkg" / name).touch()
    force = ["--force-script-chrootless", "--force-not-root", "--force-depends", "--force-unsafe-io"]
    return run("dpkg", *force, f"--root={root}", f"--log={root}/dpkg.log", *words)


def installed():
    root = FOLDER / "root"
    if not root.exists():
        dpkg(root, "--install", built())
    return root


def holds_lintian_finds_no_error():
    said = run("lintian", "--fail-on", "error", "--allow-root", "--tag-display-limit", "0", built(), timeout=300).stdout
    assert "E:" not in said, said
    # And it looks: without its licence the package is not let through.
    spoilt = FOLDER / "spoilt"
    run("dpkg-deb", "--raw-extract", built(), spoilt)
    (spoilt / "usr/share/doc/portcullis/copyright").unlink()
    run("dpkg-deb", "-Zgzip", "-z1", "--build", "--root-owner-group", spoilt, FOLDER / "spoilt.deb")
    run("lintian", "--tags", "no-copyright-file", "--fail-on", "error", "--allow-root", FOLDER / "spoilt.deb", good=False, timeout=300)


def holds_the_same_program_makes_the_same_package():
    assert built().read_bytes() == built("again").read_bytes()


def holds_it_installs_with_a_user_and_secrets_that_nobody_else_reads():
    root = installed()
    (user,) = [line.split(":") for line in (root / "etc/passwd").read_text().splitlines() if line.startswith("portcullis:")]
    modes = {"etc/portcullis/secrets": 0o750, "etc/portcullis/secrets/jwt": 0o640, "etc/portcullis/tls/privkey.pem": 0o640,
             "var/lib/portcullis": 0o700, "var/log/portcullis": 0o750, "etc/portcullis/portcullis.yaml": 0o644}
    for path, mode in modes.items():
        assert (root / path).stat().st_mode & 0o777 == mode, path
    if os.geteuid() == 0:
        assert (root / "etc/portcullis/secrets/jwt").stat().st_gid == int(user[3])
        assert (root / "var/lib/portcullis").stat().st_uid == int(user[2])


def holds_what_is_installed_runs_as_it_is():
    """The delivered configuration is good without a change, and the command lines of the unit are those of the program."""
    root = installed()
    base = rootfs(PROGRAM, FOLDER / "base")
    bound = [(root / path, f"/{path}", False) for path in ("usr/bin/portcullis", "etc/portcullis")]
    box = Box(base, 0, bound)
    unit = (root / "usr/lib/systemd/system/portcullis.service").read_text().splitlines()
    (check,) = [line.removeprefix("ExecStartPre=") for line in unit if line.startswith("ExecStartPre=")]
    box.run(*check.split())
    documented = [line.split("file://")[1] for line in unit if line.startswith("Documentation=")]
    assert all((root / path.lstrip("/")).is_file() for path in documented)


def holds_an_edited_configuration_survives_an_upgrade_and_secrets_stay():
    root = installed()
    config, secret = root / "etc/portcullis/portcullis.yaml", root / "etc/portcullis/secrets/jwt"
    before = secret.read_text()
    config.write_text(config.read_text() + "# ours\n")
    dpkg(root, "--force-confold", "--install", built())
    assert config.read_text().endswith("# ours\n") and secret.read_text() == before


def holds_the_shell_and_man_know_it():
    root = installed()
    run("bash", "-n", root / "usr/share/bash-completion/completions/portcullis")
    page = root / "usr/share/man/man1/portcullis.1.gz"
    text = run("zcat", page).stdout
    for name in ("serve", "check", "healthcheck", "token"):
        assert f".B {name}\n" in text, name


def holds_the_store_outlives_a_purge():
    root = installed()
    (root / "var/lib/portcullis/portcullis.db").touch()
    dpkg(root, "--purge", "portcullis")
    assert (root / "var/lib/portcullis/portcullis.db").exists()
    assert not (root / "etc/portcullis/secrets").exists() and not (root / "usr/bin/portcullis").exists()

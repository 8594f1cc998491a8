#!/usr/bin/env python3
"""Judges what is in deploy/ by programs that are not ours.

    target/deploy/bin/python tests/deploy/check.py image | compose | chart | units | package [--portcullis PROGRAM]

`scripts/setup.sh test` makes that environment. Every function of a part that begins with `holds_` is one check; what a validator
is to refuse is shown to it too, so that one that looks at nothing does not pass for one that is content.
"""

import argparse
import importlib
import pathlib
import sys
import traceback

ROOT = pathlib.Path(__file__).resolve().parents[2]
PARTS = ["image", "compose", "chart", "units", "package"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("part", choices=PARTS)
    parser.add_argument("--portcullis", type=pathlib.Path, default=ROOT / "target/debug/portcullis")
    arguments = parser.parse_args()
    part = importlib.import_module(arguments.part)
    part.PROGRAM = arguments.portcullis.resolve(strict=True)
    checks = [check for name, check in vars(part).items() if name.startswith("holds_")]
    failed = 0
    for check in checks:
        name = check.__name__.removeprefix("holds_").replace("_", " ")
        try:
            check()
            print(f"ok      {name}")
        except Exception:
            failed += 1
            print(f"FAILED  {name}\n{traceback.format_exc()}")
    print(f"{len(checks) - failed} passed, {failed} failed")
    sys.exit(bool(failed or not checks))


if __name__ == "__main__":
    main()

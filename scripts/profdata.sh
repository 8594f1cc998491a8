#!/usr/bin/env bash
# Runs llvm-profdata: the compiler's own where it is installed (`rustup component add llvm-tools`), else the system's newest
# that reads what the compiler writes.
#
#   scripts/profdata.sh --find | ARGUMENTS...
set -euo pipefail

found=$(find "$(rustc --print sysroot)" -name llvm-profdata -print -quit)
if [[ -z "$found" ]]; then
  newest=$(compgen -c llvm-profdata- | sort --version-sort | tail -n 1 || true)
  if ((${newest##*-} + 0 >= 19)); then found=$newest; fi
fi
if [[ "${1:-}" == --find ]]; then
  echo "$found"
else
  "${found:?llvm-profdata 19 or later is missing: rustup component add llvm-tools}" "$@"
fi

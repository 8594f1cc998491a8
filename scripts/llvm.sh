#!/usr/bin/env bash
# Runs one of LLVM's tools: the compiler's own where it is installed (`rustup component add llvm-tools`), else the system's
# newest, if it is new enough to read what the compiler writes.
#
#   scripts/llvm.sh --find TOOL | TOOL ARGUMENTS...
set -euo pipefail

least=19
find=
if [[ $1 == --find ]]; then find=1 && shift; fi
tool=$1 && shift

found=$(find "$(rustc --print sysroot)" -name "$tool" -print -quit)
if [[ -z $found ]]; then
  newest=$(compgen -c "$tool-" | sort --version-sort | grep -E -- "^$tool-[0-9]+\$" | tail -n 1 || true)
  # Where it really is: BOLT looks for its library beside that.
  if ((${newest##*-} + 0 >= least)); then found=$(readlink -f "$(command -v "$newest")"); fi
fi
if [[ $find ]]; then
  echo "$found"
else
  "${found:?"$tool $least or later is missing; on Debian it is in the packages llvm-19 and bolt-19"}" "$@"
fi

#!/usr/bin/env bash
# What scripts/fuzz.sh has cargo call for rustc: counts for the fuzzer which branches were taken, in the crates that read
# what comes from outside. In all of them it would only look at a million counters after each input.
set -euo pipefail
counted=" portcullis portcullis_fuzz httparse serde_json granit_parser jsonwebtoken "
rustc=$1
shift
flags=()
name=""
for argument in "$@"; do
  if [[ "$name" == next ]]; then name=$argument && break; fi
  if [[ "$argument" == --crate-name ]]; then name=next; fi
done
if [[ "$counted" == *" $name "* ]]; then
  flags=(-C passes=sancov-module -C llvm-args=-sanitizer-coverage-level=4
    -C llvm-args=-sanitizer-coverage-inline-8bit-counters -C llvm-args=-sanitizer-coverage-pc-table
    -C llvm-args=-sanitizer-coverage-trace-compares --cfg fuzzing)
fi
exec "$rustc" "$@" "${flags[@]}"

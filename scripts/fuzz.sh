#!/usr/bin/env bash
# Tries each fuzz target for a while, and fails with what it found. docs/fuzzing.md tells more.
#
#   scripts/fuzz.sh [target ...]
#
# FUZZ_SECONDS is how long each is tried (60), FUZZ_JOBS how many are at a time (half of the processors). What is found
# stands in fuzz/cases; what was learnt on the way in target/fuzz/corpus, from where the next run goes on.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

seconds=${FUZZ_SECONDS:-60}
jobs=${FUZZ_JOBS:-$((($(nproc) + 1) / 2))}
host=$(rustc -vV | sed -n 's/^host: //p')
built=target/fuzz/$host/release

# A stable compiler will do: what the fuzzer needs are passes of LLVM's, and it says itself what a crash is. With a target
# named, build scripts and macros are built without them.
RUSTC_WRAPPER="$PWD/scripts/fuzz-rustc.sh" CARGO_TARGET_DIR="$PWD/target/fuzz" CARGO_INCREMENTAL=0 \
  "${CARGO:-cargo}" build --quiet --release --locked --manifest-path fuzz/Cargo.toml --target "$host"

targets=("$@")
if ((${#targets[@]} == 0)); then
  for file in fuzz/fuzz_targets/*.rs; do targets+=("$(basename "$file" .rs)"); done
fi

try() {
  local target=$1 log="target/fuzz/$1.log" options=()
  mkdir -p "target/fuzz/corpus/$target" "fuzz/cases/$target"
  if [[ -e "fuzz/dictionaries/$target.dict" ]]; then options+=("-dict=fuzz/dictionaries/$target.dict"); fi
  local status=0
  "$built/$target" "${options[@]}" -max_total_time="$seconds" -max_len=12288 -timeout=30 -rss_limit_mb=2048 \
    -artifact_prefix="fuzz/cases/$target/" -print_final_stats=1 \
    "target/fuzz/corpus/$target" "fuzz/seeds/$target" "fuzz/cases/$target" >"$log" 2>&1 || status=$?
  # Git keeps no empty folders, and none is wanted.
  rmdir --ignore-fail-on-non-empty "fuzz/cases/$target"
  local tried
  tried=$(sed -n 's/^stat::number_of_executed_units: //p' "$log")
  if ((status == 0)); then
    printf '%-12s %12s inputs, nothing found\n' "$target" "${tried:-0}"
  else
    printf '%-12s %12s inputs, FOUND SOMETHING: %s\n' "$target" "${tried:-0}" \
      "$(sed -n 's/.*Test unit written to //p' "$log" | tail -n 1)"
    grep -A 3 -m 1 'panicked at' "$log" || tail -n 5 "$log"
    return 1
  fi
}
export -f try
export built seconds

echo "Each of ${#targets[@]} targets for $seconds s, $jobs at a time"
status=0
printf '%s\n' "${targets[@]}" | xargs -P "$jobs" -I '{}' bash -euo pipefail -c 'try {}' || status=1
if ((status != 0)); then
  echo "What was found stands in fuzz/cases, and stays there as a case: cargo test --test main fuzz_cases shows it" >&2
fi
exit "$status"

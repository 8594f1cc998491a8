#!/usr/bin/env bash
# Builds the program that is to be run in earnest: optimised for what it does most, as a recorded load shows it.
#
#   scripts/dist.sh        the program is target/dist/portcullis
#
# It is built twice: first so that it counts how often which part of it runs, under the load of benches/compare; then with
# these counts (profile-guided optimisation, https://doc.rust-lang.org/rustc/profile-guided-optimization.html). What it
# does is the same as that of `cargo build --release --features jemalloc`; it takes fewer instructions, and those that it
# takes most lie together.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

scripts/setup.sh dist
folder=$PWD/target/dist
raw=$folder/counts profile=$folder/portcullis.profdata
mkdir -p "$folder"

# The compiler's own, where it is installed (`rustup component add llvm-tools`), or the system's newest.
profdata() {
  local found
  found=$(find "$(rustc --print sysroot)" -name llvm-profdata -print -quit)
  : "${found:=$(command -v llvm-profdata || true)}"
  : "${found:=$(compgen -c llvm-profdata- | sort -V | tail -n 1)}"
  "${found:?llvm-profdata is missing: rustup component add llvm-tools}" "$@"
}

build() {
  RUSTFLAGS="$1" cargo build --release --locked --features jemalloc --target-dir "$folder/build" "${@:2}"
}

rm -rf "$raw"
# Without what is done across modules, which takes long and counts nothing.
build "-Cprofile-generate=$raw" --config 'profile.release.lto="off"' --config profile.release.codegen-units=16
benches/compare/train.py "$folder/build/release/portcullis"
profdata merge --output "$profile" "$raw"
build "-Cprofile-use=$profile"
cp "$folder/build/release/portcullis" "$folder/portcullis"
echo "Built target/dist/portcullis"

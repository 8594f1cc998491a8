#!/usr/bin/env bash
# Builds the program that is to be run in earnest: optimised for what it does most, as a recorded load shows it.
#
#   scripts/dist.sh        the program is target/dist/portcullis
#
# It is built twice: first so that it counts how often which part of it runs, under the load of benches/compare; then with
# these counts (profile-guided optimisation, https://doc.rust-lang.org/rustc/profile-guided-optimization.html). What it
# does is the same as that of `cargo build --release --features jemalloc`; it takes fewer instructions, and those that it
# takes most lie together. Does nothing when the program is there and its sources are what they were.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

folder=$PWD/target/dist
raw=$folder/counts profile=$folder/portcullis.profdata
mkdir -p "$folder"

sources=$(rustc -vV && find Cargo.toml Cargo.lock build.rs .cargo src console/dist benches/compare scripts/dist.sh -type f \
  -not -path "*/__pycache__/*" -print0 | sort -z | xargs -0 sha256sum)
if [[ -x $folder/portcullis && -f $folder/sources && $sources == "$(<"$folder/sources")" ]]; then
  exit 0
fi
scripts/setup.sh dist

# With the target named, the flags are not for what runs while it is built. Each kind has a folder of its own: else one
# would take the other's place, libraries and all.
target=$(rustc -vV | sed -n 's/^host: //p')
build() {
  RUSTFLAGS="$2" cargo build --release --locked --features jemalloc --target "$target" --target-dir "$folder/$1" "${@:3}"
}

# Without what is done across modules, which takes long and counts nothing.
build counting "-Cprofile-generate=$raw" --config 'profile.release.lto="off"' --config profile.release.codegen-units=16
rm -rf "$raw"
benches/compare/train.py "$folder/counting/$target/release/portcullis"
scripts/profdata.sh merge --output "$profile" "$raw"
# Cargo does not look into the file: what depends on the counts is our own crate most of all.
cargo clean --quiet --release --package portcullis --target "$target" --target-dir "$folder/final"
build final "-Cprofile-use=$profile"
cp "$folder/final/$target/release/portcullis" "$folder/portcullis"
echo "$sources" >"$folder/sources"
echo "Built target/dist/portcullis"

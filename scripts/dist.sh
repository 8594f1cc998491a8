#!/usr/bin/env bash
# Builds the program that is to be run in earnest: optimised for what it does most, as a recorded load shows it.
#
#   scripts/dist.sh        the program is target/dist/portcullis
#
# It is built twice: first so that it counts how often which part of it runs, under the load of benches/compare; then with
# these counts (profile-guided optimisation, https://doc.rust-lang.org/rustc/profile-guided-optimization.html). The program
# then counts once more which way it takes at each branch, and is laid out anew by that (BOLT, Panchenko et al., 2019,
# https://arxiv.org/abs/1807.06735). What it does is the same as that of `cargo build --release --features jemalloc`; it
# takes fewer instructions, and those that it takes most lie together, one behind the other. Does nothing when the program is
# there and its sources are what they were.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

folder=$PWD/target/dist
raw=$folder/counts profile=$folder/portcullis.profdata
mkdir -p "$folder"

sources=$(rustc -vV && find Cargo.toml Cargo.lock build.rs .cargo src console/dist benches/compare scripts/dist.sh scripts/llvm.sh -type f \
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
scripts/llvm.sh llvm-profdata merge --output "$profile" "$raw"
# Cargo does not look into the file: what depends on the counts is our own crate most of all.
cargo clean --quiet --release --package portcullis --target "$target" --target-dir "$folder/final"
build final "-Cprofile-use=$profile -Clink-arg=-Wl,--emit-relocs"

built=$folder/final/$target/release/portcullis
branches=$folder/branches
rm -rf "$branches" && mkdir "$branches"
bolt() {
  scripts/llvm.sh llvm-bolt "$built" "$@" >"$branches/log" 2>&1 || { cat "$branches/log" >&2 && return 1; }
}
bolt --instrument --instrumentation-file="$branches/counts" --instrumentation-file-append-pid -o "$branches/counting"
benches/compare/train.py "$branches/counting"
scripts/llvm.sh merge-fdata -o "$branches/all" "$branches"/counts.*.fdata
# What was not counted is left as it is, and so is the cryptography, which is assembly that others have checked.
find "$folder/final/$target/release/build" -name "libaws_lc*.a" -exec nm --defined-only {} + 2>/dev/null |
  awk '$2 ~ /^[tT]$/ { print $3 }' >"$branches/theirs"
# The counts name what is local to its file with a slash and a number behind.
awk 'function bare(name) { sub("/.*", "", name); return name }
  NR == FNR { theirs[$1]; next }
  !(bare($2) in theirs) && !(bare($5) in theirs)' "$branches/theirs" "$branches/all" >"$branches/ours"
[[ -s $branches/theirs && -s $branches/ours ]]
bolt --data="$branches/ours" --reorder-blocks=ext-tsp --reorder-functions=cdsort --split-functions --split-all-cold \
  --split-eh --use-gnu-stack -o "$branches/portcullis"
# What was laid out anew is in .text, and the rest where it was, which has another name now.
moved=$(objdump --syms "$branches/portcullis" |
  awk 'NR == FNR { theirs[$1]; next } $3 == "F" && $4 ~ /^\.text/ && $NF in theirs { print $NF }' "$branches/theirs" -)
if [[ $moved ]]; then
  echo "Cryptography was laid out anew:" $moved >&2
  exit 1
fi
strip --strip-debug -o "$folder/portcullis" "$branches/portcullis"
# One that does not even start is not to be taken for built.
"$folder/portcullis" --version
echo "$sources" >"$folder/sources"
echo "Built target/dist/portcullis"

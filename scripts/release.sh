#!/usr/bin/env bash
# Makes a release of what is committed: target/release-files has the archive, the Debian package, the list of parts, checksums.
#
#   scripts/release.sh [--twice] [--profile NAME]
#
# Whoever builds the same commit with the same tools gets the same bytes: the sources are those of the commit, in a folder of
# their own, and no path, date, user or order of files gets into what is built. --twice builds all of it once more, in another
# folder, and compares. --profile takes another of Cargo's profiles than `release`, to try this script in less time.
# docs/release.md tells more.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

twice="" profile=release
while (($# > 0)); do
  case "$1" in
    --twice) twice=1 ;;
    --profile) profile=${2:?--profile takes a name} && shift ;;
    *)
      echo "usage: scripts/release.sh [--twice] [--profile NAME]" >&2
      exit 2
      ;;
  esac
  shift
done

commit=$(git rev-parse HEAD)
if [[ -n "$(git status --porcelain)" ]]; then
  echo "There are changes that are not committed: the release is of $commit, without them" >&2
fi
target=$(rustc -vV | sed -n 's/^host: //p')
version=$(sed -n '0,/^version = /s/^version = "\(.*\)"/\1/p' Cargo.toml)
name=portcullis-$version-$target
output=$PWD/target/release-files
umask 022
export LC_ALL=C TZ=UTC CARGO_INCREMENTAL=0 CARGO_TERM_COLOR=never
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
export SOURCE_DATE_EPOCH
# What this machine has set for its own builds does not count.
unset RUSTC_WRAPPER RUSTC_WORKSPACE_WRAPPER CARGO_BUILD_RUSTFLAGS CARGO_ENCODED_RUSTFLAGS RUSTFLAGS CFLAGS CXXFLAGS CPPFLAGS LDFLAGS

# Builds everything below a folder that nobody has used before; what is to be handed on is in its folder `files`.
build() {
  local folder=$1 source=$1/source archive=$1/$name files=$1/files
  mkdir -p "$source" "$archive" "$files"
  git archive "$commit" | tar --extract --directory "$source"
  (
    cd "$source"
    cargo fetch --quiet --locked --target "$target"
    local flags c_flags crates
    flags="-Clink-arg=-Wl,--build-id=none --remap-path-prefix=$folder=/build"
    c_flags="-ffile-prefix-map=$folder=/build"
    # The folder of the crates' sources is named after where they were fetched from.
    for crates in "${CARGO_HOME:-$HOME/.cargo}"/registry/src/*; do
      flags+=" --remap-path-prefix=$crates=/crates"
      c_flags+=" -ffile-prefix-map=$crates=/crates"
    done
    scripts/console.sh
    RUSTFLAGS=$flags CFLAGS=$c_flags CXXFLAGS=$c_flags \
      cargo build --quiet --profile "$profile" --locked --features jemalloc --target "$target" --target-dir "$folder/target"
    install -m 755 "$folder/target/$target/$(folder_of "$profile")/portcullis" "$archive/portcullis"
    install -m 644 README.md LICENSE CHANGELOG.md SECURITY.md config/portcullis.yaml "$archive/"
    scripts/sbom.py --target "$target" >"$archive/sbom.cdx.json"
    scripts/sbom.py --target "$target" --licences >"$archive/THIRD-PARTY.txt"
    built_with >"$archive/BUILD.txt"
    if [[ $debian ]]; then deploy/debian/build.sh "$archive/portcullis" "$files"; fi
  ) >&2
  cp "$archive/sbom.cdx.json" "$files/$name.cdx.json"
  tar --create --directory "$folder" --format=posix --pax-option=exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime \
    --sort=name --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner --mode=go-w "$name" |
    gzip --no-name --best >"$files/$name.tar.gz"
  (cd "$files" && sha256sum -- * >"$folder/SHA256SUMS" && mv "$folder/SHA256SUMS" .)
}

# Cargo's folder of a profile.
folder_of() {
  if [[ $1 == dev ]]; then echo debug; else echo "$1"; fi
}

# What somebody who builds it again has to have.
built_with() {
  echo "portcullis $version, commit $commit"
  echo "profile $profile, features jemalloc, target $target"
  rustc -vV
  gcc --version | head -n 1
  ld --version | head -n 1
  echo "node $(node --version), npm $(npm --version)"
}

debian=$(command -v dpkg-deb || true)
if [[ -z $debian ]]; then echo "There is no dpkg-deb here: a release without a Debian package" >&2; fi
# Not below target/: in a folder of another package, Cargo would take that one's .cargo/config.toml as well.
work=$(mktemp --directory --tmpdir portcullis-release.XXXXXXXX)
trap 'rm -rf "$work"' EXIT
build "$work/one"
if [[ $twice ]]; then
  build "$work/another-with-a-longer-name"
  # First what the archives are made of: a difference there says more.
  diff --recursive "$work/one/$name" "$work/another-with-a-longer-name/$name"
  diff --recursive "$work/one/files" "$work/another-with-a-longer-name/files"
  echo "Built twice, in two folders: byte for byte the same"
fi

rm -rf "$output"
mkdir -p "$(dirname "$output")"
cp -r "$work/one/files" "$output"
echo "Made target/release-files:"
cat "$output/SHA256SUMS"

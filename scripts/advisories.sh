#!/usr/bin/env bash
# Asks RustSec's database whether anything is known against the crates in Cargo.lock.
#
#   ADVISORY_DB=/path/to/a/clone scripts/advisories.sh      another Git repository with the database
#
# A database that can not be had fails: nothing was checked then, and that must not look like "nothing known".
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

usual=https://github.com/RustSec/advisory-db
config=target/supply/deny-advisories.toml
# Fetched by Git itself, whose configuration says where that is. How old a copy is that somebody keeps is said below.
awk -v url="$usual" -v folder="$PWD/target/supply/advisories" '{ print } /^\[advisories\]/ {
  print "db-urls = [\"" url "\"]\ndb-path = \"" folder "\"\ngit-fetch-with-cli = true\nmaximum-db-staleness = \"P1Y\"" }' \
  deny.toml >"$config"
if [[ -n "${ADVISORY_DB:-}" ]]; then
  if [[ -d $ADVISORY_DB ]]; then ADVISORY_DB=file://$(cd "$ADVISORY_DB" && pwd); fi
  export GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=url.$ADVISORY_DB.insteadOf GIT_CONFIG_VALUE_0=$usual
fi
# A database that was fetched from elsewhere before is not to stand in for this one.
rm -rf target/supply/advisories

PATH="$PWD/target/supply/bin:$PATH" "${CARGO:-cargo}" deny --config "$PWD/$config" --locked --log-level error check advisories
echo "The database is of $(git -C target/supply/advisories/*/ log -1 --format=%cs)"

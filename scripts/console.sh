#!/usr/bin/env bash
# Builds the front end, which becomes part of the program: console/ to console/dist.
#
# Says nothing and takes no time when what is there was built from what is there.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../console"

# src/api/schema.d.ts is made of the API's document while it builds.
sources=$({ find docs src public -type f ! -path src/api/schema.d.ts
  ls index.html package.json package-lock.json .npmrc svelte.config.js tsconfig.json vite.config.js ../docs/openapi.json; } |
  LC_ALL=C sort | xargs sha256sum | sha256sum)
if [[ -f dist/index.html && -f dist/docs/index.html && "$(cat dist/.built 2>/dev/null)" == "$sources" ]]; then
  exit 0
fi

if ! node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 22 || (a === 22 && b >= 12) || (a === 20 && b >= 19) ? 0 : 1)' 2>/dev/null; then
  echo "The front end takes Node.js 20.19 or 22.12 or later, with npm. Install it as https://nodejs.org says, then run this again." >&2
  exit 1
fi

echo "Building the front end"
npm ci --silent
npm run build --silent -- --logLevel warn
echo "$sources" >dist/.built

#!/usr/bin/env bash
# Has what is handed on judged by tools that are not ours: the list of parts against CycloneDX's schema, the workflow files
# against that of GitHub Actions. scripts/setup.sh installs them.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

tools=target/supply/bin
scripts/sbom.py >target/supply/sbom.cdx.json
"$tools/python3" - target/supply/sbom.cdx.json <<'PYTHON'
import sys
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

error = JsonStrictValidator(SchemaVersion.V1_6).validate_str(open(sys.argv[1], encoding="utf-8").read())
sys.exit(f"the list of parts is no CycloneDX 1.6: {error}" if error else 0)
PYTHON
"$tools/yamllint" --strict --config-data "{extends: default, rules: {line-length: {max: 130}, document-start: disable, truthy: {check-keys: false}, comments: {min-spaces-from-content: 1}}}" .github
"$tools/check-jsonschema" --builtin-schema vendor.github-workflows .github/workflows/*.yml

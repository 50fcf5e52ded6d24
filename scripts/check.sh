#!/usr/bin/env bash
# Everything that can be said about the sources without running them. All checks run; one failing fails the whole.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
status=0
step() {
  local name=$1
  shift
  printf -- '-- %s\n' "$name"
  "$@" || { status=1; printf 'failed: %s\n' "$name"; }
}
step biome node node_modules/@biomejs/biome/bin/biome check .
step tsc node node_modules/typescript/bin/tsc -p .
step knip node node_modules/knip/bin/knip.js
step imports node node_modules/tsx/dist/cli.mjs scripts/check/imports.ts
[ $status = 0 ] && echo "check passed" || echo "check failed"
exit $status

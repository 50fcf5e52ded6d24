# The file's way onto the host. Variables: version, sha256, size (bytes), need_kib (the file and what it unpacks).
# After the frame `ready` the rest of stdin is the file: not before, because a shell may read ahead.

check_host() {
  case $(uname -s) in
    Linux) ;;
    *) fail platform_unsupported "this host runs $(uname -s), not Linux" ;;
  esac
  case $(uname -m) in
    x86_64 | amd64) ;;
    *) fail platform_unsupported "this host is a $(uname -m), not x86_64" ;;
  esac
  limit=$(ulimit -v 2>/dev/null)
  case $limit in
    '' | *[!0-9]*) ;;
    *) [ "$limit" -ge 1572864 ] || fail address_space_limited "ulimit -v is $limit KiB on this host" ;;
  esac
}

check_space() {
  free=$(free_of -k "$root")
  if [ -n "$free" ] && [ "$free" -lt "$need_kib" ]; then
    fail no_space "$root has $((free / 1024)) MiB free, $((need_kib / 1024)) MiB are needed"
  fi
  free=$(free_of -i "$root")
  # A file system that makes inodes as it needs them says `-` in place of a percentage, and is not asked.
  if [ -n "$free" ] && [ "$free" -lt 64 ]; then
    fail no_inodes "$root has $free free inodes, 64 are needed"
  fi
}

check_exec() {
  trial=$root/bin/.trial-$nonce
  printf '#!/bin/sh\nexit 0\n' >"$trial" 2>/dev/null || { rm -f "$trial"; fail no_space "cannot write in $root/bin: the disk or a quota is full"; }
  chmod 700 "$trial"
  "$trial" >/dev/null 2>&1 </dev/null
  ran=$?
  rm -f "$trial"
  [ "$ran" -eq 0 ] || fail noexec "the file system of $root does not let files be executed"
}

main() {
  find_root
  check_host
  make_root
  check_space
  check_exec
  # What a host that lost its power left behind; a living upload is never a day old.
  find "$root/bin" -name '.upload-*' -mtime +0 -exec rm -f {} \; 2>/dev/null
  temporary=$root/bin/.upload-$nonce
  trap 'rm -f "$temporary"' EXIT
  trap 'exit 1' HUP INT TERM PIPE
  say ready yes
  cat 2>/dev/null >"$temporary"
  written=$?
  got=$(wc -c <"$temporary" | tr -d ' ')
  if [ "$written" -ne 0 ]; then
    free=$(free_of -k "$root")
    rm -f "$temporary"
    [ "${free:-0}" -lt 1024 ] && fail no_space "the file system of $root is full: $got of $size bytes written"
    fail install_failed "writing to $root/bin failed after $got of $size bytes (a quota?)"
  fi
  if [ "$got" != "$size" ]; then
    rm -f "$temporary"
    fail upload_corrupt "the upload ended after $got of $size bytes"
  fi
  chmod 700 "$temporary"
  "$temporary" --verify "$sha256" >/dev/null 2>&1 </dev/null
  verified=$?
  if [ "$verified" -ne 0 ]; then
    rm -f "$temporary"
    [ "$verified" -eq 126 ] && fail noexec "the file system of $root does not let files be executed"
    fail upload_corrupt "the uploaded file does not have the hash $sha256"
  fi
  dd if=/dev/null of="$temporary" conv=notrunc,fsync 2>/dev/null || sync
  # A rename, so that a stub that runs from the old file is not disturbed.
  mv -f "$temporary" "$binary" || fail install_failed "cannot rename the uploaded file to $binary"
  printf '%s\n' "$version" >"$root/.version-$nonce" && mv -f "$root/.version-$nonce" "$root/version"
  say done yes
}

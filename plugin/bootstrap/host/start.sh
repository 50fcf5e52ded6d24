# From the installed file to a running stub, once, whoever else tries at the same time. Variables: wait_seconds, replaces (the
# instance that it takes over from where it runs, or empty).

lock=

take_lock() { # a hard link appears with its content or not at all; its holder is named by pid and start time
  mine=$root/run/.start-$nonce
  state=$(process_state "$$")
  printf '%s %s\n' "$$" "${state#* }" >"$mine" || fail install_failed "cannot write in $root/run"
  tries=0
  until ln "$mine" "$root/run/start.lock" 2>/dev/null; do
    holder=$(first_line "$root/run/start.lock")
    if [ -n "$holder" ] && ! is_process "${holder% *}" "${holder#* }"; then
      # Its holder is gone. Only one of several waiters gets the rename; a fresh lock that it took by mistake goes back.
      mv "$root/run/start.lock" "$mine.stale" 2>/dev/null &&
        { [ "$(first_line "$mine.stale")" = "$holder" ] || ln "$mine.stale" "$root/run/start.lock" 2>/dev/null; }
      rm -f "$mine.stale"
      continue
    fi
    tries=$((tries + 1))
    [ "$tries" -lt $((wait_seconds * 20)) ] || fail start_failed "another start of the stub does not end (process ${holder% *} on the host)"
    tick
  done
  lock=$root/run/start.lock
}

clean() {
  rm -f "$root/run/.start-$nonce" "$root/run/.launch-$nonce"
  [ -z "$lock" ] || rm -f "$lock"
}

fail_start() { # CODE MESSAGE
  emit log tail -n 20 "$root/log/stub.log" 2>/dev/null
  fail "$1" "$2"
}

is_replaced() { # the stub that runs is the one that makes room
  [ -n "$replaces" ] && [ "$(json_string instanceID "$root/run/stub.json")" = "$replaces" ]
}

launch() { # FLAGS…
  output=$root/run/.launch-$nonce
  # The user's own umask: it is the one that commands shall have.
  (umask "$login_umask" && cd / && exec "$binary" --daemonize --install-root "$root" "$@") </dev/null >"$output" 2>&1
  launched=$?
  said=$(sed -n '1{s/^error [A-Za-z_]*: //;p;}' "$output" 2>/dev/null)
  said=${said:-the launcher ended with status $launched}
  case $launched in
    0) ;;
    70) fail_start install_failed "$said" ;;
    71) fail_start no_space "$said" ;;
    72) fail_start no_inodes "$said" ;;
    73) fail_start address_space_limited "$said" ;;
    74) fail_start noexec "$said" ;;
    75) fail_start upload_corrupt "$said" ;;
    76) fail_start platform_unsupported "$said" ;;
    126) fail_start noexec "the host cannot execute $binary" ;;
    *) fail_start start_failed "$said" ;;
  esac
  tries=0
  until stub_lives && ! is_replaced && [ -s "$root/run/stub.token" ]; do
    tries=$((tries + 1))
    [ "$tries" -lt $((wait_seconds * 10)) ] || fail_start start_failed "the stub was started and did not come up within $wait_seconds s"
    tick
  done
}

main() {
  find_root
  [ -x "$binary" ] || fail stub_missing "no stub is installed in $root"
  make_root
  trap clean EXIT
  trap 'exit 1' HUP INT TERM PIPE
  take_lock
  if stub_lives && is_replaced; then
    launch --take-over "$replaces"
    say started yes
  elif stub_lives; then
    say started no
  else
    launch
    say started yes
  fi
  say root "$root"
  emit json cat "$root/run/stub.json"
  emit token cat "$root/run/stub.token"
  say done yes
}

# Ends the stub, by pid and start time, never by name. Variables: wait_seconds, force (yes or no).

gone_within() { # SECONDS
  tries=0
  while is_process "$stub_pid" "$stub_start"; do
    tries=$((tries + 1))
    [ "$tries" -lt $(($1 * 10)) ] || return 1
    tick
  done
}

main() {
  find_root
  if ! stub_lives; then
    say stopped none
  else
    kill -TERM "$stub_pid" 2>/dev/null
    if gone_within "$wait_seconds"; then
      say stopped "$stub_pid"
    elif [ "$force" = yes ] && is_process "$stub_pid" "$stub_start" && kill -KILL "$stub_pid" && gone_within 5; then
      say stopped "$stub_pid"
    else
      fail timeout "the stub (process $stub_pid) did not end within $wait_seconds s"
    fi
  fi
  say done yes
}

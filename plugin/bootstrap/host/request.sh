# One GET to the stub over `attach`, for scripts/setup-host.sh. Variables: path, token (in this text, so never in any argv).

send() {
  printf 'GET %s HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer %s\r\nconnection: close\r\n\r\n' "$path" "$token"
  # Our side stays open until the stub has answered: it gives up on who has hung up. A line end means nothing to it, and
  # to us the end of `attach`, which nobody reads for any more.
  ticks=0
  while [ $ticks -lt 300 ] && tick && printf '\r\n'; do ticks=$((ticks + 1)); done 2>/dev/null
}

ask() {
  send | "$binary" attach --socket "$(json_string socket "$root/run/stub.json")"
}

main() {
  find_root
  emit answer ask
  say done yes
}

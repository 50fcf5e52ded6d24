# One GET to the stub over `attach`, for scripts/setup-host.sh. Variables: path, token (in this text, so never in any argv).

send() {
  printf 'GET %s HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer %s\r\nconnection: close\r\n\r\n' "$path" "$token"
}

ask() {
  send | "$binary" attach --socket "$(json_string socket "$root/run/stub.json")"
}

main() {
  find_root
  emit answer ask
  say done yes
}

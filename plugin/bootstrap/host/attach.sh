# Joins this channel to the stub's socket, where sshd forbids forwarding. Variables: socket.
# After the frame `ready` both directions are the stub's bytes: not before, because a shell may read ahead.

main() {
  find_root
  [ -x "$binary" ] || fail stub_missing "no stub is installed in $root"
  # Said before the other side counts on the stream, so that it looks for a stub that ended.
  stub_lives || fail stub_missing "the stub does not run"
  say ready yes
  exec "$binary" attach --socket "$socket"
}

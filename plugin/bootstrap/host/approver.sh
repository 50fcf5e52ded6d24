# Registers the public half of an installation's approver. Variables: key_id, public_key (base64).

main() {
  find_root
  make_root
  mkdir -p "$root/state/approvers" && chmod 700 "$root/state/approvers" || fail install_failed "cannot make $root/state/approvers"
  temporary=$root/state/approvers/.$key_id-$nonce
  trap 'rm -f "$temporary"' EXIT
  trap 'exit 1' HUP INT TERM PIPE
  printf '%s\n' "$public_key" >"$temporary" && mv -f "$temporary" "$root/state/approvers/$key_id.pub" ||
    fail install_failed "cannot write in $root/state/approvers"
  say done yes
}

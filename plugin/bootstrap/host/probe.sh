# What is there? Changes nothing. Variables: version, protocol_major, sha256 (of the file that the sender has).

judge() { # VERSION MAJOR: against the sender's: same, older, newer, incompatible (newer, and speaks another protocol)
  judged=$(compare_versions "$1" "$version")
  if [ "$2" != "$protocol_major" ] && [ "$judged" = newer ]; then judged=incompatible; fi
  if [ "$2" != "$protocol_major" ] && [ "$judged" = same ]; then judged=older; fi
  printf '%s' "$judged"
}

judge_binary() { # prints missing, broken, rebuilt (same version, other bytes), or what judge says; and the version
  [ -e "$binary" ] || { printf 'missing -'; return; }
  answer=$("$binary" --version 2>/dev/null </dev/null)
  case $answer in
    *' protocol '*.*) ;;
    *) printf 'broken -'; return ;;
  esac
  found=${answer%% *}
  major=${answer##* }
  verdict=$(judge "$found" "${major%%.*}")
  if [ "$verdict" = same ] && ! "$binary" --verify "$sha256" >/dev/null 2>&1 </dev/null; then verdict=rebuilt; fi
  printf '%s %s' "$verdict" "$found"
}

judge_running() {
  stub_lives || { printf none; return; }
  judge "$(json_string version "$root/run/stub.json")" "$(json_number major "$root/run/stub.json")"
}

nearest() { # the nearest directory above that exists: what df can be asked about
  near=$root
  while [ ! -d "$near" ]; do
    near=${near%/*}
    [ -n "$near" ] || near=/
  done
  printf '%s' "$near"
}

main() {
  emit system uname -sm
  find_root
  say root "$root"
  say home "$HOME"
  emit uid id -u
  say address_space "$(ulimit -v 2>/dev/null)"
  say free_kib "$(free_of -k "$(nearest)")"
  say free_inodes "$(free_of -i "$(nearest)")"
  emit binary judge_binary
  emit running judge_running
  if stub_lives; then
    emit json cat "$root/run/stub.json"
    emit token cat "$root/run/stub.token"
  fi
  say done yes
}

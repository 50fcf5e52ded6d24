# The head of every script that is sent to a host's `sh` on stdin: answers in frames, where things lie, who lives.
# POSIX sh and the commands that BusyBox has; the sender puts `nonce=… install_root=…` in front, `main` is called last.

login_umask=$(umask)
umask 077
PATH=${PATH:-}:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin
export PATH
stub_name=opencode-remote-ssh-stub

# What is not between two markers is noise of rc files and is ignored by the reader.
emit() { # NAME COMMAND…: a frame with the output and the exit status of the command
  emit_name=$1
  shift
  printf '\n%s<%s\n' "$nonce" "$emit_name"
  "$@" </dev/null
  printf '\n%s>%s %s\n' "$nonce" "$emit_name" "$?"
}

say() { # NAME TEXT
  emit "$1" printf '%s' "$2"
}

fail() { # CODE MESSAGE: the codes are those of protocol/errors.ts
  say error "$1 $2"
  exit 1
}

first_line() { # FILE
  sed -n '1p' "$1" 2>/dev/null
}

find_root() { # sets root: absolute, without a slash at its end
  case ${HOME:-} in
    /*) ;;
    *) fail install_failed "HOME is not set on the host" ;;
  esac
  case $install_root in
    '~/'?*) root=$HOME/${install_root#??} ;;
    /?*) root=$install_root ;;
    *) fail config_invalid "installRoot must be an absolute path of the host or start with ~/: $install_root" ;;
  esac
  while :; do
    case $root in
      ?*/) root=${root%/} ;;
      *) break ;;
    esac
  done
  [ "$root" != "$HOME" ] || fail config_invalid "installRoot must be a directory of its own, not the home: $root"
  binary=$root/bin/$stub_name
}

make_root() { # ours alone: 0700, and never a directory of somebody else
  mkdir -p "$root" 2>/dev/null || fail install_failed "cannot make the directory $root"
  [ -O "$root" ] || fail install_failed "$root belongs to another user of the host; set installRoot"
  chmod 700 "$root" 2>/dev/null || fail install_failed "cannot make $root private (chmod 700)"
  for part in "$root/bin" "$root/run" "$root/log" "$root/state"; do
    mkdir -p "$part" 2>/dev/null && chmod 700 "$part" 2>/dev/null || fail install_failed "cannot make the directory $part"
  done
}

free_of() { # -k or -i, DIRECTORY: free KiB or inodes there; prints nothing where df does not say
  LC_ALL=C df -P "$1" "$2" 2>/dev/null | sed -n '$s/.* \([0-9][0-9]*\)  *[0-9][0-9]*% .*/\1/p'
}

process_state() { # PID: "STATE STARTTIME" from /proc; a name with blanks or brackets does not matter
  sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -d ' ' -f 1,20
}

json_number() { # KEY FILE
  sed -n 's/.*"'"$1"'" *: *\([0-9][0-9]*\).*/\1/p' "$2" 2>/dev/null | sed -n '1p'
}

json_string() { # KEY FILE: for values without quotes and backslashes
  sed -n 's/.*"'"$1"'" *: *"\([^"\\]*\)".*/\1/p' "$2" 2>/dev/null | sed -n '1p'
}

is_process() { # PID STARTTIME: this very process lives, not another one that got its pid
  case $(process_state "$1") in
    [ZX]' '*) return 1 ;;
    ?' '"$2") return 0 ;;
    *) return 1 ;;
  esac
}

stub_lives() { # sets stub_pid, stub_start
  stub_pid=$(json_number pid "$root/run/stub.json")
  stub_start=$(json_string startTime "$root/run/stub.json")
  [ -n "$stub_pid" ] && [ -n "$stub_start" ] && is_process "$stub_pid" "$stub_start"
}

tick() { # a tenth of a second where sleep knows fractions
  sleep 0.1 2>/dev/null || sleep 1
}

compare_versions() { # A B: prints older, same or newer (of A against B); dotted numbers, what follows - or + is ignored
  left=${1%%[-+]*}
  right=${2%%[-+]*}
  while [ -n "$left$right" ]; do
    l=${left%%.*}
    r=${right%%.*}
    case $left in *.*) left=${left#*.} ;; *) left= ;; esac
    case $right in *.*) right=${right#*.} ;; *) right= ;; esac
    case ${l:-0}${r:-0} in *[!0-9]*) printf older; return ;; esac
    [ "${l:-0}" -eq "${r:-0}" ] && continue
    [ "${l:-0}" -gt "${r:-0}" ] && printf newer || printf older
    return
  done
  printf same
}

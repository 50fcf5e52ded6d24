#!/bin/sh
# Provisions a host without OpenCode: sends the stub, starts it, and ends with success only after it answered.
# Needs a POSIX shell and OpenSSH here, and dist/stub and plugin/bootstrap/host of the package that this script is in.
set -u

stub_name=opencode-remote-ssh-stub
platform=linux-x64
protocol_major=1

usage() {
  cat <<'HELP'
usage: setup-host.sh [-F SSH_CONFIG] [-r INSTALL_ROOT] HOST USER [PORT] [IDENTITY]

Sends the stub to HOST over SSH, starts it, and checks that it answers. Twice in a row sends nothing the second time.

  HOST          name, address or alias of ~/.ssh/config
  USER          login name there
  PORT          SSH port (default: what ssh_config says, else 22)
  IDENTITY      private key file (default: the agent and what ssh_config says)
  -F FILE       another ssh_config
  -r DIR        where on the host (default: ~/.opencode-remote-ssh; `~/` is the home there)
  -h, --help    this text

The host key must be known, or ssh asks. Exit status: 0 when the stub answered, 1 with `error CODE: message`, 2 for wrong usage.
HELP
}

die() { # CODE MESSAGE [HINT]
  [ "$progress_open" = no ] || printf '\n' >&2
  printf 'error %s: %s\n' "$1" "$2" >&2
  [ -z "${3:-}" ] || printf 'hint: %s\n' "$3" >&2
  exit 1
}

wrong_usage() {
  printf 'error usage: %s\n' "$1" >&2
  printf 'hint: %s --help\n' "$0" >&2
  exit 2
}

progress_open=no
note() {
  printf '%s\n' "$1" >&2
}

# ---- what the user said ------------------------------------------------------------------------------------------

ssh_config=
install_root='~/.opencode-remote-ssh'
while [ $# -gt 0 ]; do
  case $1 in
    -h | --help) usage; exit 0 ;;
    -F) [ $# -ge 2 ] || wrong_usage "-F needs a file"; ssh_config=$2; shift 2 ;;
    -r) [ $# -ge 2 ] || wrong_usage "-r needs a directory"; install_root=$2; shift 2 ;;
    --) shift; break ;;
    -*) wrong_usage "unknown option $1" ;;
    *) break ;;
  esac
done
[ $# -ge 2 ] && [ $# -le 4 ] || wrong_usage "HOST and USER are needed, PORT and IDENTITY may follow"
host=$1
user=$2
port=${3:-}
identity=${4:-}
case $host in -* | '') wrong_usage "no host is called '$host'" ;; esac
case $user in -* | '') wrong_usage "no user is called '$user'" ;; esac
case $port in *[!0-9]*) wrong_usage "PORT is a number, not '$port'" ;; esac
if [ -n "$identity" ] && [ ! -r "$identity" ]; then
  die identity_unreadable "the identity file $identity cannot be read" "give the path of the private key"
fi
command -v ssh >/dev/null 2>&1 || die usage "there is no ssh here" "install OpenSSH's client"

# ---- what this package carries -----------------------------------------------------------------------------------

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd) || exit 1
scripts=$here/../plugin/bootstrap/host
manifest=$here/../dist/stub/manifest.json
file=$here/../dist/stub/$platform/$stub_name
[ -r "$manifest" ] && [ -r "$file" ] || die bundle_missing "there is no stub in $here/../dist" "run npm run build"
[ -r "$scripts/common.sh" ] || die bundle_missing "$scripts is missing" "keep this script inside its package"

of_manifest() { # KEY PATTERN: of the entry of our platform; version stands before all entries
  sed -n '/"'"$platform"'"/,/}/s/.*"'"$1"'" *: *"\{0,1\}\('"$2"'\).*/\1/p' "$manifest" | sed -n '1p'
}
version=$(sed -n 's/.*"version" *: *"\([^"]*\)".*/\1/p' "$manifest" | sed -n '1p')
sha256=$(of_manifest sha256 '[0-9a-f]*')
size=$(of_manifest size '[0-9]*')
unpacked=$(of_manifest unpackedSize '[0-9]*')
[ -n "$version" ] && [ -n "$sha256" ] && [ -n "$size" ] && [ -n "$unpacked" ] ||
  die bundle_missing "$manifest has another shape" "run npm run build"

# ---- one connection, in a directory of ours that goes with us ----------------------------------------------------

umask 077
work=$(mktemp -d "${TMPDIR:-/tmp}/ocrs.XXXXXX") || die install_failed "no temporary directory can be made"
sender=
receiver=

ssh_words() { # runs ssh with our options: any command line of it
  if [ -n "$ssh_config" ]; then set -- -F "$ssh_config" "$@"; fi
  if [ -n "$identity" ]; then set -- -i "$identity" -o IdentitiesOnly=yes "$@"; fi
  if [ -n "$port" ]; then set -- -p "$port" "$@"; fi
  ssh -l "$user" -S "$work/c" -o ClearAllForwardings=yes "$@"
}

clean() {
  trap - EXIT HUP INT TERM
  for each in $sender $receiver; do kill "$each" 2>/dev/null; done
  if [ -S "$work/c" ]; then ssh_words -O exit -- "$host" >/dev/null 2>&1 </dev/null; fi
  rm -rf "$work"
}
trap clean EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

connect() { # the master leaves by itself two minutes after its last use, even where we are killed
  ssh_words -o ControlMaster=yes -o ControlPersist=120 -o ConnectTimeout=15 -- "$host" : </dev/null >"$work/out" 2>"$work/err" || connect_failed
}

connect_failed() {
  said=$(tr -d '\r' <"$work/err" | tail -n 3)
  case $said in
    '') # ssh has nothing to complain of: the login went well, and the account's shell did not run `:`
      die install_failed "the host's shell ended without an answer: $(tr -d '\r' <"$work/out" | tail -n 1)" "the account must be able to run sh: try ssh HOST sh" ;;
    *'Permission denied'* | *'Too many authentication failures'*) code=auth_failed hint="check the user name and which key the host knows; ssh -v shows more" ;;
    *'REMOTE HOST IDENTIFICATION HAS CHANGED'* | *'Host key verification failed'*) code=host_key_unknown hint="connect once with ssh and compare the fingerprint" ;;
    *'Could not resolve hostname'*) code=name_unresolved hint="check the spelling, or HostName in ssh_config" ;;
    *'timed out'*) code=connect_timeout hint="check the address and a firewall" ;;
    *) code=host_unreachable hint="check the network, the address and the port" ;;
  esac
  die "$code" "$(printf '%s' "$said" | tail -n 1)" "$hint"
}

# ---- scripts of the host: the same text that the plugin sends -----------------------------------------------------

quote() {
  printf "'"
  printf '%s' "$1" | sed "s/'/'\\\\''/g"
  printf "'"
}

nonce=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')

host_script() { # NAME VARIABLE=VALUE…: the text
  script_name=$1
  shift
  for assignment in "nonce=$nonce" "install_root=$install_root" "$@"; do
    printf '%s=' "${assignment%%=*}"
    quote "${assignment#*=}"
    printf '\n'
  done
  cat "$scripts/common.sh" "$scripts/$script_name.sh"
  printf 'main; exit\n'
}

# What the host answered. In a variable and never in a file: the token is in it.
out=

frame() { # NAME: what is between our markers; rc noise around them does not matter
  printf '%s\n' "$out" | sed -n "/^$nonce<$1\$/,/^$nonce>$1 /p" | sed -e 1d -e '$d'
}

has_frame() {
  printf '%s\n' "$out" | grep -q "^$nonce>$1 "
}

check_answer() { # WHAT: dies with what the host said went wrong
  if has_frame error; then
    said=$(frame error)
    hint=
    case ${said%% *} in
      noexec) hint="give another directory with -r: one on a file system that is not mounted noexec" ;;
      no_space | no_inodes) hint="free space there, or give another directory with -r" ;;
      start_failed) hint="the host's log: $(frame log | tail -n 1)" ;;
    esac
    die "${said%% *}" "${said#* }" "$hint"
  fi
  has_frame done || die install_failed "the host gave no answer to $1: $(tr -d '\r' <"$work/err" | tail -n 1)" "the account must be able to run sh: try ssh HOST sh"
}

run_script() { # NAME VARIABLE=VALUE…
  out=$(host_script "$@" | ssh_words -o ControlMaster=no -o BatchMode=yes -- "$host" sh 2>"$work/err")
  check_answer "$1"
}

# ---- the file -----------------------------------------------------------------------------------------------------

megabytes() {
  printf '%d.%d' $(($1 / 1000000)) $(($1 % 1000000 / 100000))
}

send_file() {
  sent=0
  block=1048576
  progress_open=yes
  while [ "$sent" -lt "$size" ]; do
    if [ -t 2 ]; then printf '\ruploading the stub %s/%s MB' "$(megabytes "$sent")" "$(megabytes "$size")" >&2; fi
    dd if="$file" bs=$block skip=$((sent / block)) count=1 2>/dev/null || return 1
    sent=$((sent + block))
  done
  if [ -t 2 ]; then printf '\ruploading the stub %s/%s MB\n' "$(megabytes "$size")" "$(megabytes "$size")" >&2; fi
  progress_open=no
}

upload() {
  [ -t 2 ] || note "uploading the stub ($(megabytes "$size") MB)"
  : >"$work/out"
  mkfifo "$work/in"
  {
    host_script upload "version=$version" "sha256=$sha256" "size=$size" "need_kib=$(((size + unpacked) / 1024 + 16384))"
    # Not a byte of the file before the host says so: a shell may read ahead.
    until grep -q "^$nonce>ready " "$work/out"; do
      grep -q "^$nonce>error " "$work/out" && exit 0
      [ ! -e "$work/over" ] || exit 0
      sleep 0.1 2>/dev/null || sleep 1
    done
    send_file
  } >"$work/in" &
  sender=$!
  # Beside us and not in front, so that a signal is heard while it runs.
  ssh_words -o ControlMaster=no -o BatchMode=yes -- "$host" sh <"$work/in" >"$work/out" 2>"$work/err" &
  receiver=$!
  wait "$receiver"
  receiver=
  : >"$work/over"
  wait "$sender"
  sender=
  out=$(cat "$work/out")
  check_answer upload
}

# ---- the story ----------------------------------------------------------------------------------------------------

note "connecting to $host"
connect
run_script probe "version=$version" "protocol_major=$protocol_major" "sha256=$sha256"
system=$(frame system)
binary=$(frame binary)
running=$(frame running)
case $system in
  'Linux x86_64' | 'Linux amd64') ;;
  *) die platform_unsupported "this host is $system" "hosts are Linux on x86_64" ;;
esac
[ "${binary%% *}" != incompatible ] && [ "$running" != incompatible ] ||
  die protocol_mismatch "the host has stub ${binary#* }, which speaks a newer protocol" "update this package"

replaces=
if [ "$running" = older ] || { [ "${binary%% *}" = rebuilt ] && [ "$running" = same ]; }; then
  replaces=$(frame json | sed -n 's/.*"instanceID" *: *"\([^"]*\)".*/\1/p')
fi

case ${binary%% *} in
  same | newer) note "stub ${binary#* } is there already" ;;
  *) if [ "$running" = newer ]; then note "a newer stub runs already"; else upload; fi ;;
esac

if [ -n "$replaces" ]; then
  note "stub $version takes over from the one that runs; commands go on"
elif [ "$running" = none ]; then
  note "starting the stub"
fi
run_script start wait_seconds=20 "replaces=$replaces"

# The instance that its file names must answer a request with its token, all the way from here.
json=$(frame json)
instance=$(printf '%s' "$json" | sed -n 's/.*"instanceID" *: *"\([^"]*\)".*/\1/p')
pid=$(printf '%s' "$json" | sed -n 's/.*"pid" *: *\([0-9]*\).*/\1/p')
token=$(frame token)
run_script request path=/global/health "token=$token"
frame answer | grep -q '^HTTP/1.1 200' ||
  die stub_unhealthy "the stub does not answer: $(frame answer | sed -n 1p)" "see log/stub.log in the install root on the host"
frame answer | grep -q "\"instanceID\" *: *\"$instance\"" ||
  die stub_unhealthy "another stub answers than the one that was started" "try again"
note "the stub answers: process $pid, instance $instance"
printf 'ok %s\n' "$host"

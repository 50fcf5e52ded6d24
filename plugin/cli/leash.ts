// Keeps a child from outliving us, even where we are killed: it runs in a process group of its own beside a watcher that
// reads from us. Our end of that pipe closes with us, whatever ends us, and the watcher ends the group.
// POSIX sh and process groups only, so it is the same on Linux and macOS.

/** To be spawned `detached`, with a pipe as stdin that is never written to. The child's stdin is /dev/null. */
export function onLeash(command: string, args: string[]): { command: string; args: string[] } {
  return { command: "/bin/sh", args: ["-c", LEASH, "opencode-remote-ssh", command, ...args] };
}

// `trap :` and not `trap ''`: the latter would be inherited, and the child could not be ended. First of all, because the
// group may be ended as soon as the child runs.
const LEASH = `
trap : TERM
exec 3<&0 </dev/null
"$@" 3<&- &
child=$!
{ read -r _ <&3; kill -TERM 0; } &
watcher=$!
exec 3<&-
while kill -0 "$child" 2>/dev/null; do
  wait "$child"
  status=$?
done
kill "$watcher" 2>/dev/null
exit "$status"
`;

// Keeps a child from outliving us, even where we are killed: it runs in a process group of its own beside a watcher that
// reads from us. Our end of that pipe closes with us, whatever ends us, and the watcher ends the group.
// POSIX sh and process groups only, so it is the same on Linux and macOS.

import { spawn } from "node:child_process";

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

/**
 * The same for a child that must stay in our process group, because the terminal is ours: a watcher beside us ends it when we are
 * gone. To be disposed when the child has ended.
 */
export function watchOver(pid: number): Disposable {
  const watcher = spawn("/bin/sh", ["-c", WATCH, "opencode-remote-ssh", String(pid)], {
    stdio: ["pipe", "ignore", "ignore"],
    detached: true,
  });
  // Where there is no watcher the child still ends with the terminal.
  watcher.on("error", () => undefined);
  watcher.stdin.on("error", () => undefined);
  return { [Symbol.dispose]: () => void watcher.kill("SIGKILL") };
}

const WATCH = `
read -r _
kill -TERM "$1" 2>/dev/null || exit 0
for second in 1 2 3; do
  sleep 1
  kill -0 "$1" 2>/dev/null || exit 0
done
kill -KILL "$1" 2>/dev/null
`;

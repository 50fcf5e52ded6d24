// Through other processes of the same user: /proc, inherited descriptors, tracing, terminals, sockets, daemons, signals.
import { type AttackClass, reads, says, tools, writes } from "../attack.js";

/** A shell of the user's in $OUT; its pid is told in the workspace. */
const inOut = `cd "$OUT" && { sleep 60 </dev/null >/dev/null 2>&1 & echo $! > "$WS/pid"; }`;

const procSelfRoot: AttackClass = {
  name: "/proc/self/root",
  attacks: [
    reads("self", `cat "/proc/self/root$SECRET"`),
    reads("own pid", `cat "/proc/$$/root$SECRET"`),
    reads("thread-self", `cat "/proc/thread-self/root$SECRET"`),
    reads("self/cwd", `cat /proc/self/cwd/../outside/secret`),
    reads("self/fd of a directory", `exec 9< .; cat /proc/self/fd/9/../outside/secret`),
    reads("task", `cat "/proc/$$/task/$$/root$SECRET"`),
    writes("write", `echo changed > "/proc/self/root$TARGET"`),
    reads("twice", `cat "/proc/self/root/proc/self/root$SECRET"`),
  ],
};

const procCwd: AttackClass = {
  name: "/proc/PID of others",
  attacks: [
    reads("cwd", `cat /proc/$(cat pid)/cwd/secret`, { setup: inOut }),
    reads("root", `cat "/proc/$(cat pid)/root$SECRET"`, { setup: inOut }),
    reads("every cwd", `cat /proc/[0-9]*/cwd/secret`, { setup: inOut }),
    reads("cd", `cd /proc/$(cat pid)/cwd && cat dir/secret`, { setup: inOut }),
    writes("cwd, write", `echo changed > /proc/$(cat pid)/cwd/target`, { setup: inOut }),
    reads("fd", `cat /proc/$(cat pid)/fd/7`, {
      setup: `sleep 60 7<"$SECRET" </dev/null >/dev/null 2>&1 & echo $! > "$WS/pid"`,
    }),
    reads("every fd", `for f in /proc/[0-9]*/fd/7; do [ -f "$f" ] && cat "$f"; done`, {
      setup: `sleep 60 7<"$SECRET" </dev/null >/dev/null 2>&1 & echo $! > "$WS/pid"`,
    }),
    reads("environ", `cat /proc/$(cat pid)/environ`, {
      setup: `X="$(cat "$SECRET")" sleep 60 </dev/null >/dev/null 2>&1 & echo $! > "$WS/pid"`,
    }),
    reads("parent's root", `cat "/proc/$PPID/root$SECRET"`),
    reads("first process", `cat "/proc/1/root$SECRET"`, { root: true, needs: `[ -r "/proc/1/root$SECRET" ]` }),
  ],
};

const descriptors: AttackClass = {
  name: "inherited descriptors",
  attacks: [
    reads("a file", `cat <&7`, { descriptors: ["7 r outside/secret"] }),
    reads("a directory", `cat /proc/self/fd/7/secret`, { descriptors: ["7 d outside"] }),
    reads("a directory, by openat", `"$MISCHIEF" cat-at 7 secret`, { descriptors: ["7 d outside"] }),
    reads("a path", `cat /proc/self/fd/7/secret`, { descriptors: ["7 p outside"] }),
    reads("the home, high up", `"$MISCHIEF" cat-at 200 outside/secret`, { descriptors: ["200 d ."] }),
    reads("a file as stdin", `cat`, { descriptors: ["0 r outside/secret"] }),
    reads("a directory as stdin", `cat /proc/self/fd/0/secret`, { descriptors: ["0 d outside"] }),
    writes("a file to write", `echo changed >&8`, { descriptors: ["8 w outside/target"] }),
    writes("appending", `echo changed >&8`, { descriptors: ["8 a outside/target"] }),
    writes("a file as stdout", `echo changed`, { descriptors: ["1 w outside/target"] }),
  ],
};

const hold = `"$MISCHIEF" hold "$SECRET" > "$WS/held"`;
const tracing: AttackClass = {
  name: "ptrace",
  attacks: [
    reads("attach", `read -r pid address fd < held; "$MISCHIEF" trace "$pid" "$address"`, { setup: hold }),
    reads("seize", `read -r pid address fd < held; "$MISCHIEF" seize "$pid" "$address"`, { setup: hold }),
    reads("process_vm_readv", `read -r pid address fd < held; "$MISCHIEF" read-memory "$pid" "$address"`, {
      setup: hold,
    }),
    reads("/proc/PID/mem", `read -r pid address fd < held; "$MISCHIEF" proc-memory "$pid" "$address"`, { setup: hold }),
    reads("pidfd_getfd", `read -r pid address fd < held; "$MISCHIEF" take-descriptor "$pid" "$fd"`, { setup: hold }),
    reads("/proc/PID/fd", `read -r pid address fd < held; cat "/proc/$pid/fd/$fd"`, { setup: hold }),
  ],
};

const sit = `"$MISCHIEF" sit "$OUT/screen" "$SECRET" > "$WS/terminal"`;
const canType = `[ "$(cat /proc/sys/dev/tty/legacy_tiocsti 2>/dev/null || echo 1)" = 1 ]`;
const line = `"cp '$SECRET' '$WS/copy'"$'\\n'`;
const terminals: AttackClass = {
  name: "other terminals",
  attacks: [
    writes("write to it", `read -r tty pid < terminal; echo hello > "$tty"`, { setup: sit, after: `sleep 0.3` }),
    reads("read what is typed", `read -r tty pid < terminal; timeout 2 head -c 60 "$tty"`, { setup: sit }),
    reads("by the process that sits there", `read -r tty pid < terminal; timeout 2 head -c 60 "/proc/$pid/fd/0"`, {
      setup: sit,
    }),
    reads("type into the own one", `"$MISCHIEF" type ${line}`, { wrap: "at-terminal", needs: canType }),
    reads("type with wide numbers", `"$MISCHIEF" type-widely ${line}`, { wrap: "at-terminal", needs: canType }),
    reads("type by stdout", `"$MISCHIEF" type-by-output ${line}`, { wrap: "at-terminal", needs: canType }),
    reads("type from a child", `"$MISCHIEF" type-from-child ${line}`, { wrap: "at-terminal", needs: canType }),
  ],
};

const tmux = (socket: string) => `tmux -S ${socket} -f /dev/null new-session -d -x 80 -y 24 && chmod 777 ${socket}`;
const agent = (socket: string, comment = '"$(cat "$SECRET")"') =>
  `eval "$(ssh-agent -a ${socket})" >/dev/null; ssh-keygen -q -t ed25519 -N '' -C ${comment} -f "$RUN/key" && ssh-add -q "$RUN/key"`;
const agents: AttackClass = {
  name: "tmux and ssh-agent sockets",
  attacks: [
    reads("tmux new-window", `tmux -S "$RUN/tmux" new-window "cp '$SECRET' '$WS/copy'"; sleep 1; cat copy`, {
      needs: tools("tmux"),
      setup: tmux('"$RUN/tmux"'),
    }),
    reads("tmux run-shell", `tmux -S "$RUN/tmux" run-shell "cat '$SECRET' > '$WS/copy'"; sleep 0.5`, {
      needs: tools("tmux"),
      setup: tmux('"$RUN/tmux"'),
    }),
    reads("tmux load-buffer", `tmux -S "$RUN/tmux" load-buffer "$SECRET" \\; show-buffer`, {
      needs: tools("tmux"),
      setup: tmux('"$RUN/tmux"'),
    }),
    reads("tmux with its socket inside", `tmux -S sock run-shell "cat '$SECRET' > '$WS/copy'"; sleep 0.5`, {
      needs: tools("tmux"),
      setup: `cd "$WS" && ${tmux("sock")}`,
    }),
    writes("tmux respawn", `tmux -S "$RUN/tmux" respawn-pane -k "echo changed > '$TARGET'"; sleep 1`, {
      needs: tools("tmux"),
      setup: tmux('"$RUN/tmux"'),
    }),
    reads("ssh-add -L", `SSH_AUTH_SOCK="$RUN/agent" ssh-add -L`, {
      needs: tools("ssh-agent"),
      setup: agent('"$RUN/agent"'),
    }),
    reads("ssh-agent with its socket inside", `SSH_AUTH_SOCK="$WS/agent" ssh-add -L`, {
      needs: tools("ssh-agent"),
      setup: agent('"$WS/agent"'),
    }),
    says(
      "signing with the user's key",
      `SSH_AUTH_SOCK="$RUN/agent" ssh-keygen -Y sign -f key.pub -n x file && [ -s file.sig ] && echo ESCAPED`,
      {
        needs: tools("ssh-agent"),
        setup: `${agent('"$RUN/agent"', "mine")}; cp "$RUN/key.pub" "$WS/"`,
      },
    ),
    reads("any server", `"$MISCHIEF" ask-unix stream "$RUN/server"`, {
      setup: `"$MISCHIEF" serve-unix stream "$RUN/server" "$SECRET"`,
    }),
    reads("a server that hands over an open file", `"$MISCHIEF" take-sent "$WS/server"`, {
      setup: `"$MISCHIEF" serve-descriptor "$WS/server" "$SECRET"`,
    }),
  ],
};

const abstract: AttackClass = {
  name: "abstract sockets",
  attacks: [
    reads("stream", `"$MISCHIEF" ask-unix stream "@$(cat name)"`, {
      setup: `echo "ocr$$" > "$WS/name"; "$MISCHIEF" serve-unix stream "@ocr$$" "$SECRET"`,
    }),
    reads("datagram", `"$MISCHIEF" ask-unix datagram "@$(cat name)"`, {
      setup: `echo "ocr$$" > "$WS/name"; "$MISCHIEF" serve-unix datagram "@ocr$$" "$SECRET"`,
    }),
    reads("packets", `"$MISCHIEF" ask-unix packets "@$(cat name)"`, {
      setup: `echo "ocr$$" > "$WS/name"; "$MISCHIEF" serve-unix packets "@ocr$$" "$SECRET"`,
    }),
    reads("without connect", `"$MISCHIEF" ask-unconnected "@$(cat name)"`, {
      setup: `echo "ocr$$" > "$WS/name"; "$MISCHIEF" serve-unix datagram "@ocr$$" "$SECRET"`,
    }),
    reads("on half a pair", `"$MISCHIEF" ask-by-pair "@$(cat name)"`, {
      setup: `echo "ocr$$" > "$WS/name"; "$MISCHIEF" serve-unix datagram "@ocr$$" "$SECRET"`,
    }),
    reads("an open file", `"$MISCHIEF" take-sent "@$(cat name)"`, {
      setup: `echo "ocr$$" > "$WS/name"; "$MISCHIEF" serve-descriptor "@ocr$$" "$SECRET"`,
    }),
    reads(
      "python",
      `python3 -c 'import socket; s = socket.socket(socket.AF_UNIX); s.connect("\\0" + open("name").read().strip()); print(s.recv(99))'`,
      {
        needs: tools("python3"),
        setup: `echo "ocr$$" > "$WS/name"; "$MISCHIEF" serve-unix stream "@ocr$$" "$SECRET"`,
      },
    ),
  ],
};

const daemons: AttackClass = {
  name: "daemons",
  attacks: [
    reads("setsid", `setsid bash -c 'sleep 0.3; cp "$SECRET" copy' >/dev/null 2>&1 </dev/null &`),
    reads("nohup", `nohup bash -c 'sleep 0.3; cp "$SECRET" copy' >/dev/null 2>&1 </dev/null & disown`),
    reads("forked twice", `(bash -c 'sleep 0.3; cp "$SECRET" copy' >/dev/null 2>&1 </dev/null &) &`),
    reads("tmux of its own", `tmux -S own -f /dev/null new-session -d "cp '$SECRET' '$WS/copy'; sleep 0.3"; sleep 1`, {
      needs: tools("tmux"),
    }),
    reads(
      "python daemon",
      `python3 -c 'import os, time, shutil
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        [os.close(each) for each in range(3)]
        time.sleep(0.3)
        shutil.copy(os.environ["SECRET"], "copy")
    os._exit(0)'`,
      { needs: tools("python3") },
    ),
    writes("setsid, write", `setsid bash -c 'sleep 0.3; echo changed > "$TARGET"' >/dev/null 2>&1 </dev/null &`),
    reads(
      "left by the first command for the second",
      `setsid bash -c 'sleep 1; cp "$SECRET" copy' >/dev/null 2>&1 </dev/null &`,
      { again: `sleep 0.2; cat copy` },
    ),
  ],
};

const victim = `sleep 60 </dev/null >/dev/null 2>&1 & echo $! > "$WS/pid"; cp "$WS/pid" "$RUN/pid"`;
const died = `"$MISCHIEF" gone "$(cat "$RUN/pid")" && echo ESCAPED`;
const signals: AttackClass = {
  name: "signals",
  attacks: [
    says("kill", `kill "$(cat pid)"`, { setup: victim, after: died, gap: "signals" }),
    says("by pidfd", `"$MISCHIEF" signal-by-pidfd "$(cat pid)"`, { setup: victim, after: died, gap: "signals" }),
    says("to a thread", `"$MISCHIEF" signal-thread "$(cat pid)"`, { setup: victim, after: died, gap: "signals" }),
    says("queued", `"$MISCHIEF" signal-queue "$(cat pid)"`, { setup: victim, after: died, gap: "signals" }),
    says("by the owner of a pipe", `"$MISCHIEF" signal-by-owner "$(cat pid)"; sleep 0.1`, {
      setup: victim,
      after: died,
      gap: "signals",
    }),
    says("to find out who lives", `kill -0 "$(cat pid)" && echo ESCAPED`, { setup: victim, gap: "signals" }),
  ],
};
for (const attack of [...tracing.attacks, ...terminals.attacks, ...signals.attacks]) attack.user = true;

const cmdline = `bash -c 'exec -a "$(cat "$SECRET")" sleep 60' </dev/null >/dev/null 2>&1 & echo $! > "$WS/pid"; sleep 0.2`;
const commandLines: AttackClass = {
  name: "command lines of others",
  attacks: [
    reads("/proc/PID/cmdline", `tr '\\0' ' ' < "/proc/$(cat pid)/cmdline"`, { setup: cmdline, gap: "proc-cmdline" }),
    reads("every process", `cat /proc/[0-9]*/cmdline 2>/dev/null`, { setup: cmdline, gap: "proc-cmdline" }),
    reads("ps", `ps -eo args`, { setup: cmdline, needs: tools("ps"), gap: "proc-cmdline" }),
    reads("pgrep", `pgrep -af secret-`, { setup: cmdline, needs: tools("pgrep"), gap: "proc-cmdline" }),
    says(
      "/proc/PID/stat",
      `[ -n "$(cat "/proc/$(cat pid)/stat")" ] && grep -q sleep "/proc/$(cat pid)/comm" && echo ESCAPED`,
      { setup: cmdline, gap: "proc-cmdline" },
    ),
  ],
};

export const processes: AttackClass[] = [
  procSelfRoot,
  procCwd,
  descriptors,
  tracing,
  terminals,
  agents,
  abstract,
  daemons,
  signals,
  commandLines,
];

// What only the kernel can refuse: other doors to the same calls, namespaces, memory that is shared without files, the network, and
// what is not the contents of a file.
import { type AttackClass, changes, reads, says, tools, writes } from "../attack.js";

const doors: AttackClass = {
  name: "other ABIs and io_uring",
  attacks: [
    reads("i386", `"$MISCHIEF" cat-i386 "$SECRET"`, { needs: `"$MISCHIEF" cat-i386 /dev/null` }),
    reads("i386 openat", `"$MISCHIEF" cat-i386-at "$SECRET"`, { needs: `"$MISCHIEF" cat-i386 /dev/null` }),
    writes("i386, write", `"$MISCHIEF" write-i386 "$TARGET"`, { needs: `"$MISCHIEF" cat-i386 /dev/null` }),
    writes("i386 truncate", `"$MISCHIEF" truncate-i386 "$TARGET"`, { needs: `"$MISCHIEF" cat-i386 /dev/null` }),
    reads("x32", `"$MISCHIEF" cat-x32 "$SECRET"`, { needs: `"$MISCHIEF" cat-x32 /dev/null` }),
    reads("io_uring", `"$MISCHIEF" cat-ring "$SECRET"`, { needs: `"$MISCHIEF" cat-ring /dev/null` }),
    writes("io_uring, write", `"$MISCHIEF" write-ring "$TARGET"`, { needs: `"$MISCHIEF" cat-ring /dev/null` }),
    reads("file handles", `"$MISCHIEF" cat-handle "$SECRET" .`, { root: true }),
    reads(
      "a path that changes in memory",
      `a="$WS/x"; while [ \${#a} -lt \${#SECRET} ]; do a="\${a}x"; done; echo inside > "$a"; "$MISCHIEF" memory-race "$a" "$SECRET" 1`,
    ),
  ],
};

const canNest = `unshare -Urm true`;
const namespaces: AttackClass = {
  name: "namespaces and mounts",
  attacks: [
    reads("bind mount", `mkdir m; unshare -Urm bash -c 'mount --bind "$OUT" m && cat m/secret'`, {
      needs: `${canNest} && command -v mount >/dev/null`,
    }),
    reads("root of a new namespace", `unshare -Ur cat "$SECRET"`, { needs: canNest }),
    reads("chroot", `unshare -Ur chroot / cat "$SECRET"`, { needs: `${canNest} && command -v chroot >/dev/null` }),
    reads("another mount namespace", `unshare -Urm cat "$SECRET"`, { needs: canNest }),
    reads("namespaces of another process", `nsenter -t "$(cat pid)" -U --preserve-credentials -m cat "$SECRET"`, {
      needs: `${canNest} && command -v nsenter >/dev/null`,
      setup: `unshare -Urm sleep 60 </dev/null >/dev/null 2>&1 & echo $! > "$WS/pid"; sleep 0.3`,
    }),
    reads("a new /proc", `unshare -Urmpf bash -c 'cat "/proc/self/root$SECRET"'`, { needs: canNest }),
    writes("write as root of a new namespace", `unshare -Ur bash -c 'echo changed > "$TARGET"'`, { needs: canNest }),
  ],
};

const shared: AttackClass = {
  name: "System V and POSIX queues and memory",
  attacks: [
    reads("shared memory", `"$MISCHIEF" get-memory "$(cat id)"`, {
      setup: `"$MISCHIEF" put-memory "$SECRET" > "$WS/id"; cp "$WS/id" "$RUN/id"`,
      after: `"$MISCHIEF" remove-memory "$(cat "$RUN/id")"`,
      gap: "ipc",
    }),
    reads("message queue", `"$MISCHIEF" get-message "$(cat id)"`, {
      setup: `"$MISCHIEF" put-message "$SECRET" > "$WS/id"; cp "$WS/id" "$RUN/id"`,
      after: `"$MISCHIEF" remove-message "$(cat "$RUN/id")"`,
      gap: "ipc",
    }),
    says("semaphore", `"$MISCHIEF" get-semaphore "$(cat id)"`, {
      setup: `"$MISCHIEF" put-semaphore > "$WS/id"; cp "$WS/id" "$RUN/id"`,
      after: `"$MISCHIEF" remove-semaphore "$(cat "$RUN/id")"`,
      gap: "ipc",
    }),
    reads("POSIX queue", `"$MISCHIEF" get-queue "$(cat name)"`, {
      needs: `[ -d /proc/sys/fs/mqueue ]`,
      setup: `echo "/ocr$$" > "$WS/name"; cp "$WS/name" "$RUN/name"; "$MISCHIEF" put-queue "/ocr$$" "$SECRET"`,
      after: `"$MISCHIEF" remove-queue "$(cat "$RUN/name")"`,
    }),
    says("shared memory, removed", `"$MISCHIEF" remove-memory "$(cat id)" && echo ESCAPED`, {
      setup: `"$MISCHIEF" put-memory "$SECRET" > "$WS/id"; cp "$WS/id" "$RUN/id"`,
      after: `"$MISCHIEF" remove-memory "$(cat "$RUN/id")" 2>/dev/null; true`,
      gap: "ipc",
    }),
  ],
};

const putKey = {
  setup: `"$MISCHIEF" put-key "$SECRET" > "$WS/id"; cp "$WS/id" "$RUN/id"`,
  after: `"$MISCHIEF" remove-key "$(cat "$RUN/id")"`,
};
const hasKeys = `[ -e /proc/keys ]`;
const keyrings: AttackClass = {
  name: "keyrings",
  attacks: [
    reads("read by its number", `"$MISCHIEF" get-key "$(cat id)"`, { ...putKey, needs: hasKeys }),
    reads("searched", `"$MISCHIEF" find-key`, { ...putKey, needs: hasKeys }),
    says("requested", `"$MISCHIEF" request-key`, { ...putKey, needs: hasKeys }),
    says("planted", `"$MISCHIEF" plant-key`, { needs: hasKeys }),
    says("linked", `"$MISCHIEF" link-keyring "$(cat id)"`, { ...putKey, needs: hasKeys }),
  ],
};

const serve = (kind: string) => ({ setup: `"$MISCHIEF" serve-network ${kind} "$SECRET" > "$WS/port"` });
const network: AttackClass = {
  name: "network",
  attacks: [
    reads("TCP", `"$MISCHIEF" ask-network tcp 4 "$(cat port)"`, { ...serve("tcp"), gap: "network" }),
    reads("TCP 6", `"$MISCHIEF" ask-network tcp 6 "$(cat port)"`, {
      ...serve("tcp"),
      gap: "network",
      needs: `[ -e /proc/net/if_inet6 ]`,
    }),
    reads("UDP", `"$MISCHIEF" ask-network udp 4 "$(cat port)"`, { ...serve("udp"), gap: "network" }),
    reads("bash", `cat < "/dev/tcp/127.0.0.1/$(cat port)"`, { ...serve("tcp"), gap: "network" }),
    reads(
      "python",
      `python3 -c 'import socket; print(socket.create_connection(("127.0.0.1", int(open("port").read()))).recv(99))'`,
      {
        ...serve("tcp"),
        needs: tools("python3"),
        gap: "network",
      },
    ),
  ],
};

const denied: AttackClass = {
  name: "network, denied",
  attacks: [
    ...network.attacks.map((attack) => ({
      ...attack,
      options: ["no-network" as const],
      gap: "network-denial" as const,
    })),
    reads("fast open", `"$MISCHIEF" ask-fast-open "$(cat port)"`, {
      ...serve("tcp"),
      options: ["no-network"],
      gap: "network-denial",
    }),
    reads("curl", `curl -s --http0.9 "telnet://127.0.0.1:$(cat port)" </dev/null`, {
      ...serve("tcp"),
      needs: tools("curl"),
      options: ["no-network"],
      gap: "network-denial",
    }),
    reads("perl", `perl -MIO::Socket -e 'print IO::Socket::INET->new("127.0.0.1:" . shift)->getline' "$(cat port)"`, {
      ...serve("tcp"),
      needs: tools("perl"),
      options: ["no-network"],
      gap: "network-denial",
    }),
  ],
};

const names: AttackClass = {
  name: "names and times",
  attacks: [
    says("test -e", `test -e "$SECRET" && echo ESCAPED`, { gap: "stat" }),
    says("stat", `[ "$(stat -c %s "$SECRET")" = 40 ] && echo ESCAPED`, { gap: "stat" }),
    says("by dot-dot", `[ -f ../outside/secret ] && echo ESCAPED`, { gap: "stat" }),
    says("readlink", `[ "$(readlink "$OUT/link")" = target ] && echo ESCAPED`, {
      setup: `ln -s target "$OUT/link"`,
      gap: "stat",
    }),
    says("access", `[ -r "$SECRET" ] && echo ESCAPED`, { gap: "stat" }),
    says("watched", `"$MISCHIEF" watch "$OUT"`, { gap: "stat" }),
  ],
};

const marks: AttackClass = {
  name: "modes, times and attributes",
  attacks: [
    changes("chmod", `chmod 777 "$TARGET"`, { gap: "chmod" }),
    changes("chmod of a directory", `chmod 777 "$OUT/dir"`, { gap: "chmod" }),
    changes("touch", `touch -c -d 2001-01-01 "$TARGET"`, { gap: "chmod" }),
    changes("attribute", `"$MISCHIEF" set-attribute "$TARGET"`, {
      gap: "chmod",
      needs: `touch "$RUN/x" && "$MISCHIEF" set-attribute "$RUN/x"`,
    }),
    changes("python", `python3 -c 'import os; os.chmod(os.environ["TARGET"], 0o755)'`, {
      gap: "chmod",
      needs: tools("python3"),
    }),
    changes("where only reading is approved", `chmod 777 "$LIB/data"`, { gap: "chmod" }),
  ],
};
for (const attack of [...shared.attacks, ...keyrings.attacks]) attack.user = true;

export const kernel: AttackClass[] = [doors, namespaces, shared, keyrings, network, denied, names, marks];

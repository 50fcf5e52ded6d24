// Level `mount`: a view of the file system that holds nothing but what was approved, and a pid namespace for each command.
import { execFileSync } from "node:child_process";
import { chmod, mkdir, mkdtemp, readFile, rename, rm, stat, symlink, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { FrameType } from "../../protocol/frames.js";
import { encodeCancel } from "../../stub/commands/request.js";
import { isAlive } from "../../stub/commands/watch.js";
import { compileOnce } from "../fixtures/compile-once.js";
import { BASE, confine } from "../fixtures/confined.js";
import { type ConfinedProject, confinedProject } from "../fixtures/confined-project.js";
import { guardPolicy } from "../fixtures/guarded.js";
import { cCompiler, helperBinary } from "../fixtures/helper-binary.js";
import { onOlderKernel } from "../fixtures/older-kernel.js";
import { eventually, hostPid, processName } from "../fixtures/processes.js";
import { outputOf } from "../fixtures/raw-spawner.js";

const compiler = await cCompiler();
const ORDINARY = 65534;
const isRoot = process.getuid?.() === 0;
const cases = [
  { level: "mount", user: undefined, kernel: undefined },
  { level: "mount+landlock", user: undefined, kernel: undefined },
  { level: "mount", user: undefined, kernel: "rhel8" },
  ...(isRoot
    ? ([
        { level: "mount", user: ORDINARY, kernel: undefined },
        { level: "mount+landlock", user: ORDINARY, kernel: undefined },
        { level: "mount", user: ORDINARY, kernel: "rhel8" },
      ] as const)
    : []),
] as const;

/** A script that runs the helper on what looks like an older kernel. */
async function olderHelper(folder: string, kernel: "rhel8"): Promise<string> {
  const words = [...(await onOlderKernel(kernel)), await helperBinary()];
  const script = join(folder, "helper");
  await writeFile(script, `#!/bin/sh\nexec ${words.map((word) => `'${word}'`).join(" ")} "$@"\n`);
  await chmod(script, 0o755);
  return script;
}

/** The same in what is like a container: parts of /proc are covered, so nobody below may mount another. */
async function containedHelper(folder: string): Promise<string> {
  const script = join(folder, "contained");
  const inside = 'mount -t tmpfs none /proc/bus && exec "$0" "$@"';
  await writeFile(script, `#!/bin/sh\nexec unshare -m sh -c '${inside}' '${await helperBinary()}' "$@"\n`);
  await chmod(script, 0o755);
  return script;
}

describe.skipIf(compiler === undefined).each(cases)("at level $level, user $user, kernel $kernel", (which) => {
  const { level, user, kernel } = which;
  let at: ConfinedProject;
  let beside: string;
  let tools: string;
  let temporary: string;
  let policy: Buffer;
  const extra: AsyncDisposable[] = [];

  beforeAll(async () => {
    const identity = user === undefined ? {} : { uid: user, gid: user };
    if (kernel !== undefined) {
      const home = await confinedProject();
      extra.push(home);
      at = await confinedProject({ ...identity, helper: await olderHelper(home.folder, kernel) });
    } else at = await confinedProject(identity);
    beside = join(at.folder, "beside");
    tools = join(at.folder, "tools");
    temporary = join(at.folder, "private");
    for (const directory of [beside, tools, temporary, join(at.project, "hidden"), join(at.project, "hidden/given")]) {
      await mkdir(directory);
      await chmod(directory, 0o777);
    }
    await writeFile(join(beside, "secret"), "secret\n");
    await writeFile(join(tools, "tool"), "tool\n");
    await chmod(join(tools, "tool"), 0o666);
    await writeFile(join(at.project, "hidden/secret"), "secret\n");
    await writeFile(join(at.project, "hidden/given/file"), "given\n");
    await writeFile(join(at.project, "token"), "secret\n");
    const { dev, ino } = await stat(temporary);
    const given = await stat(join(at.project, "hidden/given"));
    policy = await guardPolicy([at.project], {
      read: [tools],
      lines: [
        `hide - ${at.project}/hidden`,
        `hide - ${at.project}/token`,
        `hide - ${at.project}/nothing`,
        `ro ${given.dev}:${given.ino} ${at.project}/hidden/given`,
        `bind ${dev}:${ino} ${temporary} /tmp`,
      ],
    });
  });
  afterAll(async () => {
    await at[Symbol.asyncDispose]();
    for (const one of extra) await one[Symbol.asyncDispose]();
  });
  const output = (text: string) => at.output(level, policy, text);

  it("an approved directory is used as ever; what lies beside it is not there", async () => {
    expect(await at.output(undefined, policy, `cat ${beside}/secret`)).toBe("secret\n"); // the control
    const text = await output(
      `pwd; echo new > made && cat made; cat ${beside}/secret; cat ../beside/secret; ls ${beside}`,
    );
    expect(text).toMatch(new RegExp(`^${at.project}\nnew\n(.*No such file or directory\n){3}$`));
    expect(await readFile(join(at.project, "made"), "utf8")).toBe("new\n");
    expect(await output("ls / | tr '\\n' ' '")).not.toMatch(/boot|srv|var/);
  });

  it("what was approved to be read can be read only, and no remount changes that", async () => {
    const text = await output(
      `cat ${tools}/tool; echo x >> ${tools}/tool; touch ${tools}/new; mount -o remount,rw,bind ${tools}; echo x >> ${tools}/tool; touch /usr/x /x`,
    );
    expect(text).toMatch(/^tool\n/);
    expect(text).not.toMatch(/\nx/);
    expect(text.match(/Read-only file system|Permission denied/g)?.length).toBeGreaterThanOrEqual(5);
    expect(await readFile(join(tools, "tool"), "utf8")).toBe("tool\n");
  });

  it("what is hidden below a root looks empty, what is approved below that does not", async () => {
    const text = await output(
      "ls hidden; cat hidden/secret token; cat hidden/given/file; touch hidden/new; echo x > token",
    );
    expect(text).toMatch(/^given\n/);
    expect(text).toContain("\ngiven\n");
    expect(text).not.toContain("secret\n");
    expect(await readFile(join(at.project, "token"), "utf8")).toBe("secret\n");
  });

  it("a hidden file that is replaced stays hidden from the next command", async () => {
    await output("true");
    await writeFile(join(at.project, "token.new"), "new secret\n");
    await rename(join(at.project, "token.new"), join(at.project, "token"));
    expect(await output("cat token; echo read")).toBe("read\n");
    await rename(join(at.project, "hidden"), join(at.project, "moved"));
    await mkdir(join(at.project, "hidden"));
    await writeFile(join(at.project, "hidden/secret"), "secret\n");
    expect(await output("cat hidden/secret; ls hidden; cat moved/secret")).not.toContain("secret\n");
    await rm(join(at.project, "hidden"), { recursive: true });
    await rename(join(at.project, "moved"), join(at.project, "hidden"));
  });

  it("/tmp is the private directory", async () => {
    await writeFile("/tmp/ocrs-of-the-host", "");
    expect(await output("ls /tmp/ocrs-of-the-host; echo mine > /tmp/mine; cat /tmp/mine")).toMatch(
      /No such file.*\nmine\n$/,
    );
    expect(await readFile(join(temporary, "mine"), "utf8")).toBe("mine\n");
    await rm("/tmp/ocrs-of-the-host");
  });

  it("what was shown below /tmp leaves nothing there that is read as empty by a command it is not shown to", async () => {
    const shown = await mkdtemp("/tmp/ocrs-shown-");
    onTestFinished(() => rm(shown, { recursive: true }));
    await chmod(shown, 0o755);
    await mkdir(join(shown, "directory"));
    await writeFile(join(shown, "directory/file"), "in it\n");
    await writeFile(join(shown, "file"), "of the host\n");
    const lines = async (...paths: string[]) => {
      const entries = paths.map(async (path) => {
        const at = await stat(path.endsWith("/file") ? dirname(path) : path);
        return `${path.endsWith("/file") ? "ro-file" : "ro"} ${at.dev}:${at.ino} ${path}\0`;
      });
      return Buffer.concat([policy, Buffer.from((await Promise.all(entries)).join(""))]);
    };
    const both = `cat ${shown}/file ${shown}/directory/file`;
    expect(await at.output(level, await lines(`${shown}/file`, `${shown}/directory`), both)).toBe(
      "of the host\nin it\n",
    );
    const read = `cat ${shown}/file && echo read`;
    expect(await output(read)).toMatch(/^cat: .*(Permission denied|No such device or address)\n$/);
    expect(await output(`cat ${shown}/directory/file`)).toMatch(/^cat: .*(Permission denied|No such file.*)\n$/);
    if (!isRoot || user !== undefined)
      expect(await output(`ls ${shown}/directory && echo listed`)).toMatch(/^ls: .*Permission denied\n$/);
    // and what is shown again, or below it, is there again
    expect(await at.output(level, await lines(`${shown}/file`, `${shown}/directory/file`), both)).toBe(
      "of the host\nin it\n",
    );
  });

  it("sees no process but its own, and can signal no other", async () => {
    const text = await output(`ls -d /proc/[0-9]* | wc -l; kill -0 ${process.pid}; echo $$`);
    expect(Number(text.split("\n")[0])).toBeLessThanOrEqual(5);
    expect(text).toMatch(/No such process\n+2\n$/);
  });

  it("learns nothing from the first process of its namespace, and cannot end it", async () => {
    const text = await output(
      "cat /proc/1/cmdline | tr '\\0' '.'; echo; cat /proc/1/environ; ls -l /proc/1/fd/0; ls /proc/1/root/; kill -9 1; kill -TERM 1; sleep 0.1; echo alive",
    );
    expect(text).toMatch(/^[^/]*\n/);
    expect(text.match(/Permission denied|cannot (access|read)/g)?.length).toBeGreaterThanOrEqual(3);
    expect(text).toMatch(/alive\n$/);
  });

  it("makes no namespace, enters none and mounts nothing", async () => {
    const control = await at.output(undefined, policy, "unshare -Ur true && echo made");
    expect(control).toBe("made\n");
    const text = await output(
      "unshare -Ur true && echo made; unshare -m true && echo made; nsenter -t 1 -m true && echo made; nsenter -U -t $$ true && echo made; mount -t tmpfs x . && echo made; umount /proc && echo made; grep -E 'CapEff|NoNewPrivs' /proc/self/status",
    );
    expect(text).not.toContain("made");
    // root's: owners and modes, other users, signals to its own, low ports
    const kept = isRoot && user === undefined ? "00000000000004fb" : "0000000000000000";
    expect(text.replaceAll("\t", " ")).toContain(`CapEff: ${kept}\nNoNewPrivs: 1\n`);
  });

  it("changes nothing of the kernel by /proc, though it be root's", async () => {
    const file = "/proc/sys/kernel/core_pattern";
    if (isRoot)
      expect(await at.output(undefined, policy, `test -w ${file} && echo writable`)).toMatch(
        user === undefined ? /writable/ : /^$/,
      );
    const text = await output(
      `read line < ${file}; echo "$line" > ${file} && echo written; echo > /proc/sysrq-trigger && echo written; echo x > /proc/self/comm && echo written`,
    );
    expect(text).not.toContain("written");
  });

  if (user === undefined) {
    it.skipIf(!isRoot)("root gives files to others and works as others, in what was approved", async () => {
      const text = await output(
        "touch theirs && chown 1234:2345 theirs && stat -c %u:%g theirs && setpriv --reuid 1234 --regid 2345 --clear-groups id -u; chown 1234 /usr ../tools ../beside; rm theirs",
      );
      expect(text).toMatch(/^1234:2345\n1234\n(.*(Read-only|No such file).*\n){3}$/);
    });
  }

  it("has devices, terminals and shared memory of its own", async () => {
    const text = await output(
      "echo x > /dev/null; head -c 3 /dev/zero | wc -c; echo y > /dev/shm/y && cat /dev/shm/y; ls /dev/pts; script -qc tty /dev/null; ls /dev/mem /dev/kmsg /dev/vda",
    );
    expect(text.replaceAll("\r", "")).toMatch(/^3\ny\nptmx\n\/dev\/pts\/0\n(.*No such file.*\n){3}$/);
  });

  it("with the network denied reaches its own loopback only", async () => {
    const server = createServer((socket) => socket.end("reached\n"));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    const port = typeof address === "object" ? address?.port : 0;
    const connect = `bash -c 'cat < /dev/tcp/127.0.0.1/${port}'`;
    expect(await output(connect)).toBe("reached\n");
    const denied = Buffer.concat([policy, Buffer.from("option no-network\0")]);
    expect(await at.output(level, denied, connect)).not.toContain("reached");
    const own = `python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); s.listen(); c = socket.create_connection(s.getsockname()); print("own")'`;
    if (level === "mount") expect(await at.output(level, denied, own)).toBe("own\n");
    server.close();
  });

  it("nothing runs in a directory that is another one than in the view", async () => {
    const other = join(at.folder, "other");
    const approved = Buffer.concat([policy, Buffer.from(`sys - ${other}\0`)]);
    await output("true");
    await at.output(level, approved, "true"); // built, and kept
    await rename(at.project, `${at.project}.approved`);
    await mkdir(at.project);
    await chmod(at.project, 0o777);
    const said = await at.failure(level, approved, "touch ran");
    expect(said).toMatchObject({ stage: "confine", part: "directory", errno: 116 });
    await rm(at.project, { recursive: true });
    await symlink(`${at.project}.approved`, at.project);
    expect(await at.failure(level, approved, "touch ran")).toMatchObject({ stage: "cwd", errno: 40 });
    await rm(at.project);
    await rename(`${at.project}.approved`, at.project);
    expect(await at.output(level, approved, "ls ran")).toContain("No such file");
  });

  it("nothing of a command is left when its helper is killed", async () => {
    const id = at.begin(level, policy, "setsid sh -c 'echo $$; exec sleep 600' & sleep 600");
    const own = await eventually("its pid", () => Number(outputOf(at.spawner.frames, id)) || undefined);
    const daemon = await processName((await hostPid(own)) ?? 0);
    expect(daemon && isAlive(daemon)).toBe(true);
    const started = await eventually("started", () =>
      at.spawner.frames.find((f) => f.id === id && f.type === FrameType.started),
    );
    process.kill(new DataView(started.payload.buffer, started.payload.byteOffset).getUint32(0, true), "SIGKILL");
    await eventually("its end", () => daemon && !isAlive(daemon));
  });

  it("goes on in the background when its shell has ended, as without confinement", async () => {
    const id = at.begin(level, policy, "(while [ ! -e go ]; do sleep 0.05; done; echo late) & echo early");
    const end = await eventually("the shell's end", () =>
      at.spawner.frames.find((f) => f.id === id && f.type === FrameType.end),
    );
    expect(JSON.parse(Buffer.from(end.payload).toString())).toMatchObject({
      pending: expect.any(Number),
      survivors: null,
    });
    await writeFile(join(at.project, "go"), "");
    await at.last(id);
    expect(await readFile(join(at.folder, "records", `${id}.stdout`), "utf8")).toBe("early\nlate\n");
    await rm(join(at.project, "go"));
  });
});

describe.skipIf(compiler === undefined || !isRoot)("where no /proc can be mounted (needs root)", () => {
  it.each(["mount", "mount+landlock"] as const)(
    "level %s holds files all the same, without a pid namespace",
    async (level) => {
      await using home = await confinedProject();
      const helper = await containedHelper(home.folder);
      const probe = (program: string) =>
        JSON.parse(execFileSync(program, ["confine", "--probe"], { encoding: "utf8" })).levels;
      expect(probe(helper)[level]).toEqual({ ok: true, processes: false });
      expect(probe(await helperBinary())[level]).toEqual({ ok: true });
      await using at = await confinedProject({ helper });
      const policy = await guardPolicy([at.project]);
      await writeFile(join(at.folder, "secret"), "secret\n");
      expect(
        await at.output(level, policy, `echo new > made && cat made; cat ${at.folder}/secret; unshare -Ur true`),
      ).toMatch(/^new\n.*No such file.*\n.*not permitted\n$/);
      const others = await at.output(
        level,
        policy,
        `cat /proc/${process.pid}/root/${at.folder}/secret; ls -d /proc/${process.pid}`,
      );
      expect(others).not.toContain("secret\n");
      expect(others).toMatch(new RegExp(`\n/proc/${process.pid}\n$`)); // seen: the gap

      const id = at.begin(level, policy, "setsid sh -c 'trap \"\" TERM; echo $$; while :; do sleep 1; done' & wait");
      const pid = await eventually("its pid", () => Number(outputOf(at.spawner.frames, id)) || undefined);
      const daemon = await processName(pid);
      at.spawner.socket.write(encodeCancel(id, "abort"));
      expect(JSON.parse(Buffer.from((await at.last(id)).payload).toString())).toEqual({ survivors: [] });
      expect(daemon && isAlive(daemon)).toBe(false);
    },
  );
});

describe.skipIf(compiler === undefined)("where there can be no namespaces", () => {
  it("the probe says which step failed and why", async () => {
    const shell = 'echo 0 > /proc/sys/user/max_user_namespaces; exec "$0" confine --probe';
    const text = execFileSync("unshare", ["-Ur", "sh", "-c", shell, await helperBinary()], { encoding: "utf8" });
    expect(JSON.parse(text).levels.mount).toMatchObject({ ok: false, reason: "unshare: No space left on device" });
  });
});

describe.skipIf(compiler === undefined)("where / is the initramfs itself, which pivot_root refuses", () => {
  it("the view is moved over it", async () => {
    const sources = join(import.meta.dirname, "../fixtures/native/as-on-initramfs");
    const before = [await compileOnce("as-on-initramfs", sources, { compiler: "gcc" })];
    const { stdout, stderr } = await confine(
      ["--level", "mount", ...BASE, "--", "sh", "-c", "ls / | tr '\\n' ' '; ls /.. | wc -l; cat /etc/passwd"],
      { before },
    );
    expect(stdout).toMatch(/^bin dev lib lib64 proc tmp usr \d\n$|^bin dev lib lib64 proc usr \d\n$/);
    expect(stderr).toMatch(/No such file/);
  });
});

// Helpers that wait within the namespaces of the policy that was used last: what begins there is held as any other command is, nothing
// of another policy begins there, and nothing of it stays behind.
import { mkdir, mkdtemp, readFile, readlink, realpath, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { FrameType } from "../../protocol/frames.js";
import type { Confinement } from "../../stub/commands/request.js";
import { guardPolicy } from "../fixtures/guarded.js";
import { cCompiler } from "../fixtures/helper-binary.js";
import { confined } from "../fixtures/levels.js";
import { eventually, processName } from "../fixtures/processes.js";
import { outputOf, type RawSpawner, rawSpawner } from "../fixtures/raw-spawner.js";

const compiler = await cCompiler();
const POOL = 6;

/** One that waits, and what it has made ready. */
interface Prepared {
  helper: number;
  between: number;
  reaper: number;
  view: string;
}

describe.skipIf(compiler === undefined)("helpers that have entered a view already (needs a C compiler)", () => {
  let folder: string;
  let mine: Confinement;
  let other: Confinement;
  let spawner: RawSpawner;
  let nextID = 1;
  beforeAll(async () => {
    folder = await realpath(await mkdtemp(join(tmpdir(), "ocrs-ahead-")));
    for (const name of ["records", "mine", "other", "mine/hidden"]) await mkdir(join(folder, name));
    await writeFile(join(folder, "mine/secret"), "of mine\n");
    await writeFile(join(folder, "mine/hidden/secret"), "hidden\n");
    const lines = [`hide - ${folder}/mine/hidden`];
    mine = confined("mount+landlock", await guardPolicy([join(folder, "mine"), join(folder, "other")], { lines }));
    other = confined("mount+landlock", await guardPolicy([join(folder, "other")]));
    spawner = await rawSpawner();
    spawner.read();
  });
  afterAll(async () => {
    spawner.socket.destroy();
    await spawner.exited;
    await rm(folder, { recursive: true, force: true });
  });

  async function output(text: string, confinement: Confinement | undefined, directory = "other"): Promise<string> {
    const id = nextID++;
    const base = join(folder, "records", String(id));
    spawner.start(id, base, `exec 2>&1; ${text}`, { cwd: join(folder, directory), confinement });
    const last = await eventually("its end", () =>
      spawner.frames.find((f) => f.id === id && (f.type === FrameType.settled || f.type === FrameType.failed)),
    );
    return last.type === FrameType.failed
      ? Buffer.from(last.payload).toString()
      : outputOf(spawner.frames, id).toString();
  }

  /** All that wait, once each of them has been prepared for `mine`. */
  async function allPrepared(): Promise<Prepared[]> {
    for (let i = 0; i < 3; i++) await Promise.all(Array.from({ length: POOL + 1 }, () => output("true", mine)));
    return eventually("a pool that is prepared", async () => {
      const all = await Promise.all((await childrenOf(spawner.child.pid ?? 0)).map(preparedBy));
      const found = all.filter((each) => each !== undefined);
      return found.length === POOL && all.length === POOL ? found : undefined;
    });
  }

  const VIEW = "readlink /proc/self/ns/mnt";
  const INSIDE = [
    "grep -E '^(Cap|NoNewPrivs|Seccomp|Uid|Gid|Groups|NSpid|NSsid|NSpgid|PPid|Sig)' /proc/self/status",
    "awk '{ print $4, $5, $6 }' /proc/self/mountinfo",
    "echo /proc/$$/fd/* /proc/[0-9]*; for fd in 0 1 2; do readlink /proc/$$/fd/$fd | tr -d 0-9; done",
    "tr '\\0' ' ' < /proc/1/cmdline; cat /proc/1/comm; umask; pwd",
  ].join("; ");

  it("a command runs in what waited, and all is there as in one that had to enter by itself", async () => {
    const [, ...first] = (await output(`${VIEW}; ${INSIDE}`, mine)).split("\n");
    const waited = await allPrepared();
    const [view, ...later] = (await output(`${VIEW}; ${INSIDE}`, mine)).split("\n");
    expect(waited.map((each) => each.view)).toContain(view);
    expect(later).toEqual(first);
    expect(first).toContain("NoNewPrivs:\t1");
  });

  it("nothing of another policy begins there, nor what nothing holds", async () => {
    const host = await readlink("/proc/self/ns/mnt");
    await allPrepared();
    expect(await output(`cat ${folder}/mine/secret`, mine)).toBe("of mine\n"); // what it would see there
    await allPrepared();
    for (let i = 0; i < POOL; i++) {
      const [view = "", ...rest] = (await output(`${VIEW}; cat ${folder}/mine/secret`, other)).split("\n");
      expect(view).toMatch(/^mnt:/);
      expect(view).not.toBe(host);
      expect(rest.join("\n")).not.toContain("of mine");
    }
    await allPrepared();
    expect(await output(VIEW, undefined)).toBe(`${host}\n`);
  });

  it("what was replaced since it was entered is hidden again, and a directory that was replaced is none", async () => {
    await allPrepared();
    await rename(join(folder, "mine/hidden"), join(folder, "mine/shown"));
    await mkdir(join(folder, "mine/hidden"));
    await writeFile(join(folder, "mine/hidden/secret"), "hidden\n");
    expect(await output("ls hidden; cat hidden/secret", mine, "mine")).not.toMatch(/^secret|^hidden$/m);
    expect(await output("cat hidden/secret", undefined, "mine")).toBe("hidden\n");
    await allPrepared();
    await rename(join(folder, "other"), join(folder, "elsewhere"));
    await mkdir(join(folder, "other"));
    expect(JSON.parse(await output("touch ran", mine))).toMatchObject({ stage: "confine", part: "directory" });
    await rm(join(folder, "other"), { recursive: true });
    await rename(join(folder, "elsewhere"), join(folder, "other"));
  });

  it.each(["between", "reaper"] as const)("what waited and was killed (%s) costs no command", async (which) => {
    const waited = await allPrepared();
    for (const each of waited) process.kill(each[which], "SIGKILL");
    for (const each of waited) await isGone(each[which]);
    const views = new Set<string>();
    for (let i = 0; i < 3; i++) {
      const [view = "", secret] = (await output(`${VIEW}; cat ${folder}/mine/secret`, mine)).split("\n");
      expect(view).toMatch(/^mnt:/);
      expect(secret).toBe("of mine");
      views.add(view);
    }
    expect(views).not.toContain(await readlink("/proc/self/ns/mnt"));
  });

  it("nothing waits any more where its helper was killed, or the spawner has ended", async () => {
    const [killed, ...others] = await allPrepared();
    if (killed === undefined) throw new Error("none waits");
    process.kill(killed.helper, "SIGKILL");
    await areGone(killed);
    for (const each of others) expect(await processName(each.reaper)).toBeDefined();
    spawner.socket.destroy();
    await spawner.exited;
    for (const each of others) await areGone(each);
  });
});

async function preparedBy(helper: number): Promise<Prepared | undefined> {
  const [one = 0, two = 0] = await childrenOf(helper);
  for (const [reaper, between] of [
    [one, two],
    [two, one],
  ] as const) {
    const status = await readFile(`/proc/${reaper}/status`, "latin1").catch(() => "");
    if (!/^NSpid:\t\d+\t1$/m.test(status)) continue;
    const view = await readlink(`/proc/${reaper}/ns/mnt`).catch(() => undefined); // it ends with its command
    return view === undefined ? undefined : { helper, between, reaper, view };
  }
  return undefined;
}

async function childrenOf(pid: number): Promise<number[]> {
  const text = await readFile(`/proc/${pid}/task/${pid}/children`, "latin1").catch(() => "");
  return text.split(" ").filter(Boolean).map(Number);
}

async function areGone({ helper, between, reaper }: Prepared): Promise<void> {
  for (const pid of [helper, between, reaper]) await isGone(pid);
}

function isGone(pid: number): Promise<boolean> {
  return eventually(`${pid} is gone`, async () => (await processName(pid)) === undefined);
}

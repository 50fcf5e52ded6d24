// What the kernel holds a command to is built once for a policy, kept by the spawner, and applied by every command with that policy.
import { mkdir, mkdtemp, readdir, readFile, readlink, realpath, rename, rm, writeFile } from "node:fs/promises";
import { constants, tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Frame, FrameType } from "../../protocol/frames.js";
import { encodeCancel } from "../../stub/commands/request.js";
import { guardPolicy } from "../fixtures/guarded.js";
import { canHang, hangingMount } from "../fixtures/hanging-mount.js";
import { cCompiler } from "../fixtures/helper-binary.js";
import { confined, type Level } from "../fixtures/levels.js";
import { eventually } from "../fixtures/processes.js";
import { outputOf, type RawSpawner, rawSpawner } from "../fixtures/raw-spawner.js";

const compiler = await cCompiler();
const hangs = await canHang();
const levels: Level[] = ["landlock", "mount", "mount+landlock"];

describe.skipIf(compiler === undefined).each(levels)("at level %s (needs a C compiler)", (level) => {
  let folder: string;
  let spawner: RawSpawner;
  let nextID = 1;
  beforeAll(async () => {
    folder = await realpath(await mkdtemp(join(tmpdir(), "ocrs-confine-")));
    await mkdir(join(folder, "records"));
    await mkdir(join(folder, "project"));
    await writeFile(join(folder, "secret"), "secret\n");
    spawner = await rawSpawner();
    spawner.read();
  });
  afterAll(async () => {
    spawner.socket.destroy();
    await spawner.exited;
    await rm(folder, { recursive: true, force: true });
  });

  const project = () => join(folder, "project");
  async function start(text: string, policy: Buffer): Promise<{ id: number; last: Frame }> {
    const id = nextID++;
    const base = join(folder, "records", String(id));
    spawner.start(id, base, text, { cwd: project(), confinement: confined(level, policy) });
    const last = await eventually("its end", () =>
      spawner.frames.find((f) => f.id === id && (f.type === FrameType.settled || f.type === FrameType.failed)),
    );
    return { id, last };
  }
  const output = async (text: string, policy: Buffer) =>
    outputOf(spawner.frames, (await start(`exec 2>&1; ${text}`, policy)).id).toString();
  const failure = async (text: string, policy: Buffer) => {
    const { last } = await start(text, policy);
    expect(last.type).toBe(FrameType.failed);
    return JSON.parse(Buffer.from(last.payload).toString());
  };
  /** How many descriptors of a kind the spawner holds. */
  async function held(kind: RegExp): Promise<number> {
    const links = (await readdir(`/proc/${spawner.child.pid}/fd`)).map((fd) =>
      readlink(`/proc/${spawner.child.pid}/fd/${fd}`).catch(() => ""),
    );
    return (await Promise.all(links)).filter((link) => kind.test(link)).length;
  }
  const KEPT = /landlock|^(user|mnt|ipc|net):/;

  it("what is approved can be used, what is beside it cannot; with what was built for the first command too", async () => {
    const policy = await guardPolicy([project()]);
    for (let i = 0; i < 5; i++) {
      const text = await output("echo new > made && cat made; cat ../secret; cat < ../secret; ls ..", policy);
      expect(text).toMatch(/^new\n/);
      expect(text).not.toContain("secret\n");
    }
    await start("true", policy);
    const kept = await held(KEPT);
    expect(kept).toBeGreaterThan(0);
    await output("true", policy);
    expect(await held(KEPT)).toBe(kept);
  });

  it("nothing runs where an approved directory is another one now, and it says which", async () => {
    const approved = join(folder, "approved");
    await mkdir(approved);
    const policy = await guardPolicy([project(), approved]);
    await rename(approved, `${approved}.old`);
    await mkdir(approved);
    const said = await failure(`touch ${project()}/ran`, policy);
    expect(said).toMatchObject({ stage: "confine", errno: 116, path: approved });
    await expect(readFile(join(project(), "ran"))).rejects.toMatchObject({ code: "ENOENT" });
  });

  it("nothing runs with a policy that makes no sense", async () => {
    const said = await failure("touch ran", Buffer.from("confine 1\0everything\0"));
    expect(said).toMatchObject({ stage: "confine", part: "policy" });
    await expect(readFile(join(project(), "ran"))).rejects.toMatchObject({ code: "ENOENT" });
  });

  it.skipIf(!hangs)(
    "a file system that does not answer holds up nobody but who asked for it (needs root, FUSE, python3)",
    async () => {
      const dead = join(folder, "dead");
      await mkdir(dead);
      const policy = await guardPolicy([project()], { lines: [`sys - ${dead}/tool`] });
      await using _ = await hangingMount(dead);
      const id = nextID++;
      spawner.start(id, join(folder, "records", String(id)), "touch ran", {
        cwd: project(),
        confinement: confined(level, policy),
      });
      for (let i = 0; i < 5; i++) expect(await output("echo others", await guardPolicy([project()]))).toBe("others\n");
      expect(spawner.frames.some((frame) => frame.id === id)).toBe(false); // it waits
      spawner.socket.write(encodeCancel(id, "abort"));
      const last = await eventually("its end", () => spawner.frames.find((f) => f.id === id));
      expect(last.type).toBe(FrameType.failed);
      expect(JSON.parse(Buffer.from(last.payload).toString())).toMatchObject({
        stage: "confine",
        errno: constants.errno.ECANCELED,
      });
      await expect(readFile(join(project(), "ran"))).rejects.toMatchObject({ code: "ENOENT" });
    },
  );

  it("two hundred policies leave no more behind than the thirty-two that are kept", async () => {
    const policy = (await guardPolicy([project()])).toString();
    for (let i = 0; i < 200; i += 20) {
      const some = Array.from({ length: 20 }, (_, k) => Buffer.from(`${policy}sys - /nothing/${i + k}\0`));
      const texts = await Promise.all(some.map((each) => output("echo ran", each)));
      expect(texts).toEqual(Array(20).fill("ran\n"));
    }
    const one = level === "landlock" ? 1 : level === "mount" ? 3 : 4;
    expect(await held(KEPT)).toBe(32 * one);
    expect(await held(/./)).toBeLessThan(32 * one + 40);
    expect(await output("echo still", Buffer.from(`${policy}sys - /nothing/199\0`))).toBe("still\n");
  });
});

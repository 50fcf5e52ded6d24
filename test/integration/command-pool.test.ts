// Helpers that wait for their command: the right one gets it, a cancel finds it there, and none of them stays behind.
import { mkdtemp, readFile, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Frame, FrameType } from "../../protocol/frames.js";
import { hasEnded } from "../../stub/commands/files.js";
import { encodeCancel } from "../../stub/commands/request.js";
import { cCompiler } from "../fixtures/helper-binary.js";
import { eventually, processName } from "../fixtures/processes.js";
import { outputOf, type RawSpawner, rawSpawner } from "../fixtures/raw-spawner.js";

const compiler = await cCompiler();
const POOL = 6;

describe.skipIf(compiler === undefined)("a pool of helpers (needs a C compiler)", () => {
  let folder: string;
  beforeAll(async () => {
    folder = await realpath(await mkdtemp(join(tmpdir(), "ocrs-pool-")));
  });
  // what still ends there may still write there
  afterAll(() => rm(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 }));

  it("waits before the first command, gives it one that waited, and is filled up again", async () => {
    const spawner = await rawSpawner();
    spawner.read();
    const first = await waiting(spawner, POOL);
    spawner.start(1, join(folder, "first"), "sleep 600");
    const helper = await helperOf(spawner.frames, 1);
    expect(first).toContain(helper);
    const all = await waiting(spawner, POOL + 1);
    expect(all).toContain(helper);
    await end(spawner, [1]);
  });

  it("runs 40 at once, and a cancel ends the one that it names", async () => {
    const spawner = await rawSpawner();
    spawner.read();
    const ids = Array.from({ length: 40 }, (_, i) => i + 1);
    for (const id of ids) spawner.start(id, join(folder, `many${id}`), `echo ${id}; sleep 600`);
    const helpers = await Promise.all(ids.map((id) => helperOf(spawner.frames, id)));
    expect(new Set(helpers).size).toBe(40);
    for (const id of ids) {
      await eventually(`output of ${id}`, () => outputOf(spawner.frames, id).toString() === `${id}\n`);
    }
    for (const id of [1, 2, 17, 40]) {
      spawner.socket.write(encodeCancel(id, "abort"));
      await eventually(`the end of ${id}`, () => frameOf(spawner.frames, id, FrameType.settled));
      expect(json(frameOf(spawner.frames, id, FrameType.end))).toMatchObject({ flags: 2 });
    }
    const ended = spawner.frames.filter((frame) => frame.type === FrameType.end).map((frame) => frame.id);
    expect(ended).toEqual([1, 2, 17, 40]);
    await end(
      spawner,
      ids.filter((id) => !ended.includes(id)),
    );
  });

  it("cancels a command whose helper has not even taken the request yet", async () => {
    const spawner = await rawSpawner();
    spawner.read();
    const [first = 0] = await waiting(spawner, POOL);
    process.kill(first, "SIGSTOP");
    spawner.start(1, join(folder, "early"), "sleep 600");
    spawner.socket.write(encodeCancel(1, "abort"));
    spawner.start(2, join(folder, "late"), "exit 7"); // the spawner has read what came before this
    await eventually("the other", () => frameOf(spawner.frames, 2, FrameType.settled));
    process.kill(first, "SIGCONT");
    await eventually("settled", () => frameOf(spawner.frames, 1, FrameType.settled));
    expect(json(frameOf(spawner.frames, 1, FrameType.end))).toMatchObject({ flags: 2 });
    expect(json(frameOf(spawner.frames, 2, FrameType.end))).toMatchObject({ flags: 0, status: 7 << 8 });
    await end(spawner, []);
  });

  it.each(["its socket ends", "it is killed"])(
    "is gone when the spawner is (%s); a running command goes on",
    async (how) => {
      const spawner = await rawSpawner();
      spawner.read();
      const base = join(folder, how.replaceAll(" ", "-"));
      spawner.start(1, base, "sleep 0.4; echo went on");
      const helper = await helperOf(spawner.frames, 1);
      const pooled = (await waiting(spawner, POOL + 1)).filter((pid) => pid !== helper);
      if (how === "it is killed") spawner.child.kill("SIGKILL");
      else spawner.socket.destroy();
      await spawner.exited;
      for (const pid of pooled) await eventually(`${pid} is gone`, async () => (await processName(pid)) === undefined);
      await eventually("the end", async () => hasEnded(await readFile(`${base}.run`, "utf8")));
      expect(await readFile(`${base}.stdout`, "utf8")).toBe("went on\n");
      spawner.socket.destroy();
    },
  );

  it("gives no command to what was killed while it waited, and tells of one that was killed with its command", async () => {
    const spawner = await rawSpawner();
    spawner.read();
    const killed = await waiting(spawner, POOL);
    for (const pid of killed) process.kill(pid, "SIGKILL");
    for (const pid of killed) await eventually("its end", async () => (await processName(pid)) === undefined);
    spawner.start(1, join(folder, "killed"), "echo ran");
    await eventually("output", () => outputOf(spawner.frames, 1).toString() === "ran\n");
    const [next = 0] = await waiting(spawner, POOL);
    process.kill(next, "SIGSTOP");
    spawner.start(2, join(folder, "lost"), "echo ran");
    spawner.start(3, join(folder, "found"), "echo ran");
    await eventually("the one behind it", () => frameOf(spawner.frames, 3, FrameType.settled));
    process.kill(next, "SIGKILL");
    await eventually("gone", () => frameOf(spawner.frames, 2, FrameType.gone));
    expect(spawner.frames.filter((frame) => frame.id === 2)).toHaveLength(1);
    await end(spawner, []);
  });

  it("runs no id a second time, in helpers that have made their record's file before they knew the id", async () => {
    const spawner = await rawSpawner();
    spawner.read();
    for (const id of [1, 2, 3]) {
      spawner.start(id, join(folder, `warm${id}`), "true");
      await eventually("settled", () => frameOf(spawner.frames, id, FrameType.settled));
      await waiting(spawner, POOL);
    }
    spawner.start(4, join(folder, "twice"), "echo once");
    await eventually("settled", () => frameOf(spawner.frames, 4, FrameType.settled));
    const record = await readFile(join(folder, "twice.run"), "utf8");
    await waiting(spawner, POOL);
    spawner.start(5, join(folder, "twice"), "echo again");
    const failed = await eventually("failed", () => frameOf(spawner.frames, 5, FrameType.failed));
    expect(json(failed)).toEqual({ stage: "log", errno: 17 });
    expect(await readFile(join(folder, "twice.run"), "utf8")).toBe(record);
    expect(await readFile(join(folder, "twice.stdout"), "utf8")).toBe("once\n");
    await end(spawner, []);
  });

  it("makes records in another directory than the last command's, also on another file system", async () => {
    const elsewhere = await mkdtemp("/dev/shm/ocrs-pool-");
    const spawner = await rawSpawner();
    spawner.read();
    let id = 0;
    for (const directory of [folder, folder, folder, elsewhere, elsewhere, elsewhere, folder]) {
      id += 1;
      spawner.start(id, join(directory, `moved${id}`), `exit ${id}`);
      await eventually("settled", () => frameOf(spawner.frames, id, FrameType.settled));
      expect(hasEnded(await readFile(join(directory, `moved${id}.run`), "utf8"))).toBe(true);
      await waiting(spawner, POOL);
    }
    await end(spawner, []);
    await rm(elsewhere, { recursive: true });
  });

  it("is passed over by a request too long for it", async () => {
    const spawner = await rawSpawner();
    spawner.read();
    const before = await waiting(spawner, POOL);
    spawner.start(1, join(folder, "long"), `: ${"x".repeat(100_000)}; echo $PPID`);
    const helper = Number(await eventually("its helper", () => outputOf(spawner.frames, 1).toString()));
    expect(before).not.toContain(helper);
    await end(spawner, []);
  });
});

/** Children of the spawner, once there are so many. */
function waiting(spawner: RawSpawner, count: number): Promise<number[]> {
  return eventually(`${count} children`, async () => {
    const { pid } = spawner.child;
    const text = await readFile(`/proc/${pid}/task/${pid}/children`, "latin1");
    const pids = text.split(" ").filter(Boolean).map(Number);
    return pids.length === count ? pids : undefined;
  });
}

function frameOf(frames: Frame[], id: number, type: number): Frame | undefined {
  return frames.find((frame) => frame.id === id && frame.type === type);
}

async function helperOf(frames: Frame[], id: number): Promise<number> {
  const frame = await eventually(`${id} started`, () => frameOf(frames, id, FrameType.started));
  return Buffer.from(frame.payload).readUInt32LE(0);
}

function json(frame: Frame | undefined): unknown {
  return JSON.parse(Buffer.from(frame?.payload ?? []).toString());
}

/** Ends these commands and the spawner. */
async function end(spawner: RawSpawner, ids: number[]): Promise<void> {
  for (const id of ids) spawner.socket.write(encodeCancel(id, "abort"));
  for (const id of ids) await eventually(`${id} settled`, () => frameOf(spawner.frames, id, FrameType.settled));
  spawner.socket.destroy();
  expect(await spawner.exited).toBe(0);
}

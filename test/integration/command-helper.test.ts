// The C program by itself: what it refuses, what it shows, and that a stub which does not read holds nothing up.
import { execFile, execFileSync, spawn } from "node:child_process";
import { mkdir, mkdtemp, readdir, readFile, readlink, realpath, rename, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { FrameType } from "../../protocol/frames.js";
import { hasEnded } from "../../stub/commands/files.js";
import { encodeCancel } from "../../stub/commands/request.js";
import { commandApp, run } from "../fixtures/command-app.js";
import { cCompiler, helperBinary } from "../fixtures/helper-binary.js";
import { eventually } from "../fixtures/processes.js";
import { outputOf, rawSpawner } from "../fixtures/raw-spawner.js";

const compiler = await cCompiler();
const SOURCES = join(import.meta.dirname, "../../stub/native/helper");

describe.skipIf(compiler === undefined)("the helper (needs a C compiler)", () => {
  let folder: string;
  beforeAll(async () => {
    folder = await realpath(await mkdtemp(join(tmpdir(), "ocrs-helper-")));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  it("names itself, and its usage to who calls it by hand", async () => {
    const helper = await helperBinary();
    expect(execFileSync(helper, ["--version"], { encoding: "utf8" })).toMatch(/^opencode-remote-ssh helper \d/);
    for (const args of [[], ["--unknown"], ["--spawner", "more"]]) {
      const failed = await promisify(execFile)(helper, args).catch((error) => error);
      expect([failed.code, failed.stderr]).toEqual([2, expect.stringContaining("usage: helper")]);
    }
    const alone = await promisify(execFile)(helper, ["--spawner"]).catch((error) => error);
    expect([alone.code, alone.stderr]).toEqual([2, expect.stringContaining("descriptor 3")]);
  });

  it("is one static program", async () => {
    const text = (await readFile(await helperBinary())).toString("latin1");
    expect(text.startsWith("\x7fELF")).toBe(true);
    expect(text.includes("ld-linux") || text.includes("ld-musl")).toBe(false);
  });

  it("refuses a directory whose component was swapped for a link after the check, which chdir follows", async () => {
    const place = join(folder, "swap");
    const prepare = async () => {
      await rm(place, { recursive: true, force: true });
      await mkdir(join(place, "project/src"), { recursive: true });
      await mkdir(join(place, "secret/src"), { recursive: true });
      return realpath(join(place, "project/src")); // the check
    };
    const swap = async () => {
      await rename(join(place, "project"), join(place, "old"));
      await symlink(join(place, "secret"), join(place, "project"));
    };
    const checked = await prepare();
    await swap();
    const naive = spawn("sh", ["-c", "pwd -P"], { cwd: checked });
    let text = "";
    naive.stdout.on("data", (chunk) => {
      text += chunk;
    });
    await new Promise((resolve) => naive.once("close", resolve));
    expect(text).toBe(`${place}/secret/src\n`); // the naive way ran there

    await using app = await commandApp({
      admit: async () => {
        const cwd = await prepare();
        await swap();
        return { cwd };
      },
    });
    const ran = await run(app, `pwd -P; touch ran`);
    expect(ran).toMatchObject({ status: 400, error: { code: "cwd_missing", details: { name: "ELOOP" } } });
    expect(await readdir(join(place, "secret/src"))).toEqual([]);
  });

  it("shows nothing of a command in its arguments or environment, and holds nothing of the stub's", async () => {
    const spawner = await rawSpawner();
    const base = join(folder, "shows");
    spawner.read();
    spawner.start(1, base, "echo $PPID; sleep 600");
    const helper = await eventually(
      "the helper's pid",
      () => Number(outputOf(spawner.frames, 1).toString()) || undefined,
    );
    for (const pid of [spawner.child.pid, helper]) {
      // not even where the helper lies: a command's reaper is a copy of it
      expect((await readFile(`/proc/${pid}/cmdline`, "latin1")).replaceAll("\0", "")).not.toMatch(/sleep|shows|\//);
      expect(await readFile(`/proc/${pid}/environ`, "latin1")).toBe("");
      expect(await readlink(`/proc/${pid}/cwd`)).toBe("/");
      const held = await Promise.all(
        (await readdir(`/proc/${pid}/fd`)).map(async (fd) => readlink(`/proc/${pid}/fd/${fd}`)),
      );
      const kinds = new Set(held.map((target) => target.replace(/:\[\d+\]$/, "")));
      expect(
        [...kinds].filter(
          (kind) =>
            !["/dev/null", "socket", "pipe", "anon_inode:[signalfd]", `${base}.stdout`, `${base}.run`].includes(kind),
        ),
      ).toEqual([]);
    }
    spawner.socket.write(encodeCancel(1, "abort"));
    await eventually("settled", () => spawner.frames.some((frame) => frame.type === FrameType.settled));
    spawner.socket.destroy();
    expect(await spawner.exited).toBe(0);
  });

  it("lets commands end and record their end while the stub does not read, and then tells every byte", async () => {
    const spawner = await rawSpawner();
    const count = 60;
    for (let id = 1; id <= count; id++) {
      spawner.start(
        id,
        join(folder, `quiet${id}`),
        `i=0; while [ $i -lt 30 ]; do printf '%01000d' ${id}; i=$((i+1)); done; exit ${id}`,
      );
    }
    for (let id = 1; id <= count; id++) {
      const end = await eventually(`end ${id}`, async () => {
        const text = await readFile(join(folder, `quiet${id}.run`), "utf8").catch(() => "");
        return hasEnded(text) ? text.split("\n").at(-2) : undefined;
      });
      expect(JSON.parse(end)).toMatchObject({ status: id << 8, stdout: 30_000 });
    }
    spawner.read();
    await eventually("all settled", () => spawner.frames.filter((f) => f.type === FrameType.settled).length === count);
    for (let id = 1; id <= count; id++) {
      const mine = spawner.frames.filter((frame) => frame.id === id);
      expect(mine[0]?.type).toBe(FrameType.started);
      let at = 0;
      for (const frame of mine) {
        if (frame.type === FrameType.grew) at = frame.offset;
        if (frame.type !== FrameType.output) continue;
        expect(frame.offset).toBe(at);
        at += frame.payload.length;
        const text = Buffer.from(frame.payload).toString();
        expect(text).toBe(
          String(id)
            .padStart(1000, "0")
            .repeat(31)
            .slice(frame.offset % 1000)
            .slice(0, text.length),
        );
      }
      expect(at).toBe(30_000);
      expect(mine.slice(-2).map((frame) => frame.type)).toEqual([FrameType.end, FrameType.settled]);
    }
    spawner.socket.destroy();
    await spawner.exited;
  });

  it("survives a cancel of an id that is gone or never was, and reports a helper that could not read its request", async () => {
    const spawner = await rawSpawner();
    spawner.read();
    spawner.socket.write(encodeCancel(77, "abort"));
    spawner.start(1, join(folder, "gone1"), "true");
    await eventually("settled", () => spawner.frames.some((frame) => frame.type === FrameType.settled));
    spawner.socket.write(encodeCancel(1, "abort"));
    const broken = Buffer.alloc(12 + 30);
    broken.writeUInt32LE(38, 0);
    broken.writeUInt32LE(1, 4);
    broken.writeUInt32LE(2, 8);
    broken.fill(0xff, 12);
    spawner.socket.write(broken);
    await eventually("gone", () => spawner.frames.some((frame) => frame.id === 2 && frame.type === FrameType.gone));
    spawner.start(3, join(folder, "gone3"), "echo still here");
    await eventually("the next one", () => outputOf(spawner.frames, 3).toString() === "still here\n");
    const nonsense = Buffer.alloc(4);
    nonsense.writeUInt32LE(0xffffffff, 0);
    spawner.socket.write(nonsense);
    expect(await spawner.exited).toBe(3);
  });

  it("runs nothing where what is asked to be enforced cannot be", async () => {
    const spawner = await rawSpawner();
    spawner.read();
    const base = join(folder, "unknown-level");
    const confinement = { level: 0x4000, askWaitMs: 0, key: "k", policy: Buffer.from("confine 1\0") };
    spawner.start(1, base, `touch ${base}.ran`, { confinement });
    const frame = await eventually("failed", () => spawner.frames.find((f) => f.type === FrameType.failed));
    expect(JSON.parse(Buffer.from(frame.payload).toString())).toMatchObject({ stage: "confine" });
    await expect(readFile(`${base}.ran`)).rejects.toMatchObject({ code: "ENOENT" });
    await expect(readFile(`${base}.run`)).rejects.toMatchObject({ code: "ENOENT" });
    spawner.socket.destroy();
    await spawner.exited;
  });

  it("goes on with the command when the disk takes no more, and says how much is missing", async () => {
    const base = join(folder, "full");
    await symlink("/dev/full", `${base}.stderr`); // a link is not followed: opening it fails as a full disk would
    const spawner = await rawSpawner();
    spawner.read();
    spawner.start(1, base, "printf 12345 >&2; echo goes on");
    const frame = await eventually("end", () => spawner.frames.find((f) => f.type === FrameType.end));
    expect(JSON.parse(Buffer.from(frame.payload).toString())).toMatchObject({
      status: 0,
      stdout: 8,
      stderr: 5,
      dropped: { stdout: null, stderr: { first: 0, last: 4 } },
    });
    spawner.socket.destroy();
    await spawner.exited;
  });

  it("counts a time limit on a clock that nobody can set; on the other one it would end commands at once", async () => {
    const ended = async (jumping: string) => {
      const helper = join(folder, `helper-${jumping}`);
      const folders = [".", "../confine"];
      const names = (
        await Promise.all(folders.map(async (at) => (await readdir(join(SOURCES, at))).map((name) => join(at, name))))
      )
        .flat()
        .filter((name) => name.endsWith(".c"));
      const flags = ["-std=gnu11", "-static", `-DJUMPING=${jumping}`, "-include", "test/jumping_clock.h"];
      execFileSync(compiler ?? "", [...flags, "-o", helper, ...names], { cwd: SOURCES });
      const spawner = await rawSpawner({ helper });
      spawner.read();
      spawner.start(1, join(folder, `${jumping}1`), "sleep 0.3; exit 7", { timeoutMs: 60_000 });
      spawner.start(2, join(folder, `${jumping}2`), "sleep 600", { timeoutMs: 100 });
      await eventually("both", () => spawner.frames.filter((f) => f.type === FrameType.settled).length === 2);
      spawner.socket.destroy();
      await spawner.exited;
      const ends = [1, 2].map((id) => spawner.frames.find((f) => f.id === id && f.type === FrameType.end));
      return ends.map((frame) => {
        const { status, flags: said } = JSON.parse(Buffer.from(frame?.payload ?? []).toString());
        return { status, flags: said };
      });
    };
    const limited = { status: 15, flags: 1 };
    expect(await ended("CLOCK_REALTIME")).toEqual([{ status: 7 << 8, flags: 0 }, limited]);
    // What a limit on the time of day would do. The time between SIGTERM and SIGKILL is over at once, too: either may come first.
    expect(await ended("CLOCK_MONOTONIC")).toMatchObject([{ flags: 1 }, { flags: 1 }]);
  });
});

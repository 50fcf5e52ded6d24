// Bytes of a terminal, to the last one.
import { join } from "node:path";
import { ReadStream } from "node:tty";
import { expect, it } from "vitest";
import { compilePtyAddon } from "../../scripts/build/pty-addon.js";
import { describe } from "../../test/fixtures/with-compiler.js";
import { loadPtyAddon } from "./addon.js";
import { PtyProcess } from "./pty-process.js";

const ROOT = join(import.meta.dirname, "../..");
const BUILD = { cacheDir: join(ROOT, ".cache/build"), log: { stage: () => undefined, warn: () => undefined } };
const addon = async () => loadPtyAddon(await compilePtyAddon(BUILD, ROOT));
const env = { PATH: "/usr/bin:/bin" };
const size = { cols: 80, rows: 24 };
const SCRIPT = "head -c 200000 /dev/zero | tr '\\0' x; echo; echo LAST";
const BYTES = 200_000 + "\r\nLAST\r\n".length;

/** Bytes seen until the process had ended and its stream as well. */
async function naive(): Promise<number> {
  const native = await addon();
  let seen = 0;
  await new Promise<void>((resolve) => {
    const onExit = () => setTimeout(resolve, 100);
    const { fd } = native.fork(
      "/bin/sh",
      ["-c", SCRIPT],
      ["PATH=/usr/bin:/bin"],
      "/",
      80,
      24,
      -1,
      -1,
      true,
      "",
      onExit,
    );
    const stream = new ReadStream(fd);
    stream.on("error", () => undefined);
    stream.on("data", (bytes) => {
      seen += bytes.length;
    });
  });
  return seen;
}

async function ours(script: string, pauseMs = 0): Promise<{ seen: number; code: number; signal: number }> {
  const native = await addon();
  let seen = 0;
  return new Promise((resolve) => {
    const process = new PtyProcess(native, {
      file: "/bin/sh",
      args: ["-c", script],
      env,
      cwd: "/",
      size,
      onData: (bytes) => {
        seen += bytes.length;
      },
      onExit: (exit) => resolve({ seen, ...exit }),
    });
    if (pauseMs === 0) return;
    process.pause();
    setTimeout(() => process.resume(), pauseMs);
  });
}

describe("a process on a terminal", () => {
  it("loses nothing of what it printed last", async () => {
    for (let round = 0; round < 40; round += 1) expect(await ours(SCRIPT)).toEqual({ seen: BYTES, code: 0, signal: 0 });
  });

  it("(control) the stream alone, as node-pty reads it, loses it now and then", async () => {
    let lost = false;
    for (let round = 0; round < 150 && !lost; round += 1) lost = (await naive()) < BYTES;
    expect(lost).toBe(true);
  });

  it("is read to its end though it ended while nobody read", async () => {
    expect(await ours("echo first; exit 3", 500)).toEqual({ seen: 7, code: 3, signal: 0 });
  });

  it("always tells its end, however short its life was", async () => {
    const all = await Promise.all(Array.from({ length: 30 }, () => ours("exit 5")));
    expect(new Set(all.map(({ code }) => code))).toEqual(new Set([5]));
    expect(await ours("kill -9 $$")).toMatchObject({ code: 0, signal: 9 });
  });
});

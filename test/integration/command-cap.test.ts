// Output beyond the cap of a log: bounded on the disk, its beginning and its end kept, the rest announced to everyone who asks. Row 35.
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { expect, it } from "vitest";
import type { ByteRange, CommandRecord } from "../../protocol/command.js";
import { FrameType } from "../../protocol/frames.js";
import { parseEnd } from "../../stub/commands/files.js";
import { LogReader } from "../../stub/commands/log-reader.js";
import { body, collect, commandApp, commandRequest, json, run, send } from "../fixtures/command-app.js";
import { describeCommandsAtLevels } from "../fixtures/describe-commands.js";
import { eventually } from "../fixtures/processes.js";
import { rawSpawner } from "../fixtures/raw-spawner.js";
import { smallDisk } from "../fixtures/small-disk.js";

const CAP = 64 * 1024;
const mayMount = process.getuid?.() === 0;

/** Lines of eight bytes, each with its number: every byte tells its offset. */
function numbered(from: number, to: number): Buffer {
  const first = Math.floor(from / 8);
  let text = "";
  for (let line = first; line * 8 < to; line++) text += `${String(line + 1).padStart(7, "0")}\n`;
  return Buffer.from(text).subarray(from - first * 8, to - first * 8);
}

const printNumbered = (lines: number) => `seq -f %07.0f 1 ${lines}`;

describeCommandsAtLevels("output beyond the cap", { logCap: CAP, graceMs: 300 }, (app) => {
  const logSize = async (id: string, stream = "stdout") =>
    (await stat(join(app.folder, "commands", `${id}.${stream}`))).size;

  /** A command whose output has a hole, ended. */
  async function holed(lines = 100_000): Promise<{ id: string; hole: ByteRange; record: CommandRecord }> {
    const request = commandRequest(printNumbered(lines));
    await json(await send(app, "POST", "/command", request));
    const record = await app.commands.get(request.commandID)?.settled;
    const hole = record?.output.dropped?.stdout;
    if (record === undefined || !hole) throw new Error("nothing was dropped");
    return { id: request.commandID, hole, record };
  }

  it("keeps the beginning and the end within the cap, and the record says which bytes are gone", async () => {
    const { id, hole, record } = await holed();
    expect(record).toMatchObject({ state: "exited", exit: 0, output: { stdout: 800_000, dropped: { reason: "cap" } } });
    expect(record.output.dropped?.stderr).toBeNull();
    expect(await logSize(id)).toBeLessThanOrEqual(CAP);
    const replay = await collect(await send(app, "GET", `/command/${id}/output?follow=1`));
    expect(replay.gaps).toEqual([{ stream: "stdout", ...hole }]);
    const kept = [numbered(0, hole.first), numbered(hole.last + 1, 800_000)];
    expect(replay.stdout.equals(Buffer.concat(kept))).toBe(true);
    for (const part of kept) expect(part.length).toBeGreaterThan(CAP / 4);
  });

  it("answers a plain request up to the hole, with its offsets; inside of it with a code; and behind it again", async () => {
    const { id, hole } = await holed();
    const get = (offset: number) => send(app, "GET", `/command/${id}/output?stream=stdout&offset=${offset}`);
    const before = await get(100);
    expect(before.headers["x-output-dropped"]).toBe(`${hole.first}-${hole.last}`);
    expect((await body(before)).equals(numbered(100, hole.first))).toBe(true);
    for (const offset of [hole.first, hole.last]) {
      const inside = await get(offset);
      expect([inside.statusCode, await json(inside)]).toMatchObject([410, { code: "output_dropped", details: hole }]);
    }
    const behind = await get(hole.last + 1);
    expect(behind.headers).not.toHaveProperty("x-output-dropped");
    expect((await body(behind)).equals(numbered(hole.last + 1, 800_000))).toBe(true);
  });

  it("gives all of it to a follower that keeps up, or tells it the gap", async () => {
    const ran = await run(app, printNumbered(100_000));
    let at = 0;
    const parts: Buffer[] = [];
    for (const gap of ran.gaps) {
      parts.push(numbered(at, gap.first));
      at = gap.last + 1;
    }
    parts.push(numbered(at, 800_000));
    expect(ran.stdout.equals(Buffer.concat(parts))).toBe(true);
  });

  it("serves a follower that does not read from the log, and tells it which bytes are gone when it reads again", async () => {
    const lines = 3_000_000; // more than the sockets between take
    const request = commandRequest(printNumbered(lines));
    const response = await send(app, "POST", "/command?follow=1", request);
    const settled = await app.commands.get(request.commandID)?.settled;
    expect(settled).toMatchObject({ exit: 0 }); // nobody held it up
    const late = await collect(response);
    expect(late.gaps.length).toBeGreaterThan(0);
    expect(late.stdout.length + late.gaps.reduce((sum, gap) => sum + gap.last - gap.first + 1, 0)).toBe(lines * 8);
    expect(late.stdout.subarray(-8).toString()).toBe(`${lines}\n`);
  });

  it("leaves room for errors after a flood of output", async () => {
    const request = commandRequest(`${printNumbered(100_000)}; seq -f %07.0f 1 800 >&2`);
    await json(await send(app, "POST", "/command", request));
    const settled = await app.commands.get(request.commandID)?.settled;
    expect(settled?.output).toMatchObject({ stderr: 6400, dropped: { stderr: null } });
    const errors = await body(await send(app, "GET", `/command/${request.commandID}/output?stream=stderr`));
    expect(errors.equals(numbered(0, 6400))).toBe(true);
    const sizes = [await logSize(request.commandID), await logSize(request.commandID, "stderr")];
    expect((sizes[0] ?? 0) + (sizes[1] ?? 0)).toBeLessThanOrEqual(CAP);
  });

  it("stays within it however long `yes` runs and nobody reads", async () => {
    const request = commandRequest("yes");
    await json(await send(app, "POST", "/command", request));
    const command = app.commands.get(request.commandID);
    await eventually("500 MB", () => (command?.record().output.stdout ?? 0) > 500_000_000);
    command?.cancel("abort");
    const settled = await command?.settled;
    const { size, blocks } = await stat(join(app.folder, "commands", `${request.commandID}.stdout`));
    expect(size).toBeLessThanOrEqual(CAP);
    expect(blocks * 512).toBeLessThanOrEqual(CAP + 8192);
    expect(settled?.output.dropped?.stdout?.last).toBeGreaterThan(400_000_000);
  });

  it("gives a reader right bytes or none while they are overwritten; who reads the file alone is given wrong ones", async () => {
    const lines = 4_000_000;
    const request = commandRequest(printNumbered(lines));
    await json(await send(app, "POST", "/command", request));
    const command = app.commands.get(request.commandID);
    const log = command?.openLog("stdout");
    if (command === undefined || log === undefined) throw new Error("no command");
    const path = join(app.folder, "commands", `${request.commandID}.stdout`);
    const buffer = Buffer.alloc(16 * 1024);
    let naivelyWrong = 0;
    let gaps = 0;
    for (let at = 0; at < lines * 8; ) {
      const end = command.record().output.stdout;
      if (at >= end) {
        await new Promise((resolve) => setTimeout(resolve, 1));
        continue;
      }
      const piece = await log.readLater(buffer, 0, Math.min(buffer.length, end - at), at);
      if (typeof piece === "number") {
        expect(buffer.subarray(0, piece).equals(numbered(at, at + piece))).toBe(true);
        at += piece;
      } else {
        gaps += 1;
        const size = Math.min(1000, piece.last - piece.first);
        const file = await readFile(path);
        const naive = file.subarray(piece.first, piece.first + size);
        if (!naive.equals(numbered(piece.first, piece.first + size))) naivelyWrong += 1;
        at = piece.last + 1;
      }
    }
    log.close();
    expect(gaps).toBeGreaterThan(0);
    expect(naivelyWrong).toBeGreaterThan(0); // the naive way
  });

  it("is announced to the next stub, too", async () => {
    const { id, hole } = await holed();
    await using next = await commandApp({ folder: app.folder });
    const record = await json<CommandRecord>(await send(next, "GET", `/command/${id}`));
    expect(record.output).toMatchObject({ stdout: 800_000, dropped: { stdout: hole, stderr: null, reason: "cap" } });
    const replay = await collect(await send(next, "GET", `/command/${id}/output?follow=1&stdout=${hole.first + 5}`));
    expect(replay.gaps).toEqual([{ stream: "stdout", first: hole.first + 5, last: hole.last }]);
    expect(replay.stdout.equals(numbered(hole.last + 1, 800_000))).toBe(true);
  });

  it("loses nothing else, whatever is printed in whatever pieces (property)", async () => {
    const folder = await mkdtemp(join(tmpdir(), "ocrs-cap-"));
    const spawner = await rawSpawner();
    spawner.read();
    const piece = fc.record({
      stream: fc.constantFrom(0 as const, 1 as const),
      size: fc.integer({ min: 1, max: 70_000 }),
    });
    let id = 0;
    try {
      await fc.assert(
        fc.asyncProperty(
          fc.array(piece, { maxLength: 12 }),
          fc.integer({ min: 16, max: 200_000 }),
          async (pieces, cap) => {
            id += 1;
            const base = join(folder, `p${id}`);
            const totals: [number, number] = [0, 0];
            await mkdir(`${base}.in`);
            let text = ":";
            for (const [i, { stream, size }] of pieces.entries()) {
              const from = totals[stream];
              totals[stream] = from + size;
              await writeFile(`${base}.in/${i}`, numbered(from, from + size));
              text += `; cat ${base}.in/${i}${stream === 1 ? " >&2" : ""}`;
            }
            spawner.start(id, base, text, { logCap: cap });
            const end = await eventually("the end", () =>
              spawner.frames.find((f) => f.id === id && f.type === FrameType.end),
            );
            const record = parseEnd(Buffer.from(end.payload).toString());
            expect([record.stdout, record.stderr]).toEqual(totals);
            let onDisk = 0;
            for (const stream of [0, 1] as const) {
              const name = stream === 0 ? "stdout" : "stderr";
              onDisk += (await stat(`${base}.${name}`).catch(() => ({ size: 0 }))).size;
              expect(await holeAndBytes(base, stream, totals[stream])).toEqual(record.dropped[name]);
            }
            expect(onDisk).toBeLessThanOrEqual(cap);
            if (totals[0] + totals[1] <= cap / 8) expect(record.dropped).toEqual({ stdout: null, stderr: null });
          },
        ),
        { numRuns: 40 },
      );
    } finally {
      spawner.socket.destroy();
      await spawner.exited;
      await rm(folder, { recursive: true, force: true });
    }
  });

  it.skipIf(!mayMount)(
    "takes no more than its part of a small disk, and goes on when it is full and says what is missing (needs root, it mounts a tmpfs)",
    async () => {
      await using disk = await smallDisk("size=8m");
      await using full = await commandApp({ folder: disk.path });
      const early = await run(full, printNumbered(500_000));
      const log = await stat(join(disk.path, "commands", `${early.end?.commandID}.stdout`));
      expect(log.size).toBeLessThanOrEqual(800 * 1024 + 4096); // a tenth of what is free, whatever the cap
      expect(early.end?.output).toMatchObject({ stdout: 4_000_000, dropped: { reason: "cap" } });
      const spare = join(disk.path, "spare");
      await writeFile(spare, Buffer.alloc(400_000));
      await disk.fill();
      await rm(spare);
      const request = commandRequest(`${printNumbered(500_000)}; echo done >&2; exit 3`);
      const ran = await collect(await send(full, "POST", "/command?follow=1", request));
      expect(ran.end).toMatchObject({ state: "exited", exit: 3, output: { stdout: 4_000_000, stderr: 5 } });
      const record = await full.commands.get(request.commandID)?.settled;
      const hole = record?.output.dropped?.stdout;
      expect(record?.output.dropped).toMatchObject({ reason: "disk", stderr: { first: 0, last: 4 } });
      if (!hole) throw new Error("nothing was dropped");
      const replay = await collect(await send(full, "GET", `/command/${request.commandID}/output?follow=1`));
      expect(replay.stdout.equals(Buffer.concat([numbered(0, hole.first), numbered(hole.last + 1, 4_000_000)]))).toBe(
        true,
      );
      expect(replay.stdout.length).toBeGreaterThan(200_000);
      const refused = await send(full, "POST", "/command", commandRequest("echo more"));
      expect([refused.statusCode, await json(refused)]).toMatchObject([507, { code: "ENOSPC" }]);
      await disk.free();
      expect((await run(full, "echo again")).stdout.toString()).toBe("again\n");
    },
  );
});

/** Reads all there is, checks every byte, and returns the hole. */
async function holeAndBytes(base: string, stream: 0 | 1, end: number): Promise<ByteRange | null> {
  const log = new LogReader(base, stream);
  const buffer = Buffer.alloc(10_000);
  let hole: ByteRange | null = null;
  try {
    for (let at = 0; at < end; ) {
      const piece = log.readNow(buffer, 0, Math.min(buffer.length, end - at), at);
      if (typeof piece === "number") {
        expect(piece).toBeGreaterThan(0);
        expect(buffer.subarray(0, piece).equals(numbered(at, at + piece))).toBe(true);
        at += piece;
      } else {
        expect(hole).toBeNull();
        hole = piece;
        at = piece.last + 1;
      }
    }
  } finally {
    log.close();
  }
  return hole;
}

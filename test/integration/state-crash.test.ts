// kill -9 in the middle of saves: each value is the old one or the new one, never torn, never half.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "esbuild";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Problems } from "../../stub/problems.js";
import { JsonStore } from "../../stub/state/store.js";
import { Kept, type PlannedStep } from "../fixtures/store-writer.js";

let folder: string;
let program: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "ocrs-crash-"));
  program = join(folder, "store-writer.mjs");
  // One file without a loader: the process is killed two hundred times, and starts as often.
  const entry = join(import.meta.dirname, "../fixtures/store-writer.ts");
  await build({
    entryPoints: [entry],
    outfile: program,
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node20",
  });
});
afterAll(() => rm(folder, { recursive: true, force: true }));

interface Kill {
  /** At its n-th word… */
  words: number;
  /** …and then so much later. */
  delayMs: number;
}

/** Runs the plan in a process of its own and kills it; gives the words, whole ones only. */
async function killed(kill: Kill, directory: string, plan: PlannedStep[][], how: string): Promise<string[]> {
  const child = spawn(process.execPath, [program, directory, JSON.stringify(plan), how], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let said = "";
  child.stdout.on("data", (chunk: Buffer) => {
    said += chunk.toString();
    if (said.split("\n").length > kill.words) setTimeout(() => child.kill("SIGKILL"), kill.delayMs);
  });
  await once(child, "close");
  return said.split("\n").slice(0, -1);
}

async function reopen(directory: string) {
  const problems = new Problems();
  const store = await JsonStore.open(directory, Kept, { log: { warn: () => undefined }, problems });
  return { store, problems: await problems.list() };
}

/** An id belongs to one lane, so its steps have an order. */
const lanes = ["a", "b", "c"].map((id) =>
  fc
    .array(fc.option(fc.integer({ min: 0, max: 200_000 }), { freq: 4 }), { minLength: 1, maxLength: 8 })
    .map((sizes) => sizes.map((bytes, index) => ({ id, step: index + 1, bytes }))),
);

const kills = fc.record({ words: fc.integer({ min: 1, max: 40 }), delayMs: fc.integer({ min: 0, max: 5 }) });

describe("two hundred kills at random points of random plans", () => {
  it("leave of each value the one before or the one that was being saved, and nothing set aside (row 37)", async () => {
    const unlike: string[] = [];
    let cut = 0;
    await fc.assert(
      fc.asyncProperty(fc.tuple(...lanes), kills, async (plan, kill) => {
        const directory = await mkdtemp(join(folder, "state-"));
        const said = await killed(kill, directory, plan, "atomic");
        const { store, problems } = await reopen(directory);
        if (problems.length > 0) unlike.push(JSON.stringify(problems));
        for (const lane of plan) {
          const [{ id }] = lane as [PlannedStep];
          const steps = said.map((line) => line.split(" ")).filter(([, its]) => its === id);
          const done = steps.filter(([word]) => word === "done").length;
          const begun = steps.length - done;
          if (begun > done) cut += 1;
          const found = store.get(id);
          // The step before the first leaves nothing; a removal leaves nothing, too.
          const possible = [done, begun].map((step) => lane[step - 1]?.bytes ?? null);
          const is = found === undefined ? null : found.padding.length;
          if (!possible.includes(is)) unlike.push(`${id}: ${is} bytes after ${steps.join(" | ")}`);
          if (found !== undefined && ![done, begun].includes(found.step)) unlike.push(`${id}: step ${found.step}`);
        }
        const names = await readdir(directory);
        if (names.some((name) => !/^[abc]\.json$/.test(name))) unlike.push(names.join(" "));
        await rm(directory, { recursive: true });
      }),
      { numRuns: 200, endOnFailure: true },
    );
    expect(unlike).toEqual([]);
    // Most kills hit a save under way, else the two hundred would show nothing.
    expect(cut).toBeGreaterThan(100);
  }, 180_000);

  it("do tear files that are written in place: the control", async () => {
    let torn = 0;
    for (let round = 0; round < 200 && torn === 0; round += 1) {
      const directory = await mkdtemp(join(folder, "naive-"));
      const plan = [Array.from({ length: 400 }, (_, index) => ({ id: "a", step: index + 1, bytes: 200_000 }))];
      await killed({ words: 3 + (round % 20), delayMs: round % 7 }, directory, plan, "naive");
      torn += (await reopen(directory)).problems.length;
      await rm(directory, { recursive: true });
    }
    expect(torn).toBeGreaterThan(0);
  }, 120_000);
});
